"""Binding what is done to the processes of our service: more replicas, a restart."""

from __future__ import annotations

import math

from watchkeeper.mitigation.actions import Restart, Scale
from watchkeeper.mitigation.bound import READ_BACK, Bound, LeftOut, planned
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.acting_text import calls_of_restart, calls_of_scale
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.runbook.mitigations import RestartRow, ScaleRow

NOBODY = "integrations.yaml names no consumer"


def bind_scale(row: ScaleRow, watched: Watched, world: World) -> Bound:
    consumers = {c.name: c for c in watched.integration.consumers}
    if not consumers:
        return LeftOut(f"{NOBODY} to run more replicas of; a person does")
    fixed = {name: why for name, c in consumers.items() if (why := _fixed(c, world)) is not None}
    left = [f"{name}: cannot be scaled: {why}" for name, why in fixed.items()]
    found = {name: _before(name, world) for name in consumers if name not in fixed}
    before = {name: count for name, count in found.items() if count is not None}
    wanted = {n: min(math.ceil(count * row.factor), row.at_most) for n, count in before.items()}
    more = {name: wanted[name] for name, count in before.items() if wanted[name] > count}
    left += [f"{n}: has {before[n]}, and may have {row.at_most}" for n in wanted if n not in more]
    if len(fixed) == len(consumers):
        return LeftOut("; ".join(left))
    return planned(
        row,
        Scale(replicas=tuple(more.items()), lease=row.lease),
        target=", ".join(more) or "nobody",
        effects=tuple(
            f"run {n} replicas of {name}, from {before[name]}" for name, n in more.items()
        ),
        calls=tuple(
            call for name, n in more.items() for call in calls_of_scale(consumers[name].runtime, n)
        ),
        undo="as many as before, unless a person changed it meanwhile",
        cost="what the further replicas cost",
        risk="more replicas send more requests to the vendor",
        promise=READ_BACK,
        left_out=tuple(left),
    )


def _fixed(consumer: Consumer, world: World) -> str | None:
    """Why nobody can scale it."""
    if not calls_of_scale(consumer.runtime, 1):
        return "no command is given that sets the replicas"
    if world.held(LeaseKind.REPLICAS, consumer.name):
        return None
    return world.unread.get(f"replicas {consumer.name}")


def _before(name: str, world: World) -> int | None:
    held = world.held(LeaseKind.REPLICAS, name)
    if held is not None:
        return int(str(held.prior.get("value")))
    return world.replicas.get(name)


def bind_restart(row: RestartRow, watched: Watched, world: World) -> Bound:
    consumers = watched.integration.consumers
    if not consumers:
        return LeftOut(f"{NOBODY} to restart; a person restarts the service")
    return planned(
        row,
        Restart(consumers=tuple(c.name for c in consumers)),
        target=", ".join(c.name for c in consumers),
        effects=tuple(f"restart {c.name}" for c in consumers),
        calls=tuple(call for c in consumers for call in calls_of_restart(c.runtime)),
        undo="none: a restart is over when it is done",
        cost="each is away for as long as it takes to start",
        risk="what made it fail may make its start fail; the next one is restarted only after it",
        promise=READ_BACK,
    )
