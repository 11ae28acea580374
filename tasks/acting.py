"""Carrying actions out: each one as the steps it is made of, and as one step of the incident."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from prefect import task

from tasks.context import current
from tasks.retrying import STEP
from tasks.rotating import rotate
from watchkeeper.errors import Halted, Permanent, StaleFence, WatchkeeperError
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import (
    CapRate,
    ChangeSettings,
    Escalate,
    PauseJobs,
    Restart,
    RotateKey,
    Scale,
    Wait,
)
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.performing import leasing, paging, pulling, restarting, stepping
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import lever_of
from watchkeeper.performing.paging import Called


async def carry_out(duty: Duty, incident: Incident, planned: PlannedAction) -> bool:
    """False where it failed: what comes after it is left to people. Calling people never fails a
    plan: what cannot be paged is told, and the sweep pages again."""
    try:
        step = stepping.begin(current(), duty, planned)
        if step is None:
            return True
        await PERFORMERS[type(planned.action)](step, incident, planned.action)
    except StaleFence:
        # Somebody else does it: neither done nor failed.
        raise
    except Halted:
        stepping.held_back(current(), duty, planned)
        raise
    except WatchkeeperError as error:
        stepping.failed(current(), duty, planned, str(error))
        return planned.calls_people
    stepping.done(current(), duty, planned)
    return True


@task(name="pause jobs", **STEP)
async def pause_jobs(duty: Duty, incident: Incident, action: PauseJobs) -> None:
    watch = current()
    leasing.pause_jobs(watch, duty, incident.integration, action)
    also = leasing.how_to_resume(action)
    for name in action.schedules:
        await _pull(duty, incident, LeaseKind.PAUSED_SCHEDULE, name, "paused", action.lease, also)


@task(name="cap the rate", **STEP)
async def cap_rate(duty: Duty, incident: Incident, action: CapRate) -> None:
    leasing.cap_rate(current(), duty, incident.integration, action)


@task(name="change settings", **STEP)
async def change_settings(duty: Duty, incident: Incident, action: ChangeSettings) -> None:
    for name, value in action.values:
        await _pull(duty, incident, LeaseKind.SETTING, name, value, action.lease)


@task(name="scale", **STEP)
async def scale(duty: Duty, incident: Incident, action: Scale) -> None:
    for name, replicas in action.replicas:
        await _pull(duty, incident, LeaseKind.REPLICAS, name, str(replicas), action.lease)


async def _pull(
    duty: Duty,
    incident: Incident,
    kind: LeaseKind,
    target: str,
    value: str,
    length: timedelta,
    also: dict[str, object] | None = None,
) -> None:
    watch = current()
    lever = lever_of(watch, watch.integration(incident.integration), kind, target)
    await pulling.pull(watch, duty, incident.integration, lever, value, length, also)


@task(name="restart the service", **STEP)
async def restart(duty: Duty, incident: Incident, action: Restart) -> None:
    watch = current()
    await restarting.restart_all(watch, duty, watch.integration(incident.integration), action)


@task(name="wait for the vendor", **STEP)
async def wait(duty: Duty, incident: Incident, action: Wait) -> None:
    leasing.hold(
        current(),
        duty,
        incident.integration,
        LeaseKind.WAIT,
        incident.integration,
        {"needed": action.good_looks, "good": 0},
        action.lease,
    )


@task(name="call the next rung", **STEP)
async def call_next(duty: Duty, incident: Incident, action: Escalate) -> None:
    """The first rung that was not called yet; a severity that wakes nobody calls nobody. Raises
    Permanent where no channel took the page: the step is not done, and the sweep calls on."""
    if await escalate(incident) is Called.UNTAKEN:
        raise Permanent(paging.why_untaken(current(), incident) or "no channel took the page")


async def escalate(incident: Incident) -> Called:
    """Whoever is next: what cannot be paged now is paged by the sweep."""
    watch = current()
    return await paging.call_next(watch, watch.integration(incident.integration), incident)


# What carries each kind of action out.
PERFORMERS: dict[type, Callable[[Duty, Incident, Any], Awaitable[None]]] = {
    PauseJobs: pause_jobs,
    CapRate: cap_rate,
    ChangeSettings: change_settings,
    Scale: scale,
    Restart: restart,
    RotateKey: rotate,
    Wait: wait,
    Escalate: call_next,
}
