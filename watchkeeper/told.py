"""All that a person is told of one triage, as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeeper.diagnosis import Diagnosis
from watchkeeper.evidence import Evidence, Reading
from watchkeeper.incident import Incident
from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.model import Runbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that a person is told of one triage.

    `question`: the command that answers what the open incident waits for. `past`: what was seen of
    each endpoint before, the newest last.
    """

    runbook: Runbook
    evidence: Evidence
    diagnosis: Diagnosis
    incident: Incident | None = None
    question: str | None = None
    past: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.evidence.integration

    @property
    def rule(self) -> CauseRule | None:
        """The runbook's row for the leading cause."""
        return self.runbook.cause(self.diagnosis.cause) if self.diagnosis.cause else None

    def slow_s(self, reading: Reading) -> float:
        """Where slow begins for this endpoint."""
        return self.evidence.slow.total_seconds() if reading.bound is None else reading.bound
