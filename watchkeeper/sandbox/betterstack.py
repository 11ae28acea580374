"""A status page as Better Stack serves it: JSON:API, one document."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.declared import Declared, Incident, Maintenance, Words

WORDS = Words(
    components=("operational", "maintenance", "degraded", "downtime"),
    maintenance=("maintenance", "degraded", "downtime", "operational"),
    during="maintenance",
)
PATH = "/en/index.json"
FIRST_ID = 10


def document(page: Declared, now: datetime) -> dict[str, Any]:
    listed = page.listed(now, WORDS.during)
    worst = max((state for _, state in listed), key=WORDS.components.index)
    planned = [page.maintenance] if page.maintenance else []
    numbers = {name: FIRST_ID + n for n, (name, _) in reversed([*enumerate(listed)])}
    return {
        "data": {
            "id": "1",
            "type": "status_page",
            "attributes": {
                "company_name": page.company,
                "custom_domain": f"status.{page.company.lower().replace(' ', '-')}.example",
                "announcement": None,
                "aggregate_state": worst,
                "updated_at": iso(page.updated),
            },
        },
        "included": [
            {"id": "1", "type": "status_page_section", "attributes": {"name": "Services"}},
            *(component(FIRST_ID + n, name, state) for n, (name, state) in enumerate(listed)),
            *(report(numbers, one) for one in planned),
            *([incident(numbers, page.incident, page.updated)] if page.incident else []),
        ],
    }


def component(number: int, name: str, state: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "type": "status_page_resource",
        "attributes": {
            "public_name": name,
            "status": state,
            "explicit_status": None if state == "operational" else state,
            "availability": 0.9995,
            "status_history": [],
        },
    }


def incident(numbers: Mapping[str, int], told: Incident, began: datetime) -> dict[str, Any]:
    resolved = told.status == "resolved"
    state = "resolved" if resolved else "downtime" if told.impact == "critical" else "degraded"
    touched = [] if told.component is None else [numbers[told.component]]
    return {
        "id": "901",
        "type": "status_report",
        "attributes": {
            "title": told.name,
            "report_type": "manual",
            "starts_at": iso(began),
            "ends_at": iso(began) if resolved else None,
            "aggregate_state": state,
            "affected_resources": [
                {"status_page_resource_id": str(number), "status": state} for number in touched
            ],
        },
    }


def report(numbers: Mapping[str, int], planned: Maintenance) -> dict[str, Any]:
    number = numbers[planned.component]
    state = planned.state or "maintenance"
    return {
        "id": "900",
        "type": "status_report",
        "attributes": {
            "title": f"Maintenance of {planned.component}",
            "report_type": "maintenance",
            "starts_at": iso(planned.starts_at),
            "ends_at": iso(planned.ends_at) if planned.ends_at else None,
            "aggregate_state": state,
            "affected_resources": [{"status_page_resource_id": str(number), "status": state}],
        },
    }
