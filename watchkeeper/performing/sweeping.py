"""Reconciling open incidents with the world, every few seconds, whatever else is down.

Responder dead -> start another; lease over -> undo; clock passed -> call the next rung; window
stuck -> release; settling over -> a responder does the last reconcile and closes. Incidents are
handled side by side, and each step within a time limit: one that fails or hangs stops no other.
"""

from __future__ import annotations

import asyncio
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from watchkeeper.ending import end_task
from watchkeeper.errors import StaleFence, Transient
from watchkeeper.escalation import due_rungs
from watchkeeper.incident import Incident, State, waits_for
from watchkeeper.mitigation.lease import LEVERS, VIGILS, Lease
from watchkeeper.performing.answering import end_question
from watchkeeper.performing.entries import mind_entries
from watchkeeper.performing.forgetting import forget_old
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.paging import (
    Called,
    call_next,
    chase,
    page,
    resolve_pages,
    why_untaken,
)
from watchkeeper.performing.quiet import waited_from
from watchkeeper.performing.redating import set_right
from watchkeeper.performing.releasing import taken_over
from watchkeeper.performing.reporting import report_is_final, write_report
from watchkeeper.performing.responding import Executor, dispatch, lock_name, wake
from watchkeeper.performing.resuming import resume
from watchkeeper.performing.self_check import beat_up, check_self, self_check_due
from watchkeeper.performing.side_by_side import Outcome, at_once, one_by_one, said, side_by_side
from watchkeeper.performing.vigils import mind_vigil
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.people import Rung
from watchkeeper.store import approvals, gaps, incidents, leases, locks, pages
from watchkeeper.store.approvals import Approval
from watchkeeper.terms import due

log = logging.getLogger(__name__)
SWEEP_TTL = timedelta(seconds=120)
# A far side that hangs costs its own incident this long, and no other anything.
STEP_LIMIT_S = 60.0
# What is far away is asked each minute whether it still is as it was set.
LOOK_AT_LEVERS = timedelta(minutes=1)
# In a row; after them people are called with each further one.
MOST_LOST = 3


async def sweep(watch: Watch, executor: Executor) -> tuple[str, ...]:
    """What was put right, in words. Only one sweep runs at a time, in whatever process."""
    # Two hosts have the same process ids, and one process may sweep twice at once.
    holder = f"sweep:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    with watch.store.write() as session:
        fence = locks.acquire(session, "sweep", holder, watch.now(), SWEEP_TTL)
    if fence is None:
        return ()
    alive = asyncio.create_task(_stay_alive(watch, fence))
    try:
        done: list[str] = []
        for phase in (_clock, _first, _of_incidents, _last):
            done += await _all_of(watch, phase(watch, executor))
    finally:
        await end_task(alive)
        with watch.store.write() as session:
            locks.release(session, "sweep", fence, watch.now())
    return tuple(done)


async def _stay_alive(watch: Watch, fence: int) -> None:
    """The sweep's sign of life, for the next sweep and for `status`."""
    while True:
        try:
            beat_up(watch)
            with watch.store.write() as session:
                locks.extend(session, "sweep", fence, watch.now(), SWEEP_TTL)
        except (Transient, StaleFence):
            log.warning("no sign of life of the sweep was written", exc_info=True)
        await asyncio.sleep(min(watch.settings.sweep_interval_s, SWEEP_TTL.total_seconds() / 4))


Act = Callable[[], Awaitable[list[str]]]
# Steps that are taken one after the other; other matters go on beside them.
Matter = tuple[Act, ...]


async def _all_of(watch: Watch, matters: Iterable[Matter]) -> list[str]:
    """All matters side by side; in words what was done, and what was not."""
    outcomes = await side_by_side(matters, _steps, at_most=at_once(watch.settings), limit_s=None)
    return [line for matter in outcomes for line in _words(matter)]


async def _steps(matter: Matter) -> list[str]:
    steps = one_by_one(matter, lambda act: act(), limit_s=STEP_LIMIT_S)
    return [line async for step in steps for line in _words(step)]


def _words(outcome: Outcome[Any, list[str]]) -> list[str]:
    return _not_done(outcome.error) if outcome.error else outcome.got or []


def _not_done(error: Exception) -> list[str]:
    return [f"not done: {said(error)}"]


def _clock(watch: Watch, _: Executor) -> Iterator[Matter]:
    """Before whatever else asks the clock."""
    yield (partial(set_right, watch),)


def _first(watch: Watch, executor: Executor) -> Iterator[Matter]:
    yield (partial(_mind_parts, watch),)
    yield (partial(_release_windows, watch),)
    for question in _overdue(watch):
        yield (partial(_end_question, watch, question, executor),)


def _of_incidents(watch: Watch, executor: Executor) -> Iterator[Matter]:
    """Calling people does not wait for what is set back on a far side, which may hang."""
    with watch.store.read() as session:
        held, open_ones = leases.active(session), incidents.listed(session, only_open=True)
    minds = {lease.id: partial(_mind, watch, lease, executor) for lease in held}
    for number in dict.fromkeys(lease.incident_id for lease in held):
        mine = [lease for lease in held if lease.incident_id == number]
        yield tuple(minds[lease.id] for lease in mine if lease.kind not in VIGILS)
    for incident in open_ones:
        waits = [x for x in held if x.incident_id == incident.id and x.kind in VIGILS]
        # One after the other: each of them may call the next rung.
        yield (
            *(minds[lease.id] for lease in waits),
            partial(_call_people, watch, incident),
            partial(_wake, watch, incident, executor),
            partial(_staff, watch, incident, executor, open_ones),
        )
    still_open = {incident.id for incident in open_ones}
    for lease in held:
        if lease.kind in VIGILS and lease.incident_id not in still_open:
            yield (minds[lease.id],)


def _last(watch: Watch, _: Executor) -> Iterator[Matter]:
    for incident in _still_paged(watch):
        yield (partial(_all_over, watch, incident),)
    for incident in _owing_a_report(watch):
        yield (partial(_write_report, watch, incident),)
    yield (partial(_forget, watch),)


async def _mind_parts(watch: Watch) -> list[str]:
    """Once a minute: the entries, and what the watch itself stands on."""
    if not self_check_due(watch):
        return []
    watched, told = mind_entries(watch)
    await check_self(watch, watched)
    return told


async def _release_windows(watch: Watch) -> list[str]:
    with watch.store.write() as session:
        count = gaps.release_stuck(session, watch.now())
    return [f"released {count} stuck backfill windows"] if count else []


def _overdue(watch: Watch) -> list[Approval]:
    with watch.store.read() as session:
        return approvals.overdue(session, watch.now())


async def _end_question(watch: Watch, question: Approval, executor: Executor) -> list[str]:
    said = await end_question(watch, executor, question)
    return [] if said is None else [said]


async def _mind(watch: Watch, lease: Lease, executor: Executor) -> list[str]:
    """A lease ends with its time, or with its incident, whoever forgot it. A vigil ends with what it
    waits for."""
    seen_to = lease.heartbeat_at
    with watch.store.write() as session:
        incident = incidents.get(session, lease.incident_id)
        looks = lease.kind in LEVERS and due(seen_to, LOOK_AT_LEVERS, watch.now())
        if lease.kind not in LEVERS or looks:
            leases.beat(session, lease, watch.now())
    if lease.kind in VIGILS and incident.is_open:
        return await mind_vigil(watch, incident, lease)
    if incident.is_open and not lease.over(watch.now()):
        return await taken_over(watch, incident, lease) if looks else []
    because = "its time was over" if incident.is_open else "its incident is closed"
    return [await resume(watch, Duty.unfenced(incident), executor, lease, because)]


async def _call_people(watch: Watch, incident: Incident) -> list[str]:
    """Whoever the ladder says should have been called by now, and was not; and the all-clear."""
    watched = watch.integration(incident.integration)
    with watch.store.read() as session:
        # An alert that was resolved before a relapse called nobody for what is wrong now.
        up = pages.of_incident(session, incident.id)
        called = [p for p in up if p.up]
    if incident.recovered_at is not None:
        # Whoever was called since then was called for what is still to be done.
        await resolve_pages(watch, watched, incident, until=incident.recovered_at)
        waiting = {p.level for p in up if p.waits_since(incident.recovered_at)}
        missing = [r for r in watched.runbook.escalation if r.level in waiting]
        return await _call(watch, watched, incident, missing)
    paged = min([p.triggered_at for p in called if p.triggered_at is not None], default=None)
    seen = min([p.acknowledged_at for p in called if p.acknowledged_at is not None], default=None)
    waited = waited_from(watch, watched.name, paged)
    due = due_rungs(watched.runbook, incident, waited, seen, watch.now())
    missing = [rung for rung in due if rung.level not in {p.level for p in called}]
    return await _call(watch, watched, incident, missing)


async def _call(
    watch: Watch, watched: Watched, incident: Incident, missing: Sequence[Rung]
) -> list[str]:
    """A rung that cannot be called keeps no other from being called."""
    done: list[str] = []
    call = partial(page, watch, watched, incident)
    async for one in one_by_one(missing, call, limit_s=STEP_LIMIT_S):
        if one.error is not None:
            done += _not_done(one.error)
        elif one.got is Called.TAKEN:
            done.append(f"INC-{incident.id}: called {one.item.who}")
        elif one.got is Called.UNTAKEN:
            done.append(f"INC-{incident.id}: {why_untaken(watch, incident)}")
    return done + await chase(watch, watched, incident)


async def _wake(watch: Watch, incident: Incident, executor: Executor) -> list[str]:
    """A run that still waits although its question was answered."""
    decision = await wake(watch, incident, executor)
    return [] if decision is None else [f"INC-{incident.id}: woke its run with {decision}"]


async def _staff(
    watch: Watch, incident: Incident, executor: Executor, open_ones: Sequence[Incident]
) -> list[str]:
    if not wants_responder(incident, watch.now()) or waits_for(incident, open_ones):
        return []
    epoch = await dispatch(watch, incident, executor)
    if epoch is None:
        return []
    return [
        f"INC-{incident.id}: started responder {epoch}",
        *await _tell_of_the_lost(watch, incident),
    ]


async def _tell_of_the_lost(watch: Watch, incident: Incident) -> list[str]:
    """A responder that dies again and again, or cannot start, heals nothing: people are called."""
    with watch.store.read() as session:
        lost = locks.lost(session, lock_name(incident.id))
        called = [p.triggered_at for p in pages.of_incident(session, incident.id) if p.triggered_at]
    if lost < MOST_LOST:
        return []
    # Somebody who was called a moment ago is called for this, too.
    just_now = watch.now() - timedelta(seconds=watch.settings.responder_start_s)
    came = Called.TAKEN
    if not any(at > just_now for at in called):
        came = await call_next(watch, watch.integration(incident.integration), incident)
    so = {
        Called.TAKEN: "and people are called",
        Called.UNTAKEN: f"and {why_untaken(watch, incident)}",
        Called.QUIET: "and nobody is paged in a maintenance window",
        Called.NOBODY_DUE: "and there is nobody left to call",
    }
    text = f"{lost} responders in a row came to no end: the next one is tried, {so[came]}"
    with watch.store.write() as session:
        incidents.note(session, incident.id, text, now=watch.now())
    return [f"INC-{incident.id}: {text}"]


def _still_paged(watch: Watch) -> list[Incident]:
    """Closed, and somebody who was called at its end was not told."""
    with watch.store.read() as session:
        return [incidents.get(session, number) for number in pages.up_of_closed(session)]


async def _all_over(watch: Watch, incident: Incident) -> list[str]:
    if not await resolve_pages(watch, watch.integration(incident.integration), incident):
        return [f"INC-{incident.id}: its pages are not all resolved yet"]
    return [f"INC-{incident.id}: resolved its pages"]


def _owing_a_report(watch: Watch) -> list[Incident]:
    """Those whose responder died between closing and reporting."""
    with watch.store.read() as session:
        closed = [i for i in incidents.listed(session) if not i.is_open]
    return [i for i in closed if not report_is_final(watch, i)]


async def _write_report(watch: Watch, incident: Incident) -> list[str]:
    write_report(watch, watch.of_record(incident.integration), incident.id)
    return [f"INC-{incident.id}: wrote its report"]


async def _forget(watch: Watch) -> list[str]:
    count = forget_old(watch)
    return [f"forgot {count} old readings"] if count else []


def wants_responder(incident: Incident, now: datetime) -> bool:
    """Every open incident does, but one that settles has nothing to do before its time."""
    if incident.state is State.SETTLING:
        return incident.settles_at is not None and incident.settles_at <= now
    return incident.is_open
