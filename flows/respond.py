"""The whole runbook as one paragraph: triage, tell, mitigate, verify, backfill, resume, settle,
report. A run that comes after another one, dead or suspended, skips what the incident says is done.
"""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State as RunState
from prefect.flow_runs import asuspend_flow_run
from prefect.states import Completed

from flows.backfill import backfill
from flows.mitigate import mitigate
from flows.report import report
from flows.triage import triage
from flows.verify import verify
from tasks.approving import Decision, form_of, going_to_wait, seconds_to_answer, take_answer
from tasks.context import current
from tasks.duty import duty_for
from tasks.incidents import incident_now
from tasks.recovering import (
    all_clear,
    begin_settling,
    close,
    gaps_of,
    give_back,
    judge_gap,
    lift_cap,
    mark_recovered,
)
from tasks.settling import between_phases, settled
from tasks.showing import show_incident
from tasks.watching import reconsider
from watchkeeper.errors import Paused, StaleFence, Stopped
from watchkeeper.incident import Incident, State
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.stopping import Interrupted, heed_halt
from watchkeeper.store.approvals import Approval

# More than anybody is asked in one round: after them the sweep starts another responder.
MOST_QUESTIONS = 10


@flow(name="respond", flow_run_name="respond INC-{incident_id}", persist_result=False)
async def respond(incident_id: int, epoch: int = 0) -> RunState[None]:
    """See one incident through, from wherever it stands.

    Args:
        incident_id: the number in INC-17
        epoch: which responder of the incident this is; set by whoever starts it
    """
    try:
        async with duty_for(incident_now(incident_id), epoch) as duty:
            if duty is None:
                return Completed(name="AlreadyResponding", message="another run sees to it")
            return await see_through(duty)
    except StaleFence as error:
        return Completed(name="TakenOver", message=str(error))
    except Stopped as stop:
        return Completed(name="Paused", message=str(stop))


async def see_through(duty: Duty) -> RunState[None]:
    """Each phase reads the incident first; the next one begins only where it should."""
    await find_cause(duty)
    await stop_harm(duty)
    if not await prove_repair(duty):
        return Completed(name="StillDown", message="not recovered yet: the sweep goes on")
    await fill_gaps(duty)
    await resume(duty)
    if not await settle(duty):
        return Completed(name="Settling", message="the sweep compares and closes when it is time")
    await report(duty.incident_id)
    return Completed(name="Closed", message="service well, data whole")


async def find_cause(duty: Duty) -> None:
    incident = incident_now(duty.incident_id)
    if incident.state is State.OPEN:
        await triage(incident.integration)
        await show_incident(incident_now(duty.incident_id))
        between_phases("triage")


async def stop_harm(duty: Duty) -> None:
    """Asks until there is an answer, or none came in time. A plan that changed while it was read is
    asked anew, and so is one that wants a second person's yes."""
    incident = incident_now(duty.incident_id)
    if incident.state is not State.TRIAGED:
        return
    question = await act_or_ask(incident)
    for _ in range(MOST_QUESTIONS):
        if question is None:
            break
        going_to_wait(duty, question)
        answer = await asuspend_flow_run(
            wait_for_input=Decision.with_initial_data(description=await form_of(question)),
            timeout=seconds_to_answer(question),
            key=f"{question.form}-{len(question.votes)}",
        )
        await take_answer(duty, incident, question, answer)
        question = await act_or_ask(incident)
    await show_incident(incident_now(duty.incident_id))
    if incident_now(duty.incident_id).state is State.TRIAGED:
        heed_halt(current())
    between_phases("mitigate")


async def act_or_ask(incident: Incident) -> Approval | None:
    """The question to wait for, or None where nothing is asked, or the kill switch held it back."""
    asked = await mitigate(incident.integration, dry_run=False, mode="applying")
    return asked if isinstance(asked, Approval) else None


async def prove_repair(duty: Duty) -> bool:
    incident = incident_now(duty.incident_id)
    if incident.state is State.MITIGATED:
        recovery = await verify(incident.integration)
        if not recovery.holds:
            await reconsider(duty, incident)
            return False
        incident = await mark_recovered(duty, incident, recovery)
        between_phases("verify")
    return incident.has_reached(State.RESOLVED)


async def fill_gaps(duty: Duty) -> None:
    """People may sleep, and the cap ends: under it the live sync leaves a backfill no turn."""
    incident = incident_now(duty.incident_id)
    if incident.state is State.RESOLVED:
        await all_clear(incident)
        await lift_cap(duty)
        if await backfill(incident.integration, incident_id=incident.id) is None:
            raise Paused(f"the backfill of INC-{incident.id} was stopped: it goes on from there")
        between_phases("backfill")


async def resume(duty: Duty) -> None:
    incident = incident_now(duty.incident_id)
    if incident.state is State.RESOLVED:
        await give_back(duty)
        await begin_settling(duty, incident)
        await show_incident(incident_now(duty.incident_id))


async def settle(duty: Duty) -> bool:
    """Wait out the vendor's list lag if it is short; then compare, record by record, and close."""
    incident = incident_now(duty.incident_id)
    if incident.state is not State.SETTLING:
        return incident.state is State.CLOSED
    if not await settled(incident):
        return False
    for gap in gaps_of(incident):
        if not gap.state.over and isinstance(judged := await judge_gap(gap), Interrupted):
            raise Paused(judged.why)
    return (await close(duty, incident)).closed
