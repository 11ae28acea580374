"""What an outage may have cost: gaps, and the windows in which they are filled.

Windows are half-open, [since, until). A bound of None is open: a resource that cannot be asked by
time has one window over everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

from watchkeeper.runbook.api import Resource


class GapState(StrEnum):
    OPEN = "open"
    BOUNDED = "bounded"
    FILLING = "filling"
    FILLED = "filled"
    RECONCILED = "reconciled"
    WAIVED = "waived"

    @property
    def over(self) -> bool:
        return self in (GapState.RECONCILED, GapState.WAIVED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One resource of one integration that no completed walk has covered since `since`."""

    id: int
    # None where a person asked for a backfill outside any incident.
    incident_id: int | None
    integration: str
    resource: str
    state: GapState
    since: datetime | None
    until: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    expected: int | None
    present: int | None
    missing: int | None
    stale: int | None
    note: str


class WindowState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Span:
    """[since, until) to be walked."""

    since: datetime | None
    until: datetime | None

    def says(self) -> str:
        def at(time: datetime | None) -> str:
            return time.strftime("%H:%M:%S") if time else "…"

        return f"{at(self.since)}–{at(self.until)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A slice of a gap with its checkpoint."""

    id: int
    gap_id: int
    position: int
    since: datetime | None
    until: datetime | None
    state: WindowState
    cursor: str | None
    pages: int
    rows: int

    @property
    def span(self) -> Span:
        return Span(self.since, self.until)


def lookback(resource: Resource) -> timedelta:
    """How far before a watermark a walk starts again.

    A list that lags its writes shows a record late, and each record by another lag: what is newer
    than `watermark - lag` may still be missing from it. (vendors: MaintainX lists lag 1-2 h.)
    """
    return resource.list_lag + resource.overlap


def walk_since(resource: Resource, watermark: datetime | None) -> datetime | None:
    """Where the next walk starts: None walks everything."""
    if watermark is None or resource.since_param is None:
        return None
    return watermark - lookback(resource)


def settles_at(resources: tuple[Resource, ...], recovered_at: datetime) -> datetime:
    """The first instant at which every list has shown all that was written before recovery."""
    return recovered_at + max((lookback(r) for r in resources), default=timedelta(0))


def plan_windows(
    resource: Resource, since: datetime | None, until: datetime | None, at_most: int = 8
) -> tuple[Span, ...]:
    """Slice [since, until) into contiguous windows of at least a minute, at most `at_most`.

    The union is exactly the gap, whatever its length; a resource without a time filter, or a gap
    with an open end, is one window.
    """
    if resource.since_param is None or since is None or until is None or since >= until:
        return (Span(since if resource.since_param else None, until if since else None),)
    count = max(1, min(at_most, int((until - since) / timedelta(minutes=1))))
    step = (until - since) / count
    edges = [since + step * i for i in range(count)] + [until]
    return tuple(Span(a, b) for a, b in pairwise(edges))


@dataclass(frozen=True, slots=True)
class Indexed:
    """A record by identity and version: what a comparison needs."""

    record_id: str
    version: str


DIGEST = "sha256:"


def version_of(changed_at: datetime) -> str:
    """The version of a record that tells its instant of change: UTC, so that texts sort."""
    utc = changed_at.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def newer(version: str, than: str) -> bool:
    """Versions of one spelling order as text; digests have no order and can only differ."""
    if version.startswith(DIGEST) or than.startswith(DIGEST):
        return version != than
    return version > than


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Vendor against sink over one gap, record by record."""

    expected: int
    present: int
    missing: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.missing and not self.stale

    def says(self) -> str:
        return (
            f"{self.present} of {self.expected} records present, "
            f"{len(self.missing)} missing, {len(self.stale)} stale"
        )


def reconcile(vendor: tuple[Indexed, ...], sink: dict[str, str]) -> Reconciliation:
    """Compare what the vendor lists with what the sink holds.

    A sink that is ahead of a lagging list is not stale.
    """
    latest: dict[str, str] = {}
    for record in vendor:
        if record.record_id not in latest or newer(record.version, latest[record.record_id]):
            latest[record.record_id] = record.version
    missing = tuple(sorted(i for i in latest if i not in sink))
    stale = tuple(sorted(i for i, v in latest.items() if i in sink and newer(v, sink[i])))
    return Reconciliation(len(latest), len(latest) - len(missing), missing, stale)
