"""A status page as Better Stack serves it: JSON:API, one document."""

from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.declared import Declared, Maintenance, Words

WORDS = Words(
    components=("operational", "maintenance", "degraded", "downtime"),
    maintenance=("maintenance", "degraded", "downtime", "operational"),
    during="maintenance",
)
PATH = "/en/index.json"
FIRST_ID = 10


def document(page: Declared, now: datetime) -> dict[str, Any]:
    states = page.shown(now, WORDS.during)
    worst = max(states.values(), key=WORDS.components.index)
    planned = [page.maintenance] if page.maintenance else []
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
            *(
                component(FIRST_ID + n, name, state)
                for n, (name, state) in enumerate(states.items())
            ),
            *(report(page, one) for one in planned),
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


def report(page: Declared, planned: Maintenance) -> dict[str, Any]:
    number = FIRST_ID + list(page.states).index(planned.component)
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
