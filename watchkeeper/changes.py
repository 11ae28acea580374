"""What was changed of late: the first thing that anybody asks when something breaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchkeeper.harmless import LONGEST, harmless
from watchkeeper.runbook.durations import words


class ChangeKind(StrEnum):
    DEPLOY = "deploy"
    KEY = "key"
    CONFIG = "config"
    INFRASTRUCTURE = "infrastructure"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEntry:
    """One change, of one integration or of all. Whoever posted it, its words are foreign."""

    id: int
    integration: str | None
    kind: str
    what: str
    who: str
    at: datetime
    recorded_at: datetime
    source: str

    def says(self, now: datetime) -> str:
        """`v1.2 by ann, 12 min ago`: printable, and short enough for a reading."""
        tail = f" by {harmless(self.who, 40)}, {words(now - self.at)} ago"
        return harmless(self.what, LONGEST - len(tail)) + tail
