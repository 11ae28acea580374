"""Reconciling open incidents with the world, every few seconds, whatever else is down.

Responder dead -> start another; lease over -> undo; clock passed -> call the next rung; window
stuck -> release; settling over -> a responder does the last reconcile and closes. Each matter is
seen to by itself: one that fails never delays another.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

from watchkeeper.escalation import due_rungs
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.lease import LEVERS, VIGILS, Lease
from watchkeeper.performing.answering import end_question
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
from watchkeeper.performing.vigils import mind_vigil
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.people import Rung
from watchkeeper.store import approvals, gaps, incidents, leases, locks, pages
from watchkeeper.store.approvals import Approval
from watchkeeper.terms import due

SWEEP_TTL = timedelta(seconds=120)
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
    said: list[str] = []
    try:
        said += await _tried(partial(set_right, watch))
        said += await _tried(partial(_release_windows, watch))
        for question in _overdue(watch):
            said += await _tried(partial(_end_question, watch, question, executor))
        for lease in _held(watch):
            said += await _tried(partial(_mind, watch, lease, executor))
        for incident in _to_look_after(watch):
            said += await _tried(partial(_call_people, watch, incident))
            said += await _tried(partial(_wake, watch, incident, executor))
            said += await _tried(partial(_staff, watch, incident, executor))
        for incident in _still_paged(watch):
            said += await _tried(partial(_all_over, watch, incident))
        for incident in _owing_a_report(watch):
            said += await _tried(partial(_write_report, watch, incident))
        said += await _tried(partial(_forget, watch))
    finally:
        with watch.store.write() as session:
            locks.release(session, "sweep", fence, watch.now())
    return tuple(said)


async def _tried(act: Callable[[], Awaitable[list[str]]]) -> list[str]:
    """Even a fault of our own in one matter must not end the watch over the others."""
    try:
        return await act()
    except Exception as error:
        return [f"not done: {error or type(error).__name__}"]


def _held(watch: Watch) -> tuple[Lease, ...]:
    with watch.store.read() as session:
        return leases.active(session)


def _to_look_after(watch: Watch) -> list[Incident]:
    with watch.store.read() as session:
        return incidents.listed(session, only_open=True)


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
    said = []
    for rung in missing:
        match await page(watch, watched, incident, rung):
            case Called.TAKEN:
                said.append(f"INC-{incident.id}: called {rung.who}")
            case Called.UNTAKEN:
                said.append(f"INC-{incident.id}: {why_untaken(watch, incident)}")
    return said + await chase(watch, watched, incident)


async def _wake(watch: Watch, incident: Incident, executor: Executor) -> list[str]:
    """A run that still waits although its question was answered."""
    decision = await wake(watch, incident, executor)
    return [] if decision is None else [f"INC-{incident.id}: woke its run with {decision}"]


async def _staff(watch: Watch, incident: Incident, executor: Executor) -> list[str]:
    if not wants_responder(incident, watch.now()):
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
    write_report(watch, watch.integration(incident.integration), incident.id)
    return [f"INC-{incident.id}: wrote its report"]


async def _forget(watch: Watch) -> list[str]:
    count = forget_old(watch)
    return [f"forgot {count} old readings"] if count else []


def wants_responder(incident: Incident, now: datetime) -> bool:
    """Every open incident does, but one that settles has nothing to do before its time."""
    if incident.state is State.SETTLING:
        return incident.settles_at is not None and incident.settles_at <= now
    return incident.is_open
