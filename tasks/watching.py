"""Steps of the health check: look, open or join, wake people, start the responder."""

from __future__ import annotations

from prefect import task

from tasks.context import current
from tasks.executing import PrefectExecutor
from tasks.retrying import STEP
from watchkeeper.errors import Permanent
from watchkeeper.incident import Incident
from watchkeeper.performing import detecting, mitigating, paging, responding, triaging
from watchkeeper.performing.detecting import Check
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.paging import Called
from watchkeeper.performing.side_by_side import said
from watchkeeper.performing.triaging import Triage
from watchkeeper.store import incidents


@task(name="check integration", task_run_name="check {integration}", **STEP)
async def check(integration: str) -> Check:
    watch = current()
    return await detecting.check(watch, watch.registered(integration))


def not_checked(integration: str, error: Exception) -> None:
    """For `status`: this check came to no result."""
    detecting.not_checked(current(), integration, said(error))


@task(name="triage integration", task_run_name="triage {integration}", **STEP)
async def triage(integration: str) -> Triage:
    watch = current()
    return await triaging.triage(watch, watch.integration(integration))


@task(name="record triage", **STEP)
async def record_triage(incident: Incident, found: Triage) -> Incident:
    return triaging.record_triage(current(), incident, found)


@task(name="reconsider the cause", **STEP)
async def reconsider(duty: Duty, incident: Incident) -> Incident:
    """Still failing after the runbook's patience: another cause begins another round."""
    watch = current()
    found = await triaging.triage(watch, watch.integration(incident.integration))
    return triaging.reconsider(watch, duty, incident, found)


@task(name="see whether an answer is still needed", **STEP)
async def spare_the_answer(found: Check) -> None:
    """An outage that ended while a person was asked: the question is withdrawn, and the run that
    waits goes on to prove the repair."""
    watch = current()
    if not await detecting.well_again(watch, found):
        return
    with watch.store.read() as session:
        incident = incidents.current(session, found.watched.name)
    if incident is not None:
        mitigating.withdraw_questions(watch, incident, "the vendor is well again by itself")
        await responding.wake(watch, incident, PrefectExecutor())


@task(name="open or join the incident", **STEP)
async def open_incident(found: Check) -> Incident:
    incident, _ = detecting.open_incident(current(), found)
    return incident


@task(name="page", **STEP)
async def page(incident: Incident) -> None:
    """The first rung of the ladder, where the severity wakes anybody. Raises Permanent where channels
    are set and none took it: each was tried as often as makes sense, and the sweep goes on."""
    watch = current()
    watched = watch.integration(incident.integration)
    ladder = watched.runbook.escalation
    if ladder and watched.runbook.severity_level(incident.severity).pages:
        called = await paging.page(watch, watched, incident, ladder[0])
        if called is Called.UNTAKEN and watched.integration.called_by:
            raise Permanent(f"INC-{incident.id}: {paging.why_untaken(watch, incident)}")


@task(name="start a responder", **STEP)
async def start_responder(incident: Incident) -> int | None:
    return await responding.dispatch(current(), incident, PrefectExecutor())
