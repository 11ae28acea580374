"""The vendor's status page, in the shape that Better Stack serves.

python -m watchkeeper.sandbox.status_page [--port 0] [--tied]
"""

import json
from datetime import datetime
from typing import Any

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.clock import Clock, iso, utc_now
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

COMPONENTS = ("MaintainX App", "REST API", "GraphQL API", "Website")
STATES = ("operational", "maintenance", "degraded", "downtime")  # worst last


class StatusPage:
    """What people at the vendor have declared, which may lag what is so."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.states = dict.fromkeys(COMPONENTS, "operational")
        self.updated = clock()

    def app(self, ask: Ask) -> Reply:
        match ask.method, ask.path:
            case "GET", "/en/index.json":
                body = json.dumps(document(self.states, self.updated)).encode()
                # JSON under an HTML label: so the real page serves it.
                return Reply(200, body, "text/html; charset=utf-8")
            case "GET", "/api/v2/summary.json":
                return Reply(302, headers={"Location": "/en"})
            case "PUT", "/_sim/status":
                return self.declare(ask)
        return NOT_FOUND

    def declare(self, ask: Ask) -> Reply:
        try:
            told = ask.json()
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        if told.keys() - self.states.keys() or not set(told.values()) <= set(STATES):
            return as_json(400, {"error": f"{COMPONENTS} take one of {STATES}"})
        self.states.update(told)
        self.updated = self.clock()
        return as_json(200, self.states)


def document(states: dict[str, str], updated: datetime) -> dict[str, Any]:
    worst = max(states.values(), key=STATES.index)
    return {
        "data": {
            "id": "1",
            "type": "status_page",
            "attributes": {
                "company_name": "MaintainX",
                "custom_domain": "status.getmaintainx.com",
                "announcement": None,
                "aggregate_state": worst,
                "updated_at": iso(updated),
            },
        },
        "included": [
            {"id": "1", "type": "status_page_section", "attributes": {"name": "Services"}},
            *(component(10 + n, name, state) for n, (name, state) in enumerate(states.items())),
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


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    options = serving.parser("status_page", "The vendor's status page.").parse_args(argv)
    serving.obey(options.tied)
    sock = serving.listen(options.port)
    serving.ready("status_page", f"http://{serving.LOOPBACK}:{serving.port_of(sock)}")
    serve(sock, StatusPage(clock).app)


if __name__ == "__main__":
    main()
