"""What one rehearsed incident is: a fault, and what a passed drill must show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VENDOR = "maintainx"
ALL_JOBS = frozenset({"workorder-sync", "asset-sync", "report-generator"})
DEFERRABLE = frozenset({"asset-sync", "report-generator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """`faults` are set at the vendor, `wire` on the way to it and to everybody else.

    `cleared_after_s`: the vendor mends itself so long after the mitigation, None: never by itself.
    `pages`: somebody is woken; False: nobody may be. `caps`: our rate is capped while it lasts;
    `goes_on`: under that cap the critical sync moves records, and the simulator counts fewer
    requests. `floods`: the job of ours that asks too much, from the fault on. `second_key`: we
    hold another key, independent of the first. `kill`: the failpoint at which the responder gets
    SIGKILL. `paused_by_person`: a job that a person had paused before, and that must stay so.
    """

    name: str
    title: str
    cause: str
    severity: int
    pauses: frozenset[str]
    verdicts: tuple[str, ...]
    faults: tuple[dict[str, Any], ...] = ()
    wire: dict[str, Any] | None = None
    status_page: str | None = None
    pages: bool = True
    rotates: bool = False
    caps: bool = False
    goes_on: bool = False
    floods: str | None = None
    second_key: bool = False
    cleared_after_s: float | None = None
    kill: str | None = None
    paused_by_person: str | None = None
    touched_at_least: int = 0
    overrides: dict[str, Any] = field(default_factory=dict)

    @property
    def integration(self) -> str:
        """A name of its own: state, gaps, jobs and caps of two scenarios never mix."""
        return f"{VENDOR}@{self.name}"

    @property
    def holds(self) -> tuple[str, ...]:
        """The kinds of the leases that are in force while it lasts, in order."""
        return ("paused_job",) * len(self.pauses) + ("rate_cap",) * self.caps
