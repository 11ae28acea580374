"""A plan in words: what a person reads before saying yes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.report import escape
from watchkeeper.runbook.durations import words


def plan_text(plan: Plan) -> str:
    """Markdown: every effect, every call, the way back, and what was left out or refused."""
    lines = [f"Plan `{plan.hash}` for {escape(plan.integration)}, cause {escape(plan.cause)}"]
    for action in plan.actions:
        lines += ["", *_action(action)]
    if not plan.actions and not plan.refused:
        lines += ["", "Nothing: the runbook names no mitigation that applies."]
    lines += ["", *(f"- left out: {escape(said)}" for said in plan.refused)]
    return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What a person must know beside the plan. `key`: the fingerprint of the key that was offered;
    `offer`: the command that offers one, None where the plan needs none."""

    plan: str
    until: datetime
    evidence: str
    key: str | None
    offer: str | None


def question_text(asking: Asking, now: datetime) -> str:
    """Markdown above the fields of the form: until when, on what evidence, whether the key is there."""
    left = words(max(asking.until - now, timedelta(0)))
    lines = [
        f"**Answer until {asking.until:%Y-%m-%d %H:%M:%S} UTC** ({left} left). No answer counts as no.",
        f"**Evidence**: {escape(asking.evidence)}",
    ]
    if asking.key is not None:
        lines.append(f"**Key**: {escape(asking.key)} was offered")
    elif asking.offer is not None:
        lines.append(f"**Key**: none was offered yet; first: `{asking.offer}`")
    return "\n\n".join([*lines, asking.plan])


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
