"""Which lines of a log are of the time asked for. Pure.

A line without a time is as old as the one that it follows: a traceback is one with its head. A time
without a zone is told in the zone that integrations.yaml states, else in this machine's where that
is UTC, else in the one of the two that agrees with when the file was last written. Where neither
does, a line is recent, or old, only if it is so in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum

from watchkeeper.logs.stamps import stamp_of

# How far the last line's time and the file's may lie apart and still be the same.
SAME = timedelta(minutes=5)
NO_ZONE = "its times name no zone: state logs.timezone"
NO_TIME = "its lines tell no time that is understood"
AFTER_OLD = "they follow an older line and tell no time of their own"


class Age(Enum):
    RECENT = "recent"
    OLD = "old"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Clock:
    """What tells how old lines are. `written`: when the log was last written, where that is known.
    `stated`: the zone that integrations.yaml states; `host`: this machine's."""

    now: datetime
    since: datetime
    written: datetime | None = None
    stated: tzinfo | None = None
    host: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Sorted:
    """Lines by their age. `why`: why the age of some is not known. `last`: the time of the newest
    old line."""

    recent: tuple[str, ...] = ()
    undated: tuple[str, ...] = ()
    old: int = 0
    why: str = ""
    last: datetime | None = None


def sort(lines: Sequence[str], clock: Clock) -> Sorted:
    """Each line by its own time, or by that of the line that it follows."""
    stamps = [stamp_of(line, clock.now) for line in lines]
    zones = _zones(stamps, clock)
    ages = [None if at is None else _age(at, zones, clock.since) for at in stamps]
    dated = [age for age in ages if age is not None]
    # Before the first time: as old as an old one that follows, else unknown.
    current = Age.OLD if dated and dated[0] is Age.OLD else Age.UNKNOWN
    settled = []
    for age in ages:
        current = current if age is None else age
        settled.append(current)
    trailing = _trailing(ages)
    freshly = clock.written is not None and clock.written >= clock.since
    if trailing < len(lines) and dated and dated[-1] is Age.OLD and freshly:
        # Written of late, and after the last time that is told: by one of these lines.
        settled[trailing:] = [Age.UNKNOWN] * (len(lines) - trailing)
    undated = tuple(line for line, age in zip(lines, settled, strict=True) if age is Age.UNKNOWN)
    ambiguous = any(age is Age.UNKNOWN for age in dated)
    told = (
        _in(at, zones[0]) for at, age in zip(stamps, ages, strict=True) if at and age is Age.OLD
    )
    return Sorted(
        recent=tuple(ln for ln, age in zip(lines, settled, strict=True) if age is Age.RECENT),
        undated=undated,
        old=sum(age is Age.OLD for age in settled),
        why="" if not undated else NO_ZONE if ambiguous else AFTER_OLD if dated else NO_TIME,
        last=max(told, default=None),
    )


def _trailing(ages: Sequence[Age | None]) -> int:
    """Where the lines begin that follow the last time."""
    return max((n + 1 for n, age in enumerate(ages) if age is not None), default=0)


def _age(at: datetime, zones: Sequence[tzinfo], since: datetime) -> Age:
    """Under every zone that it may be told in."""
    found = {_in(at, zone) >= since for zone in zones}
    if len(found) == 2:
        return Age.UNKNOWN
    return Age.RECENT if found == {True} else Age.OLD


def _in(at: datetime, zone: tzinfo) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=zone)


def _zones(stamps: Sequence[datetime | None], clock: Clock) -> tuple[tzinfo, ...]:
    """Those in which times without one may be told."""
    if clock.stated is not None:
        return (clock.stated,)
    host = clock.host or clock.now.astimezone().tzinfo or UTC
    if clock.now.astimezone(host).utcoffset() == timedelta(0):
        return (UTC,)
    last = next((at for at in reversed(stamps) if at is not None and at.tzinfo is None), None)
    if last is not None and clock.written is not None:
        near = [zone for zone in (UTC, host) if abs(_in(last, zone) - clock.written) <= SAME]
        if len(near) == 1:
            return (near[0],)
    return (UTC, host)
