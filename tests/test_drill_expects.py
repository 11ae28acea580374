"""What a scenario expects of the stand-ins: kept, broken, or never shown at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from making import T0

from deployments.drill.expects import (
    AS_BEFORE,
    AtLeast,
    AtMost,
    Expect,
    Outside,
    Shows,
    grows,
    in_order,
    no_live_call_failed,
    paced,
    shows,
    unmet,
)
from deployments.drill.happened import calls_of, events_of
from deployments.drill.scenarios import SCENARIOS
from watchkeeper.credentials.protocols import Version

MINUTE = timedelta(minutes=1)


def outside(before: Any, lasting: Any, after: Any) -> Outside:
    """One value at one place, at each moment; None: nothing is shown there."""
    shown = [{} if v is None else {"s": {"x": v}} for v in (before, lasting, after)]
    return Outside(*shown)


SWITCHED = shows("s", "x", before="ear-1", lasting="ear-2", after=AS_BEFORE)
SCALED = shows("s", "x", before=1, lasting=AtLeast(3), after=1)
CAPPED = shows("s", "x", lasting=AtMost(2))
DEFAULT = shows("s", "x", lasting="4", after=None)
ONCE, SOME = grows("s", "x", by=1), grows("s", "x", by=AtLeast(2), until="lasting")
ROWS: list[tuple[Expect, Outside, str | None]] = [
    (SWITCHED, outside("ear-1", "ear-2", "ear-1"), None),
    (SWITCHED, outside("ear-1", "ear-1", "ear-1"), "s x while it lasted: 'ear-1', not 'ear-2'"),
    (SWITCHED, outside("ear-1", "ear-2", "ear-2"), "s x afterwards: 'ear-2', not 'ear-1'"),
    (SWITCHED, outside("ear-3", "ear-2", "ear-3"), "s x before: 'ear-3', not 'ear-1'"),
    (SWITCHED, outside(None, None, None), "s x while it lasted: None, not 'ear-2'"),
    (SCALED, outside(1, 4, 1), None),
    (SCALED, outside(1, 2, 1), "s x while it lasted: 2, not at least 3"),
    (SCALED, outside(1, "4", 1), "s x while it lasted: '4', not at least 3"),
    (SCALED, outside(1, None, 1), "s x while it lasted: None, not at least 3"),
    (CAPPED, outside(9, 2, 9), None),
    (CAPPED, outside(9, 3, 9), "s x while it lasted: 3, not at most 2"),
    (CAPPED, outside(9, None, 9), "s x while it lasted: None, not at most 2"),
    (DEFAULT, outside("2", "4", None), None),
    (DEFAULT, outside("2", "4", "4"), "s x afterwards: '4', not None"),
    (ONCE, outside(2, 9, 3), None),
    (ONCE, outside(None, None, 1), None),
    (ONCE, outside(2, 9, 2), "up by 1 from before to after, and it was 0"),
    (ONCE, outside(2, 9, 4), "and it was 2"),
    (ONCE, outside(2, 9, None), "and nothing was counted"),
    (SOME, outside(1, 3, None), None),
    (SOME, outside(1, 2, 9), "up by at least 2 from before to lasting, and it was 1"),
]


@pytest.mark.parametrize(
    ("expected", "shown", "told"), ROWS, ids=[f"{e.says} {n}" for n, (e, _, _) in enumerate(ROWS)]
)
def test_a_broken_expectation_is_told(expected: Expect, shown: Outside, told: str | None) -> None:
    said = expected.wrong(shown)
    assert (said == []) if told is None else any(told in line for line in said), said


def called(count: int, seconds: float) -> Outside:
    return Outside(lasting={"calls": {"count": count, "seconds": seconds}})


@pytest.mark.parametrize(
    ("shown", "kept"),
    [(called(0, 8), True), (called(10, 8), True), (called(11, 8), False), (Outside(), False)],
)
def test_a_limit_is_counted_in_calls_and_never_missed_by_a_slow_machine(
    shown: Outside, kept: bool
) -> None:
    """One a second for eight seconds, and two that were on their way; fewer break nothing."""
    assert (paced("calls", per_s=1).wrong(shown) == []) is kept


def test_a_moment_is_waited_for_until_its_own_expectations_hold() -> None:
    """Counts of events are worth waiting for; what other moments must show is not asked of this one."""
    expects = (
        shows("s", "x", before=AtLeast(5), lasting=AtLeast(9), after=0),
        grows("s", "x", by=AtLeast(2), until="lasting"),
        in_order("a", "b"),
        paced("calls", per_s=1),
    )
    assert unmet(expects, outside(4, None, None), "before") == ["s x before: 4, not at least 5"]
    assert unmet(expects, outside(5, None, None), "before") == []
    assert len(unmet(expects, outside(5, 6, None), "lasting")) == 3
    assert unmet(expects, outside(5, None, 1), "after") == [
        "s x afterwards: 1, not 0",
        "a never happened",
        "b never happened",
    ]
    assert unmet(expects, outside(5, None, 1), "early") == []


def test_no_scenario_asks_for_a_share_of_a_second() -> None:
    """0.47 calls a second were "not at least 0.5" on a quiet machine. A rate that must be reached is the
    machine's; a count of events is not. Limits on our own rate are `paced`."""
    for scenario in SCENARIOS.values():
        for one in scenario.expects:
            if isinstance(one, Shows) and one.path[-1].endswith("per_s"):
                # A setting that was set, as the far side shows it.
                assert one.path[0] == "settings", (scenario.name, one.says)


STATS = {"stats": {"ok": 5, "failed": 1}}
CALLS: list[tuple[dict[str, int], bool]] = [
    ({"ok": 50, "failed": 1}, True),
    ({"ok": 50, "failed": 2}, False),
    ({"ok": 5, "failed": 1}, False),
    # Restarted in between: what it counted before is lost, and proves nothing.
    ({"ok": 50, "failed": 0}, False),
    ({}, False),
]


@pytest.mark.parametrize(("after", "kept"), CALLS)
def test_no_live_call_failed(after: dict[str, int], kept: bool) -> None:
    """A service that made no call at all has proven nothing."""
    shown = Outside(before=STATS, after={"stats": after})
    assert all(one.wrong(shown) == [] for one in no_live_call_failed()) is kept


def test_an_expectation_says_what_it_is() -> None:
    """The drill's JSON names each, kept or broken."""
    assert SWITCHED.says == "s x: 'ear-1' before, 'ear-2' while it lasted, as before afterwards"
    assert SCALED.says == "s x: 1 before, at least 3 while it lasted, 1 afterwards"


ROTATION = in_order("old revoked", "new current", "restarted")
EVENTS: list[tuple[dict[str, str], str | None]] = [
    ({"old revoked": "09:00", "new current": "09:01", "restarted": "09:01"}, None),
    (
        {"old revoked": "09:02", "new current": "09:01", "restarted": "09:03"},
        "new current (09:01) came before old revoked (09:02)",
    ),
    ({"old revoked": "09:00", "restarted": "09:01"}, "new current never happened"),
    ({}, "old revoked never happened"),
]


@pytest.mark.parametrize(("events", "told"), EVENTS)
def test_what_is_to_happen_in_an_order(events: dict[str, str], told: str | None) -> None:
    """What never happened is no order kept."""
    said = ROTATION.wrong(Outside(after={"events": events}))
    assert (said == []) if told is None else told in said, said


@pytest.mark.parametrize(("name", "found"), [("1", "b"), ("2", None), ("x", None)])
def test_lists_are_looked_into_by_number(name: str, found: str | None) -> None:
    assert Outside(after={"s": ["a", "b"]}).at("after", ("s", name)) == found


# --- what happened to keys and processes ---------------------------------------------------------

OURS, PROBE = "integration-service/1.0 (web; critical)", "watchkeeper/1.0 (probe)"


def call(time: str, status: int = 200, caller: str = OURS) -> dict[str, Any]:
    return {"time": time, "status": status, "caller": caller, "accepted": status == 200}


def z(minute: int) -> str:
    return f"2026-03-02T09:{minute:02}:00.000Z"


USED = {
    "initial": [call(z(0)), call(z(2), caller=PROBE), call(z(4), 401)],
    "spare": [call(z(3), 503)],
    "unused": [],
}


def test_our_service_s_calls_are_counted_by_the_vendors_log() -> None:
    """Those of others do not count, nor those from before; what was answered badly has failed."""
    assert calls_of(USED, T0, T0 + 5 * MINUTE) == {
        "ok": 1,
        "failed": 2,
        "count": 3,
        "seconds": 300.0,
        "by_key": {"initial": 2, "spare": 1},
    }
    later = calls_of(USED, T0 + MINUTE, T0 + 5 * MINUTE)
    assert (later["ok"], later["failed"], later["by_key"]) == (0, 2, {"initial": 1, "spare": 1})


def test_what_happened_is_told_by_the_far_side() -> None:
    """A key that the vendor does not know any more has no name, and what never was has no time."""
    history = [{"fingerprint": "aa", "event": "revoked", "time": z(3)}]
    versions = (
        Version("current", "bb", T0 + 2 * MINUTE),
        Version("previous", "cc", T0),
    )
    unit = {
        "history": [
            {"came": "keeps_old_key", "asked": z(1), "done": z(1)},
            {"came": "restarted", "asked": z(5), "done": z(6)},
        ]
    }
    labels = {"aa": "initial", "bb": "spare"}
    assert events_of(history, labels, USED, versions, unit) == {
        "initial revoked": z(3),
        "initial first accepted": z(0),
        "initial last accepted": z(2),
        "initial first refused": z(4),
        "initial first used by the service": z(0),
        "initial last used by the service": z(4),
        "spare first used by the service": z(3),
        "spare last used by the service": z(3),
        "spare current": z(2),
        "restart asked": z(5),
        "restarted": z(6),
    }
    assert events_of([], {}, {}, (), {}) == {}
