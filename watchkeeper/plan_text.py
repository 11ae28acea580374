"""A plan in words: what a person reads before saying yes."""

from __future__ import annotations

from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.report import escape


def plan_text(plan: Plan) -> str:
    """Markdown: every effect, every call, the way back, and what was left out or refused."""
    lines = [f"Plan `{plan.hash}` for {escape(plan.integration)}, cause {escape(plan.cause)}"]
    for action in plan.actions:
        lines += ["", *_action(action)]
    if not plan.actions and not plan.refused:
        lines += ["", "Nothing: the runbook names no mitigation that applies."]
    lines += ["", *(f"- left out: {escape(said)}" for said in plan.refused)]
    return "\n".join(lines).rstrip() + "\n"


def needs(plan: Plan) -> tuple[str, ...]:
    """What a person must do before the plan can be carried out."""
    return tuple(need for planned in plan.actions for need in planned.needs)


def _action(planned: PlannedAction) -> list[str]:
    people = f", {planned.approvals} people" if planned.approvals > 1 else ""
    return [
        f"**{planned.name}** ({planned.autonomy}{people}): {escape(planned.summary)}",
        f"- on: {escape(planned.target)}",
        *(f"- will {escape(effect)}" for effect in planned.effects),
        *(f"- calls {escape(call)}" for call in planned.calls),
        *(f"- first: {escape(need)}" for need in planned.needs),
        *(f"- leaves out {escape(left)}" for left in planned.left_out),
        f"- cost: {escape(planned.cost)}",
        f"- risk: {escape(planned.risk)}",
        f"- way back: {escape(planned.undo)}",
        f"- if a process dies in it: {escape(planned.promise)}",
    ]
