"""Stop the harm: what the runbook allows by itself at once, the rest once a person said yes."""

from __future__ import annotations

from prefect import flow

from tasks.duty import duty_for
from tasks.incidents import incident_now, needs_incident
from tasks.mitigating import apply, ask, make_plan, mark_mitigated
from tasks.showing import show_plan
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation import Plan
from watchkeeper.store.approvals import APPROVE, Approval


@flow(name="mitigate", flow_run_name="mitigate {integration} ({mode})", persist_result=False)
async def mitigate(
    integration: str, action: str | None = None, dry_run: bool = True, mode: str = "dry run"
) -> Approval | None:
    """Plan the mitigations of the open incident, and with dry_run off apply what is allowed.

    Args:
        integration: such as maintainx@prod; it must have an open incident
        action: one mitigation of the runbook; all that the cause calls for when empty
        dry_run: show the plan and do nothing
        mode: shown in the run's name

    Returns the question that still waits for a person's yes, or None.
    """
    incident = needs_incident(integration)
    plan = await make_plan(incident, frozenset({action}) if action else None)
    await show_plan(plan, dry_run)
    if dry_run:
        return None
    return await apply_plan(incident, plan)


async def apply_plan(incident: Incident, plan: Plan) -> Approval | None:
    """Acts by itself where it may; asks for the rest; does the rest once it was answered."""
    async with duty_for(incident) as duty:
        if duty is None:
            return None
        for planned in plan.by_itself:
            await apply(duty, incident, planned)
        done = [planned.name for planned in plan.by_itself]
        waiting = plan.only(frozenset(a.name for a in plan.to_approve))
        if waiting.actions:
            question = await ask(incident, waiting)
            if question.open:
                return question
            if question.decision == APPROVE:
                for planned in waiting.actions:
                    await apply(duty, incident, planned)
                    done.append(planned.name)
        if incident_now(incident.id).state is State.TRIAGED:
            await mark_mitigated(incident, words(done, plan))
    return None


def words(done: list[str], plan: Plan) -> str:
    """What was carried out, or that it was left to people; and what a cap or a person forbade."""
    said = f"carried out: {', '.join(done)}" if done else "left to people: watching for recovery"
    return "; ".join([said, *(f"left out {what}" for what in plan.refused)])
