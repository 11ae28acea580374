"""What is wrong with the watch itself, and when people are called for it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import PurePath


class TroubleKind(StrEnum):
    """One open trouble a kind. Each has one alert at the pager, under a fixed dedup key."""

    PREFECT_AWAY = "prefect_away"
    CHECKS_NOT_RUNNING = "checks_not_running"
    DATABASE_BROKEN = "database_broken"

    @property
    def says(self) -> str:
        return _SAYS[self]


_SAYS = {
    TroubleKind.PREFECT_AWAY: "the watch runs without Prefect",
    TroubleKind.CHECKS_NOT_RUNNING: "scheduled checks are not running",
    TroubleKind.DATABASE_BROKEN: "the watch itself is broken: its database cannot be used",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A trouble as it is seen now. `page_after`: how long it may last before people are called."""

    kind: TroubleKind
    text: str
    since: datetime
    page_after: timedelta = timedelta(0)

    def pages(self, now: datetime) -> bool:
        return now - self.since >= self.page_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A trouble as it is recorded; `ended_at` is None while it lasts."""

    id: int
    kind: TroubleKind
    text: str
    since: datetime
    paged_at: datetime | None
    ended_at: datetime | None
    resolved_at: datetime | None

    @property
    def owes_resolve(self) -> bool:
        """Over, and people who were called for it do not know."""
        return self.ended_at is not None and self.paged_at is not None and self.resolved_at is None


def dedup_key(host: str, home: PurePath, kind: TroubleKind) -> str:
    """The same for one home on one host, whatever state its database is in."""
    place = hashlib.sha256(str(home).encode()).hexdigest()[:12]
    return f"watchkeeper/self/{host[:100]}/{place}/{kind.value}"
