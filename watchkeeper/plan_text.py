"""A plan in words: what a person reads before saying yes."""

from __future__ import annotations

from watchkeeper.mitigation import Plan, PlannedAction, RotateKey
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
    return tuple(
        f"a new key, offered with: watchkeeper key offer {plan.integration}"
        for planned in plan.actions
        if isinstance(planned.action, RotateKey)
    )


def _action(planned: PlannedAction) -> list[str]:
    return [
        f"**{planned.name}** ({planned.autonomy}): {escape(planned.summary)}",
        *(f"- will {escape(effect)}" for effect in planned.effects),
        *(f"- calls {escape(call)}" for call in planned.calls),
        *(f"- leaves out {escape(left)}" for left in planned.left_out),
        f"- way back: {escape(planned.undo)}",
    ]
