"""A status page as Atlassian Statuspage serves it: /api/v2/status.json, summary.json and parts."""

from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.declared import Declared, Maintenance, Words

STATES = {
    "operational": "none",
    "under_maintenance": "maintenance",
    "degraded_performance": "minor",
    "partial_outage": "major",
    "major_outage": "critical",
}
WORDS = Words(
    components=tuple(STATES),
    maintenance=("scheduled", "in_progress", "verifying", "completed"),
    during="under_maintenance",
)
SAID = {
    "none": "All Systems Operational",
    "maintenance": "Service Under Maintenance",
    "minor": "Minor Service Outage",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}
PATH = "/api/v2/summary.json"


def documents(page: Declared, now: datetime) -> dict[str, dict[str, Any]]:
    """Each document by its path."""
    about = {"page": _page(page)}
    shown = page.listed(now, WORDS.during)
    worst = STATES[max((state for _, state in shown), key=WORDS.components.index)]
    status = {"status": {"indicator": worst, "description": SAID[worst]}}
    listed = [_component(n, name, state, page.updated) for n, (name, state) in enumerate(shown)]
    parts: dict[str, list[dict[str, Any]]] = {
        "components": listed,
        "incidents": [
            *(_incident(c, page.updated) for c in listed if c["status"] in BAD),
            *_declared(page, listed),
        ],
        "scheduled_maintenances": _planned(page.maintenance, listed, now),
    }
    return {
        "/api/v2/status.json": {**about, **status},
        "/api/v2/summary.json": {**about, **status, **parts},
        "/api/v2/components.json": {**about, "components": listed},
        "/api/v2/incidents/unresolved.json": {**about, "incidents": parts["incidents"]},
        "/api/v2/scheduled-maintenances.json": {
            **about,
            "scheduled_maintenances": parts["scheduled_maintenances"],
        },
    }


BAD = ("degraded_performance", "partial_outage", "major_outage")


def _page(page: Declared) -> dict[str, Any]:
    name = page.company
    url = f"https://status.{name.lower().replace(' ', '-')}.example"
    return {"id": "p1", "name": name, "url": url, "updated_at": iso(page.updated)}


def _component(n: int, name: str, state: str, updated: datetime) -> dict[str, Any]:
    return {
        "id": f"c{n}",
        "name": name,
        "status": state,
        "page_id": "p1",
        "position": n + 1,
        "description": None,
        "group": False,
        "group_id": None,
        "only_show_if_degraded": False,
        "updated_at": iso(updated),
    }


def _incident(component: dict[str, Any], updated: datetime) -> dict[str, Any]:
    return {
        "id": f"i-{component['id']}",
        "name": f"{component['name']} is not as it should be",
        "status": "investigating",
        "impact": STATES[component["status"]],
        "started_at": iso(updated),
        "resolved_at": None,
        "incident_updates": [],
        "components": [component],
    }


def _declared(page: Declared, listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is resolved has left the summary."""
    told = page.incident
    if told is None or told.status == "resolved":
        return []
    return [
        {
            "id": "i-told",
            "name": told.name,
            "status": told.status,
            "impact": told.impact,
            "started_at": iso(page.updated),
            "resolved_at": None,
            "incident_updates": [],
            "components": [c for c in listed if c["name"] == told.component],
        }
    ]


def _planned(
    planned: Maintenance | None, components: list[dict[str, Any]], now: datetime
) -> list[dict[str, Any]]:
    """What is completed has left the summary."""
    if planned is None:
        return []
    state = planned.state or _by_times(planned, now)
    if state == "completed":
        return []
    return [
        {
            "id": "m1",
            "name": f"Maintenance of {planned.component}",
            "status": state,
            "impact": "maintenance",
            "scheduled_for": iso(planned.starts_at),
            "scheduled_until": iso(planned.ends_at) if planned.ends_at else None,
            "incident_updates": [],
            "components": [c for c in components if c["name"] == planned.component],
        }
    ]


def _by_times(planned: Maintenance, now: datetime) -> str:
    if planned.is_over(now):
        return "completed"
    return "in_progress" if planned.holds(now) else "scheduled"
