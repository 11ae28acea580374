"""Stop the harm: what the runbook allows by itself at once, the rest once a person said yes."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State as RunState
from prefect.states import Completed

from tasks.acting import carry_out, escalate
from tasks.duty import duty_for
from tasks.incidents import incident_now, needs_incident
from tasks.mitigating import ask, hand_over, make_plan, mark_mitigated, want
from tasks.showing import show_plan
from watchkeeper.errors import Stopped
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.performing.ledger import Duty
from watchkeeper.store.approvals import APPROVE, Approval


@flow(name="mitigate", flow_run_name="mitigate {integration} ({mode})", persist_result=False)
async def mitigate(
    integration: str, action: str | None = None, dry_run: bool = True, mode: str = "dry run"
) -> Approval | RunState[None] | None:
    """Plan the mitigations of the open incident, and with dry_run off apply what is allowed.

    Args:
        integration: such as maintainx@prod; it must have an open incident
        action: one mitigation of the runbook; all that the cause calls for when empty
        dry_run: show the plan and do nothing
        mode: shown in the run's name

    Returns the question that the response waits for, or None. A run that the kill switch holds back
    ends as Paused.
    """
    incident = needs_incident(integration)
    if dry_run:
        await show_plan(await make_plan(incident, action), dry_run)
        return None
    if action is not None:
        await want(incident, action)
    try:
        return await apply_plan(incident)
    except Stopped as stop:
        return Completed(name="Paused", message=str(stop))


async def apply_plan(incident: Incident) -> Approval | None:
    """Acts by itself where it may; asks for the rest; does the rest once it was answered. What is
    only proposed is left standing: nobody waits for its answer."""
    async with duty_for(incident) as duty:
        if duty is None:
            await hand_over(incident)
            return None
        plan = await make_plan(incident)
        await show_plan(plan, dry_run=False)
        done, failed = await carry_out_all(duty, incident, plan.by_itself)
        for waiting in () if failed else plan.questions:
            question = await ask(incident, waiting)
            if question.open and question.waits:
                return question
            if question.decision == APPROVE:
                more, failed = await carry_out_all(duty, incident, waiting.actions)
                done += more
            if failed:
                break
        if incident_now(incident.id).state is State.TRIAGED:
            await mark_mitigated(duty, incident, words(done, plan))
    return None


async def carry_out_all(
    duty: Duty, incident: Incident, actions: tuple[PlannedAction, ...]
) -> tuple[list[str], bool]:
    """In the plan's order, up to the first that fails: then people are called, and it is theirs.
    What was carried out, and whether one failed."""
    done: list[str] = []
    for planned in actions:
        if not await carry_out(duty, incident, planned):
            await escalate(incident)
            return [*done, f"{planned.name} (failed)"], True
        done.append(planned.name)
    return done, False


def words(done: list[str], plan: Plan) -> str:
    """What was carried out, or that it was left to people; and what a cap or a person forbade."""
    said = f"carried out: {', '.join(done)}" if done else "left to people: watching for recovery"
    return "; ".join([said, *(f"left out {what}" for what in plan.refused)])
