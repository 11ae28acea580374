"""A job's desired state: our row is the truth, and each job reads it before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchkeeper.runbook.mitigations import Criticality

RUNNING, PAUSED = "running", "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job's desired state, and who last said so."""

    integration: str
    name: str
    criticality: Criticality
    desired: str
    changed_by: str
    reason: str
    changed_at: datetime
    revision: int

    @property
    def paused(self) -> bool:
        # Anything but leave to run: a word that is not understood is no leave.
        return self.desired != RUNNING
