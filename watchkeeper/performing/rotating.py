"""Staged key rotation: pending, tested, current, every consumer proven on it, the old key dead.

Each step may be entered again by another process. MaintainX has no API for its keys: a person
makes the new one, offers it (`watchkeeper key offer`) and revokes the old one; these functions
ask, test and prove. Key values stay in the store; everything said here speaks of fingerprints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from watchkeeper.changes import ChangeKind
from watchkeeper.effects import CONSUMER_RESTART, KEY_PROMOTE
from watchkeeper.errors import Permanent, Transient
from watchkeeper.evidence import Reading
from watchkeeper.incident import Incident
from watchkeeper.performing.connectors import keys_of, runtime_of
from watchkeeper.performing.endpoint_probe import probes_of, try_key
from watchkeeper.performing.health_probe import ServiceHealth, service_health
from watchkeeper.performing.ledger import Duty, perform
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.store import changes, effects

Sleep = Callable[[float], Awaitable[None]]

PROOF_TRIES = 20
PROOF_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True)
class KeyTest:
    """Whether the vendor accepts an offered key wherever ours is used."""

    fingerprint: str
    accepted: bool
    readings: tuple[Reading, ...]

    @property
    def unclear(self) -> bool:
        """No word on the key at all: the vendor failed or throttled us instead of judging it."""
        statuses = [r.status for r in self.readings if not r.succeeded]
        return any(s is None or s == 429 or s >= 500 for s in statuses)

    def says(self) -> str:
        bad = [r.says() for r in self.readings if not r.succeeded]
        if self.accepted:
            return f"the vendor accepts {self.fingerprint} on {len(self.readings)} endpoints"
        verdict = "cannot be tried now" if self.unclear else "is not good"
        return f"the offered key {self.fingerprint} {verdict}: {bad[0]}"


def offered(watch: Watch, watched: Watched) -> str | None:
    """The fingerprint of the pending key, if one has been offered."""
    secret = keys_of(watch, watched).read("pending")
    return None if secret is None else secret.fingerprint


async def test_offered(watch: Watch, watched: Watched) -> KeyTest:
    """Read every probed endpoint with the pending key: scope is tested as well as validity."""
    fingerprint = offered(watch, watched)
    if fingerprint is None:
        raise Permanent(f"no key is offered for {watched.name}: watchkeeper key offer")
    probes = [probe for probe in probes_of(watched.runbook) if probe.method != "POST"]
    readings = await asyncio.gather(
        *(try_key(watch, watched, "pending", p.name, p.path) for p in probes)
    )
    return KeyTest(fingerprint, all(r.succeeded for r in readings), tuple(readings))


async def promote(watch: Watch, duty: Duty, watched: Watched, fingerprint: str) -> None:
    """pending -> current. The previous key stays in the store: that is the way back."""
    store = keys_of(watch, watched)

    async def do() -> str:
        store.promote(fingerprint)
        return f"{fingerprint} is current"

    async def read_back() -> str | None:
        current = store.read("current")
        shown = current is not None and current.fingerprint == fingerprint
        return f"{fingerprint} is current" if shown else None

    target = f"{watched.integration.credential.name}:{fingerprint}"
    await perform(watch, duty, KEY_PROMOTE, target, do, read_back)
    _post_change(watch, duty, watched, fingerprint)


def _post_change(watch: Watch, duty: Duty, watched: Watched, fingerprint: str) -> None:
    """Our own rotation is a change as anybody's: posted once, whoever dies in between."""
    what = f"{watched.integration.credential.name} is {fingerprint} (INC-{duty.incident_id})"
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


async def restart_consumer(
    watch: Watch, duty: Duty, consumer: Consumer, fingerprint: str, sleep: Sleep = asyncio.sleep
) -> None:
    """Restart one consumer and wait until it shows the new key. One that shows it is left alone."""

    async def shows() -> str | None:
        health = await service_health(consumer.health_url, consumer.fingerprint_field)
        return f"shows {fingerprint}" if health.fingerprint == fingerprint else None

    async def do() -> str:
        return await runtime_of(consumer).restart()

    target = f"{consumer.name}:{fingerprint}"
    if await shows() is None:
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


async def old_key_alive(watch: Watch, watched: Watched) -> bool | None:
    """Whether the vendor still accepts the key that was replaced; None where there is none.

    Only its refusal is a proof: raises Transient where the vendor fails or is not reached.
    """
    if keys_of(watch, watched).read("previous") is None:
        return None
    reading = await try_key(
        watch, watched, "previous", "previous_key", watched.runbook.probes[0].path
    )
    if not reading.succeeded and reading.status not in (401, 403):
        raise Transient(f"whether the old key is dead cannot be told: {reading.says()}")
    return reading.succeeded


def chosen_in_round(watch: Watch, watched: Watched, incident: Incident) -> str | None:
    """The tested key that this round was about to make current, or has: a run that is entered
    again goes on with it, whether it is still pending or not."""
    prefix = f"{watched.integration.credential.name}:"
    with watch.store.read() as session:
        begun = effects.begun_targets(session, incident, KEY_PROMOTE.step)
    return next((t.removeprefix(prefix) for t in begun if t.startswith(prefix)), None)
