"""When nobody is to be woken: our own windows of maintenance, and the vendor's announced one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.evidence import MAINTENANCE, Kind, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """[since, until) of one integration, or of all where none is named; over at `ended_at` if that
    is set."""

    id: int
    integration: str | None
    since: datetime
    until: datetime
    by: str
    why: str
    ended_at: datetime | None

    @property
    def over_at(self) -> datetime:
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    def holds(self, now: datetime) -> bool:
        return self.since <= now < self.over_at

    def says(self) -> str:
        return f"maintenance by {self.by} until {self.until:%Y-%m-%d %H:%M}Z: {self.why}"


def muted(windows: Iterable[Maintenance], planned: bool, now: datetime) -> str | None:
    """Why nobody is paged now, or None where people are.

    `windows` are those of the integration. `planned`: the vendor has announced all that is wrong,
    and its announcement holds still. Incidents and gaps are opened all the same: what is
    broken in a window may still be broken after it, and is paged for then.
    """
    holding = [window for window in windows if window.holds(now)]
    if holding:
        return max(holding, key=lambda window: window.over_at).says()
    return "the vendor has announced maintenance" if planned else None


def waiting_since(windows: Iterable[Maintenance], paged_at: datetime, now: datetime) -> datetime:
    """Where the ladder's clock stands: it begins anew at the end of a window, or everybody would
    be called at once for the hours in which nobody was to be."""
    ends = [w.over_at for w in windows if w.since < w.over_at <= now]
    return max([paged_at, *ends])


def is_announced(reading: Reading | None) -> bool:
    """The vendor's status page speaks of maintenance for now."""
    return reading is not None and reading.kind is Kind.STATUS_PAGE and reading.fault == MAINTENANCE
