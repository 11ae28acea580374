"""The state of the watch in words and as fields: what is not known first, then each part's age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.watch_state import About, PartState, Standing, WatchState

_NAMES = {
    About.FILES: "integrations.yaml",
    About.UP: "`watchkeeper up`",
    About.SERVER: "Prefect server",
    About.DISK: "disk",
    About.SCHEDULE: "scheduled checks",
    About.LAG: "this machine",
    About.RUNNER: "Prefect's runner",
    About.DEAD_MAN: "dead man's switch",
}
_OF_WATCH = frozenset(_NAMES.keys() - {About.FILES})
_FAULTS = frozenset({Standing.FAILED, Standing.KEPT, Standing.REMOVED})


def doubt_lines(state: WatchState) -> Iterator[str]:
    """One line for each part that is not known or not well, what hides most first."""
    for part in state.doubts:
        mark = "NOT WELL" if part.standing in _FAULTS else "NOT KNOWN"
        yield f"{mark}: {_doubt(part, state.at)}"


def watch_lines(state: WatchState) -> Iterator[str]:
    """The watch itself, then a line for each integration."""
    if state.since is None:
        yield "watch: `watchkeeper up` does not run"
    else:
        stood = age_words(state.at - state.since)
        yield f"watch: stands since {state.since:%Y-%m-%d %H:%M:%S}Z ({stood})"
    for part in state.parts:
        if part.about in _OF_WATCH and part.beat is not None:
            yield f"  {_NAMES[part.about].strip('`')}: {_last(part, state.at)}"
    for entry in state.of(About.ENTRY):
        told = "; ".join(_integration(state, entry.target))
        yield f"  {entry.target}: {told}"


def start_lines(state: WatchState) -> Iterator[str]:
    """What `up` has to say about the files as it starts."""
    for part in state.doubts:
        if part.about in (About.FILES, About.ENTRY):
            yield _doubt(part, state.at)
    yield from unpaged_lines(state)


def unpaged_lines(state: WatchState) -> Iterator[str]:
    """Each integration whose failure would wake no one."""
    for part in state.of(About.PAGER):
        if part.standing is Standing.UNSET:
            yield no_pager(part.target)


def no_pager(name: str) -> str:
    return f"{name}: no pager is set: no page would go out; put one under channels in its entry"


def as_fields(state: WatchState) -> dict[str, Any]:
    """Plain data; ages in seconds, states by name."""
    return {
        "whole": state.whole,
        "nothing_broken": state.nothing_broken,
        "since": _iso(state.since),
        "stands_s": _seconds(None if state.since is None else state.at - state.since),
        "doubts": [
            {"about": p.about.value, "target": p.target, "state": p.standing.value}
            for p in state.doubts
        ],
        "parts": [_fields(part, state.at) for part in state.parts],
    }


def age_words(age: timedelta) -> str:
    """`12 s`, `4 min`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(round(age.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def _doubt(part: PartState, now: datetime) -> str:
    if part.about is About.FILES:
        return _files(part)
    if part.about is About.ENTRY:
        return _entry(part, now)
    what = _what(part)
    if part.beat is None:
        return f"{what}: {_NEVER[part.about]}"
    ago = f"{age_words(part.beat.age(now))} ago"
    if part.standing is Standing.STALE:
        due = f", due each {age_words(part.beat.every)}" if part.beat.every else ""
        hint = "; start it with `watchkeeper up`" if part.about is About.UP else ""
        return f"{what}: last result {ago} ({part.beat.result}){due}{hint}"
    if part.standing is Standing.MISSED:
        count = "1 check" if part.beat.misses == 1 else f"{part.beat.misses} checks"
        return (
            f"{what}: {count} did not happen since the last result {ago} ({part.beat.result}): "
            f"{part.detail}"
        )
    tail = f": {part.detail}" if part.detail else ""
    if part.standing is Standing.UNKNOWN:
        return f"{what}: no result {ago}{tail}"
    more = ", and no incident is open" if part.about is About.CHECK else ""
    return f"{what}: failed {ago}{more}{tail}"


_NEVER = {
    About.UP: "never ran for this home; start it with `watchkeeper up`",
    About.SERVER: "no result was recorded",
    About.DISK: "no result was recorded",
    About.CHECK: "never checked",
    About.PAGER: "never used",
    About.SINK: "never written",
    About.SCHEDULE: "none ran",
    About.LAG: "not measured",
}


def _files(part: PartState) -> str:
    if part.standing is Standing.KEPT:
        return f"the last known entries serve: {part.detail}"
    return f"no integration is watched: {part.detail}"


def _entry(part: PartState, now: datetime) -> str:
    if part.standing is Standing.FAILED:
        return f"{part.target} is not watched: {part.detail}"
    kept = "" if part.kept_at is None else f" of {part.kept_at:%Y-%m-%d %H:%M}Z"
    until = " until nothing hangs on it" if part.standing is Standing.REMOVED else ""
    return f"{part.target}: its last known entry{kept} serves{until}: {part.detail}"


def _what(part: PartState) -> str:
    if part.about in _NAMES:
        return _NAMES[part.about]
    return f"{part.target} {part.about}"


def _integration(state: WatchState, name: str) -> Iterator[str]:
    mine = {p.about: p for p in state.parts if p.target == name}
    check, pager, sink = mine[About.CHECK], mine[About.PAGER], mine[About.SINK]
    yield f"checked {_last(check, state.at)}" if check.beat else "never checked"
    if pager.standing is Standing.UNSET:
        yield "no pager"
    else:
        yield f"pager {_last(pager, state.at)}" if pager.beat else "pager not used yet"
    yield f"sink {_last(sink, state.at)}" if sink.beat else "sink not written yet"


def _last(part: PartState, now: datetime) -> str:
    assert part.beat is not None
    beat = part.beat
    said = f"{age_words(beat.age(now))} ago, {beat.result}"
    return f"{said} ({beat.detail})" if beat.detail else said


def _fields(part: PartState, now: datetime) -> dict[str, Any]:
    beat = part.beat
    fields: dict[str, Any] = {
        "about": part.about.value,
        "target": part.target,
        "state": part.standing.value,
        "detail": part.detail,
    }
    if part.kept_at is not None:
        fields["kept_at"] = _iso(part.kept_at)
    if beat is None:
        return fields
    return fields | {
        "result": beat.result.value,
        "value": beat.value,
        "at": _iso(beat.at),
        "age_s": _seconds(beat.age(now)),
        "every_s": _seconds(beat.every),
        "since": _iso(beat.since),
        "well_at": _iso(beat.well_at),
        "misses": beat.misses,
        "missed_at": _iso(beat.missed_at),
    }


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 3)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
