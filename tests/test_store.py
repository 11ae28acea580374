"""The store's promises on SQLite and on PostgreSQL: who wins a race, and what never goes back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import Postgres
from making import HOUR, MINUTE, NAME, T0, seen, watched
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import StatementError
from sqlmodel import Session, SQLModel, select

from watchkeeper.answer import Answer, Speaker
from watchkeeper.diagnosis import RuledOut, Verdict, diagnose
from watchkeeper.errors import StaleFence, Transient, UserError
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.gaps import Gap, GapState, Reconciliation, Span, WindowState, plan_windows
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.mitigation.job import PAUSED
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.plan import Plan
from watchkeeper.ruled_out_text import ruled_out_lines
from watchkeeper.store import (
    approvals,
    gaps,
    incidents,
    jobs,
    leases,
    locks,
    observations,
    pages,
    records,
    switches,
    watermarks,
)
from watchkeeper.store.engine import Store, open_store
from watchkeeper.store.observations import Purpose
from watchkeeper.store.schema import HEAD, upgrade
from watchkeeper.store.tables import CauseRow, RecordRow, WatermarkRow

TTL = timedelta(seconds=60)


def opened(session: Session, now: datetime = T0, **more: Any) -> tuple[Incident, bool]:
    given: dict[str, Any] = {
        "integration": NAME,
        "diagnosis_summary": "all refused",
        "severity": 1,
        "opened_by": "health",
        "started_at": now - MINUTE,
        "now": now,
        "reopen_since": now - 30 * MINUTE,
    }
    return incidents.open_or_join(session, **{**given, **more})


@pytest.fixture
def incident(store: Store) -> Incident:
    with store.write() as session:
        return opened(session)[0]


def at_once(count: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads got, let go at the same moment."""
    gate = threading.Barrier(count)

    def run(number: int) -> Any:
        gate.wait(20)
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def meanwhile(store: Store, act: Callable[[Session], Any]) -> tuple[Any, Any]:
    """What two got who did the same: the second while the first had not committed yet."""

    def second() -> Any:
        with store.write() as session:
            return act(session)

    with ThreadPoolExecutor(1) as pool:
        with store.write() as session:
            first = act(session)
            later = pool.submit(second)
            # Long enough to meet the first one's locks; it must not matter if it was not.
            wait([later], 0.15)
        return first, later.result(30)


# --- incidents ----------------------------------------------------------------------------------


def test_fifty_who_open_at_once_open_one_incident(store: Store) -> None:
    """However many health checks see the failure first, one opens the incident and all join it."""

    def open_one(_: int) -> tuple[int, bool]:
        with store.write() as session:
            found, first = opened(session)
            return found.id, first

    got = at_once(50, open_one)
    assert len({number for number, _ in got}) == 1
    assert sum(first for _, first in got) == 1
    with store.read() as session:
        assert len(incidents.listed(session)) == 1


def test_integrations_do_not_share_an_incident(store: Store) -> None:
    """Each integration has its own; all open ones are listed, however many there are."""
    with store.write() as session:
        for n in range(60):
            opened(session, integration=f"vendor{n}@test")
    with store.read() as session:
        assert len(incidents.listed(session, only_open=True)) == 60
        assert len(incidents.listed(session)) == 50


def walk(store: Store, incident: Incident, until: State, now: datetime = T0) -> Incident:
    chain = list(State)
    with store.write() as session:
        for state in chain[chain.index(incident.state) + 1 : chain.index(until) + 1]:
            incident = incidents.move(session, incident.id, state, now)
    return incident


def test_one_that_comes_back_inside_the_guard_keeps_its_id(
    store: Store, incident: Incident
) -> None:
    """A relapse is the same incident in a new round; its earlier recovery no longer counts."""
    with store.write() as session:
        incidents.recovered(session, incident.id, T0 + MINUTE, T0 + HOUR)
    walk(store, incident, State.CLOSED, T0 + HOUR)
    with store.write() as session:
        back, first = opened(session, T0 + HOUR + 30 * MINUTE)
    assert (back.id, first, back.round, back.state) == (incident.id, True, 2, State.OPEN)
    assert (back.closed_at, back.recovered_at, back.settles_at) == (None, None, None)
    assert back.opened_at == incident.opened_at


def test_one_that_comes_back_later_is_a_new_incident(store: Store, incident: Incident) -> None:
    """Past the guard it is another matter."""
    walk(store, incident, State.CLOSED, T0 + HOUR)
    with store.write() as session:
        new, first = opened(session, T0 + 2 * HOUR)
    assert first
    assert (new.id != incident.id, new.round) == (True, 1)


def test_two_who_reopen_at_once_begin_one_round(store: Store, incident: Incident) -> None:
    """A closed incident is reopened once, whoever else saw the relapse."""
    walk(store, incident, State.CLOSED, T0 + HOUR)

    def reopen(session: Session) -> tuple[int, int, bool]:
        found, first = opened(session, T0 + HOUR + MINUTE)
        return found.id, found.round, first

    assert meanwhile(store, reopen) == ((incident.id, 2, True), (incident.id, 2, False))


def test_a_milestone_is_reached_once(store: Store, incident: Incident) -> None:
    """The first to write a milestone wins; the others are told, and nothing breaks."""

    def note(number: int) -> bool:
        with store.write() as session:
            return incidents.note(
                session, incident.id, f"by {number}", now=T0, milestone=Milestone.PAGED
            )

    assert sum(at_once(8, note)) == 1
    with store.write() as session:
        assert not incidents.note(session, incident.id, "-", now=T0, milestone=Milestone.PAGED)
        assert incidents.note(session, incident.id, "just words", now=T0)
    with store.read() as session:
        assert len(incidents.timeline(session, incident.id)) == 2


def test_when_it_happened_and_when_it_was_written_are_kept_apart(
    store: Store, incident: Incident
) -> None:
    """The timeline is in the order of events, not of their writing."""
    with store.write() as session:
        incidents.note(session, incident.id, "second", now=T0 + HOUR)
        incidents.note(session, incident.id, "first", now=T0 + 2 * HOUR, occurred_at=T0)
    with store.read() as session:
        lines = incidents.timeline(session, incident.id)
    assert [line.text for line in lines] == ["first", "second"]
    assert (lines[0].occurred_at, lines[0].recorded_at) == (T0, T0 + 2 * HOUR)


def test_a_state_changes_by_the_incidents_own_rules(store: Store, incident: Incident) -> None:
    """A step that its life does not have is refused and changes nothing; the same again is none."""
    with pytest.raises(UserError, match="it can become triaged"), store.write() as session:
        incidents.move(session, incident.id, State.CLOSED, T0)
    with store.write() as session:
        assert incidents.move(session, incident.id, State.OPEN, T0 + HOUR).state_since == T0
        assert incidents.relapse(session, incident.id, T0).round == 2
    with pytest.raises(UserError, match="there is no INC-99"), store.read() as session:
        incidents.get(session, 99)


def test_the_leading_cause_shows_and_a_person_overrules_it(
    store: Store, incident: Incident
) -> None:
    """Causes are dated rows; the incident shows the newest word, and a person's is a word too."""
    found = diagnose(seen(401), watched().runbook)
    with store.write() as session:
        incidents.add_diagnosis(session, incident.id, found, T0, "watchkeeper")
        shown = incidents.get(session, incident.id)
        assert (shown.cause, shown.verdict, shown.severity) == ("api_key_expired", "likely", 1)
        incidents.correct(
            session,
            incident.id,
            cause="vendor_outage",
            severity=None,
            by="ann",
            reason="they rang",
            now=T0 + MINUTE,
        )
        shown = incidents.get(session, incident.id)
        assert (shown.cause, shown.verdict) == ("vendor_outage", Verdict.CONFIRMED)
        said = incidents.causes(session, incident.id)
    assert [(c.cause, c.said_by) for c in said] == [
        ("api_key_expired", "watchkeeper"),
        ("vendor_outage", "ann"),
    ]
    out = {ruled.cause: ruled for ruled in said[0].ruled_out}
    assert (out["service_crash"].because, out["service_crash"].weighed) == (
        "not seen: service crashed",
        False,
    )


def test_what_was_ruled_out_before_rivals_were_told_apart_is_read(
    store: Store, incident: Incident
) -> None:
    """W19: a row of an older version says not whether a cause was weighed: it is shown as before."""
    with store.write() as session:
        row = CauseRow(
            incident_id=incident.id,
            at=T0,
            rank=0,
            verdict=Verdict.LIKELY,
            severity=1,
            said_by="watchkeeper",
            because="-",
            ruled_out=[{"cause": "dns_failure", "because": "not seen: dns fails"}],
        )
        session.add(row)
        session.flush()
        (*_, last) = incidents.causes(session, incident.id)
    assert last.ruled_out == (RuledOut("dns_failure", "not seen: dns fails"),)
    assert ruled_out_lines(last.ruled_out) == ("dns_failure: not seen: dns fails",)


def test_the_epoch_counts_responders(store: Store, incident: Incident) -> None:
    """Each responder has a number of its own, even when two are asked for at once."""

    def begin(_: int) -> int:
        with store.write() as session:
            return incidents.next_epoch(session, incident.id)

    assert sorted(at_once(6, begin)) == [1, 2, 3, 4, 5, 6]


# --- locks --------------------------------------------------------------------------------------


def test_a_lock_has_one_holder_and_its_fence_only_grows(store: Store) -> None:
    """Taken, refused to another, taken again by its holder, let go, taken by the other."""
    with store.write() as session:
        assert locks.acquire(session, "x", "a", T0, TTL) == 1
        assert locks.acquire(session, "x", "b", T0, TTL) is None
        assert locks.acquire(session, "x", "a", T0, TTL) == 2
        locks.release(session, "x", 2, T0)
        assert not locks.held(session, "x", T0)
        assert locks.acquire(session, "x", "b", T0, TTL) == 3
        assert locks.describe(session, "x")[0] == "b"


def test_a_lock_runs_out_and_its_old_holder_is_refused(store: Store) -> None:
    """Whoever was slow finds its fence stale and writes nothing more."""
    with store.write() as session:
        old = locks.acquire(session, "x", "a", T0, TTL)
        assert old == 1
        assert locks.held(session, "x", T0 + TTL - timedelta(seconds=1))
        assert not locks.held(session, "x", T0 + TTL)
        assert locks.acquire(session, "x", "b", T0 + TTL, TTL) == 2
        for act in (
            lambda: locks.check(session, "x", 1),
            lambda: locks.extend(session, "x", 1, T0, TTL),
        ):
            with pytest.raises(StaleFence, match="x has been taken over"):
                act()
        locks.release(session, "x", 1, T0 + TTL)
        assert locks.held(session, "x", T0 + TTL)
        locks.check(session, "x", 2)


def test_a_sign_of_life_keeps_the_lock(store: Store) -> None:
    """Extended in time it stays with its holder."""
    with store.write() as session:
        assert locks.acquire(session, "x", "a", T0, TTL) == 1
        locks.extend(session, "x", 1, T0 + TTL / 2, TTL, "working")
        assert locks.acquire(session, "x", "b", T0 + TTL, TTL) is None
        assert locks.describe(session, "x")[2] == "working"


def test_a_lock_that_was_let_go_is_nobodys(store: Store) -> None:
    """After its release even its last fence is stale."""
    with store.write() as session:
        locks.acquire(session, "x", "a", T0, TTL)
        locks.release(session, "x", 1, T0)
        with pytest.raises(StaleFence):
            locks.check(session, "x", 1)


def test_a_reservation_is_handed_over_to_whom_it_was_made_for(store: Store) -> None:
    """The run that was asked for takes the place that was kept for it; another does not."""
    with store.write() as session:
        assert locks.acquire(session, "x", "start:4", T0, TTL) == 1
        assert locks.hand_over(session, "x", "start:3", "run-old", T0, TTL) is None
        assert locks.hand_over(session, "x", "start:4", "run-new", T0, TTL) == 2
        assert locks.hand_over(session, "x", "start:4", "run-twin", T0, TTL) is None
        assert locks.hand_over(session, "x", "start:9", "run-late", T0 + TTL, TTL) == 3


def test_the_first_taking_of_a_lock_is_a_race_as_any_other(store: Store) -> None:
    """Two who both find no lock: one takes it, and the other is told, not broken."""
    names = iter("ab")
    take = partial(locks.acquire, name="x", now=T0, ttl=TTL)
    assert meanwhile(store, lambda session: take(session, holder=next(names))) == (1, None)


def test_the_first_note_of_a_milestone_is_a_race_as_any_other(
    store: Store, incident: Incident
) -> None:
    """Two who both find it unwritten: one writes it, and the other is told, not broken."""
    note = partial(incidents.note, incident_id=incident.id, now=T0, milestone=Milestone.PAGED)
    assert meanwhile(store, lambda session: note(session, text="-")) == (True, False)


def test_a_first_incident_is_a_race_as_any_other(store: Store) -> None:
    """Two who both find none open: one opens it, and the other joins."""
    (one, first), (other, second) = meanwhile(store, opened)
    assert (one.id, first, second) == (other.id, True, False)


@pytest.mark.parametrize("taken_before", [False, True])
def test_of_many_who_try_a_lock_at_once_one_gets_it(store: Store, taken_before: bool) -> None:
    """The very first taking is a race as any other: one fence, and no error for the rest."""
    if taken_before:
        with store.write() as session:
            locks.acquire(session, "x", "gone", T0 - HOUR, TTL)

    def take(number: int) -> int | None:
        with store.write() as session:
            return locks.acquire(session, "x", f"holder-{number}", T0, TTL)

    assert sorted(f for f in at_once(12, take) if f is not None) == [2 if taken_before else 1]


# --- approvals ----------------------------------------------------------------------------------


def plan_of(incident: Incident, cause: str = "vendor_outage") -> Plan:
    return Plan(
        integration=NAME, incident_id=incident.id, round=incident.round, cause=cause, actions=()
    )


def test_a_question_is_answered_once(store: Store, incident: Incident) -> None:
    """The same plan is the same question; the first answer stands and the second is refused."""
    plan = plan_of(incident)
    with store.write() as session:
        first = approvals.ask(session, plan, "v1", ("a key",), T0, HOUR)
        again = approvals.ask(session, plan, "v2", (), T0 + MINUTE, HOUR)
    assert (again.id, again.expires_at, again.plan_text) == (first.id, first.expires_at, "v2")

    def answer(number: int) -> str:
        try:
            with store.write() as session:
                said = ("approve", "deny")[number % 2]
                approvals.answer(session, incident.id, said, by=str(number), reason="", now=T0)
        except UserError as error:
            return str(error)
        return "taken"

    got = at_once(6, answer)
    assert got.count("taken") == 1
    assert all("was answered already" in said for said in got if said != "taken")
    with store.write() as session:
        asked = approvals.ask(session, plan, "v3", (), T0 + MINUTE, HOUR)
    assert not asked.open


def test_another_plan_is_another_question(store: Store, incident: Incident) -> None:
    """A yes to the old plan says nothing about the new one."""
    with store.write() as session:
        approvals.ask(session, plan_of(incident), "old", (), T0, HOUR)
        approvals.answer(session, incident.id, "approve", by="ann", reason="", now=T0)
        new = approvals.ask(session, plan_of(incident, "network_issue"), "new", (), T0, HOUR)
        assert new.open
        assert approvals.of_plan(session, plan_of(incident, "rate_limit_exceeded")) is None
        shown = approvals.latest(session, incident.id)
    assert shown is not None
    assert shown.plan_text == "new"


def test_no_answer_in_time_is_a_no(store: Store, incident: Incident) -> None:
    """A question runs out, counts as denied by nobody, and takes no late answer."""
    with store.write() as session:
        approvals.ask(session, plan_of(incident), "-", (), T0, HOUR)
        assert approvals.overdue(session, T0 + HOUR - MINUTE) == []
    with pytest.raises(UserError, match="ran out at 10:00:00Z"), store.write() as session:
        approvals.answer(session, incident.id, "approve", by="ann", reason="", now=T0 + HOUR)
    with store.write() as session:
        (late,) = approvals.overdue(session, T0 + HOUR)
        over = approvals.expire(session, late.id, T0 + HOUR)
        assert over is not None
        assert approvals.overdue(session, T0 + HOUR) == []
    assert (over.decision, over.decided_by) == ("expired", "nobody")
    with pytest.raises(UserError, match="was answered already: expired"), store.write() as session:
        approvals.answer(session, incident.id, "approve", by="ann", reason="", now=T0 + HOUR)


def test_an_answer_to_no_question_is_refused(store: Store, incident: Incident) -> None:
    """Nothing asks, so nothing is approved."""
    with pytest.raises(UserError, match="asks for no approval"), store.write() as session:
        approvals.answer(session, incident.id, "approve", by="ann", reason="", now=T0)


# --- gaps and windows ---------------------------------------------------------------------------


@pytest.fixture
def gap(store: Store, incident: Incident) -> Gap:
    with store.write() as session:
        return open_gap(session, incident)


def open_gap(session: Session, incident: Incident, since: datetime | None = T0 - HOUR) -> Gap:
    return gaps.open_gap(
        session,
        incident_id=incident.id,
        integration=NAME,
        resource="workorders",
        since=since,
        now=T0,
    )


def test_a_gap_keeps_its_start_until_it_is_over(store: Store, incident: Incident, gap: Gap) -> None:
    """Opened again it is the same gap; after it was closed, a relapse begins where that ended."""
    with store.write() as session:
        assert open_gap(session, incident, T0).since == T0 - HOUR
        gaps.bound(session, gap.id, T0 + HOUR)
        gaps.judged(session, gap.id, Reconciliation(1, 1, (), ()), T0 + 2 * HOUR)
        again = open_gap(session, incident, T0 + HOUR)
    assert (again.id, again.since, again.until) == (gap.id, T0 + HOUR, None)
    assert (again.state, again.closed_at) == (GapState.OPEN, None)


def slice_it(session: Session, gap: Gap) -> tuple[Any, ...]:
    orders = watched().runbook.resource("workorders")
    return gaps.slice_gap(session, gap.id, plan_windows(orders, gap.since, gap.until))


def test_a_gap_is_sliced_once(store: Store, gap: Gap) -> None:
    """Whoever slices second gets the first one's windows, with what they moved already."""
    with store.write() as session:
        bounded = gaps.bound(session, gap.id, T0 + HOUR)
        first = slice_it(session, bounded)
    with store.write() as session:
        assert gaps.slice_gap(session, gap.id, (Span(None, None),)) == first
    assert len(first) == 8
    assert (first[0].since, first[-1].until) == (T0 - HOUR, T0 + HOUR)


def test_a_later_end_of_the_outage_unsets_what_was_filled(store: Store, gap: Gap) -> None:
    """A relapse moves the end on, and everything is walked again; the end never moves back."""
    with store.write() as session:
        slice_it(session, gaps.bound(session, gap.id, T0 + HOUR))
        assert gaps.bound(session, gap.id, T0).until == T0 + HOUR
        assert len(gaps.windows(session, gap.id)) == 8
        later = gaps.bound(session, gap.id, T0 + 2 * HOUR)
        assert gaps.windows(session, gap.id) == ()
    assert (later.until, later.state) == (T0 + 2 * HOUR, GapState.BOUNDED)


@pytest.fixture
def window(store: Store, gap: Gap) -> Any:
    with store.write() as session:
        return slice_it(session, gaps.bound(session, gap.id, T0 + HOUR))[0]


def checkpoint(session: Session, window: Any, holder: str, cursor: str | None, **more: Any) -> None:
    given: dict[str, Any] = {"rows": 10, "now": T0, "ttl": TTL}
    gaps.checkpoint(session, window_id=window.id, holder=holder, cursor=cursor, **{**given, **more})


def test_a_window_is_walked_by_one_at_a_time(store: Store, window: Any) -> None:
    """Claimed, refused to others, gone on with from its checkpoint, done once."""
    with store.write() as session:
        assert gaps.claim(session, window.id, "a", T0, TTL) is not None
        assert gaps.claim(session, window.id, "b", T0, TTL) is None
        checkpoint(session, window, "a", "page-2")
        with pytest.raises(StaleFence, match="has been taken over"):
            checkpoint(session, window, "b", "page-9")
        mine = gaps.claim(session, window.id, "a", T0, TTL)
        assert mine is not None
        assert (mine.cursor, mine.pages, mine.rows) == ("page-2", 1, 10)
        checkpoint(session, window, "a", None)
        assert gaps.claim(session, window.id, "a", T0, TTL) is None
        done = gaps.windows(session, window.gap_id)[0]
    assert (done.state, done.cursor, done.pages, done.rows) == (WindowState.DONE, None, 2, 20)


def test_of_many_who_claim_a_window_one_gets_it(store: Store, window: Any) -> None:
    """Two backfills share the windows; they never walk the same one."""

    def claim(number: int) -> bool:
        with store.write() as session:
            return gaps.claim(session, window.id, f"run-{number}", T0, TTL) is not None

    assert sum(at_once(8, claim)) == 1


def test_a_stuck_window_is_released_with_its_checkpoint(store: Store, window: Any) -> None:
    """A holder that died is seen by its silence; the next one goes on where it was."""
    with store.write() as session:
        gaps.claim(session, window.id, "dead", T0, TTL)
        checkpoint(session, window, "dead", "page-2")
        assert gaps.release_stuck(session, T0 + TTL - timedelta(seconds=1)) == 0
        assert gaps.release_stuck(session, T0 + TTL) == 1
        assert gaps.release_stuck(session, T0 + TTL) == 0
        found = gaps.claim(session, window.id, "next", T0 + TTL, TTL)
        assert found is not None
        assert found.cursor == "page-2"
        with pytest.raises(StaleFence):
            checkpoint(session, window, "dead", "page-3")


def test_a_released_window_that_nobody_took_is_still_its_holders(store: Store, window: Any) -> None:
    """A holder that only waited for the vendor's throttle to pass loses nothing."""
    with store.write() as session:
        gaps.claim(session, window.id, "slow", T0, TTL)
        assert gaps.release_stuck(session, T0 + TTL) == 1
        checkpoint(session, window, "slow", "page-2", now=T0 + TTL)
        assert gaps.claim(session, window.id, "other", T0 + TTL, TTL) is None


def test_a_gap_is_filled_when_each_of_its_windows_is(store: Store, window: Any) -> None:
    """A window that another run holds keeps the gap open."""
    with store.write() as session:
        all_of_them = gaps.windows(session, window.gap_id)
        for one in all_of_them[1:]:
            gaps.claim(session, one.id, "a", T0, TTL)
            checkpoint(session, one, "a", None)
        assert not gaps.filled(session, window.gap_id)
        assert gaps.get(session, window.gap_id).state is GapState.FILLING
        gaps.claim(session, window.id, "a", T0, TTL)
        checkpoint(session, window, "a", None)
        assert gaps.filled(session, window.gap_id)
        assert gaps.get(session, window.gap_id).state is GapState.FILLED


def test_only_a_whole_comparison_or_a_signature_closes_a_gap(store: Store, gap: Gap) -> None:
    """What is missing is written down and keeps the gap open; a waiver names who and why."""
    with store.write() as session:
        behind = gaps.judged(session, gap.id, Reconciliation(3, 2, ("17",), ("18",)), T0)
        assert (behind.state, behind.missing, behind.stale) == (GapState.OPEN, 1, 1)
        assert behind.note == "17, 18"
        assert [g.id for g in gaps.listed(session, only_open=True)] == [gap.id]
        waived = gaps.waive(session, gap.id, "ann", "the vendor lost them", T0)
        assert (waived.state.over, waived.note) == (True, "waived by ann: the vendor lost them")
        assert gaps.listed(session, only_open=True) == ()
    with pytest.raises(UserError, match="there is no gap 99"), store.read() as session:
        gaps.get(session, 99)


# --- watermarks and records ---------------------------------------------------------------------


def test_a_watermark_never_goes_back(store: Store) -> None:
    """A walk that found nothing, or only older changes, leaves it where it was."""

    def advance(newest: datetime | None, walked_at: datetime) -> tuple[Any, Any]:
        with store.write() as session:
            watermarks.advance(
                session, NAME, "workorders", newest=newest, walked_at=walked_at, rows=3
            )
            mark = watermarks.get(session, NAME, "workorders")
            assert mark is not None
            return mark.at, mark.walked_at

    assert advance(None, T0) == (None, T0)
    assert advance(T0, T0) == (T0, T0)
    assert advance(None, T0 + HOUR) == (T0, T0 + HOUR)
    assert advance(T0 - HOUR, T0 + HOUR) == (T0, T0 + HOUR)
    assert advance(T0 + MINUTE, T0) == (T0 + MINUTE, T0 + HOUR)
    with store.read() as session:
        assert watermarks.get(session, NAME, "assets") is None
        assert len(watermarks.listed(session, NAME)) == 1


def row(record_id: str, version: str, payload: str = "{}") -> dict[str, Any]:
    return {
        "integration": NAME,
        "resource": "workorders",
        "record_id": record_id,
        "version": version,
        "payload": payload,
        "written_at": T0,
        "deleted_at": None,
    }


V = [f"2026-03-02T08:00:0{n}.000Z" for n in range(4)]
UPSERTS = [
    ("newer wins", [V[1], V[2]], V[2]),
    ("older never wins", [V[2], V[1]], V[2]),
    ("the same again", [V[1], V[1]], V[1]),
    ("a digest that differs", ["sha256:bb", "sha256:aa"], "sha256:aa"),
    ("a version after a digest", ["sha256:bb", V[0]], V[0]),
    ("a digest after a version", [V[0], "sha256:bb"], "sha256:bb"),
    ("a count", [f"{9:020d}", f"{10:020d}", f"{2:020d}"], f"{10:020d}"),
]


@pytest.mark.parametrize(
    ("versions", "kept"), [u[1:] for u in UPSERTS], ids=[u[0] for u in UPSERTS]
)
def test_which_version_a_row_keeps(store: Store, versions: list[str], kept: str) -> None:
    """Written in any order, the sink holds what the vendor said last."""
    with store.write() as session:
        for version in versions:
            records.upsert(session, [row("1", version, f'"{version}"')])
        assert records.versions(session, NAME, "workorders") == {"1": kept}
        payload = session.exec(select(RecordRow.payload)).one()
    assert payload == f'"{kept}"'


def test_a_deleted_row_comes_back_in_any_version(store: Store) -> None:
    """What the vendor lists is there, whatever we believed."""
    with store.write() as session:
        records.upsert(session, [row("1", V[2])])
        session.exec(select(RecordRow)).one().deleted_at = T0
        session.flush()
        assert records.count(session, NAME, "workorders") == 0
        records.upsert(session, [row("1", V[1])])
        assert records.versions(session, NAME, "workorders") == {"1": V[1]}


def test_rows_are_written_together_or_not_at_all(store: Store) -> None:
    """A page and its checkpoint are one transaction."""

    def die_between() -> None:
        with store.write() as session:
            records.upsert(session, [row(str(n), V[0]) for n in range(500)])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        die_between()
    with store.write() as session:
        assert records.count(session, NAME, "workorders") == 0
        records.upsert(session, [])
        records.upsert(session, [row(str(n), V[0]) for n in range(500)])
        assert records.count(session, NAME, "workorders") == 500
        assert records.count(session, NAME, "assets") == 0


# --- jobs, leases, pages, observations, switches ------------------------------------------------


def test_registering_again_resumes_nothing(store: Store) -> None:
    """A redeploy keeps every job as people and incidents left it."""
    with store.write() as session:
        jobs.register(session, watched(), T0)
        paused = jobs.desire(session, NAME, "asset-sync", PAUSED, by="ann", reason="-", now=T0)
        jobs.register(session, watched(), T0 + HOUR)
        assert jobs.get(session, NAME, "asset-sync") == paused
        assert [j.name for j in jobs.listed(session, NAME)] == [
            "asset-sync",
            "report-generator",
            "workorder-sync",
        ]
        again = jobs.desire(session, NAME, "asset-sync", PAUSED, by="bob", reason="-", now=T0)
        assert (paused.revision, again.revision) == (1, 2)
        with pytest.raises(UserError, match="has no job 'nope'; it has: asset-sync"):
            jobs.get(session, NAME, "nope")


def test_a_lease_taken_again_forgets_the_earlier_taking(store: Store, incident: Incident) -> None:
    """After a relapse, what was before is what is now."""
    taken: dict[str, Any] = {
        "incident_id": incident.id,
        "integration": NAME,
        "kind": LeaseKind.PAUSED_JOB,
        "target": "asset-sync",
        "length": HOUR,
    }
    with store.write() as session:
        first = leases.take(
            session, prior={"desired": "running"}, applied={"revision": 1}, now=T0, **taken
        )
        leases.end(session, first.id, "over", T0 + MINUTE)
        assert leases.active(session) == ()
        second = leases.take(
            session, prior={"desired": "x"}, applied={"revision": 3}, now=T0 + HOUR, **taken
        )
        assert leases.active(session, incident.id) == (second,)
        assert leases.of_incident(session, incident.id) == (second,)
    assert (second.id, second.prior, second.ended_at) == (first.id, {"desired": "x"}, None)
    with pytest.raises(UserError, match="there is no lease 99"), store.write() as session:
        leases.end(session, 99, "-", T0)


def test_a_lease_that_goes_over_keeps_what_was_before_it(store: Store, incident: Incident) -> None:
    """W13: it ends for the one, and is in force for the other as it was; a second time does nothing,
    and a row of an earlier taking is used again."""
    taken: dict[str, Any] = {
        "integration": NAME,
        "kind": LeaseKind.PAUSED_JOB,
        "target": "asset-sync",
        "prior": {"desired": "running"},
        "applied": {"revision": 1},
        "length": HOUR,
    }
    walk(store, incident, State.SETTLING, T0)
    with store.write() as session:
        incidents.set_aside(session, incident)
        second, _ = opened(session, T0, another=lambda _: True)
        old = leases.take(session, incident_id=second.id, now=T0, **taken)
        leases.end(session, old.id, "over", T0)
        held = leases.take(session, incident_id=incident.id, now=T0 + MINUTE, **taken)
        for _ in range(2):
            leases.hand_over(session, held, second.id, T0 + 2 * MINUTE)
        assert leases.active(session, incident.id) == ()
        (gone,) = leases.active(session, second.id)
        assert (gone.id, gone.prior, gone.taken_at) == (old.id, held.prior, held.taken_at)
        assert gone.expires_at == held.expires_at
        assert leases.get(session, held.id).ended_because == f"INC-{second.id} holds it"


def test_two_who_set_one_aside_open_one_that_follows(store: Store, incident: Incident) -> None:
    """W13: whoever comes second joins what the first opened, or looks again."""
    walk(store, incident, State.SETTLING, T0)

    def another(session: Session) -> tuple[int, int | None] | str:
        try:
            incidents.set_aside(session, incident)
        except Transient:
            return "looks again"
        found, _ = opened(session, T0, another=lambda _: True)
        return found.id, found.follows

    first, later = meanwhile(store, another)
    assert (first, later) == ((first[0], incident.id), "looks again")
    with store.read() as session:
        assert {i.id for i in incidents.listed(session, only_open=True)} == {incident.id, first[0]}


def test_an_alert_after_its_all_clear_is_a_new_one(store: Store, incident: Incident) -> None:
    """While it is up it keeps its time and its acknowledgement; after a resolve both begin anew."""

    def taken(session: Session, at: datetime) -> None:
        pages.wanted(session, incident.id, 1, "on-call", "key", at)
        pages.trying(session, incident.id, 1, "pagerduty", 1, at)
        state = pages.DeliveryState.TAKEN
        assert pages.tried(session, incident.id, 1, "pagerduty", state, at)

    with store.write() as session:
        taken(session, T0)
        pages.acknowledge(session, incident.id, T0 + MINUTE)
        taken(session, T0 + 2 * MINUTE)
        (up,) = pages.of_incident(session, incident.id)
        assert (up.triggered_at, up.acknowledged_at) == (T0, T0 + MINUTE)
        assert pages.over(session, incident.id, 1, T0 + HOUR) is pages.PageState.RESOLVED
        taken(session, T0 + 2 * HOUR)
        (again,) = pages.of_incident(session, incident.id)
    assert (again.state, again.triggered_at) == (pages.PageState.TRIGGERED, T0 + 2 * HOUR)
    assert (again.acknowledged_at, again.resolved_at) == (None, None)


def test_the_harm_began_after_the_last_good_answer(store: Store) -> None:
    """Only an endpoint's own good answer before the failure counts."""
    with store.write() as session:
        assert observations.last_good(session, NAME, T0 + HOUR) is None
        observations.keep(session, seen(200))
        observations.keep(session, seen(401))
        assert observations.last_good(session, NAME, T0 + HOUR) == T0
        assert observations.last_good(session, NAME, T0) is None
        assert observations.last_good(session, "other@test", T0 + HOUR) is None


# --- looks --------------------------------------------------------------------------------------


def odd_reading(**more: Any) -> Reading:
    """One with something in every field."""
    given: dict[str, Any] = {
        "probe": "workorders",
        "kind": Kind.CONTRAST,
        "target": "/workorders?limit=1",
        "at": T0 + timedelta(microseconds=1),
        "outcome": Outcome.DEGRADED,
        "latency_s": 0.1 + 0.2,
        "status": 429,
        "fault": "html",
        "detail": "Wartung – 整備",
        "critical": False,
        "wait_s": 1 / 3,
        "skew_s": -0.25,
        "value": 1e-17,
        "bound": 1e17,
        "unit": "%",
        "signature": "200 json 5f",
        "of": "workorders",
        "answer": Answer.THROTTLED,
        "speaker": Speaker.EDGE,
    }
    return Reading(**{**given, **more})


ODD = Evidence(
    integration=NAME,
    at=T0 - timedelta(microseconds=7),
    readings=(odd_reading(), *seen({"users": "timeout"}).readings, odd_reading(probe="again")),
    slow=timedelta(seconds=2, microseconds=5),
    tells_missing_key=True,
)


def test_a_look_is_kept_whole(store: Store) -> None:
    """Everything of it comes back as it was, in its order: it can be judged anew."""
    assert {name for name, value in vars_of(odd_reading()).items() if value in (None, "")} == set()
    later = replace(seen(401), at=T0 + MINUTE)
    with store.write() as session:
        observations.keep(session, later, 7, Purpose.TRIAGE)
        observations.keep(session, ODD)
    with store.read() as session:
        assert list(observations.looks(session)) == [(None, ODD), (7, later)]


def vars_of(reading: Reading) -> dict[str, Any]:
    return {name: getattr(reading, name) for name in Reading.__dataclass_fields__}


def test_looks_are_chosen_by_integration_incident_and_time(store: Store) -> None:
    """From a time, inclusive, until a time, exclusive; two looks of one moment stay two."""
    first, second = replace(seen(401), at=T0), replace(seen(500), at=T0 + MINUTE)
    other = replace(seen(404), integration="other@test", at=T0)
    with store.write() as session:
        for evidence, number in ((first, 1), (first, 2), (second, 1), (other, 3)):
            observations.keep(session, evidence, number)

    def found(*asked: Any) -> list[int | None]:
        with store.read() as session:
            return sorted(n or 0 for n, _ in observations.looks(session, *asked))

    assert found() == [1, 1, 2, 3]
    assert found("other@test") == [3]
    assert found(NAME, 1) == [1, 1]
    assert found(NAME, None, T0, T0 + MINUTE) == [1, 2]
    assert found(None, None, T0 + MINUTE) == [1]


def test_a_look_of_an_incident_is_known_as_such(store: Store, incident: Incident) -> None:
    """What was seen between the first failure and the opening belongs to the incident."""
    with store.write() as session:
        for at in (T0 - HOUR, T0, T0 + MINUTE):
            observations.keep(session, replace(seen(401), at=at))
        observations.keep(session, replace(seen(401), at=T0), 99)
        observations.tie(session, NAME, incident.id, T0)
    with store.read() as session:
        tied = [number for number, _ in observations.looks(session)]
    assert sorted(map(str, tied)) == sorted(["None", str(incident.id), str(incident.id), "99"])


def at(evidence: Evidence, when: datetime) -> Evidence:
    """The look as it would have been then."""
    return replace(
        evidence, at=when, readings=tuple(replace(r, at=when) for r in evidence.readings)
    )


def test_what_is_old_is_forgotten_and_what_is_of_an_incident_later(store: Store) -> None:
    """90 days for what belongs to nothing, 400 for what belongs to an incident, and for ever while
    that is open."""
    now, day = T0, timedelta(days=1)
    with store.write() as session:
        closed = opened(session, integration="closed@test")[0]
        for state in list(State)[1:]:
            incidents.move(session, closed.id, state, T0)
        still_open = opened(session)[0]
        for days in (89, 91, 399, 401):
            for number in (None, closed.id, still_open.id):
                observations.keep(session, at(seen(200), now - days * day), number)
    with store.write() as session:
        gone = observations.forget(session, now - 90 * day, now - 400 * day)
    with store.read() as session:
        left = [(n, (now - look.at).days) for n, look in observations.looks(session)]
    assert sorted(days for number, days in left if number is None) == [89]
    assert sorted(days for number, days in left if number == closed.id) == [89, 91, 399]
    assert sorted(days for number, days in left if number == still_open.id) == [89, 91, 399, 401]
    assert gone == 4 * 4


def test_forgetting_does_not_hold_the_database_for_long(lite_store: Store) -> None:
    """It goes by batches; each call says how many went."""
    many = replace(seen(200), readings=seen(200).readings * (observations.BATCH // 4 + 1))
    with lite_store.write() as session:
        observations.keep(session, many)
    gone = []
    for _ in range(3):
        with lite_store.write() as session:
            gone.append(observations.forget(session, T0 + HOUR, T0))
    assert gone == [observations.BATCH, 4, 0]


def test_an_empty_walk_is_counted_where_there_were_rows(store: Store) -> None:
    """A source that never had anything is not empty; one that has rows again begins anew."""
    counted = []
    with store.write() as session:
        for rows in (0, 0, 3, 0, 0, 0, 1, 0):
            watermarks.advance(session, NAME, "users", newest=None, walked_at=T0, rows=rows)
            mark = watermarks.get(session, NAME, "users")
            counted.append(mark.zero_walks if mark else None)
    assert counted == [0, 0, 0, 1, 2, 3, 0, 1]


def test_the_kill_switch_is_a_row_or_a_file(store: Store, tmp_path: Path) -> None:
    """Either says stop; both must be off to go on."""
    file = tmp_path / "HALT"
    assert switches.halted(store, file) is None
    with store.write() as session:
        switches.set_halt(session, True, by="ann", reason="odd", now=T0)
    assert switches.halted(store, file) == "ann: odd"
    with store.write() as session:
        switches.set_halt(session, False, by="ann", reason="fine", now=T0)
    assert switches.halted(store, file) is None
    file.touch()
    assert switches.halted(store, file) == "the file HALT is there"


def test_a_kill_switch_that_cannot_be_read_says_stop(own_database_url: str, tmp_path: Path) -> None:
    """In doubt nothing new is done."""
    with closing(open_store(own_database_url)) as found:
        with found.write() as session:
            session.connection().execute(text("DROP TABLE switches"))
        assert switches.halted(found, tmp_path / "HALT") == "the kill switch cannot be read"


# --- times --------------------------------------------------------------------------------------


def test_times_come_back_as_they_were_in_utc(store: Store) -> None:
    """An instant keeps its microseconds, whatever zone it was told in."""
    tokyo = datetime(2026, 3, 2, 18, 0, 0, 123456, tzinfo=timezone(9 * HOUR))
    with store.write() as session:
        watermarks.advance(session, NAME, "users", newest=tokyo, walked_at=tokyo, rows=0)
    with store.read() as session:
        mark = watermarks.get(session, NAME, "users")
    assert mark is not None
    assert mark.at == tokyo
    assert mark.at is not None
    assert mark.at.tzinfo is UTC


def test_a_naive_time_is_refused(store: Store) -> None:
    """A time without its zone is no instant: it is refused where it would be stored or compared."""
    naive = datetime(2026, 3, 2, 9, 0)

    def store_it() -> None:
        with store.write() as session:
            session.add(WatermarkRow(integration=NAME, resource="users", walked_at=naive))

    with pytest.raises(StatementError, match="a naive time has no place"):
        store_it()
    with (
        pytest.raises(StatementError, match="a naive time has no place"),
        store.read() as session,
    ):
        observations.last_good(session, NAME, naive)


# --- races and errors ---------------------------------------------------------------------------


def test_a_lost_race_is_told_as_one_that_may_be_run_again(store: Store) -> None:
    """The database's own error for a key that is there already is Transient: nothing was written."""

    def insert() -> None:
        with store.write() as session:
            session.add(WatermarkRow(integration=NAME, resource="users", walked_at=T0))

    insert()
    with pytest.raises(Transient, match="another process wrote the same row first") as caught:
        insert()
    assert caught.value.__cause__ is None
    with store.read() as session:
        assert len(session.exec(select(WatermarkRow)).all()) == 1


# --- the schema ---------------------------------------------------------------------------------


def test_the_models_and_the_migrations_agree(store: Store) -> None:
    """What Alembic would generate from the tables is nothing."""
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_the_newest_migration_is_our_head(store: Store) -> None:
    """Else each start would find its database out of date, and take its time over Alembic."""
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    assert found == HEAD


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/new/home/watchkeeper.db"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh(template="template1")
    yield url
    server.drop(url)


def test_many_who_open_an_empty_database_at_once_all_find_our_schema(empty_url: str) -> None:
    """A first start of several processes migrates once, and nobody fails."""

    def first_look(_: int) -> int:
        with closing(open_store(empty_url)) as found, found.read() as session:
            return len(incidents.listed(session))

    assert at_once(5, first_look) == [0] * 5


OLD_ROWS = (
    "INSERT INTO incidents (id, integration, state, verdict, severity, summary, opened_by, epoch,"
    " round, started_at, opened_at, state_since) VALUES (1, 'maintainx@test', 'closed', 'likely',"
    " 1, '-', 'health', 1, 1, '2026-03-02 09:00:00', '2026-03-02 09:00:00', '2026-03-02 09:00:00')",
    "INSERT INTO observations (integration, incident_id, at, probe, kind, target, outcome, status,"
    " latency_s, detail) VALUES ('maintainx@test', 1, '2026-03-02 09:00:00', 'users', 'endpoint',"
    " '/users', 'ok', 200, 0.1, 'as it was')",
    "INSERT INTO watermarks (integration, resource, at, walked_at, rows)"
    " VALUES ('maintainx@test', 'users', '2026-03-02 09:00:00', '2026-03-02 09:00:00', 5)",
)


def test_rows_of_the_first_schema_live_on(empty_url: str) -> None:
    """A database of the first release is brought up to date with what is in it: its readings still
    count, and only cannot be judged anew."""
    url = make_url(empty_url)
    if url.database is not None and url.get_backend_name() == "sqlite":
        Path(url.database).parent.mkdir(parents=True)
    driver = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}[url.get_backend_name()]
    engine = create_engine(url.set(drivername=driver))
    upgrade(engine, "0001")
    with engine.begin() as connection:
        for row in OLD_ROWS:
            connection.execute(text(row))
    engine.dispose()
    with closing(open_store(empty_url)) as found, found.write() as session:
        assert observations.last_good(session, NAME, T0 + HOUR) == T0
        assert list(observations.looks(session)) == []
        assert observations.too_old(session, NAME) == 1
        assert observations.too_old(session, NAME, since=T0 + MINUTE) == 0
        mark = watermarks.get(session, NAME, "users")
        assert mark is not None and (mark.rows, mark.zero_walks) == (5, 0)
        watermarks.advance(session, NAME, "users", newest=None, walked_at=T0 + HOUR, rows=0)
        observations.keep(session, seen(200), 1)
        assert len(list(observations.looks(session, NAME))) == 1
        assert observations.forget(session, T0 + HOUR, T0 + HOUR) == 5


def test_a_newer_schema_is_refused(own_database_url: str) -> None:
    """An old program leaves a new database alone, and says what to do in one line."""
    with closing(open_store(own_database_url)) as found, found.write() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UserError, match=f"has schema 9999, newer than this program's {HEAD}"):
        open_store(own_database_url)


BAD_URLS = [
    ("mysql://root:s3cret@127.0.0.1/x", "database kind 'mysql' is not known"),
    ("nonsense", "is not a database URL"),
    ("oracle+nothing://x", "database kind 'oracle' is not known"),
    ("postgresql+asyncpg://u:s3cret@127.0.0.1:1/x", "database postgresql+asyncpg://u:***@"),
    ("postgresql://u:s3cret@127.0.0.1:port/x", "is not a database URL"),
    ("sqlite://", "an in-memory database forgets"),
    ("sqlite:///:memory:", "an in-memory database forgets"),
    ("postgresql://u:s3cret@127.0.0.1:1/x", "database postgresql"),
    ("postgresql://u@127.0.0.1:1/x?password=s3cret", "cannot be used: "),
    ("postgres://u:s3cret@127.0.0.1:1/x", "check WATCHKEEPER_DATABASE_URL"),
]


@pytest.mark.parametrize(("url", "says"), BAD_URLS)
def test_a_database_that_cannot_be_used_is_told_in_one_line(url: str, says: str) -> None:
    """What is wrong and what to do, without the password."""
    with pytest.raises(UserError) as caught:
        open_store(url)
    said = str(caught.value)
    assert says in said
    assert "s3cret" not in said
    assert "\n" not in said
    assert caught.value.__cause__ is None


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    """A wrong path does not end in a traceback, and the file stays as it was."""
    path = tmp_path / "notes.txt"
    path.write_text("dear diary, " * 100)
    with pytest.raises(UserError, match="cannot be used: file is not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("dear diary")
    with pytest.raises(UserError, match="cannot be made"):
        open_store(f"sqlite:///{path}/below.db")


def test_our_file_is_our_own(tmp_path: Path) -> None:
    """Nobody else on the machine reads what vendors told us."""
    path = tmp_path / "home" / "watchkeeper.db"
    open_store(f"sqlite:///{path}").close()
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
