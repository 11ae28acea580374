"""Staged key rotation: pending, tested, current, every consumer proven on it, the old key dead.

Each step may be entered again by another process. MaintainX has no API for its keys: a person
makes the new one, offers it (`watchkeeper key offer`) and revokes the old one; these functions
ask, test and prove. Key values stay in the store; everything said here speaks of fingerprints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from watchkeeper.changes import ChangeKind
from watchkeeper.credentials.current_keys import CURRENT_KEYS
from watchkeeper.credentials.secret import Secret
from watchkeeper.effects import CONSUMER_RESTART, KEY_PROMOTE, EffectState
from watchkeeper.errors import Permanent, Transient
from watchkeeper.evidence import Reading
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import RotateKey
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.connectors import keys_of, runtime_of
from watchkeeper.performing.endpoint_probe import probes_of
from watchkeeper.performing.health_probe import ServiceHealth, service_health
from watchkeeper.performing.key_probe import try_key
from watchkeeper.performing.ledger import Duty, in_doubt, perform
from watchkeeper.performing.old_keys import REFUSED
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import Stand
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.store import changes, effects, exposures, incidents, leases

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
    """The fingerprint of the pending key, if one has been offered. Reads the store: not for the
    event loop's thread."""
    secret = keys_of(watch, watched).read("pending")
    return None if secret is None else secret.fingerprint


async def test_offered(watch: Watch, watched: Watched) -> KeyTest:
    """Try the pending key. Raises Permanent where nobody has offered one."""
    secret = await asyncio.to_thread(keys_of(watch, watched).read, "pending")
    if secret is None:
        raise Permanent(f"no key is offered for {watched.name}: watchkeeper key offer")
    return await test_key(watch, watched, secret)


async def test_key(watch: Watch, watched: Watched, secret: Secret) -> KeyTest:
    """Read every probed endpoint, and every list that a job moves, with it: scope is tested as well
    as validity."""
    readings = await asyncio.gather(
        *(try_key(watch, watched, secret, name, path) for name, path in paths_of(watched))
    )
    return KeyTest(secret.fingerprint, all(r.succeeded for r in readings), tuple(readings))


def paths_of(watched: Watched) -> tuple[tuple[str, str], ...]:
    """(name, path) of whatever a key must be let in to: what is probed, and what jobs read."""
    runbook = watched.runbook
    probes = [probe for probe in probes_of(runbook) if probe.method != "POST"]
    probed = {probe.resource for probe in probes}
    moved = {name for job in runbook.jobs for name in job.resources}
    lists = [runbook.resource(name) for name in sorted(moved - probed)]
    return (
        *((probe.name, probe.path) for probe in probes),
        *((r.name, f"{r.path}?{r.limit_param}=1" if r.limit_param else r.path) for r in lists),
    )


async def promote(watch: Watch, duty: Duty, watched: Watched, fingerprint: str) -> None:
    """pending -> current. The previous key stays in the store: that is the way back."""
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
    _post_change(watch, duty, watched, fingerprint)


def _change(watched: Watched, fingerprint: str, incident_id: int) -> str:
    return f"{watched.integration.credential.name} is {fingerprint} (INC-{incident_id})"


def _post_change(watch: Watch, duty: Duty, watched: Watched, fingerprint: str) -> None:
    """Our own rotation is a change as anybody's: posted once, whoever dies in between."""
    what = _change(watched, fingerprint, duty.incident_id)
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


def stand_of(
    watch: Watch,
    watched: Watched,
    incident: Incident,
    action: RotateKey,
    shown: Mapping[str, str | None],
    tries: int = 0,
) -> Stand:
    """Where the rotation is, from the store, the ledger, and what each consumer shows; `tries` as in
    a Duty. Reads the store: not for the event loop's thread."""
    duty = replace(Duty.unfenced(incident), tries=tries)
    store = keys_of(watch, watched)
    marks = {version.stage: version.fingerprint for version in store.versions()}
    chosen = chosen_in_round(watch, watched, incident)
    if chosen not in marks.values() and _never_promoted(watch, duty, watched, chosen):
        chosen = None
    promoted = chosen is not None and marks.get("current") == chosen
    old = marks.get("previous") if promoted else marks.get("current")
    with watch.store.read() as session:
        leaked = exposures.of_incident(session, incident.id)
        vigil = leases.find(session, incident.id, LeaseKind.OLD_KEY, old or "")
    if action.order == "revoke_first" and leaked:
        old = leaked[-1].fingerprint
        with watch.store.read() as session:
            vigil = leases.find(session, incident.id, LeaseKind.OLD_KEY, old)
    return Stand(
        order=action.order,
        current=marks.get("current"),
        pending=marks.get("pending"),
        chosen=chosen,
        old=old if promoted or action.order == "revoke_first" else None,
        old_dead=vigil is not None and vigil.ended_because == REFUSED,
        retired=vigil is not None,
        shown=shown,
        written=chosen is None or _written(watch, duty, watched, chosen),
        in_doubt=frozenset(n for n in shown if _restarting(watch, duty, f"{n}:{chosen}")),
    )


def _written(watch: Watch, duty: Duty, watched: Watched, chosen: str) -> bool:
    """Of a promotion the ledger knows, and the change is posted."""
    effect = duty.effect(KEY_PROMOTE, f"{watched.integration.credential.name}:{chosen}")
    what = _change(watched, chosen, duty.incident_id)
    with watch.store.read() as session:
        known = effects.state_of(session, effect).settled
        return known and changes.posted(session, watched.name, what, "rotation")


def _never_promoted(watch: Watch, duty: Duty, watched: Watched, chosen: str | None) -> bool:
    """And it cannot be any more: a person has put another key in its place."""
    target = f"{watched.integration.credential.name}:{chosen}"
    with watch.store.read() as session:
        open_ones = effects.unsettled(session, duty.incident_id)
    return any(
        (step, name.partition("#")[0]) == (KEY_PROMOTE.step, target) for step, name, _ in open_ones
    )


def _restarting(watch: Watch, duty: Duty, target: str) -> bool:
    return in_doubt(watch, duty.effect(CONSUMER_RESTART, target))


async def shown_by(watched: Watched, names: tuple[str, ...]) -> dict[str, str | None]:
    """The key that each consumer shows, by fingerprint; None where it shows none."""
    known = [c for c in watched.integration.consumers if c.name in names]
    found = await asyncio.gather(
        *(service_health(c.health_url, c.fingerprint_field) for c in known)
    )
    return {c.name: health.fingerprint for c, health in zip(known, found, strict=True)}


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


def chosen_in_round(watch: Watch, watched: Watched, incident: Incident) -> str | None:
    """The tested key that this round was about to make current, or has: a run that is entered
    again goes on with it, whether it is still pending or not."""
    prefix = f"{watched.integration.credential.name}:"
    with watch.store.read() as session:
        begun = effects.begun_targets(session, incident, KEY_PROMOTE.step)
    # Behind a `#`: in which of a person's tries.
    keys = (t.removeprefix(prefix).partition("#")[0] for t in begun if t.startswith(prefix))
    return next(keys, None)
