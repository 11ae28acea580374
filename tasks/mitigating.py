"""Steps of a mitigation's planning: the plan, the question about it, the answer, the outcome."""

from __future__ import annotations

from prefect import task

from tasks.context import current
from tasks.executing import PrefectExecutor
from tasks.retrying import STEP
from watchkeeper.incident import Incident
from watchkeeper.mitigation.plan import Plan
from watchkeeper.performing import mitigating, responding, stepping
from watchkeeper.performing.ledger import Duty
from watchkeeper.store.approvals import Approval


@task(name="plan", **STEP)
async def make_plan(incident: Incident, action: str | None = None) -> Plan:
    """All that the cause calls for and people asked for; or what one action would do."""
    watch = current()
    watched = watch.integration(incident.integration)
    if action is None:
        return await mitigating.make_plan(watch, watched, incident)
    return await mitigating.plan_of(watch, watched, incident, frozenset({action}))


@task(name="ask for an action by name", **STEP)
async def want(incident: Incident, action: str) -> None:
    stepping.want(current(), incident, action, "a mitigate run", "asked for by name")


@task(name="leave it to the responder", **STEP)
async def hand_over(incident: Incident) -> None:
    """Another run is at this incident: it makes its plan anew, with what was asked for."""
    watch = current()
    stepping.plan_again(watch, incident)
    await responding.dispatch(watch, incident, PrefectExecutor())


@task(name="ask for approval", **STEP)
async def ask(incident: Incident, waiting: Plan) -> Approval:
    watch = current()
    return mitigating.ask(watch, watch.integration(incident.integration), waiting)


@task(name="mark mitigated", **STEP)
async def mark_mitigated(duty: Duty, incident: Incident, said: str) -> Incident:
    return mitigating.mitigated(current(), duty, incident, said)
