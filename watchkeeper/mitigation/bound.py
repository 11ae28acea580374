"""What binding a runbook's row to an integration gives: a planned action, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from watchkeeper.mitigation.actions import Action
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.runbook.mitigations import Mitigation


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The action cannot be done here; people read why."""

    why: str


Bound = PlannedAction | LeftOut | None


def planned(
    row: Mitigation,
    action: Action,
    *,
    target: str,
    effects: tuple[str, ...],
    calls: tuple[str, ...],
    undo: str,
    cost: str,
    risk: str,
    promise: str,
    needs: tuple[str, ...] = (),
    left_out: tuple[str, ...] = (),
) -> PlannedAction:
    return PlannedAction(
        name=row.name,
        action=action,
        target=target,
        summary=row.summary,
        effects=effects,
        calls=calls,
        undo=undo,
        cost=cost,
        risk=risk,
        promise=promise,
        autonomy=row.autonomy,
        approvals=row.approvals,
        needs=needs,
        left_out=left_out,
    )


# What is known of an effect whose process died in it.
OURS = "a change of our own rows: it is done whole or not at all"
READ_BACK = "what it changed is read before it is done again"
SENT_ONCE = "sent again under the same key, it is the same page"
