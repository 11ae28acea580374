"""A busy machine is not an outage: its own lag is measured, and taken off the ages that are judged."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from conftest import Clock
from harness import wait_until
from making import MINUTE, NAME, T0, opened
from test_sweep import Recorder

from deployments.catalogue import PLACES, most_runs
from watchkeeper.heartbeat import Part, Result
from watchkeeper.lag import MOST_S, Lag, allowed, lag_of, p95
from watchkeeper.performing.lag_meter import LagMeter
from watchkeeper.performing.responding import dispatch, lock_name
from watchkeeper.performing.standing_data import data_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.store import heartbeats, locks
from watchkeeper.store.own_lag import own_lag
from watchkeeper.store.tables import JobRow


def test_the_lag_is_what_95_of_100_do_not_exceed() -> None:
    """One hiccup is no busy machine; a run that was minutes late was away, not slow."""
    assert p95([]) == 0.0
    assert p95([0.0] * 96 + [9.0] * 4) == 0.0
    assert p95([0.0] * 94 + [9.0] * 6) == 9.0
    found = lag_of([0.5] * 10, [(T0, 4.0), (T0 - 11 * MINUTE, 50.0), (T0 + MINUTE, 50.0)], T0)
    assert (found.timers_s, found.starts_s) == (0.5, 4.0)
    assert lag_of([], [(T0, 4000.0)], T0).seconds == MOST_S
    # None begins at all: the next one has been due for twenty seconds.
    assert lag_of([], [], T0, timedelta(seconds=20)).starts_s == 20.0


@pytest.mark.parametrize(
    ("lag_s", "taken_off_s"),
    [(0, 0), (4.5, 4.5), (1e9, MOST_S), (-3, 0), (float("nan"), 0), (float("inf"), 0)],
)
def test_what_is_taken_off_is_bounded(lag_s: float, taken_off_s: float) -> None:
    """However slow it is, a dead responder is dead after a minute more."""
    assert allowed(lag_s) == timedelta(seconds=taken_off_s)


def lagging(watch: Watch, seconds: float) -> None:
    with watch.store.write() as session:
        heartbeats.beat(session, Part.LAG, watch.now(), every=MINUTE, value=seconds)


def test_an_old_measure_says_nothing_of_now(watch: Watch, clock: Clock) -> None:
    """The supervisor that measured it may be gone."""
    lagging(watch, 20)
    with watch.store.read() as session:
        assert own_lag(session, clock.now()) == timedelta(seconds=20)
        assert own_lag(session, clock.now() + 3 * MINUTE) == timedelta(0)
        assert own_lag(session, clock.now() - MINUTE) == timedelta(0)


def test_a_responder_is_given_the_machines_own_lag(watch: Watch, clock: Clock) -> None:
    """Six responders were lost at a load of thirty: each was only late. It is replaced after its
    lease and the lag, and not counted as lost before."""
    executor, incident = Recorder(), opened(watch)
    start = timedelta(seconds=watch.settings.responder_start_s)
    assert asyncio.run(dispatch(watch, incident, executor)) == 1
    clock.advance(start)
    lagging(watch, 20)
    assert asyncio.run(dispatch(watch, incident, executor)) is None
    clock.advance(timedelta(seconds=19))
    assert asyncio.run(dispatch(watch, incident, executor)) is None
    with watch.store.read() as session:
        assert locks.lost(session, lock_name(incident.id)) == 0
    clock.advance(timedelta(seconds=1))
    assert asyncio.run(dispatch(watch, incident, executor)) == 2
    with watch.store.read() as session:
        assert locks.lost(session, lock_name(incident.id)) == 1


def stale(watch: Watch) -> set[str | None]:
    found = data_readings(watch, watch.integration(NAME))
    return {reading.fault for reading in found if reading.probe == "workorders"}


def test_data_that_stands_still_by_our_own_lag_is_no_fault(watch: Watch, clock: Clock) -> None:
    """A drill at a load of thirty opened an incident "sync stalled" of its own."""
    interval = timedelta(seconds=watch.settings.sync_interval_s)
    clock.advance(2 * interval + timedelta(seconds=10))
    assert stale(watch) == {"never"}
    lagging(watch, 30)
    assert stale(watch) == {None}
    clock.advance(timedelta(seconds=21))
    assert stale(watch) == {"never"}


def test_no_job_is_late_before_runs_can_start(watch: Watch, clock: Clock) -> None:
    """While `up` comes up, or Prefect is away, no job had its turn: that is ours, not the vendor's."""
    interval = timedelta(seconds=watch.settings.sync_interval_s)

    def runner(result: Result) -> None:
        with watch.store.write() as session:
            heartbeats.beat(session, Part.RUNNER, clock.now(), result, every=interval)

    clock.advance(3 * interval)
    runner(Result.FAILED)
    assert stale(watch) == {None}
    runner(Result.WELL)
    clock.advance(interval)
    runner(Result.WELL)
    assert stale(watch) == {None}
    clock.advance(interval + timedelta(seconds=1))
    runner(Result.WELL)
    assert stale(watch) == {"never"}
    with watch.store.read() as session:
        assert session.get(JobRow, (NAME, "workorder-sync")) is not None


def test_the_meter_measures_and_records(watch: Watch) -> None:
    """A real thread that sleeps, on a clock that jumps half a second each time."""
    at = 0.0

    def jumping() -> float:
        nonlocal at
        at += 0.6
        return at

    with LagMeter(jumping) as meter:
        wait_until(lambda: meter.record(watch).timers_s > 0, 30, "some samples are there")
    assert meter.lag.timers_s == pytest.approx(0.5)
    with watch.store.read() as session:
        found = heartbeats.last(session, Part.LAG)
        assert own_lag(session, watch.now()) == meter.lag.allowance
    assert found is not None and "timers p95 0.50 s" in found.detail


def test_the_start_of_scheduled_runs_counts(watch: Watch, clock: Clock) -> None:
    """What each health run says of itself is a sample, once."""
    meter = LagMeter()
    for late_s in (3.0, 8.0):
        clock.advance(MINUTE)
        with watch.store.write() as session:
            heartbeats.beat(session, Part.SCHEDULE, clock.now(), every=MINUTE, value=late_s)
        meter.record(watch)
        meter.record(watch)
    assert meter.lag == Lag(0.0, 8.0)


def test_a_machine_that_begins_no_run_is_late(watch: Watch, clock: Clock) -> None:
    """Seen at a load of twenty: a minute after the runner was ready no run had begun, while sleeping
    threads woke in time."""
    meter, ready = LagMeter(), clock.now()
    clock.advance(timedelta(seconds=40))
    assert meter.record(watch, ready, timedelta(seconds=12)).starts_s == 28.0
    assert meter.record(watch, None, timedelta(seconds=12)).starts_s == 0.0
    with watch.store.write() as session:
        heartbeats.beat(session, Part.SCHEDULE, clock.now(), every=MINUTE, value=31.0)
    assert meter.record(watch, ready, timedelta(seconds=12)).starts_s == 31.0


def test_concurrency_follows_the_cores() -> None:
    """Two cores begin no twenty processes at once; many cores are not held back to two's."""
    assert most_runs(2) == {"looks": 4, "responders": 6, "jobs": 4}
    assert most_runs(1) == {name: least for name, (_, least, _) in PLACES.items()}
    assert most_runs(64) == {name: most for name, (_, _, most) in PLACES.items()}
