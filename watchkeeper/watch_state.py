"""Whether the watch itself stands: what was recorded of its parts, and how old that is.

"Nothing is broken" needs every part to have been seen well a moment ago. What was not seen is not
known, and comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from watchkeeper.heartbeat import Freshness, Heartbeat, Part, Result


class EntryState(StrEnum):
    """Where the entry of an integration is from."""

    READ = "read"  # integrations.yaml and its runbook, as they are now
    KEPT = "kept"  # the last known entry: the files cannot be read
    REMOVED = "removed"  # the last known entry: taken out of the file while an incident is open
    BROKEN = "broken"  # from nowhere: the files cannot be read, and no earlier entry is known


class Standing(StrEnum):
    """What is known of one part now."""

    WELL = "well"
    FAILED = "failed"
    INCIDENT = "incident"  # its check failed, and its incident is open
    UNKNOWN = "unknown"  # it was tried, and no result came
    MISSED = "missed"  # a check was due since the last result, and did not happen
    STALE = "stale"  # the last result is too old to say anything of now
    NEVER = "never"  # nothing was ever recorded
    UNUSED = "unused"  # there is one, and it has not been needed yet
    UNSET = "unset"  # there is none
    KEPT = "kept"
    REMOVED = "removed"


# Neither an unknown nor a fault.
SETTLED = frozenset({Standing.WELL, Standing.INCIDENT, Standing.UNUSED, Standing.UNSET})


class About(StrEnum):
    """The parts of the watch that leave signs of life, and the files that say what to watch."""

    FILES = "files"
    ENTRY = "entry"
    UP = "up"
    SERVER = "server"
    DISK = "disk"
    CHECK = "check"
    PAGER = "pager"
    SINK = "sink"
    SCHEDULE = "schedule"
    LAG = "lag"
    RUNNER = "runner"
    DEAD_MAN = "dead_man"


@dataclass(frozen=True, slots=True)
class EntryFact:
    """One integration as its entry stands. `pager`: whether it names one; None where that is not
    known. `kept_at`: when the last known entry was read."""

    name: str
    state: EntryState
    because: str = ""
    kept_at: datetime | None = None
    pager: bool | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was recorded. `files_fault`: why integrations.yaml cannot be read, or None."""

    entries: tuple[EntryFact, ...]
    files_fault: str | None
    beats: tuple[Heartbeat, ...]
    halted: str | None
    incidents_on: frozenset[str]


@dataclass(frozen=True, slots=True)
class PartState:
    """One part now. `beat` is its last recorded result, None where there is none."""

    about: About
    target: str
    standing: Standing
    detail: str = ""
    beat: Heartbeat | None = None
    kept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WatchState:
    """`since`: when the present watch began to stand, None where it does not. `doubts`: the parts
    that are not known or not well, what hides most first."""

    at: datetime
    parts: tuple[PartState, ...]
    since: datetime | None
    halted: str | None
    incidents: int

    @property
    def doubts(self) -> tuple[PartState, ...]:
        return tuple(part for part in self.parts if part.standing not in SETTLED)

    @property
    def nothing_broken(self) -> bool:
        """Seen a moment ago, of every part: no incident, and every check of every integration well."""
        return not self.incidents and not self.doubts

    @property
    def whole(self) -> bool:
        return self.nothing_broken and self.halted is None

    def of(self, about: About) -> tuple[PartState, ...]:
        return tuple(part for part in self.parts if part.about is about)


def watch_state(facts: Facts, now: datetime) -> WatchState:
    beats = {(beat.part, beat.target): beat for beat in facts.beats}
    parts = tuple(_parts(facts, beats, now))
    up = next(part for part in parts if part.about is About.UP)
    since = up.beat.since if up.beat is not None and up.standing is Standing.WELL else None
    return WatchState(now, parts, since, facts.halted, len(facts.incidents_on))


Beats = dict[tuple[Part, str], Heartbeat]


def _parts(facts: Facts, beats: Beats, now: datetime) -> Iterator[PartState]:
    """What hides most comes first: without files nothing is watched, without `up` nobody looks."""
    yield _files(facts)
    yield _recorded(About.UP, Part.UP, "", beats, now)
    for entry in facts.entries:
        yield _entry(entry)
    for entry in facts.entries:
        yield _check(entry, facts, beats, now)
    for entry in facts.entries:
        yield _pager(entry, beats, now)
    for entry in facts.entries:
        yield _recorded(About.SINK, Part.SINK, entry.name, beats, now, unused=True)
    yield _recorded(About.SCHEDULE, Part.SCHEDULE, "", beats, now, unused=True)
    yield _recorded(About.LAG, Part.LAG, "", beats, now, unused=True)
    yield _recorded(About.RUNNER, Part.RUNNER, "", beats, now, unused=True)
    yield _recorded(About.SERVER, Part.SERVER, "", beats, now)
    yield _recorded(About.DEAD_MAN, Part.DEAD_MAN, "", beats, now, unused=True)
    yield _recorded(About.DISK, Part.DISK, "", beats, now)


def _files(facts: Facts) -> PartState:
    if facts.files_fault is None and facts.entries:
        return PartState(About.FILES, "", Standing.WELL)
    if facts.files_fault is None:
        return PartState(About.FILES, "", Standing.NEVER, "it names no integration")
    standing = Standing.KEPT if facts.entries else Standing.NEVER
    return PartState(About.FILES, "", standing, facts.files_fault)


_OF_ENTRY = {
    EntryState.READ: Standing.WELL,
    EntryState.KEPT: Standing.KEPT,
    EntryState.REMOVED: Standing.REMOVED,
    EntryState.BROKEN: Standing.FAILED,
}


def _entry(entry: EntryFact) -> PartState:
    standing = _OF_ENTRY[entry.state]
    return PartState(About.ENTRY, entry.name, standing, entry.because, kept_at=entry.kept_at)


def _check(entry: EntryFact, facts: Facts, beats: Beats, now: datetime) -> PartState:
    """A failed check whose incident is open is that incident's matter, and known."""
    part = _recorded(About.CHECK, Part.CHECK, entry.name, beats, now)
    if part.standing is Standing.FAILED and entry.name in facts.incidents_on:
        return replace(part, standing=Standing.INCIDENT)
    return part


def _pager(entry: EntryFact, beats: Beats, now: datetime) -> PartState:
    if entry.pager is False:
        return PartState(About.PAGER, entry.name, Standing.UNSET)
    return _recorded(About.PAGER, Part.PAGER, entry.name, beats, now, unused=True)


_OF_RESULT = {
    Result.WELL: Standing.WELL,
    Result.FAILED: Standing.FAILED,
    Result.UNKNOWN: Standing.UNKNOWN,
}


def _recorded(
    about: About, part: Part, target: str, beats: Beats, now: datetime, *, unused: bool = False
) -> PartState:
    """`unused`: a part that leaves a result only with use."""
    beat = beats.get((part, target))
    if beat is None:
        return PartState(about, target, Standing.UNUSED if unused else Standing.NEVER)
    freshness = beat.freshness(now)
    if freshness is Freshness.STALE:
        return PartState(about, target, Standing.STALE, beat.detail, beat)
    if freshness is Freshness.MISSED:
        return PartState(about, target, Standing.MISSED, beat.missed_because, beat)
    return PartState(about, target, _OF_RESULT[beat.result], beat.detail, beat)
