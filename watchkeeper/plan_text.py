"""A plan in words: what a person reads before saying yes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.report import escape
from watchkeeper.runbook.durations import words


def plan_text(plan: Plan) -> str:
    """Markdown: what is done without asking, then each question in its own words and with its own id.
    Only a plan that asks nothing has the id of the whole."""
    if not plan.questions:
        return asked_text(plan)
    whose = f"for {escape(plan.integration)}, cause {escape(plan.cause)}"
    idle = tuple(a for a in plan.actions if not a.acts_by_itself and not a.needs_approval)
    parts = [
        _unasked(f"Done without asking {whose}", plan.by_itself),
        _unasked(f"Nothing left to do {whose}", idle),
        *(asked_text(question) for question in plan.questions),
    ]
    return "\n".join(part for part in parts if part)


def asked_text(plan: Plan) -> str:
    """Markdown of all of it under its one id: every effect, every call, the way back, and what was left
    out or refused."""
    lines = [f"Plan `{plan.hash}` for {escape(plan.integration)}, cause {escape(plan.cause)}"]
    for action in plan.actions:
        lines += ["", *_action(action)]
    if not plan.actions and not plan.refused:
        lines += ["", "Nothing: the runbook names no mitigation that applies."]
    lines += ["", *(f"- left out: {escape(said)}" for said in plan.refused)]
    return "\n".join(lines).rstrip() + "\n"


def _unasked(title: str, actions: tuple[PlannedAction, ...]) -> str:
    """Without an id: nothing in it is approved."""
    lines = [line for action in actions for line in ("", *_action(action))]
    return "\n".join([title, *lines]) + "\n" if actions else ""


def plan_fields(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: the same parts as in `plan_text`. `plan`: the id that is approved; the id of
    the whole only where nothing is asked."""
    asked = plan.questions
    return {
        "integration": plan.integration,
        "incident": plan.incident_id,
        "round": plan.round,
        "cause": plan.cause,
        "plan": None if asked else plan.hash,
        "without_asking": [_fields(planned) for planned in plan.by_itself],
        "questions": [
            {
                "plan": question.hash,
                "actions": [_fields(planned) for planned in question.actions],
                "needs": list(needs(question)),
                "waits": question.waits,
                "wanted": question.approvals,
                "text": asked_text(question),
            }
            for question in asked
        ],
        "left_out": list(plan.refused),
    }


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


def _fields(planned: PlannedAction) -> dict[str, Any]:
    names = ("name", "autonomy", "target", "summary", "effects", "calls", "undo", "cost", "risk")
    return {name: getattr(planned, name) for name in (*names, "promise", "needs", "left_out")}


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
