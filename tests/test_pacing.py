"""One budget for all processes: never overrun, never reserved ahead, capped and held at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import fresh_store
from sqlmodel import select

from watchkeeper.errors import Throttled
from watchkeeper.runbook.api import RateLimit
from watchkeeper.store.engine import Store
from watchkeeper.store.rates import Bucket
from watchkeeper.store.tables import IncidentRow, LeaseRow, RateBucketRow
from watchkeeper.vendor.pacing import ASK_AGAIN_S, RateGate, decide, evenly, grant, pace_for
from watchkeeper.vendor.purpose import PURPOSES, Purpose

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HUNDRED_A_MINUTE = RateLimit(requests=100, per="60s")


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.at = T0
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def gate(store: Store, clock: Clock, limit: RateLimit = HUNDRED_A_MINUTE) -> RateGate:
    return RateGate(store, "maintainx@prod", limit, clock.now, clock.sleep)


def cap(store: Store, per_s: object, **changes: Any) -> None:
    """A rate cap as a mitigation leaves it."""
    with store.write() as session:
        incident = IncidentRow(
            integration="maintainx@prod", state="open", verdict="likely", severity=2, summary="-",
            opened_by="-", started_at=T0, opened_at=T0, state_since=T0,
        )  # fmt: skip
        session.add(incident)
        session.flush()
        assert incident.id is not None
        given: dict[str, Any] = {
            "incident_id": incident.id, "integration": "maintainx@prod", "kind": "rate_cap",
            "target": "maintainx@prod", "applied": {"max_requests_per_s": per_s},
            "state": "active", "taken_at": T0, "expires_at": T0 + timedelta(hours=4),
        }  # fmt: skip
        session.add(LeaseRow(**{**given, **changes}))


def admitted(gate: RateGate, clock: Clock, purpose: Purpose, seconds: float) -> int:
    """How many calls of one purpose go out in so many seconds, asked one after the other."""
    count, end = 0, clock.at + timedelta(seconds=seconds)
    while True:
        asyncio.run(gate.admit(purpose, 3600))
        if clock.at > end:
            return count
        count += 1


GRANTS = [
    # next_at, interval, burst -> granted, next_at afterwards, wait; all in seconds from now
    (0, 1, 1, (True, 1, 0)),
    (-50, 1, 1, (True, 1, 0)),
    (0.4, 1, 1, (False, 0.4, 0.4)),
    (1, 1, 3, (True, 2, 0)),
    (2, 1, 3, (True, 3, 0)),
    (2.5, 1, 3, (False, 2.5, 0.5)),
    (3, 1, 3, (False, 3, 1)),
    # Left by a slower pace or a clock that went back: drawn near, so that it is waited for once.
    (90, 1, 3, (False, 3, 1)),
]


@pytest.mark.parametrize(("next_at", "interval", "burst", "expected"), GRANTS)
def test_grant(
    next_at: float, interval: float, burst: int, expected: tuple[bool, float, float]
) -> None:
    """The rule by itself, at one instant."""
    pace = evenly(interval * SECOND, burst)
    found = grant(T0 + next_at * SECOND, T0, pace)
    assert (found.granted, (found.next_at - T0) / SECOND, found.wait_s) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=60),
    st.integers(1, 5),
    st.floats(0.05, 1),
)
def test_never_more_than_rate_times_time_and_burst(
    gaps: list[float], burst: int, interval: float
) -> None:
    """However the asking falls, in every stretch of time."""
    pace = evenly(interval * SECOND, burst)
    now, next_at, times = T0, T0, []
    for gap in gaps:
        now += gap * SECOND
        found = grant(next_at, now, pace)
        next_at = found.next_at
        if found.granted:
            times.append(now)
    for i, first in enumerate(times):
        for count, last in enumerate(times[i:], start=1):
            assert count <= (last - first) / pace.interval + burst + 1e-3


@pytest.mark.parametrize("purpose", PURPOSES)
def test_the_vendors_window_is_never_overrun(purpose: Purpose) -> None:
    """The burst is part of the budget: any window of the vendor's length holds no more."""
    next_at, now, times = T0, T0, []
    while now < T0 + 200 * SECOND:
        pace = pace_for(HUNDRED_A_MINUTE, purpose, None)
        found = grant(next_at, now, pace)
        next_at = found.next_at
        if found.granted:
            times.append(now)
        now += timedelta(milliseconds=10)
    busiest = max(sum(t <= u < t + 60 * SECOND for u in times) for t in times)
    assert 90 <= busiest <= 100


def test_urgent_calls_find_room_beside_a_backfill() -> None:
    """A backfill at full speed leaves the burst to live calls and probes, half of it to replay."""
    next_at = T0
    while (found := grant(next_at, T0, pace_for(HUNDRED_A_MINUTE, "backfill", None))).granted:
        next_at = found.next_at
    room = {}
    for purpose in PURPOSES:
        mine, count = next_at, 0
        while (found := grant(mine, T0, pace_for(HUNDRED_A_MINUTE, purpose, None))).granted:
            mine, count = found.next_at, count + 1
        room[purpose] = count
    assert room == {"live": 4, "probe": 4, "replay": 2, "backfill": 0}


HELD = [("live", False), ("backfill", False), ("replay", False), ("probe", True)]


@pytest.mark.parametrize(("purpose", "granted"), HELD)
def test_a_hold_binds_all_but_probes(purpose: Purpose, granted: bool) -> None:
    """Without probes its end would not be seen."""
    bucket = Bucket(T0, hold_until=T0 + 30 * SECOND)
    found = decide(bucket, T0, HUNDRED_A_MINUTE, purpose)
    assert (found.granted, found.wait_s) == (granted, 0 if granted else 30)
    assert decide(bucket, T0 + 31 * SECOND, HUNDRED_A_MINUTE, purpose).granted


def test_a_hold_is_waited_for_or_handed_back(store: Store, clock: Clock) -> None:
    """A wait that the caller cannot bear ends at once, with what is left of it."""
    door = gate(store, clock)
    door.hold(T0 + 20 * SECOND)
    with pytest.raises(Throttled) as caught:
        asyncio.run(door.admit("live", 5))
    assert (caught.value.wait_s, clock.pauses) == (20, [])
    asyncio.run(door.admit("backfill", 25))
    assert 20 * SECOND <= clock.at - T0 <= 20.5 * SECOND
    assert max(clock.pauses) <= ASK_AGAIN_S


def test_a_hold_is_never_shortened(store: Store, clock: Clock) -> None:
    """The longest one stays, whoever says what afterwards."""
    door = gate(store, clock)
    door.hold(T0 + 20 * SECOND)
    door.hold(T0 + 10 * SECOND)
    with store.read() as session:
        row = session.get(RateBucketRow, "maintainx@prod")
    assert row is not None
    assert row.hold_until == T0 + 20 * SECOND


CAPS = [
    ([(2.0, {})], 20),
    ([(2.0, {}), (1, {})], 10),
    ([(50, {})], 16),
    ([(2.0, {"state": "ended"})], 16),
    ([(2.0, {"expires_at": T0})], 16),
    ([(2.0, {"integration": "twinmind@prod"})], 16),
    ([(2.0, {"kind": "paused_job"})], 16),
    ([], 16),
]


@pytest.mark.parametrize(("caps", "in_ten_seconds"), CAPS)
def test_caps(
    caps: list[tuple[object, dict[str, Any]]], in_ten_seconds: int, store: Store, clock: Clock
) -> None:
    """The lowest cap in force counts; none lifts the vendor's own budget of 1.6 a second."""
    for per_s, changes in caps:
        cap(store, per_s, **changes)
    limit = RateLimit(requests=19, per="12s") if in_ten_seconds == 16 else HUNDRED_A_MINUTE
    limit = RateLimit(requests=1000, per="60s") if in_ten_seconds == 20 else limit
    door = gate(store, clock, limit)
    # One at the start, then one each interval.
    assert abs(admitted(door, clock, "live", 10) - in_ten_seconds) <= 1


@pytest.mark.parametrize("per_s", [0, -1, True, "x", None, "nan"])
def test_a_cap_that_cannot_be_read_is_no_leave(per_s: object, store: Store, clock: Clock) -> None:
    """Somebody capped the rate: what cannot be read is the lowest cap, not none."""
    cap(store, per_s)
    door = gate(store, clock)
    asyncio.run(door.admit("live"))
    with pytest.raises(Throttled):
        asyncio.run(door.admit("live", 3600))
    asyncio.run(door.admit("probe"))


def test_probes_pass_a_cap(store: Store, clock: Clock) -> None:
    """At a call in a hundred seconds, four probes still go out at once."""
    cap(store, 0.01)
    door = gate(store, clock)
    asyncio.run(door.admit("live"))
    with pytest.raises(Throttled):
        asyncio.run(door.admit("live", 5))
    for _ in range(4):
        asyncio.run(door.admit("probe", 0))
    assert clock.at == T0


def test_a_lifted_cap_frees_those_who_wait(store: Store, clock: Clock) -> None:
    """No slot was reserved at the old pace: the next answer is at the new one."""
    cap(store, 0.01)
    door = gate(store, clock)
    asyncio.run(door.admit("live"))
    with store.write() as session:
        for lease in session.exec(select(LeaseRow)):
            lease.state = "ended"
    asyncio.run(door.admit("live"))
    assert clock.at - T0 < 2 * SECOND


def test_a_clock_that_went_back_is_forgiven(store: Store, clock: Clock) -> None:
    """A slot left in what is now the future does not stop the vendor's calls for an hour."""
    clock.at = T0 + timedelta(hours=1)
    asyncio.run(gate(store, clock).admit("live"))
    clock.at = T0
    for _ in range(3):
        asyncio.run(gate(store, clock).admit("backfill"))
    assert clock.at - T0 < 10 * SECOND


ASKER = """
import asyncio, json, sys, time
from datetime import UTC, datetime
from watchkeeper.runbook.api import RateLimit
from watchkeeper.store.engine import open_store
from watchkeeper.vendor.pacing import RateGate

async def main():
    store = open_store(sys.argv[1])
    limit = RateLimit(requests=40, per="1s")
    gate = RateGate(store, "maintainx@prod", limit, lambda: datetime.now(UTC))
    times = []
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.time() + 2

    async def ask():
        while time.time() < end:
            await gate.admit("live")
            times.append(time.time())

    await asyncio.gather(*(ask() for _ in range(4)))
    print(json.dumps(times))

asyncio.run(main())
"""


def test_four_processes_share_one_bucket(tmp_path: Path) -> None:
    """Sixteen askers in four processes: no more than one alone could send."""
    store = fresh_store(tmp_path)
    url = str(store.engine.url)
    store.close()
    command = [sys.executable, "-c", ASKER, url]
    askers = [Popen(command, stdin=PIPE, stdout=PIPE, text=True) for _ in range(4)]
    for asker in askers:
        assert asker.stdout is not None
        assert asker.stdout.readline() == "ready\n"
    for asker in askers:
        assert asker.stdin is not None
        asker.stdin.write("go\n")
        asker.stdin.flush()
    told = [json.loads(asker.communicate(timeout=30)[0]) for asker in askers]
    times = sorted(at for asked in told for at in asked)
    # The bucket's budget is 2 at once and 39 a second; times are taken just after the grant.
    assert len(times) <= 39 * (times[-1] - times[0]) + 2 + 2
    assert len(times) >= 40
    assert all(told)
