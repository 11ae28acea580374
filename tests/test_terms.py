"""A clock that is set back, or forward and back: nothing holds for longer than its own term."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME, T0, opened
from sqlmodel import update
from test_approving import ONE
from test_sweep import Recorder, state, swept

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.gaps import WindowState, plan_windows
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.lease import Lease, LeaseKind
from watchkeeper.performing import old_keys
from watchkeeper.performing.quiet import quiet_now
from watchkeeper.performing.responding import dispatch, lock_name
from watchkeeper.performing.standing_data import data_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.store import (
    approvals,
    gaps,
    incidents,
    leases,
    locks,
    observations,
    pages,
    rates,
    watermarks,
)
from watchkeeper.store.observations import Purpose
from watchkeeper.store.pages import DeliveryState
from watchkeeper.store.rates import Bucket
from watchkeeper.store.tables import IncidentRow
from watchkeeper.terms import DRIFT, ahead, due, holds, void
from watchkeeper.vendor.pacing import decide

BACK = 2 * HOUR
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("expires", "term", "held"),
    [
        (SECOND, MINUTE, True),
        (MINUTE, MINUTE, True),
        (0 * SECOND, MINUTE, False),
        (-HOUR, MINUTE, False),
        # As far as clocks of two machines may differ.
        (MINUTE + DRIFT, MINUTE, True),
        (MINUTE + DRIFT + SECOND, MINUTE, False),
        (BACK, MINUTE, False),
        (BACK, 2 * HOUR, True),
        # A row of before terms were kept.
        (BACK, None, True),
    ],
)
def test_an_expiry_holds_within_its_term(
    expires: timedelta, term: timedelta | None, held: bool
) -> None:
    """W12: one further ahead than its longest term is void."""
    assert holds(T0 + expires, term, T0) is held
    assert void(T0 + expires, term, T0) is (not held and expires > 0 * SECOND)


@pytest.mark.parametrize(
    ("last", "is_due"), [(-HOUR, True), (-SECOND, False), (0 * SECOND, False), (BACK, True)]
)
def test_what_was_last_done_in_the_future_is_due(last: timedelta, is_due: bool) -> None:
    assert due(T0 + last, MINUTE, T0) is is_due
    assert ahead(T0 + last, T0) is (last == BACK)


@pytest.fixture
def incident(watch: Watch) -> Incident:
    return opened(watch)


@pytest.fixture
def executor() -> Recorder:
    return Recorder()


def told(watch: Watch, incident: Incident) -> str:
    with watch.store.read() as session:
        return "\n".join(entry.text for entry in incidents.timeline(session, incident.id))


def forward_and_back(clock: Clock) -> Callable[[], None]:
    """What is taken now is taken by a clock that runs two hours fast; the call sets it right."""
    clock.advance(BACK)
    return lambda: clock.advance(-BACK)


def set_back(clock: Clock) -> Callable[[], None]:
    return lambda: clock.advance(-BACK)


@pytest.mark.parametrize("jump", [set_back, forward_and_back])
def test_a_sweep_runs_at_once_although_a_dead_one_holds_the_lock(
    watch: Watch,
    incident: Incident,
    executor: Recorder,
    clock: Clock,
    jump: Callable[[Clock], Callable[[], None]],
) -> None:
    """W12: the sweep died, and the clock was set back two hours: the next one does not wait for them
    to pass."""
    back = jump(clock)
    with watch.store.write() as session:
        assert locks.acquire(session, "sweep", "sweep:dead", clock.now(), 2 * MINUTE) == 1
    back()
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1)]


def test_a_dead_responder_is_replaced_at_once(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W12: its lock is void, the timeline says why, and another one is started."""
    assert asyncio.run(dispatch(watch, incident, executor)) == 1
    clock.advance(-BACK)
    said = swept(watch, executor)
    assert executor.epochs[-1] == (incident.id, 2)
    void_one = f"the clock was set back: the lock {lock_name(incident.id)} is void"
    assert void_one in said
    assert void_one in told(watch, incident)


def test_a_job_that_hangs_on_a_void_lock_runs(watch: Watch, clock: Clock) -> None:
    """W12: the lock of a sync, of forgetting, of whatever is done by one process alone."""
    with watch.store.write() as session:
        assert locks.acquire(session, "job:x", "run-1", clock.now(), MINUTE) == 1
        clock.advance(-BACK)
        assert not locks.held(session, "job:x", clock.now())
        assert locks.free(session, "job:x", clock.now())
        assert locks.acquire(session, "job:x", "run-2", clock.now(), MINUTE) == 2


def taken(watch: Watch, incident: Incident, kind: LeaseKind = LeaseKind.RATE_CAP) -> Lease:
    with watch.store.write() as session:
        return leases.take(
            session,
            incident_id=incident.id,
            integration=NAME,
            kind=kind,
            target=NAME,
            prior={},
            applied={"max_requests_per_s": 1},
            now=watch.now(),
            length=HOUR,
        )


def lease_of(watch: Watch, lease: Lease) -> Lease:
    with watch.store.read() as session:
        return leases.get(session, lease.id)


def test_a_lease_lasts_its_term_and_no_longer(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W12: it is not given back in the middle of the outage, nor held for two hours more: it ends a
    term from now. That is told once."""
    lease = taken(watch, incident)
    clock.advance(-BACK)
    began = clock.now()
    swept(watch, executor)
    assert lease_of(watch, lease).expires_at - began < HOUR + SECOND
    swept(watch, executor)
    assert told(watch, incident).count(f"rate cap {NAME} holds until") == 1
    clock.advance(HOUR + MINUTE)
    swept(watch, executor)
    assert not lease_of(watch, lease).active


def test_a_question_runs_out_after_its_term(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W12: nobody waits three hours for an answer that is wanted within one."""
    with watch.store.write() as session:
        approvals.ask(session, ONE, "text", (), clock.now(), HOUR)
    clock.advance(-BACK)
    swept(watch, executor)
    assert "the clock was set back: plan" in told(watch, incident)
    clock.advance(HOUR + MINUTE)
    assert f"INC-{incident.id}: its question ran out" in swept(watch, executor)


def test_a_window_of_a_dead_backfill_is_free(watch: Watch, clock: Clock) -> None:
    """W12: for the next run as well as for the sweep."""
    resource = watch.integration(NAME).runbook.resource("workorders")
    with watch.store.write() as session:
        gap = gaps.open_gap(
            session,
            incident_id=None,
            integration=NAME,
            resource="workorders",
            since=clock.now() - HOUR,
            now=clock.now(),
        )
        gap = gaps.bound(session, gap.id, clock.now())
        spans = plan_windows(resource, gap.since, gap.until)
        (window, *_) = gaps.slice_gap(session, gap.id, spans)
        assert gaps.claim(session, window.id, "run-1", clock.now(), MINUTE)
        clock.advance(-BACK)
        assert gaps.claim(session, window.id, "run-2", clock.now(), MINUTE)
        clock.advance(-BACK)
        assert gaps.release_stuck(session, clock.now()) == 1
        assert gaps.windows(session, gap.id)[0].state is WindowState.PLANNED


def test_a_hold_of_the_vendor_is_void(watch: Watch, clock: Clock) -> None:
    """W12: a wait of a minute is a minute; and a new, shorter one takes the place of a void one."""
    limit = watch.integration(NAME).runbook.rate_limit
    bucket = Bucket(T0, T0 + BACK, None, MINUTE)
    assert decide(bucket, T0, limit, "live").granted
    assert not decide(bucket, T0 + BACK - SECOND, limit, "live").granted
    rates.hold(watch.store, NAME, T0 + BACK, T0 + BACK + MINUTE)
    rates.hold(watch.store, NAME, T0, T0 + SECOND)
    seen: list[Bucket] = []

    def look(bucket: Bucket, now: object) -> rates.Grant:
        seen.append(bucket)
        return rates.Grant(False, bucket.next_at, 0.0)

    rates.ask(watch.store, NAME, lambda: T0, [rates.Asker(look)])
    assert (seen[0].hold_until, seen[0].hold_term) == (T0 + SECOND, SECOND)


def test_the_ladder_does_not_wait_for_the_clock(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W12: a page of the future is waited for from now on, so the next rung is called in its time."""
    with watch.store.write() as session:
        now = clock.now()
        pages.wanted(session, incident.id, 1, "ada", "key-1", now)
        pages.trying(session, incident.id, 1, "pager", 1, now)
        pages.tried(session, incident.id, 1, "pager", DeliveryState.TAKEN, now)
    clock.advance(-BACK)
    swept(watch, executor)
    with watch.store.read() as session:
        up = pages.of_incident(session, incident.id)[0]
    assert up.triggered_at is not None
    assert up.triggered_at <= clock.now()
    assert "an unanswered page is waited for from now on" in told(watch, incident)


def test_an_incident_settles_for_its_time(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W12: the vendor's list lag counts from now on, once."""
    state(watch, incident, State.SETTLING)
    clock.advance(-30 * HOUR)
    swept(watch, executor)
    swept(watch, executor)
    assert told(watch, incident).count("it settles from now on") == 1
    with watch.store.read() as session:
        settles = incidents.get(session, incident.id).settles_at
    assert settles is not None
    assert settles < clock.now() + 4 * HOUR


def test_a_stale_announcement_of_maintenance_mutes_nobody(
    watch: Watch, incident: Incident, clock: Clock
) -> None:
    """W12: an announcement that was read in the future is none: it would be the newest for hours, and
    keep people asleep."""
    announced = Reading(
        probe="status_page",
        kind=Kind.STATUS_PAGE,
        target="status page",
        at=clock.now(),
        outcome=Outcome.DEGRADED,
        latency_s=0.1,
        fault="maintenance",
        detail="maintenance",
    )
    with watch.store.write() as session:
        evidence = Evidence(integration=NAME, at=clock.now(), readings=(announced,))
        observations.keep(session, evidence, incident.id, Purpose.VERIFYING)
        session.exec(update(IncidentRow).values(planned=True))
    assert quiet_now(watch, NAME) is not None
    clock.advance(-BACK)
    assert quiet_now(watch, NAME) is None


def test_a_walk_of_the_future_is_no_fresh_walk(watch: Watch, clock: Clock) -> None:
    """W12: what was walked two hours from now says nothing of now: unknown, not well."""
    with watch.store.write() as session:
        watermarks.advance(session, NAME, "workorders", newest=None, walked_at=clock.now(), rows=5)
    clock.advance(-BACK)
    found = {r.probe: r for r in data_readings(watch, watch.integration(NAME))}
    assert (found["workorders"].outcome, found["workorders"].fault) == (Outcome.UNKNOWN, None)


def test_an_old_key_is_tried_although_it_was_tried_in_the_future(
    watch: Watch, incident: Incident, clock: Clock
) -> None:
    lease = taken(watch, incident, LeaseKind.OLD_KEY)
    with watch.store.write() as session:
        leases.applied(session, lease, {"accepted_at": (clock.now() + BACK).isoformat()})
    assert old_keys.due(lease_of(watch, lease), clock.now())
