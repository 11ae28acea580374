"""Staged key rotation: pending, tested, current, every consumer proven on it, the old key dead.

Each step may be entered again by another process. MaintainX has no API for its keys: a person
makes the new one, offers it (`watchkeeper key offer`) and revokes the old one; these functions
ask, test and prove. Key values stay in the store; everything said here speaks of fingerprints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from watchkeeper.changes import ChangeKind
from watchkeeper.credentials.current_keys import CURRENT_KEYS
from watchkeeper.effects import CONSUMER_RESTART, KEY_PROMOTE, EffectState
from watchkeeper.errors import Transient
from watchkeeper.performing import old_keys
from watchkeeper.performing.connectors import keys_of, runtime_of
from watchkeeper.performing.health_probe import ServiceHealth, service_health
from watchkeeper.performing.ledger import Duty, in_doubt, perform
from watchkeeper.performing.rotation_stand import change_text
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.store import changes, effects, incidents

Sleep = Callable[[float], Awaitable[None]]

PROOF_TRIES = 20
PROOF_PAUSE_S = 0.5


async def promote(
    watch: Watch, duty: Duty, watched: Watched, fingerprint: str, revoke_within: timedelta | None
) -> None:
    """pending -> current. The previous key stays in the store: that is the way back. From now on its
    end is waited for, so that no incident is closed over half a rotation; None where a leaked key was
    waited for before."""
    store, reference = keys_of(watch, watched), watched.integration.credential.reference

    async def do() -> str:
        await asyncio.to_thread(store.promote, fingerprint)
        CURRENT_KEYS.forget(reference)
        return f"{fingerprint} is current"

    async def read_back() -> str | None:
        current = await asyncio.to_thread(store.read, "current")
        if current is None or current.fingerprint != fingerprint:
            return None
        # It may be current while a store's last call is still missing: this completes it.
        return await do()

    target = f"{watched.integration.credential.name}:{fingerprint}"
    await perform(watch, duty, KEY_PROMOTE, target, do, read_back)
    previous = (await asyncio.to_thread(old_keys.stages, watch, watched)).get("previous")
    if previous is not None and revoke_within is not None:
        old_keys.watch_over(watch, duty, watched, previous, revoke_within)
    _post_change(watch, duty, watched, fingerprint, previous)


def _post_change(
    watch: Watch, duty: Duty, watched: Watched, fingerprint: str, previous: str | None
) -> None:
    """Our own rotation is a change as anybody's: posted once, whoever dies in between, and with it the
    line on the timeline."""
    what = change_text(watched, fingerprint, duty.incident_id)
    with watch.store.write() as session:
        now = watch.now()
        if not changes.posted(session, watched.name, what, "rotation"):
            changes.add(
                session,
                integration=watched.name,
                kind=ChangeKind.KEY,
                what=what,
                who="watchkeeper",
                at=now,
                now=now,
                source="rotation",
            )
            instead = f" in place of {previous}" if previous is not None else ""
            text = f"made key {fingerprint} current{instead}"
            incidents.note(session, duty.incident_id, text, now=now)


async def restart_consumer(
    watch: Watch, duty: Duty, consumer: Consumer, fingerprint: str, sleep: Sleep = asyncio.sleep
) -> None:
    """Restart one consumer and wait until it shows the new key. One that shows it is left alone, and
    the ledger says so."""

    async def shows() -> str | None:
        health = await service_health(consumer.health_url, consumer.fingerprint_field)
        return f"shows {fingerprint}" if health.fingerprint == fingerprint else None

    async def do() -> str:
        return await runtime.restart(f"INC-{duty.incident_id}-{fingerprint}")

    runtime, target = runtime_of(watch, consumer), f"{consumer.name}:{fingerprint}"
    if await shows() is None or in_doubt(watch, duty.effect(CONSUMER_RESTART, target)):
        await perform(watch, duty, CONSUMER_RESTART, target, do, shows)
    await prove_consumer(consumer, fingerprint, sleep)


async def prove_consumer(
    consumer: Consumer, fingerprint: str, sleep: Sleep = asyncio.sleep
) -> ServiceHealth:
    """Raises Transient until the consumer itself shows the new key."""
    health = None
    for _ in range(PROOF_TRIES):
        health = await service_health(consumer.health_url, consumer.fingerprint_field)
        if health.fingerprint == fingerprint:
            return health
        await sleep(PROOF_PAUSE_S)
    shown = health.fingerprint if health and health.fingerprint else "no key"
    raise Transient(f"{consumer.name} shows {shown}, not {fingerprint}, after its restart")


def choose(watch: Watch, duty: Duty, watched: Watched, fingerprint: str) -> None:
    """Written down: this key was tested, and this round makes it current. One that was chosen before
    it is not."""
    target = f"{watched.integration.credential.name}:{fingerprint}"
    chosen, now = duty.effect(KEY_PROMOTE, target), watch.now()
    with watch.store.write() as session:
        duty.check(session)
        incident = incidents.get(session, duty.incident_id)
        for other in effects.begun_targets(session, incident, KEY_PROMOTE.step):
            effect = replace(chosen, target=other)
            if effect != chosen and not effects.state_of(session, effect).settled:
                said = f"{fingerprint} was chosen instead"
                effects.settle(session, effect, EffectState.REJECTED, said, duty.fence, now)
        effects.planned(session, chosen, duty.fence, now)
