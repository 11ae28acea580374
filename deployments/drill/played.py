"""A vendor as drills play it: its runbook, its simulator, and a world that moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from deployments.drill.setup import MEASURED
from deployments.drill.shape import vendor_shape
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.policy import Job

LIST_LAG_S = 3.0
USUAL: dict[str, Any] = {"list_lag_s": LIST_LAG_S, "rate": {"limit": 2000, "window_s": 10}}


@dataclass(frozen=True, slots=True)
class Played:
    """`simulator` is a program of the sandbox, `told` what it is set up with, but for its key;
    `service` what our service does beyond the usual, `entry` what integrations.yaml says so."""

    runbook: Runbook
    simulator: str
    told: Mapping[str, Any]
    service: Mapping[str, Any] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jobs(self) -> frozenset[str]:
        return frozenset(job.name for job in self.runbook.jobs)

    @property
    def deferrable(self) -> frozenset[str]:
        return frozenset(job.name for job in self.runbook.jobs if job.criticality == "deferrable")

    @property
    def main_job(self) -> Job:
        """What the integration is for: the first critical job, or the first one."""
        critical = (job for job in self.runbook.jobs if job.criticality == "critical")
        return next(critical, self.runbook.jobs[0])

    @property
    def resources(self) -> tuple[str, ...]:
        """Whatever a job moves: what keeps moving while a drill runs, and is compared after it."""
        return tuple(sorted({r for job in self.runbook.jobs for r in job.resources}))

    def moved_by(self, job: str | None) -> frozenset[str]:
        return frozenset(r for j in self.runbook.jobs if j.name == job for r in j.resources)

    @property
    def page_component(self) -> str:
        """What of its status page is declared up or down."""
        page = self.runbook.status_page
        return (page.component if page else None) or "API"


@cache
def played(vendor: str) -> Played:
    """The shipped runbook of that name. A vendor without a simulator of its own is simulated from
    the shape of its API."""
    runbook = load_runbook(SHIPPED_RUNBOOKS / f"{vendor}.yaml")
    if vendor == "maintainx":
        return Played(runbook, "vendor", {**USUAL, **_MAINTAINX})
    told = {**vendor_shape(runbook), **USUAL, **_DERIVED}
    return Played(runbook, "derived", told, _SERVICES.get(vendor, {}), MEASURED)


_MAINTAINX: dict[str, Any] = {
    "records": {"workorders": 600, "assets": 80, "locations": 20, "users": 90, "organizations": 1},
    "arrivals": {"created_per_s": 6, "changed_per_s": 12, "assets_changed_per_s": 0.5},
    "rate_headers": True,
}
# Whatever the first resource is: records come, and where they can change, some of them do.
_DERIVED: dict[str, Any] = {
    "arrivals": {"created_per_s": 8, "changed_per_s": 8, "assets_changed_per_s": 0.5},
}
_SERVICES: dict[str, dict[str, Any]] = {
    "twinmind": {
        "operations": [
            {
                "name": "transcribe",
                "method": "POST",
                "path": "/transcribe",
                "body": {"audio_url": "https://example.com/meeting.mp3"},
                "criticality": "critical",
                "metric": "twinmind_transcriptions_total",
                "duration": "twinmind_transcription_duration_seconds",
            },
            {
                "name": "summarize",
                "path": "/me",
                "endpoint": "/summarize",
                "criticality": "deferrable",
            },
        ]
    },
}
