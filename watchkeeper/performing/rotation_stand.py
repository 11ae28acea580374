"""Where a rotation stands: seen anew in the store, the ledger and the consumers, and never carried
in memory from one move to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from watchkeeper.effects import CONSUMER_RESTART, KEY_PROMOTE
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import RotateKey
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.health_probe import service_health
from watchkeeper.performing.ledger import Duty, in_doubt
from watchkeeper.performing.old_keys import REFUSED, stages
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import Stand
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import changes, effects, exposures, leases


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
    marks = stages(watch, watched)
    chosen = chosen_in_round(watch, watched, incident)
    if chosen not in marks.values() and _never_promoted(watch, duty, watched, chosen):
        chosen = None
    promoted = chosen is not None and marks.get("current") == chosen
    old = marks.get("previous") if promoted else marks.get("current")
    with watch.store.read() as session:
        leaked = exposures.of_incident(session, incident.id)
        if action.order == "revoke_first" and leaked:
            old = leaked[-1].fingerprint
        vigil = leases.find(session, incident.id, LeaseKind.OLD_KEY, old or "")
    return Stand(
        order=action.order,
        current=marks.get("current"),
        pending=marks.get("pending"),
        chosen=chosen,
        old=old if promoted or action.order == "revoke_first" else None,
        old_dead=vigil is not None and vigil.ended_because == REFUSED,
        retired=vigil is not None and (vigil.asked or not vigil.active),
        shown=shown,
        written=chosen is None
        or (_written(watch, duty, watched, chosen) and (old is None or vigil is not None)),
        in_doubt=frozenset(n for n in shown if _restarting(watch, duty, f"{n}:{chosen}")),
    )


def _written(watch: Watch, duty: Duty, watched: Watched, chosen: str) -> bool:
    """Of a promotion the ledger knows, and the change is posted."""
    effect = duty.effect(KEY_PROMOTE, f"{watched.integration.credential.name}:{chosen}")
    what = change_text(watched, chosen, duty.incident_id)
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


def change_text(watched: Watched, fingerprint: str, incident_id: int) -> str:
    """What a rotation posts as a change of ours."""
    return f"{watched.integration.credential.name} is {fingerprint} (INC-{incident_id})"


def _restarting(watch: Watch, duty: Duty, target: str) -> bool:
    return in_doubt(watch, duty.effect(CONSUMER_RESTART, target))


async def shown_by(watched: Watched, names: tuple[str, ...]) -> dict[str, str | None]:
    """The key that each consumer shows, by fingerprint; None where it shows none."""
    known = [c for c in watched.integration.consumers if c.name in names]
    found = await asyncio.gather(
        *(service_health(c.health_url, c.fingerprint_field) for c in known)
    )
    return {c.name: health.fingerprint for c, health in zip(known, found, strict=True)}


def chosen_in_round(watch: Watch, watched: Watched, incident: Incident) -> str | None:
    """The tested key that this round was about to make current, or has: a run that is entered
    again goes on with it, whether it is still pending or not."""
    prefix = f"{watched.integration.credential.name}:"
    with watch.store.read() as session:
        begun = effects.begun_targets(session, incident, KEY_PROMOTE.step)
    # Behind a `#`: in which of a person's tries.
    keys = (t.removeprefix(prefix).partition("#")[0] for t in begun if t.startswith(prefix))
    return next(keys, None)
