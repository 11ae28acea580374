"""What one rehearsed incident is: what begins it, who is there, and what a passed drill must show."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from deployments.drill.expects import Expect
from deployments.drill.setup import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """Somebody who is there while it lasts: woken by the pager, or `attentive` to the status all
    the time. Asked for a plan they approve it, or deny it with `denies`; one who `offers` makes a
    new key first where one is needed. One who `revokes` does so at the vendor, `revokes_after_s`
    after being asked. One who `mends` restarts our service by hand where a step has failed,
    `mends_after_s` later, and has that step tried again."""

    name: str = "ada"
    attentive: bool = False
    offers: bool = True
    denies: bool = False
    revokes: bool = False
    revokes_after_s: float = 0.0
    mends: bool = False
    mends_after_s: float = 0.0

    def told(self) -> dict[str, Any]:
        """As `watchkeeper.sandbox.person` is told it."""
        return asdict(self)


# As a `status_page`: it answers nobody.
HUNG = "hung"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What begins it: `faults` at the vendor, `wire` on the way to it and to everybody else,
    `status_page` in that page's own word, `service_faults` at our own service, `unit_faults` at its
    manager; or what people say (`told`: commands without their program; `{integration}` and
    `{incident}` stand for their names, `{now}` for the time).

    `falls_due`: from then on our key is written down as one that is soon to expire. `told_after`:
    what people say once it is closed.

    What is there: `setup`, `people`. `floods`: the job of ours that asks
    too much, from the fault on. `kill`: the failpoint at which the responder gets SIGKILL.
    `paused_by_person`: a job that a person had paused before, and that must stay so.
    `cleared_after_s`: all that was set ends by itself so long after the mitigation, None: never.

    What must be seen: `does`: the actions that were carried out, in their order, where they are not
    all that the runbook calls for. `pages`: somebody is woken; False: nobody may be. `pauses`: jobs
    of the runbook that are paused while it lasts. `caps`: our rate is capped; `goes_on`: under that
    cap the main job moves records, and the simulator counts fewer requests. `held`: the kinds of
    leases in force while it lasts, where they are not just those. `rotates`: on to a new key, and
    the old one is dead. `expects`: what the stand-ins must show.
    """

    name: str
    title: str
    cause: str
    severity: int
    pauses: frozenset[str]
    verdicts: tuple[str, ...]
    vendor: str = "maintainx"
    faults: tuple[dict[str, Any], ...] = ()
    service_faults: tuple[dict[str, Any], ...] = ()
    unit_faults: tuple[dict[str, Any], ...] = ()
    wire: dict[str, Any] | None = None
    status_page: str | None = None
    told: tuple[tuple[str, ...], ...] = ()
    told_after: tuple[tuple[str, ...], ...] = ()
    falls_due: bool = False
    does: tuple[str, ...] | None = None
    setup: Setup = field(default_factory=Setup)
    people: tuple[Duties, ...] = (Duties(),)
    floods: str | None = None
    kill: str | None = None
    paused_by_person: str | None = None
    cleared_after_s: float | None = None
    pages: bool = True
    caps: bool = False
    goes_on: bool = False
    held: tuple[str, ...] | None = None
    rotates: bool = False
    touched_at_least: int = 0
    expects: tuple[Expect, ...] = ()

    @property
    def integration(self) -> str:
        """A name of its own: state, gaps, jobs and caps of two scenarios never mix."""
        return f"{self.vendor}@{self.name}"

    @property
    def holds(self) -> tuple[str, ...]:
        """The kinds of the leases that are in force while it lasts, in order."""
        if self.held is not None:
            return tuple(sorted(self.held))
        return ("paused_job",) * len(self.pauses) + ("rate_cap",) * self.caps

    @property
    def planted(self) -> tuple[dict[str, Any], ...]:
        """Whatever is broken, in the stand-ins' own words."""
        wire = (self.wire,) if self.wire else ()
        due = ({"kind": "key_falls_due"},) if self.falls_due else ()
        return (*self.faults, *wire, *self.service_faults, *self.unit_faults, *due)

    @property
    def opened_by(self) -> frozenset[str]:
        """A person who begins it opens it; where something is broken too, whoever is first."""
        people = {one.name for one in self.people} if self.told else set()
        return frozenset(people | ({"health"} if self.planted or not people else set()))
