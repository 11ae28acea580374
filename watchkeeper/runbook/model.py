"""What is true of a vendor and what to do when it breaks: the shape of a runbook file.

Every value here is frozen data. The symptom and confirmation names are the public vocabulary of
`watchkeeper.diagnosis`; the action names that of `watchkeeper.mitigation`.
"""

from __future__ import annotations

from pydantic import Field

from watchkeeper.runbook.api import Auth, RateLimit, Resource, StatusPage
from watchkeeper.runbook.base import Frozen, Name, Path, Url
from watchkeeper.runbook.causes import CauseRule, SeverityLevel, Thresholds
from watchkeeper.runbook.mitigations import Mitigation
from watchkeeper.runbook.people import Checklist, Link, Rung, Support
from watchkeeper.runbook.policy import Caps, Detection, Job, Verification
from watchkeeper.runbook.probes import ContrastProbe, Probe
from watchkeeper.runbook.signals import Log, Metric, Volume
from watchkeeper.runbook.telemetry import HealthWords


class Runbook(Frozen):
    """One vendor's runbook: facts about its API, and the policy for its incidents."""

    vendor: Name
    """Name of the vendor, such as `maintainx`: what stands before the @ in integrations.yaml."""
    display_name: str
    """The vendor's name as people write it, such as `MaintainX`."""
    unverified: str | None = None
    """Said of an API that its vendor does not document: every path can be overridden. It is told by
    `watchkeeper runbook check`, and changes nothing."""
    base_url: Url
    """Address of the API, such as `https://api.example.com/v1`; paths are put behind it."""
    auth: Auth
    """How the key travels."""
    rate_limit: RateLimit
    """What the vendor allows one key."""
    max_page_size: int | None = Field(default=None, ge=1)
    """The most records that the vendor serves a page; no page_size may be larger."""
    status_page: StatusPage | None = None
    """The vendor's public word on itself; without it, it is not heard."""
    control: Url | None = None
    """Any site that is up when our network is, and has nothing to do with the vendor. Without it a
    network of ours that is down cannot be told from the vendor's silence."""
    description: Path | None = None
    """Where the vendor serves a description of its API (OpenAPI), below base_url, such as
    `/openapi.json`. Without it nobody looks up whether a path was withdrawn."""
    probes: tuple[Probe, ...] = Field(min_length=1)
    """One cheap request for each endpoint that matters; with one alone, its failure looks total."""
    contrast_probes: tuple[ContrastProbe, ...] = ()
    """What is asked where something fails, to tell causes apart. What is not named is not asked."""
    health_words: HealthWords = HealthWords()
    """Words by which the services that use this vendor tell their health, beside the usual ones."""
    metrics: tuple[Metric, ...] = ()
    """What our own service measures; `service.metrics` of integrations.yaml says where."""
    volume: Volume | None = None
    """Our service's count of its requests; without it nobody can tell who spends the budget."""
    logs: tuple[Log, ...] = ()
    """What to look for in our service's log; `service.logs` of integrations.yaml says where."""
    resources: tuple[Resource, ...] = ()
    """The lists that are synced. Without any nothing is synced, and no gap can be filled."""
    severity: tuple[SeverityLevel, ...] = Field(min_length=4, max_length=4)
    """The severity table: levels 1 (worst) to 4, each once."""
    thresholds: Thresholds = Thresholds()
    """Where slow, late and wrong begin."""
    causes: tuple[CauseRule, ...] = Field(min_length=1)
    """The symptom table: what it is, how grave, and what is done about it."""
    mitigations: tuple[Mitigation, ...] = ()
    """The actions that causes may name."""
    jobs: tuple[Job, ...] = ()
    """What moves the resources; `watchkeeper up` runs each of them."""
    verification: Verification = Verification()
    """What proves a repair."""
    detection: Detection = Detection()
    """How a first failure becomes an incident."""
    caps: Caps = Caps()
    """The most that is done, and how long an answer is waited for."""
    escalation: tuple[Rung, ...] = ()
    """Who is called, and after how long without acknowledgement. Without it nobody is."""
    checklists: tuple[Checklist, ...] = ()
    """What people do beside us, list by list."""
    support: tuple[Support, ...] = ()
    """How to reach the vendor's people."""
    links: tuple[Link, ...] = ()
    """What a person may want to open at 3 a.m.; alerts and triages carry it."""

    def resource(self, name: str) -> Resource:
        return next(r for r in self.resources if r.name == name)

    def job(self, name: str) -> Job:
        return next(j for j in self.jobs if j.name == name)

    def job_of(self, resource: str) -> str:
        """The job that moves a resource, or the resource's own name where none does."""
        return next((j.name for j in self.jobs if resource in j.resources), resource)

    def cause(self, cause: str) -> CauseRule | None:
        return next((c for c in self.causes if c.cause == cause), None)

    def mitigation(self, name: str) -> Mitigation:
        return next(m for m in self.mitigations if m.name == name)

    @property
    def performed(self) -> tuple[Mitigation, ...]:
        """The mitigations that something carries out in this version: no other one is offered."""
        return tuple(m for m in self.mitigations if m.performed)

    def mitigations_for(self, cause: str | None) -> tuple[Mitigation, ...]:
        """What the cause calls for and something carries out, in its row's order."""
        rule = self.cause(cause) if cause else None
        found = tuple(self.mitigation(name) for name in (rule.mitigations if rule else ()))
        return tuple(m for m in found if m.performed)

    def severity_level(self, level: int) -> SeverityLevel:
        return next(s for s in self.severity if s.level == level)
