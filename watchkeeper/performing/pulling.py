"""Setting a lever under a lease, and setting it back: any process may die in it."""

from __future__ import annotations

from datetime import timedelta

from watchkeeper.effects import Effect
from watchkeeper.failpoints import failpoint
from watchkeeper.mitigation.lease import Lease, Shown, Undo, said, undo_of
from watchkeeper.performing.ledger import Duty, allow, in_doubt, perform
from watchkeeper.performing.levers import Lever
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, leases

# Kept in a lease: when it was last begun to be set back.
RESTORING = "restoring_at"


async def pull(
    watch: Watch,
    duty: Duty,
    integration: str,
    lever: Lever,
    value: str,
    length: timedelta,
    also: dict[str, object] | None = None,
) -> str:
    """Set it, under a lease that remembers what it was; what came of it, in words.

    `also`: what the lease is to remember besides. One that shows the value already, by somebody
    else's hand, is left alone: it is not ours to set back.
    """
    shown = await lever.read()
    lease = _taken(watch, duty, integration, lever, shown, value, length, also or {})
    if lease is None:
        return f"{lever.target}: left alone, is {value} already"
    failpoint(f"lease.{lever.kind}.taken")

    async def do() -> str:
        await lever.write(value)
        return f"was {said(_before(lease))}"

    async def read_back() -> str | None:
        return await lever.shows(value)

    await perform(watch, duty, lever.sets, lease.taking, do, read_back)
    after = await lever.proven(value)
    failpoint(f"lease.{lever.kind}.proven")
    with watch.store.write() as session:
        leases.applied(session, lease, {"mark": after.mark})
    failpoint(f"lease.{lever.kind}.marked")
    return f"{lever.target}: {value}, was {said(_before(lease))}"


def _taken(
    watch: Watch,
    duty: Duty,
    integration: str,
    lever: Lever,
    shown: Shown,
    value: str,
    length: timedelta,
    also: dict[str, object],
) -> Lease | None:
    """The lease in force, or a new one: written down before anything is touched."""
    with watch.store.write() as session:
        found = leases.find(session, duty.incident_id, lever.kind, lever.target)
        held = found if found is not None and found.active else None
        if held is not None and held.applied.get("value") == value:
            return held
        if shown.value == value:
            return None
        allow(watch, lever.sets)
        duty.check(session)
        prior, instead = _prior(held, shown)
        return leases.take(
            session,
            incident_id=duty.incident_id,
            integration=integration,
            kind=lever.kind,
            target=lever.target,
            prior=prior,
            applied={"value": value, **instead, **also},
            now=watch.now(),
            length=length,
        )


def _prior(held: Lease | None, shown: Shown) -> tuple[dict[str, object], dict[str, object]]:
    """What it goes back to; and what we had made of it, where it is changed once more: that is no
    other's word, and what was before us stays what was before."""
    if held is not None and shown.value == held.applied.get("value"):
        return dict(held.prior), {"instead": shown.value}
    return {"value": shown.value, "mark": shown.mark}, {}


async def put_back(watch: Watch, duty: Duty, lever: Lever, lease: Lease) -> str:
    """Set it to what it was, unless somebody else set it meanwhile; what was done, in words.

    Verified by reading it; the lease itself is ended by the caller. A process before us may have
    set it back, and died before it could say so.
    """
    shown, prior = await lever.read(), _before(lease)
    undo, effect = undo_of(lease, shown), duty.effect(lever.restores, lease.taking)
    if undo.restores and _settled(watch, effect):
        # Set back once; it shows our value again by somebody else's hand.
        undo = Undo(False, None, f"left as somebody set it ({said(shown.value)})")
    ours = RESTORING in lease.applied and shown.value == prior
    words = f"back to {said(prior)}" if undo.restores or ours else undo.words
    if not undo.restores and not in_doubt(watch, effect):
        return words

    async def do() -> str:
        with watch.store.write() as session:
            leases.applied(session, lease, {RESTORING: watch.now().isoformat()})
        await lever.write(prior)
        return words

    async def read_back() -> str | None:
        """A process before us may have set it back, or a person may have been at it since."""
        return None if undo.restores else words

    await perform(watch, duty, lever.restores, lease.taking, do, read_back)
    if undo.restores:
        await lever.proven(prior)
    return words


def _settled(watch: Watch, effect: Effect) -> bool:
    with watch.store.read() as session:
        return effects.state_of(session, effect).settled


def _before(lease: Lease) -> str | None:
    prior = lease.prior.get("value")
    return None if prior is None else str(prior)
