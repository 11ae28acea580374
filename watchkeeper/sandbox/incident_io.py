"""A status page as incident.io serves it to widgets: /api/v1/summary, with what is open alone."""

from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.declared import Declared, Maintenance, Words

WORDS = Words(
    components=(
        "operational",
        "under_maintenance",
        "degraded_performance",
        "partial_outage",
        "full_outage",
    ),
    maintenance=("maintenance_scheduled", "maintenance_in_progress", "maintenance_complete"),
    during="under_maintenance",
)
PATH = "/api/v1/summary"
BAD = ("degraded_performance", "partial_outage", "full_outage")
IMPACTS = {
    "none": "operational",
    "minor": "degraded_performance",
    "major": "partial_outage",
    "critical": "full_outage",
}


def document(page: Declared, now: datetime) -> dict[str, Any]:
    listed = page.listed(now, WORDS.during)
    opened = [
        _event(f"{name} has trouble", name, page, status="investigating")
        | {"current_worst_impact": state, "affected_components": [_touched(name, state)]}
        for name, state in listed
        if state in BAD
    ]
    told = page.incident
    if told is not None and told.status != "resolved":
        impact = IMPACTS[told.impact]
        opened.append(
            _event(told.name, told.component, page, status=told.status)
            | {"current_worst_impact": impact}
        )
    return {
        "page_title": page.company,
        "page_url": f"https://status.{page.company.lower().replace(' ', '-')}.example",
        "ongoing_incidents": opened,
        **_planned(page, page.maintenance, now),
    }


def _planned(page: Declared, planned: Maintenance | None, now: datetime) -> dict[str, Any]:
    """Here, too, people may have forgotten to end it: `state` says what the page says."""
    lists: dict[str, Any] = {"in_progress_maintenances": [], "scheduled_maintenances": []}
    if planned is None or planned.state == "maintenance_complete":
        return lists
    begun = planned.state == "maintenance_in_progress" or planned.holds(now)
    ends = iso(planned.ends_at) if planned.ends_at else None
    name = f"Maintenance of {planned.component}"
    if begun:
        times = {"started_at": iso(planned.starts_at), "scheduled_end_at": ends}
        one = _event(name, planned.component, page, status="maintenance_in_progress") | times
        return {**lists, "in_progress_maintenances": [one]}
    times = {"starts_at": iso(planned.starts_at), "ends_at": ends}
    one = _event(name, planned.component, page, status="maintenance_scheduled") | times
    return {**lists, "scheduled_maintenances": [one]}


def _event(name: str, component: str | None, page: Declared, status: str) -> dict[str, Any]:
    return {
        "id": f"e-{name.lower().replace(' ', '-')}",
        "name": name,
        "status": status,
        "url": "https://status.example/e",
        "last_update_at": iso(page.updated),
        "last_update_message": "We look into it.",
        "affected_components": [] if component is None else [_touched(component, None)],
    }


def _touched(name: str, state: str | None) -> dict[str, Any]:
    said = {} if state is None else {"current_status": state}
    return {"id": f"c-{name.lower().replace(' ', '-')}", "name": name, **said}
