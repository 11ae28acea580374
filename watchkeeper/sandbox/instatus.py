"""A status page as Instatus serves it: /summary.json and /v2/components.json."""

from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.declared import Declared, Words

WORDS = Words(
    components=(
        "OPERATIONAL",
        "UNDERMAINTENANCE",
        "DEGRADEDPERFORMANCE",
        "PARTIALOUTAGE",
        "MAJOROUTAGE",
    ),
    maintenance=("NOTSTARTEDYET", "INPROGRESS", "COMPLETED"),
    during="UNDERMAINTENANCE",
)
PATH = "/v2/components.json"
IMPACTS = {
    "none": "OPERATIONAL",
    "minor": "DEGRADEDPERFORMANCE",
    "major": "PARTIALOUTAGE",
    "critical": "MAJOROUTAGE",
}


def documents(page: Declared, now: datetime) -> dict[str, dict[str, Any]]:
    """Each document by its path. A key without items is left out of the summary, as there."""
    listed = page.listed(now, WORDS.during)
    rows = [
        {
            "id": f"c{n}",
            "name": name,
            "description": "",
            "status": state,
            "group": None,
            "activeIncidents": [_incident(page)] if _of(page, name) else [],
        }
        for n, (name, state) in enumerate(listed)
    ]
    summary: dict[str, Any] = {
        "page": {"name": page.company, "url": "https://status.example", "status": _whole(listed)}
    }
    if page.incident is not None and page.incident.status != "resolved":
        summary["activeIncidents"] = [_incident(page)]
        summary["page"]["status"] = "HASISSUES"
    if page.maintenance is not None and page.maintenance.holds(now):
        summary["activeMaintenances"] = [_maintenance(page)]
    return {
        "/summary.json": summary,
        "/v2/components.json": {"components": rows},
        "/v3/components.json": {"components": rows},
    }


def _of(page: Declared, name: str) -> bool:
    told = page.incident
    return told is not None and told.status != "resolved" and told.component == name


def _whole(listed: list[tuple[str, str]]) -> str:
    states = {state for _, state in listed} - {"OPERATIONAL"}
    if states == {"UNDERMAINTENANCE"}:
        return "UNDERMAINTENANCE"
    return "HASISSUES" if states else "UP"


def _incident(page: Declared) -> dict[str, Any]:
    told = page.incident
    assert told is not None
    return {
        "id": "i1",
        "name": told.name,
        "started": iso(page.updated),
        "status": told.status.upper(),
        "impact": IMPACTS[told.impact],
        "url": "https://status.example/i1",
        "updatedAt": iso(page.updated),
    }


def _maintenance(page: Declared) -> dict[str, Any]:
    planned = page.maintenance
    assert planned is not None
    length = (planned.ends_at - planned.starts_at).total_seconds() if planned.ends_at else 0
    return {
        "id": "m1",
        "name": f"Maintenance of {planned.component}",
        "start": iso(planned.starts_at),
        "status": planned.state or "INPROGRESS",
        "duration": str(round(length / 60)),
        "url": "https://status.example/m1",
    }
