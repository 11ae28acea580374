"""A key's rotation, move by move: each is a task, and any process may go on where another stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from prefect import task

from tasks.context import current
from tasks.retrying import STEP
from watchkeeper.errors import Permanent, Transient
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import RotateKey
from watchkeeper.performing import key_test, old_keys, rotating, rotation_stand, triaging
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import consumer_named
from watchkeeper.performing.stopping import heed_halt
from watchkeeper.rotation import Move, NextMove, next_move
from watchkeeper.store import incidents

# A person is at it: asked every two seconds, for five minutes; then others are called.
TRIES = 150
PAUSE_S = 2.0
# More than any rotation takes: a test, a promotion, one restart a consumer, and each of them twice.
MOST_MOVES = 100


async def rotate(duty: Duty, incident: Incident, action: RotateKey) -> None:
    """Until nothing is left to do. Raises what a move raised: nothing after it is done."""
    for _ in range(MOST_MOVES):
        found = await see(duty, incident, action)
        if found.move is Move.DONE:
            return
        await MOVES[found.move](duty, incident, action, found.target)
    raise Permanent("the rotation does not come to an end: a person must see to it")


async def see(duty: Duty, incident: Incident, action: RotateKey) -> NextMove:
    watch = current()
    watched = watch.integration(incident.integration)
    shown = await rotation_stand.shown_by(watched, action.consumers)
    stand = await asyncio.to_thread(
        rotation_stand.stand_of, watch, watched, incident, action, shown, duty.tries
    )
    return next_move(stand)


@task(name="wait for a new key", **STEP)
async def await_key(duty: Duty, incident: Incident, action: RotateKey, _target: str) -> None:
    watch = current()
    watched = watch.integration(incident.integration)
    for _ in range(TRIES):
        heed_halt(watch)
        if await asyncio.to_thread(key_test.offered, watch, watched) is not None:
            return
        await asyncio.sleep(PAUSE_S)
    raise Permanent(f"no key was offered: watchkeeper key offer {incident.integration}")


@task(name="test the offered key", **STEP)
async def test(duty: Duty, incident: Incident, action: RotateKey, fingerprint: str) -> None:
    """Wherever ours is used; then the cause is diagnosed anew, because another key that is let in is
    what proves that ours is the fault."""
    watch = current()
    watched = watch.integration(incident.integration)
    tested = await key_test.test_offered(watch, watched)
    with watch.store.write() as session:
        incidents.note(session, incident.id, tested.says(), now=watch.now())
    if not tested.accepted:
        raise Transient(tested.says()) if tested.unclear else Permanent(tested.says())
    rotating.choose(watch, duty, watched, tested.fingerprint)
    triaging.record_triage(watch, incident, await triaging.triage(watch, watched))


@task(name="make the tested key current", **STEP)
async def promote(duty: Duty, incident: Incident, action: RotateKey, fingerprint: str) -> None:
    watch = current()
    watched = watch.integration(incident.integration)
    within = action.revoke_within if action.order == "overlap" else None
    await rotating.promote(watch, duty, watched, fingerprint, within)


@task(name="restart a consumer", task_run_name="restart {consumer}", **STEP)
async def move_consumer(duty: Duty, incident: Incident, action: RotateKey, consumer: str) -> None:
    """One after the other, each proven on the new key before the next: while one is not, the old key
    stays."""
    watch = current()
    watched = watch.integration(incident.integration)
    chosen = rotation_stand.chosen_in_round(watch, watched, incident) or ""
    await rotating.restart_consumer(watch, duty, consumer_named(watched, consumer), chosen)


@task(name="retire the old key", **STEP)
async def retire(duty: Duty, incident: Incident, action: RotateKey, fingerprint: str) -> None:
    """Everything is proven on the new key: the old one is to be revoked, and watched until then."""
    watch = current()
    watched = watch.integration(incident.integration)
    lease = old_keys.ask_for_end(watch, duty, watched, fingerprint, action.revoke_within)
    found = await old_keys.mind(watch, watched, lease)
    if found.accepted is not False:
        text = f"{fingerprint} is to be revoked in the vendor's settings: {found.says}"
        with watch.store.write() as session:
            incidents.note(session, incident.id, text, now=watch.now())


@task(name="wait until the leaked key is dead", **STEP)
async def await_revocation(
    duty: Duty, incident: Incident, action: RotateKey, fingerprint: str
) -> None:
    watch = current()
    watched = watch.integration(incident.integration)
    lease = old_keys.ask_for_end(watch, duty, watched, fingerprint, action.revoke_within)
    for _ in range(TRIES):
        heed_halt(watch)
        found = await old_keys.mind(watch, watched, lease)
        if found.accepted is False:
            return
        await asyncio.sleep(PAUSE_S)
    raise Permanent(f"{fingerprint} was to be revoked, and is not known to be dead: {found.says}")


MOVES: dict[Move, Callable[[Duty, Incident, RotateKey, str], Awaitable[None]]] = {
    Move.AWAIT_REVOCATION: await_revocation,
    Move.AWAIT_KEY: await_key,
    Move.TEST: test,
    Move.PROMOTE: promote,
    Move.RESTART: move_consumer,
    Move.RETIRE: retire,
}
