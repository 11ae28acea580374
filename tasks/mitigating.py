"""Steps of a mitigation: plan, ask, and the actions themselves."""

from __future__ import annotations

import asyncio

from prefect import task

from tasks.context import current
from tasks.retrying import STEP
from watchkeeper.errors import Permanent, Transient, UserError
from watchkeeper.incident import Incident
from watchkeeper.mitigation import CapRate, Escalate, PauseJobs, Plan, PlannedAction, RotateKey
from watchkeeper.performing import leasing, mitigating, paging, rotating, triaging
from watchkeeper.performing.ledger import Duty
from watchkeeper.store import incidents, pages
from watchkeeper.store.approvals import Approval

OFFER_TRIES = 150
OFFER_PAUSE_S = 2.0


@task(name="plan", **STEP)
async def make_plan(incident: Incident, only: frozenset[str] | None = None) -> Plan:
    watch = current()
    return mitigating.make_plan(watch, watch.integration(incident.integration), incident, only)


@task(name="ask for approval", **STEP)
async def ask(incident: Incident, waiting: Plan) -> Approval:
    watch = current()
    return mitigating.ask(watch, watch.integration(incident.integration), waiting)


@task(name="record the answer", **STEP)
async def record_answer(incident: Incident, decision: str, by: str, reason: str) -> Approval:
    return mitigating.record_answer(current(), incident, decision, by, reason)


@task(name="mark mitigated", **STEP)
async def mark_mitigated(incident: Incident, said: str) -> Incident:
    return mitigating.mitigated(current(), incident, said)


async def apply(duty: Duty, incident: Incident, planned: PlannedAction) -> None:
    """One action of the plan, as the steps it is made of."""
    match planned.action:
        case PauseJobs():
            await pause_jobs(duty, incident.integration, planned.action)
        case CapRate():
            await cap_rate(duty, incident.integration, planned.action)
        case RotateKey():
            await rotate(duty, incident, planned.action)
        case Escalate():
            await call_next(incident)


@task(name="pause jobs", **STEP)
async def pause_jobs(duty: Duty, integration: str, action: PauseJobs) -> None:
    leasing.pause_jobs(current(), duty, integration, action)


@task(name="cap the rate", **STEP)
async def cap_rate(duty: Duty, integration: str, action: CapRate) -> None:
    leasing.cap_rate(current(), duty, integration, action)


@task(name="call the next rung", **STEP)
async def call_next(incident: Incident) -> None:
    """The first rung that was not called yet; a severity that wakes nobody calls nobody."""
    watch = current()
    watched = watch.integration(incident.integration)
    with watch.store.read() as session:
        called = {p.level for p in pages.of_incident(session, incident.id)}
    ladder = [rung for rung in watched.runbook.escalation if rung.level not in called]
    if ladder and watched.runbook.severity_level(incident.severity).pages:
        await paging.page(watch, watched, incident, ladder[0])


async def rotate(duty: Duty, incident: Incident, action: RotateKey) -> None:
    """Pending -> tested -> current -> consumers proven -> old key proven dead."""
    fingerprint = await tested_key(incident)
    await promote_key(duty, incident.integration, fingerprint)
    for consumer in action.consumers:
        await move_consumer(duty, incident.integration, consumer, fingerprint)
    await prove_old_key_dead(incident)


@task(name="test the offered key", **STEP)
async def tested_key(incident: Incident) -> str:
    """The fingerprint of a key that the vendor accepts everywhere; the cause is diagnosed anew,
    because another key that is let in is what proves that ours is the fault."""
    watch = current()
    watched = watch.integration(incident.integration)
    if (chosen := rotating.chosen_in_round(watch, watched, incident)) is not None:
        return chosen
    for _ in range(OFFER_TRIES):
        if rotating.offered(watch, watched) is not None:
            break
        await asyncio.sleep(OFFER_PAUSE_S)
    test = await rotating.test_offered(watch, watched)
    with watch.store.write() as session:
        incidents.note(session, incident.id, test.says(), now=watch.now())
    if not test.accepted:
        raise Transient(test.says()) if test.unclear else Permanent(test.says())
    triaging.record_triage(watch, incident, await triaging.triage(watch, watched))
    return test.fingerprint


@task(name="make the tested key current", **STEP)
async def promote_key(duty: Duty, integration: str, fingerprint: str) -> None:
    watch = current()
    await rotating.promote(watch, duty, watch.integration(integration), fingerprint)


@task(name="restart a consumer", task_run_name="restart {consumer} on {fingerprint}", **STEP)
async def move_consumer(duty: Duty, integration: str, consumer: str, fingerprint: str) -> None:
    watch = current()
    known = watch.integration(integration).integration.consumers
    spec = next((c for c in known if c.name == consumer), None)
    if spec is None:
        raise UserError(f"{integration} has no consumer {consumer!r} any more")
    await rotating.restart_consumer(watch, duty, spec, fingerprint)


@task(name="prove the old key dead", **STEP)
async def prove_old_key_dead(incident: Incident) -> None:
    """MaintainX has no API to revoke a key: while the old one lives, a person is asked to."""
    watch = current()
    alive = await rotating.old_key_alive(watch, watch.integration(incident.integration))
    said = {
        True: "the old key is still accepted: revoke it in the vendor's settings",
        False: "the old key is refused by the vendor",
        None: "there is no old key to prove dead",
    }[alive]
    with watch.store.write() as session:
        incidents.note(session, incident.id, said, now=watch.now())
