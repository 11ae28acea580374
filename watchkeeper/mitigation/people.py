"""Binding what waits, and what calls people."""

from __future__ import annotations

from watchkeeper.mitigation.actions import Escalate, Wait
from watchkeeper.mitigation.bound import OURS, SENT_ONCE, Bound, planned
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import EscalateRow, WaitRow


def bind_wait(row: WaitRow, watched: Watched, world: World) -> Bound:
    page = ("vendor: GET its status page",) if watched.status_url else ()
    return planned(
        row,
        Wait(good_looks=row.good_looks, lease=row.lease),
        target=watched.runbook.display_name,
        effects=(
            f"look until {watched.runbook.display_name} is well {row.good_looks} times in a row, "
            f"for up to {words(row.lease)}",
        ),
        calls=("database: lease wait", *page, "vendor: GET on every probed endpoint"),
        undo="none needed: it ends on good looks, or calls people when its time is over",
        cost="none",
        risk="a vendor that says it is well before it is",
        promise=OURS,
    )


def bind_escalation(row: EscalateRow, watched: Watched, world: World) -> Bound:
    return planned(
        row,
        Escalate(why=row.summary),
        target="the next person on the ladder",
        effects=("call the next rung of the escalation ladder",),
        calls=("pager: trigger",),
        undo="none needed",
        cost="somebody is woken",
        risk="none",
        promise=SENT_ONCE,
    )
