"""The key that was replaced: asked to be revoked, timed, and watched until the vendor refuses it.

Neither MaintainX nor TwinMind has an API for its keys: a person revokes, and only the vendor's
refusal proves it. The vigil is a lease: it ends with that proof, and calls people when it is over.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from watchkeeper import terms
from watchkeeper.answer import REFUSALS
from watchkeeper.credentials.current_keys import CURRENT_KEYS
from watchkeeper.credentials.protocols import Stage
from watchkeeper.errors import WatchkeeperError
from watchkeeper.incident import State
from watchkeeper.mitigation.lease import Lease, LeaseKind
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.key_probe import try_key
from watchkeeper.performing.leasing import hold
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.signs.answers import answer_of
from watchkeeper.store import exposures, incidents, leases

REFUSED = "the vendor refuses it"
# A key of ours that is tried every few seconds is no burden, and no lock-out.
EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class OldKey:
    """Whether the vendor still accepts it; None where that cannot be told, and why. `refused`: it was,
    and that may be the vendor's fault as well as the key's end."""

    accepted: bool | None
    says: str
    refused: bool = False


def watch_over(
    watch: Watch, duty: Duty, watched: Watched, fingerprint: str, length: timedelta
) -> Lease:
    """From now on its end is waited for; one that is watched over already stays so."""
    hold(watch, duty, watched.name, LeaseKind.OLD_KEY, fingerprint, {}, length)
    with watch.store.read() as session:
        found = leases.find(session, duty.incident_id, LeaseKind.OLD_KEY, fingerprint)
    assert found is not None
    return found


def ask_for_end(
    watch: Watch, duty: Duty, watched: Watched, fingerprint: str, length: timedelta
) -> Lease:
    """A person is to revoke it: it leaked, or everything is proven on the new key."""
    lease = watch_over(watch, duty, watched, fingerprint, length)
    with watch.store.write() as session:
        leases.applied(session, lease, {"asked_at": watch.now().isoformat()})
    return lease


async def mind(watch: Watch, watched: Watched, lease: Lease) -> OldKey:
    """Try it once, and write down what came of it: accepted until when, refused from when on."""
    found = await try_old(watch, watched, lease.target)
    now = watch.now()
    with watch.store.write() as session:
        if found.accepted:
            seen: dict[str, object] = {"accepted_at": now.isoformat(), "refused_at": None}
            leases.applied(session, lease, seen)
            exposures.accepted(session, lease.incident_id, lease.target, now)
        if found.refused:
            _refused(session, lease, now)
        if found.accepted is False:
            _dead(session, lease, now)
    return found


def _refused(session: Session, lease: Lease, now: datetime) -> None:
    """From when on: its end is told from the first refusal, though it is proven later."""
    held = leases.find(session, lease.incident_id, lease.kind, lease.target)
    if held is not None and not held.applied.get("refused_at"):
        leases.applied(session, lease, {"refused_at": now.isoformat()})


def _dead(session: Session, lease: Lease, now: datetime) -> None:
    held = leases.find(session, lease.incident_id, lease.kind, lease.target)
    if held is None or not held.same_taking(lease):
        return
    leases.end(session, lease.id, REFUSED, now)
    refused_at = datetime.fromisoformat(str(held.applied["refused_at"]))
    exposures.refused(session, lease.incident_id, lease.target, refused_at)
    if incidents.get(session, lease.incident_id).state is State.SETTLING:
        # It may have been all that kept the incident from being closed.
        incidents.settles(session, lease.incident_id, now)
    accepted = held.applied.get("accepted_at")
    before = f"accepted until {_clock(str(accepted))}, " if accepted else ""
    text = f"the old key {lease.target} is dead: {before}refused at {refused_at:%H:%M:%S}Z"
    incidents.note(session, lease.incident_id, text, now=now)


async def try_old(watch: Watch, watched: Watched, fingerprint: str) -> OldKey:
    """Ask the vendor with it. Only its refusal is a proof, and only where another key of ours is let
    in: one that refuses them all may do so for any reason."""
    try:
        held = await asyncio.to_thread(stages, watch, watched)
        stage = next((stage for stage, mark in held.items() if mark == fingerprint), None)
        if stage is None:
            return OldKey(None, f"the store no longer holds {fingerprint}: it cannot be tried")
        path = watched.runbook.probes[0].path
        # Another process may have made another key current a moment ago.
        CURRENT_KEYS.forget(watched.integration.credential.reference)
        reading = await try_key(watch, watched, stage, "old_key", path)
        if answer_of(reading, float("inf")) not in REFUSALS:
            said = reading.says()
            return OldKey(True if reading.succeeded else None, said)
        other: Stage = "pending" if stage == "current" else "current"
        if other not in held:
            said = "refused, which proves its end once another key is let in: offer the new one"
            return OldKey(None, said, refused=True)
        ours = await try_key(watch, watched, other, f"{other}_key", path)
        if not ours.succeeded:
            said = f"our {other} key is not let in either: {ours.says()}"
            return OldKey(None, said, refused=True)
    except WatchkeeperError as error:
        return OldKey(None, str(error))
    return OldKey(False, f"the vendor refuses {fingerprint}", refused=True)


def stages(watch: Watch, watched: Watched) -> dict[Stage, str]:
    """The fingerprint of each stage's key. Reads the store: not for the event loop's thread."""
    return {v.stage: v.fingerprint for v in keys_of(watch, watched).versions()}


def due(lease: Lease, now: datetime) -> bool:
    """Whether it is time to try it again."""
    asked = lease.applied.get("accepted_at")
    return asked is None or terms.due(datetime.fromisoformat(str(asked)), EVERY, now)


def _clock(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%H:%M:%S}Z"
