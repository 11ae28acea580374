"""What is true of a vendor and what to do when it breaks: the shape of a runbook file.

Every value here is frozen data. The symptom and confirmation names are the public vocabulary of
`watchkeeper.diagnosis`; the action names that of `watchkeeper.mitigation`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from watchkeeper.runbook.durations import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Span = Annotated[Duration, Field(gt=timedelta(0))]

NAME, URL, PATH = r"^[a-z][a-z0-9_-]*$", r"^https?://[^\s]+$", r"^/[^\s]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=64)]
Url = Annotated[str, Field(pattern=URL)]
Path = Annotated[str, Field(pattern=PATH)]
Criticality = Literal["critical", "normal", "deferrable"]
Autonomy = Literal["observe", "propose", "approve", "auto"]


class Frozen(BaseModel):
    """A closed, immutable value: an unknown key is an error, not a wish."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Auth(Frozen):
    """How the credential travels: header and scheme. The value itself lives in a secret store."""

    header: str = "Authorization"
    scheme: str = "Bearer"
    organisation_header: str | None = None


class RateLimit(Frozen):
    """The vendor's budget for one credential, and how its reset header counts."""

    requests: int = Field(gt=0)
    per: Span
    reset: Literal["delta", "epoch"] = "delta"


class StatusPage(Frozen):
    """The vendor's public word on itself. Anything odd on it means unknown, never down."""

    kind: Literal["betterstack", "statuspage_v2"]
    url: Url
    path: Path
    component: str | None = None


class Probe(Frozen):
    """One read-only check of one endpoint with the real credential."""

    name: Name
    path: Path
    resource: Name | None = None
    envelope: str | None = None
    critical: bool = True


class ContrastProbe(Frozen):
    """The same check with one thing changed, so that causes can be told apart."""

    name: Name
    varies: Literal["no_key", "other_key"]
    path: Path


class Resource(Frozen):
    """A list the vendor serves, and what it takes to have all of it.

    `version_field` is null where its records carry no time of change. Without `since_param` the
    list is walked whole.
    """

    name: Name
    path: Path
    envelope: str
    item_path: Path | None = None
    item_envelope: str | None = None
    id_field: str = "id"
    version_field: str | None = "updatedAt"
    paging: Literal["cursor", "offset_cursor"] = "cursor"
    cursor_param: str = "cursor"
    cursor_field: str = "nextCursor"
    limit_param: str = "limit"
    page_size: int = Field(default=100, ge=1)
    since_param: str | None = None
    until_param: str | None = None
    sort_param: str | None = None
    sort: str | None = None
    list_lag: Duration = timedelta(0)
    overlap: Duration = timedelta(minutes=5)


class SeverityLevel(Frozen):
    """One row of the runbook's own severity table, on our scale 1 (worst) to 4."""

    level: int = Field(ge=1, le=4)
    word: str
    definition: str
    respond_within: Duration | Literal["next business day"]
    pages: bool


class Thresholds(Frozen):
    """Where slow and failing begin."""

    slow: Duration = timedelta(seconds=5)
    probe_deadline: Span = timedelta(seconds=10)


class CauseRule(Frozen):
    """One row of the symptom table: symptom -> likely cause -> severity -> what to do."""

    cause: Name
    symptom: Name
    likely_cause: str
    check: str
    severity: int = Field(ge=1, le=4)
    severity_when_not_critical: int | None = Field(default=None, ge=1, le=4)
    confirm: tuple[Name, ...] = ()
    mitigations: tuple[Name, ...] = ()
    soak: Duration = timedelta(seconds=30)
    links: tuple[Url, ...] = ()


class Mitigation(Frozen):
    """An action the runbook knows, with what it touches, its cap and its way back."""

    name: Name
    action: Literal["rotate_key", "pause_jobs", "cap_rate", "escalate"]
    summary: str
    criticality: tuple[Criticality, ...] = ()
    max_requests_per_s: float | None = Field(default=None, gt=0)
    lease: Span = timedelta(hours=4)
    autonomy: Autonomy = "propose"
    approvals: int = Field(default=1, ge=0, le=1)


class Job(Frozen):
    """A scheduled job over this vendor: the resources it moves and how much it matters."""

    name: Name
    criticality: Criticality
    resources: tuple[Name, ...] = Field(min_length=1)


class Verification(Frozen):
    """What proves a repair: good probes in a row, and records that move again."""

    probes_in_a_row: int = Field(default=3, ge=1)
    interval: Duration = timedelta(seconds=10)
    give_up_after: Duration = timedelta(minutes=15)


class Detection(Frozen):
    """How a first failure becomes an incident, and how long a closed one may come back."""

    confirming_probes: int = Field(default=3, ge=1)
    confirm_within: Duration = timedelta(seconds=15)
    needed: int = Field(default=2, ge=1)
    reopen_within: Duration = timedelta(minutes=30)


class Caps(Frozen):
    """The most this runbook may do by itself."""

    jobs_paused_per_incident: int = Field(default=5, ge=0)
    rotations_per_credential_per_day: int = Field(default=1, ge=0)
    approval_timeout: Duration = timedelta(hours=1)


class Rung(Frozen):
    """One step of the escalation ladder: who is called after so long without acknowledgement."""

    level: int = Field(ge=1)
    who: str
    after: Duration


class Link(Frozen):
    """A page a person may want at 3 a.m."""

    title: str
    url: Url


class Runbook(Frozen):
    """One vendor's runbook: facts about its API, and the policy for its incidents."""

    vendor: Name
    display_name: str
    base_url: Url
    auth: Auth
    rate_limit: RateLimit
    max_page_size: int | None = Field(default=None, ge=1)
    status_page: StatusPage | None = None
    probes: tuple[Probe, ...] = Field(min_length=1)
    contrast_probes: tuple[ContrastProbe, ...] = ()
    resources: tuple[Resource, ...] = ()
    severity: tuple[SeverityLevel, ...] = Field(min_length=4, max_length=4)
    thresholds: Thresholds = Thresholds()
    causes: tuple[CauseRule, ...] = Field(min_length=1)
    mitigations: tuple[Mitigation, ...] = ()
    jobs: tuple[Job, ...] = ()
    verification: Verification = Verification()
    detection: Detection = Detection()
    caps: Caps = Caps()
    escalation: tuple[Rung, ...] = ()
    links: tuple[Link, ...] = ()

    def resource(self, name: str) -> Resource:
        return next(r for r in self.resources if r.name == name)

    def job(self, name: str) -> Job:
        return next(j for j in self.jobs if j.name == name)

    def cause(self, cause: str) -> CauseRule | None:
        return next((c for c in self.causes if c.cause == cause), None)

    def mitigation(self, name: str) -> Mitigation:
        return next(m for m in self.mitigations if m.name == name)

    def severity_level(self, level: int) -> SeverityLevel:
        return next(s for s in self.severity if s.level == level)
