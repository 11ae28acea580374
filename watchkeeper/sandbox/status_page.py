"""The vendor's status page, in the shape that each of the usual hosts serves.

    python -m watchkeeper.sandbox.status_page
        [--kind betterstack|statuspage_v2|incident_io|instatus|feed] [--path PATH]
        [--components NAME...] [--company NAME] [--port 0] [--tied]

GET /_sim/status tells what is declared; PUT changes it: {"REST API": "downtime", "maintenance":
{"component", "starts_at", "ends_at", "state"} or null, "incident": {"name", "component", "status",
"impact"} or null, "twins": {"REST API": "downtime"} or null, "broken": "html", "500", "hang",
"other_company" or null}.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from watchkeeper.sandbox import (
    betterstack,
    feed,
    incident_io,
    instatus,
    serving,
    statuspage_v2,
)
from watchkeeper.sandbox.clock import Clock, iso, utc_now
from watchkeeper.sandbox.declared import Declared, Words, declare, elsewhere
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

COMPONENTS = ("MaintainX App", "REST API", "GraphQL API", "Website")
COMPANY = "MaintainX"
HTML = "text/html; charset=utf-8"
KINDS: dict[str, tuple[Words, str]] = {
    "betterstack": (betterstack.WORDS, betterstack.PATH),
    "statuspage_v2": (statuspage_v2.WORDS, statuspage_v2.PATH),
    "incident_io": (incident_io.WORDS, incident_io.PATH),
    "instatus": (instatus.WORDS, instatus.PATH),
    "feed": (feed.WORDS, feed.PATH),
}
HUNG_S = 120.0


class StatusPage:
    """`path` is where the document is that a runbook reads; a page's usual paths answer too."""

    def __init__(
        self,
        clock: Clock,
        kind: str = "betterstack",
        path: str | None = None,
        components: tuple[str, ...] = COMPONENTS,
        company: str = COMPANY,
    ) -> None:
        self.clock = clock
        self.kind = kind
        self.words, usual = KINDS[kind]
        self.path = path or usual
        self.page = Declared(company, dict.fromkeys(components, self.words.components[0]), clock())

    def app(self, ask: Ask) -> Reply:
        if ask.path == "/_sim/status":
            return self.declare(ask) if ask.method == "PUT" else as_json(200, self.declared())
        broken = _broken(self.page)
        return broken or self.shown(ask)

    def shown(self, ask: Ask) -> Reply:
        found = self.documents().get(ask.path) if ask.method == "GET" else None
        if found is not None:
            # JSON under an HTML label: so Better Stack's real page serves it.
            if isinstance(found, bytes):
                return Reply(200, found, "application/rss+xml; charset=utf-8")
            label = HTML if self.kind == "betterstack" else "application/json; charset=utf-8"
            return Reply(200, json.dumps(found).encode(), label)
        if self.kind == "betterstack" and ask.path == statuspage_v2.PATH:
            return Reply(302, headers={"Location": "/en"})
        return NOT_FOUND

    def documents(self) -> dict[str, dict[str, Any] | bytes]:
        """Each by its path: JSON, or a feed's bytes."""
        now = self.clock()
        well = self.words.components[0]
        page = elsewhere(now, well) if self.page.broken == "other_company" else self.page
        alone: dict[str, Callable[[Declared, datetime], dict[str, Any] | bytes]] = {
            "betterstack": betterstack.document,
            "incident_io": incident_io.document,
            "feed": feed.document,
        }
        if self.kind in alone:
            document = alone[self.kind](page, now)
            return {KINDS[self.kind][1]: document, self.path: document}
        if self.kind == "instatus":
            pages = instatus.documents(page, now)
            return {self.path: pages.get(self.path, pages[instatus.PATH]), **pages}
        found = statuspage_v2.documents(page, now)
        usual = "/api/v2/status.json" if self.path.endswith("status.json") else statuspage_v2.PATH
        return {self.path: found[usual], **found}

    def declare(self, ask: Ask) -> Reply:
        try:
            self.page = declare(self.page, ask.json(), self.words, self.clock())
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        return as_json(200, self.declared())

    def declared(self) -> dict[str, Any]:
        planned = self.page.maintenance
        return {
            **self.page.states,
            "maintenance": planned
            and {
                "component": planned.component,
                "starts_at": iso(planned.starts_at),
                "ends_at": planned.ends_at and iso(planned.ends_at),
                "state": planned.state,
            },
            "incident": self.page.incident and asdict(self.page.incident),
            "twins": dict(self.page.twins),
            "broken": self.page.broken,
        }


def _broken(page: Declared) -> Reply | None:
    match page.broken:
        case "html":
            return Reply(200, b"<!doctype html><html><body>Loading</body></html>", HTML)
        case "500":
            return Reply(500, b"<html><body>Something went wrong</body></html>", HTML)
        case "hang":
            return Reply(503, delay_s=HUNG_S)
    return None


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("status_page", "The vendor's status page.")
    parser.add_argument("--kind", choices=KINDS, default="betterstack")
    parser.add_argument("--path", help="where the document is that a runbook reads")
    parser.add_argument("--components", nargs="+", default=COMPONENTS, metavar="NAME")
    parser.add_argument("--company", default=COMPANY)
    options = parser.parse_args(argv)
    page = StatusPage(clock, options.kind, options.path, tuple(options.components), options.company)
    serving.obey(options.tied)
    sock = serving.listen(options.port)
    serving.ready("status_page", f"http://{serving.LOOPBACK}:{serving.port_of(sock)}")
    serve(sock, page.app)


if __name__ == "__main__":
    main()
