"""The most that automation may do: what goes over a cap is left out whole, and the plan says so."""

from __future__ import annotations

from collections.abc import Callable

from watchkeeper.mitigation.actions import PauseJobs, RotateKey
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.mitigation.world import StepState, World
from watchkeeper.runbook.policy import Caps

Rule = Callable[[PlannedAction, Caps, World], str | None]


def capped(
    actions: list[PlannedAction], caps: Caps, world: World
) -> tuple[list[PlannedAction], list[str]]:
    """What may be done, and why the rest may not. Calling people is never capped."""
    kept: list[PlannedAction] = []
    refused: list[str] = []
    for action in actions:
        why = None if action.calls_people else _refusal(action, caps, world, kept)
        if why is None:
            kept.append(action)
        else:
            refused.append(f"{action.name}: {why}")
    return kept, refused


def _refusal(
    action: PlannedAction, caps: Caps, world: World, kept: list[PlannedAction]
) -> str | None:
    for rule in (_skipped, _stopped, _network, _rotations):
        if (why := rule(action, caps, world)) is not None:
            return why
    return _jobs(action, caps, world, kept) or _too_many(action, caps, world, kept)


def _skipped(action: PlannedAction, _caps: Caps, world: World) -> str | None:
    step = world.step(action.name)
    if step is None or step.state is not StepState.SKIPPED:
        return None
    return f"skipped by {step.by}: {step.because}"


def _stopped(action: PlannedAction, _caps: Caps, world: World) -> str | None:
    """After one failed effect nothing more is done by itself, until a person says so."""
    step = world.step(action.name)
    if step is not None and step.state in (StepState.DONE, StepState.WANTED):
        return None
    failed = next((s for s in world.steps if s.state is StepState.FAILED), None)
    if failed is None:
        return None
    said = "it failed" if failed.name == action.name else f"{failed.name} failed"
    return f"{said}, and nothing more is done by itself: {failed.because}"


def _network(action: PlannedAction, caps: Caps, world: World) -> str | None:
    """What a person asks for by name is a person's doing."""
    step, down = world.step(action.name), world.others_down
    if step is not None and step.state is StepState.WANTED:
        return None
    if not caps.vendors_down_at_once or len(down) < caps.vendors_down_at_once:
        return None
    return f"{', '.join(down)} are down too: our own network is likelier, and only people act"


def _jobs(action: PlannedAction, caps: Caps, world: World, kept: list[PlannedAction]) -> str | None:
    """With those that are held already, and those of the actions before it."""
    if not isinstance(action.action, PauseJobs):
        return None
    kinds = (LeaseKind.PAUSED_JOB, LeaseKind.PAUSED_SCHEDULE)
    paused = {lease.target for lease in world.leases if lease.kind in kinds}
    for planned in (*kept, action):
        if isinstance(planned.action, PauseJobs):
            paused |= {*planned.action.jobs, *planned.action.schedules}
    if len(paused) <= caps.jobs_paused_per_incident:
        return None
    return f"would pause {len(paused)} jobs, the cap is {caps.jobs_paused_per_incident}"


def _rotations(action: PlannedAction, caps: Caps, world: World) -> str | None:
    """A leaked key is replaced however often keys were today."""
    cap = caps.rotations_per_credential_per_day
    if not isinstance(action.action, RotateKey) or action.action.order == "revoke_first":
        return None
    if world.rotations_today < cap:
        return None
    times = f"{world.rotations_today} times today, the cap is {cap}"
    return f"{action.action.credential} was rotated {times}"


def _too_many(
    action: PlannedAction, caps: Caps, world: World, kept: list[PlannedAction]
) -> str | None:
    if world.step(action.name) is not None:
        return None
    begun = world.actions_last_hour
    new = sum(1 for a in kept if world.step(a.name) is None and not a.calls_people)
    if begun + new < caps.actions_per_incident_per_hour:
        return None
    return f"{begun + new} actions within the hour, the cap is {caps.actions_per_incident_per_hour}"
