"""Who responds to an incident: one run at a time, seen to be alive, replaced when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session

from watchkeeper.ending import end_task
from watchkeeper.errors import StaleFence, Stopped, Transient, WatchkeeperError
from watchkeeper.incident import Incident
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, incidents, locks
from watchkeeper.store.own_lag import own_lag


@dataclass(frozen=True, slots=True)
class Given:
    """A person's answer in the form of a suspended run, and when it was submitted."""

    decision: str
    by: str
    reason: str
    at: datetime


class Executor(Protocol):
    """What runs flows, as far as we need it. Raises Transient where it cannot be reached."""

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        """Start a deployed flow; the same key starts it once."""

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        """Hand the answer to a suspended run. One that is not suspended is left alone."""

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        """Whatever was submitted in a form of that run, whether or not the run has woken since. Raises
        Transient where that cannot be asked."""


RESPOND = "respond/respond"


def lock_name(incident_id: int) -> str:
    return f"respond:{incident_id}"


def _reservation(epoch: int) -> str:
    return f"start:{epoch}"


def begin_again(session: Session, incident_id: int, now: datetime) -> Incident:
    """A new round from the start; whoever responds to the old one, or waits in it, is fenced off."""
    locks.revoke(session, lock_name(incident_id), now)
    return incidents.relapse(session, incident_id, now)


async def dispatch(watch: Watch, incident: Incident, executor: Executor) -> int | None:
    """Start a responder unless one is alive or on its way; its epoch, or None.

    The place is reserved before the run is asked for, and given up where asking fails: the next
    try, by a task's retry or by the sweep, is another responder.
    """
    ttl, name = timedelta(seconds=watch.settings.responder_start_s), lock_name(incident.id)
    with watch.store.write() as session:
        # On a busy machine a responder is late with its signs of life, and not dead.
        lag = own_lag(session, watch.now())
        if not locks.free(session, name, watch.now(), lag):
            return None
        epoch = incidents.next_epoch(session, incident.id)
        fence = locks.acquire(session, name, _reservation(epoch), watch.now(), ttl, "starting", lag)
    opened = f"{incident.opened_at:%Y%m%dT%H%M%S%f}"
    key = f"respond:{incident.integration}:{incident.id}:{opened}:{epoch}"
    try:
        await executor.start(RESPOND, {"incident_id": incident.id, "epoch": epoch}, key)
    except WatchkeeperError:
        with watch.store.write() as session:
            locks.release(session, name, fence or 0, watch.now())
        raise
    return epoch


@asynccontextmanager
async def on_duty(
    watch: Watch, incident: Incident, epoch: int, holder: str
) -> AsyncIterator[Duty | None]:
    """Hold the responder's lock with a heartbeat while the block runs; None if another holds it.

    A process that dies lets the lock run out; one that is merely slow finds its fence stale at
    its next effect.
    """
    ttl, name = timedelta(seconds=watch.settings.responder_lease_s), lock_name(incident.id)
    with watch.store.write() as session:
        fence = locks.hand_over(session, name, _reservation(epoch), holder, watch.now(), ttl)
    if fence is None:
        yield None
        return
    async with _kept(watch, name, fence, ttl, "responding"):
        yield Duty(incident.id, incident.round, name, fence)


@asynccontextmanager
async def alone(watch: Watch, name: str, holder: str, note: str) -> AsyncIterator[bool]:
    """Do a piece of work in one process at a time: False where another is at it."""
    ttl = timedelta(seconds=watch.settings.responder_lease_s)
    with watch.store.write() as session:
        lag = own_lag(session, watch.now())
        fence = locks.acquire(session, name, holder, watch.now(), ttl, note, lag)
    if fence is None:
        yield False
        return
    async with _kept(watch, name, fence, ttl, note):
        yield True


@asynccontextmanager
async def _kept(
    watch: Watch, name: str, fence: int, ttl: timedelta, note: str
) -> AsyncIterator[None]:
    """A lock with a heartbeat, let go when the work ends well. After a failure it is left to run
    out: that is the pause before the next try."""
    beat = asyncio.create_task(_heartbeat(watch, name, fence, ttl, note))
    try:
        yield
        with watch.store.write() as session:
            locks.release(session, name, fence, watch.now())
    except Stopped:
        with suppress(StaleFence), watch.store.write() as session:
            locks.extend(session, name, fence, watch.now(), ttl, locks.HELD_BACK)
        raise
    finally:
        await end_task(beat)


async def _heartbeat(watch: Watch, name: str, fence: int, ttl: timedelta, note: str) -> None:
    while True:
        await asyncio.sleep(ttl.total_seconds() / 4)
        try:
            with watch.store.write() as session:
                if locks.check(session, name, fence).note == WAITING:
                    # A run on its way out: a beat would cut its long absence short.
                    continue
                locks.extend(session, name, fence, watch.now(), ttl, note)
        except StaleFence:
            return
        except Transient:
            # A busy database is no reason to give the work up: the next beat may get through.
            continue


WAITING = "waits for an answer"


def resumed(watch: Watch, duty: Duty) -> None:
    """The answer is in and this process goes on: it beats again."""
    with watch.store.write() as session:
        ttl = timedelta(seconds=watch.settings.responder_lease_s)
        locks.extend(session, duty.lock, duty.fence, watch.now(), ttl, "responding")


async def wake(watch: Watch, incident: Incident, executor: Executor) -> str | None:
    """Hand a written answer to the run that waits for it, once; what was handed over, or None.

    From then on the run has its start time to show a sign of life; after that another responder
    is started, and finds the answer in our record.
    """
    name = lock_name(incident.id)
    with watch.store.read() as session:
        _, _, note = locks.describe(session, name)
        question = approvals.waited_for(session, incident.id)
    if note != WAITING or question is None or question.open or question.flow_run_id is None:
        return None
    decision = question.decision or approvals.DENY
    await executor.wake(
        question.flow_run_id, decision, question.decided_by or "nobody", question.reason or ""
    )
    ttl = timedelta(seconds=watch.settings.responder_start_s)
    with watch.store.write() as session:
        locks.renote(session, name, WAITING, "woken", watch.now(), ttl)
    return decision


def suspended(watch: Watch, duty: Duty, until: datetime) -> None:
    """A suspended run has no process and no heartbeat: it counts as alive until its time-out."""
    with watch.store.write() as session:
        ttl = until - watch.now() + timedelta(seconds=watch.settings.responder_lease_s)
        locks.extend(session, duty.lock, duty.fence, watch.now(), ttl, WAITING)
