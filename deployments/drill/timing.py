"""Where a drill's wall time went: the schedule's clock, Prefect, a person, and we ourselves."""

from __future__ import annotations

from sqlmodel import col, select

from deployments.drill.drill import Drill
from deployments.drill.facts import Facts
from deployments.drill.prefect_view import Start
from watchkeeper.store.tables import ApprovalRow


def waits(drill: Drill, facts: Facts) -> dict[str, float]:
    """Wall time from fault to close, split: the schedule's clock, Prefect's start lag, a person,
    and ours (the rest, settling included)."""
    fault, closed = drill.marks.get("fault"), facts.milestones.get("closed")
    if fault is None or closed is None:
        return {}
    opened = facts.opened_at or closed
    starts: list[Start] = [s for s in drill.notes["starts"] if s.running >= fault]
    health = next((s for s in starts if s.flow == "health" and s.running <= opened), None)
    mine = [s for s in starts if s.flow == "respond" and s.running <= closed]
    lag_s = sum(s.lag_s for s in mine) + (health.lag_s if health else 0.0)
    clock_s = (health.due - fault).total_seconds() if health else 0.0
    person_s = _answered_in_s(drill)
    total_s = (closed - fault).total_seconds()
    return {
        "total": round(total_s, 2),
        "ours": round(total_s - lag_s - max(clock_s, 0.0) - person_s, 2),
        "prefect_start": round(lag_s, 2),
        "scheduler": round(max(clock_s, 0.0), 2),
        "person": round(person_s, 2),
    }


def _answered_in_s(drill: Drill) -> float:
    numbers = [incident.id for incident in drill.incidents()]
    with drill.watch.store.read() as session:
        asked = select(ApprovalRow).where(col(ApprovalRow.incident_id).in_(numbers))
        rows = session.exec(asked).all()
    return sum(
        (row.decided_at - row.requested_at).total_seconds() for row in rows if row.decided_at
    )
