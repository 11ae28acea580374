"""Binding what waits, and what calls people; and the two that only hold a lease as yet."""

from __future__ import annotations

from watchkeeper.mitigation.actions import Escalate, Hold, Wait
from watchkeeper.mitigation.bound import OURS, SENT_ONCE, Bound, planned
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import BufferWritesRow, EscalateRow, PollInsteadRow, WaitRow


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


def bind_buffer(row: BufferWritesRow, watched: Watched, world: World) -> Bound:
    return planned(
        row,
        Hold(kind=LeaseKind.BUFFER, lease=row.lease),
        target=watched.name,
        effects=(f"keep writes to {watched.name} until it is back",),
        calls=("database: lease buffer",),
        undo="the lease ends; what was kept is sent in order",
        cost="writes reach the vendor late",
        risk="somebody else changes the same record there meanwhile",
        promise=OURS,
    )


def bind_polling(row: PollInsteadRow, watched: Watched, world: World) -> Bound:
    every_s = f"{row.every.total_seconds():g}"
    return planned(
        row,
        Hold(
            kind=LeaseKind.POLLING,
            applied=(("every_s", every_s),),
            lease=row.lease,
        ),
        target=watched.name,
        effects=(f"poll {watched.name} every {every_s} s",),
        calls=("database: lease polling",),
        undo="the lease ends, and webhooks are relied on again",
        cost="more requests to the vendor",
        risk="an event may come both ways; records are kept once",
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
