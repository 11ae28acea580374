"""From a cause to a plan: the runbook's mitigations in its order, bound, and held to the caps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from watchkeeper.incident import Incident
from watchkeeper.mitigation.bound import Bound, LeftOut
from watchkeeper.mitigation.caps import capped
from watchkeeper.mitigation.jobs import bind_pause
from watchkeeper.mitigation.keys import bind_rotation
from watchkeeper.mitigation.people import bind_escalation, bind_wait
from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.mitigation.rates import bind_cap
from watchkeeper.mitigation.service import bind_restart, bind_scale
from watchkeeper.mitigation.settings import (
    bind_dns,
    bind_intake,
    bind_keys,
    bind_model,
    bind_retries,
    bind_service_rate,
    bind_shed,
)
from watchkeeper.mitigation.world import Step, StepState, World
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import Mitigation

# Each action of the runbook's vocabulary that something carries out, and what binds it.
BINDERS: dict[str, Callable[[Any, Watched, World], Bound]] = {
    "pause_jobs": bind_pause,
    "cap_rate": bind_cap,
    "cap_service": bind_service_rate,
    "enable_retries": bind_retries,
    "shed_requests": bind_shed,
    "limit_intake": bind_intake,
    "switch_model": bind_model,
    "spread_keys": bind_keys,
    "cache_dns": bind_dns,
    "scale_replicas": bind_scale,
    "restart_service": bind_restart,
    "rotate_key": bind_rotation,
    "wait_for_vendor": bind_wait,
    "escalate": bind_escalation,
}


def rows_for(watched: Watched, cause: str, steps: tuple[Step, ...] = ()) -> tuple[Mitigation, ...]:
    """The runbook's mitigations for a cause, in its order, and then those that a person asked for by
    name in this round and that are not done; none for a cause that no row names."""
    called_for = watched.runbook.mitigations_for(cause)
    names = {row.name for row in called_for}
    asked = {step.name for step in steps if step.state in (StepState.WANTED, StepState.BEGUN)}
    more = (m for m in watched.runbook.performed if m.name in asked and m.name not in names)
    return (*called_for, *more)


def plan(
    incident: Incident,
    cause: str,
    watched: Watched,
    world: World,
    rows: tuple[Mitigation, ...] | None = None,
) -> Plan:
    """The mitigations for a cause, or other rows, bound and capped.

    A cause that no row names has an empty plan: nothing is done, people are asked.
    """
    chosen = rows_for(watched, cause, world.steps) if rows is None else rows
    bound = [(row.name, BINDERS[row.action](row, watched, world)) for row in chosen]
    found = [_careful(b, incident) for _, b in bound if isinstance(b, PlannedAction)]
    kept, refused = capped(found, watched.runbook.caps, world)
    left = [f"{name}: {b.why}" for name, b in bound if isinstance(b, LeftOut)]
    called_for = {row.name for row in rows_for(watched, cause)}
    return Plan(
        integration=watched.name,
        incident_id=incident.id,
        round=incident.round,
        cause=cause,
        actions=tuple(kept),
        refused=(*left, *refused),
        wanted=frozenset(row.name for row in chosen) - called_for,
    )


def _careful(planned: PlannedAction, incident: Incident) -> PlannedAction:
    """What cannot be taken back is never done by itself on a cause that is only likely."""
    irreversible = getattr(planned.action, "order", None) == "revoke_first"
    if irreversible and planned.autonomy == "auto" and incident.verdict != "confirmed":
        return replace(planned, autonomy="approve", approvals=max(planned.approvals, 1))
    return planned
