"""Whether the watch itself stands: what is not known is never called well, and comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from making import HOUR, MINUTE, NAME, T0

from watchkeeper.heartbeat import Heartbeat, Part, Result
from watchkeeper.watch_state import (
    About,
    EntryFact,
    EntryState,
    Facts,
    Standing,
    WatchState,
    watch_state,
)
from watchkeeper.watch_text import age_words, as_fields, doubt_lines, unpaged_lines, watch_lines

NOW = T0 + HOUR
SECOND = timedelta(seconds=1)
OTHER = "twinmind@prod"
EVERY = {Part.UP: 15 * SECOND, Part.SERVER: MINUTE, Part.DISK: MINUTE, Part.CHECK: 5 * MINUTE}


def beat(part: Part, target: str = "", **more: Any) -> Heartbeat:
    given: dict[str, Any] = {
        "part": part,
        "target": target,
        "at": NOW - 10 * SECOND,
        "every": EVERY.get(part),
        "result": Result.WELL,
        "detail": "",
        "value": None,
        "since": T0,
        "well_at": NOW - 10 * SECOND,
        "missed_at": None,
        "missed_because": "",
        "misses": 0,
    }
    return Heartbeat(**{**given, **more})


ALL = (
    beat(Part.UP),
    beat(Part.SERVER),
    beat(Part.DISK, detail="12.0 GB free", value=12e9),
    beat(Part.CHECK, NAME),
    beat(Part.PAGER, NAME, at=NOW - 50 * HOUR),
)
WELL = Facts(
    entries=(EntryFact(NAME, EntryState.READ, pager=True),),
    files_fault=None,
    beats=ALL,
    halted=None,
    incidents_on=frozenset(),
)


def but(**changes: Any) -> Facts:
    return replace(WELL, **changes)


def having(*others: Heartbeat) -> Facts:
    """All well, but for these results."""
    named = {(b.part, b.target) for b in others}
    return but(beats=(*(b for b in ALL if (b.part, b.target) not in named), *others))


def without(part: Part) -> Facts:
    return but(beats=tuple(b for b in ALL if b.part is not part))


OLD = {"at": NOW - HOUR}
TWO = (EntryFact(NAME, EntryState.READ, pager=True), EntryFact(OTHER, EntryState.READ, pager=True))
KEPT = EntryFact(NAME, EntryState.KEPT, "i.yaml:3: bad", kept_at=T0, pager=True)

# What is recorded, and how each doubt about it begins, the first one first.
CASES: dict[str, tuple[Facts, list[str]]] = {
    "an empty home, no file": (
        Facts((), "integrations.yaml does not exist", (), None, frozenset()),
        [
            "NOT KNOWN: no integration is watched: integrations.yaml does not exist",
            "NOT KNOWN: `watchkeeper up`: never ran for this home",
            "NOT KNOWN: Prefect server: no result was recorded",
            "NOT KNOWN: disk: no result was recorded",
        ],
    ),
    "a file, never started": (
        but(beats=()),
        [
            "NOT KNOWN: `watchkeeper up`: never ran for this home; start it with `watchkeeper up`",
            f"NOT KNOWN: {NAME} check: never checked",
            "NOT KNOWN: Prefect server: no result was recorded",
            "NOT KNOWN: disk: no result was recorded",
        ],
    ),
    "up was stopped an hour ago": (
        but(beats=tuple(replace(b, at=NOW - HOUR) for b in ALL)),
        [
            "NOT KNOWN: `watchkeeper up`: last result 1 h 0 min ago (well), due each 15 s; start",
            f"NOT KNOWN: {NAME} check: last result 1 h 0 min ago (well), due each 5 min",
            "NOT KNOWN: Prefect server: last result 1 h 0 min ago (well), due each 1 min",
            "NOT KNOWN: disk: last result 1 h 0 min ago",
        ],
    ),
    "the last check is older than two intervals": (
        having(beat(Part.CHECK, NAME, at=NOW - 10 * MINUTE - SECOND)),
        [f"NOT KNOWN: {NAME} check: last result 10 min ago (well), due each 5 min"],
    ),
    "a check that did not happen since": (
        having(beat(Part.CHECK, NAME, misses=2, missed_because="the run came 130 s late")),
        [
            f"NOT KNOWN: {NAME} check: 2 checks did not happen since the last result 10 s ago "
            "(well): the run came 130 s late"
        ],
    ),
    "one integration was never checked": (
        but(entries=TWO),
        [f"NOT KNOWN: {OTHER} check: never checked"],
    ),
    "a check that came to no result": (
        having(beat(Part.CHECK, NAME, result=Result.UNKNOWN, detail="the database is busy")),
        [f"NOT KNOWN: {NAME} check: no result 10 s ago: the database is busy"],
    ),
    "a check that failed, and no incident": (
        having(beat(Part.CHECK, NAME, result=Result.FAILED, detail="4 of 4 fail")),
        [f"NOT WELL: {NAME} check: failed 10 s ago, and no incident is open: 4 of 4 fail"],
    ),
    "the server does not answer": (
        having(beat(Part.SERVER, result=Result.FAILED, detail="does not answer")),
        ["NOT WELL: Prefect server: failed 10 s ago: does not answer"],
    ),
    "the disk is full": (
        having(beat(Part.DISK, result=Result.FAILED, detail="0.1 GB free")),
        ["NOT WELL: disk: failed 10 s ago: 0.1 GB free"],
    ),
    "the pager refused the last page, days ago": (
        having(beat(Part.PAGER, NAME, at=NOW - 50 * HOUR, result=Result.FAILED, detail="404")),
        [f"NOT WELL: {NAME} pager: failed 2 d 2 h ago: 404"],
    ),
    "the sink took nothing": (
        having(beat(Part.SINK, NAME, result=Result.FAILED, detail="assets: full")),
        [f"NOT WELL: {NAME} sink: failed 10 s ago: assets: full"],
    ),
    "broken YAML, the last known entry serves": (
        but(entries=(KEPT,), files_fault="i.yaml:3: bad"),
        [
            "NOT WELL: the last known entries serve: i.yaml:3: bad",
            f"NOT WELL: {NAME}: its last known entry of 2026-03-02 09:00Z serves: i.yaml:3: bad",
        ],
    ),
    "one entry is broken, and never was read": (
        but(entries=(*WELL.entries, EntryFact(OTHER, EntryState.BROKEN, "i.yaml:9: bad"))),
        [
            f"NOT WELL: {OTHER} is not watched: i.yaml:9: bad",
            f"NOT KNOWN: {OTHER} check: never checked",
        ],
    ),
    "taken out during its incident": (
        but(
            entries=(EntryFact(NAME, EntryState.REMOVED, "not in i.yaml any more", T0, True),),
            incidents_on=frozenset({NAME}),
        ),
        [
            f"NOT WELL: {NAME}: its last known entry of 2026-03-02 09:00Z serves until nothing hangs "
            "on it: not in i.yaml any more"
        ],
    ),
    "a file that names no integration": (
        but(entries=()),
        ["NOT KNOWN: no integration is watched: it names no integration"],
    ),
    "a result of tomorrow": (
        having(beat(Part.CHECK, NAME, at=NOW + 24 * HOUR)),
        [f"NOT KNOWN: {NAME} check: last result 0 s ago"],
    ),
}


@pytest.mark.parametrize(("facts", "doubts"), CASES.values(), ids=list(CASES))
def test_what_is_not_known_comes_first_and_is_never_called_well(
    facts: Facts, doubts: list[str]
) -> None:
    """W1: whatever is missing, old, missed or failed is told, and nothing is called unbroken."""
    state = watch_state(facts, NOW)
    lines = list(doubt_lines(state))
    assert len(lines) == len(doubts), lines
    for line, begins in zip(lines, doubts, strict=True):
        assert line.startswith(begins)
    assert (state.nothing_broken, state.whole) == (False, False)


FRESH: dict[str, tuple[Facts, bool, bool]] = {
    "all seen well a moment ago": (WELL, True, True),
    "a pager that was never needed": (without(Part.PAGER), True, True),
    "no pager": (but(entries=(EntryFact(NAME, EntryState.READ, pager=False),)), True, True),
    "halted": (but(halted="ada: too many"), True, False),
    "an incident is open": (but(incidents_on=frozenset({NAME})), False, False),
    "its check fails as it should": (
        replace(
            having(beat(Part.CHECK, NAME, result=Result.FAILED)), incidents_on=frozenset({NAME})
        ),
        False,
        False,
    ),
}


@pytest.mark.parametrize(("facts", "nothing", "whole"), FRESH.values(), ids=list(FRESH))
def test_nothing_is_broken_only_where_that_was_seen(
    facts: Facts, nothing: bool, whole: bool
) -> None:
    """W1: it takes fresh results of every part, and no incident; a halted watch is not whole."""
    state = watch_state(facts, NOW)
    assert list(doubt_lines(state)) == []
    assert (state.nothing_broken, state.whole) == (nothing, whole)


@pytest.mark.parametrize("part", [Part.UP, Part.SERVER, Part.DISK, Part.CHECK])
def test_no_part_that_has_a_turn_may_be_silent(part: Part) -> None:
    """W1: take any one result away, and the watch is not known to be whole."""
    assert watch_state(WELL, NOW).whole
    assert not watch_state(without(part), NOW).whole


def lines_of(state: WatchState) -> list[str]:
    return list(watch_lines(state))


def test_the_watch_itself_has_its_lines() -> None:
    """Since when it stands, and the last result of each part with its age."""
    state = watch_state(having(beat(Part.SINK, NAME, detail="assets: 3 rows")), NOW)
    assert lines_of(state) == [
        "watch: stands since 2026-03-02 09:00:00Z (1 h 0 min)",
        "  watchkeeper up: 10 s ago, well",
        "  Prefect server: 10 s ago, well",
        "  disk: 10 s ago, well (12.0 GB free)",
        f"  {NAME}: checked 10 s ago, well; pager 2 d 2 h ago, well; "
        "sink 10 s ago, well (assets: 3 rows)",
    ]
    assert lines_of(watch_state(without(Part.UP), NOW))[0] == "watch: `watchkeeper up` does not run"


def test_a_missing_pager_is_told_each_time() -> None:
    """Nobody would be paged: said for each integration that names none."""
    none = (
        EntryFact(NAME, EntryState.READ, pager=False),
        EntryFact(OTHER, EntryState.READ, "", None, True),
    )
    (line,) = unpaged_lines(watch_state(but(entries=none), NOW))
    assert line.startswith(f"{NAME}: no pager is set: no page would go out")


def test_the_same_stands_in_fields() -> None:
    """States by name and ages in seconds: no program has to read a sentence."""
    late = having(beat(Part.CHECK, NAME, misses=1, missed_at=NOW, missed_because="late"))
    fields = as_fields(watch_state(late, NOW))
    assert (fields["whole"], fields["nothing_broken"]) == (False, False)
    assert (fields["since"], fields["stands_s"]) == ("2026-03-02T09:00:00.000000Z", 3600.0)
    assert fields["doubts"] == [{"about": "check", "target": NAME, "state": "missed"}]
    by_part = {(p["about"], p["target"]): p for p in fields["parts"]}
    assert by_part["disk", ""]["value"] == 12e9
    check = by_part["check", NAME]
    assert (check["state"], check["result"], check["age_s"], check["every_s"]) == (
        "missed",
        "well",
        10.0,
        300.0,
    )
    assert check["misses"] == 1
    assert {p["about"] for p in fields["parts"]} == {a.value for a in About}
    assert {p["state"] for p in fields["parts"]} <= {s.value for s in Standing}


AGES: list[tuple[timedelta, str]] = [
    (timedelta(0), "0 s"),
    (-MINUTE, "0 s"),
    (59 * SECOND, "59 s"),
    (60 * SECOND, "1 min"),
    (59 * MINUTE + 59 * SECOND, "59 min"),
    (HOUR, "1 h 0 min"),
    (47 * HOUR + 59 * MINUTE, "47 h 59 min"),
    (48 * HOUR, "2 d 0 h"),
]


@pytest.mark.parametrize(("age", "told"), AGES)
def test_an_age_is_told_in_two_units_at_most(age: timedelta, told: str) -> None:
    assert age_words(age) == told


def test_no_decision_is_read_from_a_text() -> None:
    """Whatever a result's detail says, its state decides."""
    other = having(beat(Part.CHECK, NAME, detail="failed, unknown, never checked"))
    assert watch_state(other, NOW).whole
