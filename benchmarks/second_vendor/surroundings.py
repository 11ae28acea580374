"""The rest of the far side: status pages, a control site, our service, and our gateway.

Our service is only pretended: its health page, its metrics page and its log tell one story each,
which a planted fault chooses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from benchmarks.second_vendor.vendor import stamp, utc_now

Reach = Literal["ok", "slow", "refused", "hangs", "portal", "absent"]
StatusKind = Literal["betterstack", "statuspage_v2"]
Story = Literal[
    "fine",
    "vendor_401",
    "vendor_402",
    "vendor_403",
    "vendor_400",
    "vendor_308",
    "vendor_404",
    "vendor_429",
    "vendor_5xx",
    "unreachable",
    "unreadable",
    "stopped",
    "old_errors",
    "crash_loop",
    "stalled",
    "old_key",
    "queue_broken",
    "no_rows",
]

COMPONENTS: Final = ("MaintainX App", "REST API", "GraphQL API", "Website")
SLOW_SECONDS: Final = 4.0
PORTAL_PAGE: Final = (
    "<!doctype html><html><head><title>Guest Wi-Fi</title></head><body><h1>Welcome to Guest "
    "Wi-Fi</h1><p>Please accept the terms to go on.</p><form method=post action=/accept>"
    "<button>I accept</button></form></body></html>"
)
SHELL_PAGE: Final = "<!doctype html><html><body><div id=app></div></body></html>"


@dataclass(frozen=True)
class Report:
    """One entry of a status page, in minutes from now; ``ends`` None means still open."""

    title: str
    kind: Literal["incident", "maintenance"]
    components: Mapping[str, str]
    begins: float
    ends: float | None = None
    text: str = "We are looking into it."


@dataclass(frozen=True)
class StatusPlan:
    """What the vendor's status page shows."""

    kind: StatusKind = "betterstack"
    states: Mapping[str, str] = field(default_factory=dict)
    reports: tuple[Report, ...] = ()
    reach: Reach = "ok"


@dataclass(frozen=True)
class ServicePlan:
    """What our own service shows of itself."""

    story: Story = "fine"
    health: Reach = "ok"
    health_body: Mapping[str, object] | None = None
    metrics: Reach = "ok"
    log: bool = True


def _dated(response: Response) -> Response:
    """Add the Date header; uvicorn's own is switched off so that clocks can be wrong."""
    response.headers["Date"] = format_datetime(utc_now(), usegmt=True)
    return response


def _aggregate(states: Mapping[str, str]) -> str:
    """Sum the states of all components up to one word."""
    for word in ("downtime", "degraded", "maintenance"):
        if word in states.values():
            return word
    return "operational"


def betterstack_page(plan: StatusPlan, now: datetime) -> dict[str, object]:
    """Return the page in the JSON:API shape of Better Stack."""
    states = {name: plan.states.get(name, "operational") for name in COMPONENTS}
    numbers = {name: str(8_870_001 + n) for n, name in enumerate(COMPONENTS)}
    days = [(now - timedelta(days=n)).strftime("%Y-%m-%d") for n in range(3)]
    included: list[dict[str, object]] = [
        {
            "id": "311",
            "type": "status_page_section",
            "attributes": {"name": "Services", "position": 0},
        }
    ]
    for place, name in enumerate(COMPONENTS):
        included.append(
            {
                "id": numbers[name],
                "type": "status_page_resource",
                "attributes": {
                    "status_page_section_id": 311,
                    "resource_type": "Monitor",
                    "public_name": name,
                    "explanation": "",
                    "position": place,
                    "availability": 0.9994,
                    "status": states[name],
                    "explicit_status": None,
                    "status_history": [
                        {"day": day, "status": "operational", "downtime_duration": 0}
                        for day in reversed(days)
                    ],
                },
            }
        )
    for n, report in enumerate(plan.reports):
        begins = now + timedelta(minutes=report.begins)
        ends = None if report.ends is None else stamp(now + timedelta(minutes=report.ends))
        included.append(
            {
                "id": str(90_100 + n),
                "type": "status_report",
                "attributes": {
                    "title": report.title,
                    "report_type": "maintenance" if report.kind == "maintenance" else "manual",
                    "starts_at": stamp(begins),
                    "ends_at": ends,
                    "aggregate_state": _aggregate(report.components),
                    "affected_resources": [
                        {"status_page_resource_id": numbers[name], "status": state}
                        for name, state in report.components.items()
                    ],
                },
            }
        )
        included.append(
            {
                "id": str(95_100 + n),
                "type": "status_update",
                "attributes": {"message": report.text, "published_at": stamp(begins)},
            }
        )
    return {
        "data": {
            "id": "2207",
            "type": "status_page",
            "attributes": {
                "company_name": "MaintainX",
                "company_url": "https://www.getmaintainx.com",
                "custom_domain": "status.getmaintainx.com",
                "timezone": "UTC",
                "announcement": None,
                "aggregate_state": _aggregate(states),
                "updated_at": stamp(now - timedelta(minutes=3)),
            },
        },
        "included": included,
    }


_V2_STATE: Final = {
    "operational": "operational",
    "degraded": "degraded_performance",
    "partial": "partial_outage",
    "downtime": "major_outage",
    "maintenance": "under_maintenance",
}
_V2_IMPACT: Final = {"degraded": "minor", "partial": "major", "downtime": "critical"}


def statuspage_v2_page(plan: StatusPlan, now: datetime) -> dict[str, object]:
    """Return the page as ``summary.json`` of Statuspage version 2."""
    states = {name: plan.states.get(name, "operational") for name in COMPONENTS}
    page = {
        "id": "q7k2m1",
        "name": "MaintainX",
        "url": "https://status.getmaintainx.com",
        "updated_at": stamp(now - timedelta(minutes=3)),
    }
    parts = [
        {
            "id": f"cmp{n}",
            "name": name,
            "status": _V2_STATE[states[name]],
            "page_id": "q7k2m1",
            "position": n + 1,
            "group": False,
            "group_id": None,
            "updated_at": stamp(now - timedelta(minutes=3)),
        }
        for n, name in enumerate(COMPONENTS)
    ]
    incidents: list[dict[str, object]] = []
    planned: list[dict[str, object]] = []
    for n, report in enumerate(plan.reports):
        entry: dict[str, object] = {
            "id": f"inc{n}",
            "name": report.title,
            "started_at": stamp(now + timedelta(minutes=report.begins)),
            "created_at": stamp(now + timedelta(minutes=report.begins)),
            "resolved_at": None,
            "incident_updates": [{"status": "investigating", "body": report.text}],
            "components": [part for part in parts if part["name"] in report.components],
        }
        if report.kind == "maintenance":
            ends = report.ends if report.ends is not None else report.begins + 60
            entry |= {
                "status": "in_progress",
                "impact": "maintenance",
                "scheduled_for": entry["started_at"],
                "scheduled_until": stamp(now + timedelta(minutes=ends)),
            }
            planned.append(entry)
        else:
            worst = max(_V2_IMPACT.get(state, "none") for state in report.components.values())
            entry |= {"status": "investigating", "impact": worst}
            incidents.append(entry)
    indicator = next(
        (
            _V2_IMPACT[state]
            for state in ("downtime", "partial", "degraded")
            if state in states.values()
        ),
        "none",
    )
    words = {
        "none": "All Systems Operational",
        "minor": "Minor Service Outage",
        "major": "Partial System Outage",
        "critical": "Major System Outage",
    }
    return {
        "page": page,
        "status": {"indicator": indicator, "description": words[indicator]},
        "components": parts,
        "incidents": incidents,
        "scheduled_maintenances": planned,
    }


def status_app(plan: StatusPlan) -> Starlette:
    """Return the status page as an application; its times are fixed when it is made."""
    made = utc_now()

    async def wait() -> None:
        if plan.reach == "slow":
            await asyncio.sleep(SLOW_SECONDS)

    async def better(_: Request) -> Response:
        await wait()
        if plan.reach == "portal":
            return _dated(HTMLResponse(PORTAL_PAGE))
        # Better Stack labels this JSON text/html; readers must not trust the label.
        body = json.dumps(betterstack_page(plan, made))
        return _dated(Response(body, media_type="text/html"))

    async def summary(_: Request) -> Response:
        await wait()
        return _dated(JSONResponse(statuspage_v2_page(plan, made)))

    async def short(_: Request) -> Response:
        await wait()
        page = statuspage_v2_page(plan, made)
        return _dated(JSONResponse({"page": page["page"], "status": page["status"]}))

    async def shell(_: Request) -> Response:
        await wait()
        return _dated(HTMLResponse(PORTAL_PAGE if plan.reach == "portal" else SHELL_PAGE))

    if plan.kind == "betterstack":
        routes = [Route("/en/index.json", better), Route("/index.json", better)]
    else:
        routes = [Route("/api/v2/summary.json", summary), Route("/api/v2/status.json", short)]
    return Starlette(routes=[*routes, Route("/{rest:path}", shell)])


def control_app(reach: Reach) -> Starlette:
    """Return the harmless site that serves for comparison."""

    async def page(_: Request) -> Response:
        if reach == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if reach == "portal":
            return _dated(HTMLResponse(PORTAL_PAGE))
        return _dated(PlainTextResponse("ok\n"))

    return Starlette(routes=[Route("/{rest:path}", page)])


_VENDOR_TROUBLE: Final = frozenset(
    {
        "vendor_401",
        "vendor_402",
        "vendor_403",
        "vendor_400",
        "vendor_429",
        "vendor_5xx",
        "unreachable",
        "unreadable",
        "old_key",
    }
)
"""The stories in which our service sees the vendor fail and says so on its health page."""


def service_app(plan: ServicePlan) -> Starlette:
    """Return our integration service as far as it can be seen: ``/health`` and ``/metrics``."""
    born = utc_now()

    async def health(_: Request) -> Response:
        if plan.health == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if plan.health_body is not None:
            return _dated(JSONResponse(dict(plan.health_body)))
        vendor_ok = plan.story not in _VENDOR_TROUBLE
        body = {
            "status": "healthy" if vendor_ok else "degraded",
            "timestamp": stamp(utc_now()),
            "checks": {
                "maintainx_api": {"status": vendor_ok, "latencyMs": 48},
                "database": {"status": True, "latencyMs": 3},
                "job_queue": {"status": True, "latencyMs": 1},
            },
        }
        return _dated(JSONResponse(body))

    async def metrics(_: Request) -> Response:
        if plan.metrics == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        text = metrics_text(plan.story, born, utc_now())
        return _dated(PlainTextResponse(text, media_type="text/plain; version=0.0.4"))

    return Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])


def metrics_text(story: Story, born: datetime, now: datetime) -> str:
    """Return the metrics of our service in Prometheus text; counters grow with the clock."""
    since = (now - born).total_seconds()
    per_second = {"vendor_429": 2.4}.get(story, 0.07)
    failing = story in _VENDOR_TROUBLE
    good = 18_400.0 if failing else round(18_400 + since * per_second)
    bad = round(310 + since * per_second) if failing else {"old_errors": 2_914}.get(story, 3)
    code = {
        "vendor_401": "401",
        "vendor_402": "402",
        "vendor_403": "403",
        "vendor_400": "400",
        "vendor_429": "429",
        "old_key": "401",
    }.get(story, "503")
    age = {"stalled": 9 * 3600.0, "crash_loop": 2_900.0}.get(story, 1_500.0 if failing else 60.0)
    life = 40.0 if story == "crash_loop" else 3.5 * 86400
    left = 0 if story == "vendor_429" else 91
    lines = [
        "# HELP maintainx_api_requests_total Requests sent to the vendor.",
        "# TYPE maintainx_api_requests_total counter",
        f'maintainx_api_requests_total{{endpoint="workorders",status="200"}} {good}',
        f'maintainx_api_requests_total{{endpoint="workorders",status="{code}"}} {bad}',
        "# HELP maintainx_api_errors_total Failed requests to the vendor.",
        "# TYPE maintainx_api_errors_total counter",
        f"maintainx_api_errors_total {bad}",
        "# HELP maintainx_api_requests_per_minute Requests of ours in the last minute.",
        "# TYPE maintainx_api_requests_per_minute gauge",
        f"maintainx_api_requests_per_minute {round(per_second * 60)}",
        "# HELP maintainx_rate_limit_remaining Budget left as last seen.",
        "# TYPE maintainx_rate_limit_remaining gauge",
        f"maintainx_rate_limit_remaining {left}",
        "# HELP maintainx_last_success_timestamp_seconds End of the last whole sync.",
        "# TYPE maintainx_last_success_timestamp_seconds gauge",
        f"maintainx_last_success_timestamp_seconds {born.timestamp() - age:.0f}",
        "# HELP process_start_time_seconds Start of the process.",
        "# TYPE process_start_time_seconds gauge",
        f"process_start_time_seconds {born.timestamp() - life:.0f}",
    ]
    return "\n".join(lines) + "\n"


_TROUBLE_WORDS: Final[Mapping[str, str]] = {
    "vendor_401": "GET /workorders: HTTP 401 from vendor",
    "vendor_402": "GET /workorders: HTTP 402 from vendor",
    "vendor_403": "GET /workorders: HTTP 403 from vendor",
    "vendor_400": "GET /workorders: HTTP 400 from vendor",
    "vendor_308": "GET /workorders: unexpected redirect HTTP 308, not followed",
    "vendor_404": "GET /parts: HTTP 404 from vendor",
    "vendor_429": "GET /workorders: HTTP 429 from vendor",
    "vendor_5xx": "GET /workorders: HTTP 5xx from vendor",
    "unreachable": "GET /workorders: no answer from vendor",
    "unreadable": "GET /workorders: answer cannot be read",
    "old_key": "GET /workorders: HTTP 401 from vendor, using key version 3",
}


def log_lines(story: Story, now: datetime) -> list[str]:
    """Return the log of our service as JSON lines, oldest first."""
    rows: list[tuple[float, str, str]] = []

    def good(*, until: float, since: float, step: float = 30.0) -> None:
        minutes = since
        while minutes > until:
            rows.append((minutes, "INFO", "sync workorders finished: 14 read, 2 changed"))
            minutes -= step

    if story == "old_errors":
        rows += [
            (
                3 * 1440 + n * 2,
                "ERROR",
                f"GET /workorders: HTTP {401 if n % 2 else 503} from vendor",
            )
            for n in range(60)
        ]
        rows.append((3 * 1440 - 5, "INFO", "sync recovered after 60 failures"))
        good(since=3 * 1440 - 10, until=1)
        rows.append((0.5, "INFO", "sync workorders finished: 11 read, 1 changed"))
    elif story == "crash_loop":
        good(since=600, until=50)
        for n in range(6):
            rows.append((20.0 - n * 3.4, "INFO", "maintainx-sync starting (pid 1, limit 512Mi)"))
            rows.append((19.0 - n * 3.4, "INFO", "sync workorders started"))
            if n < 5:
                rows.append((17.0 - n * 3.4, "FATAL", "Killed: out of memory (exit code 137)"))
        rows.append((0.9, "FATAL", "Killed: out of memory (exit code 137)"))
        rows.append((0.66, "INFO", "maintainx-sync starting (pid 1, limit 512Mi)"))
    elif story == "stalled":
        good(since=1_200, until=541)
        rows.append((540, "INFO", "sync workorders finished: 9 read, 1 changed"))
        rows.append((510, "INFO", "sync workorders started"))
        rows += [(float(n), "DEBUG", "heartbeat") for n in range(500, 0, -25)]
    elif story == "stopped":
        good(since=600, until=44)
        rows.append((16, "INFO", "sync workorders started"))
        rows.append((15, "INFO", "reading page 3 of workorders"))
    elif story == "queue_broken":
        good(since=600, until=40)
        rows += [
            (float(n), "ERROR", "job queue: cannot take jobs, connection pool exhausted")
            for n in range(36, 0, -4)
        ]
    elif story == "no_rows":
        good(since=600, until=40)
        rows += [(n, "INFO", "sync workorders finished: 0 read, 0 changed") for n in (30.0, 15, 1)]
    else:
        good(since=600, until=26)
        if story == "old_key":
            rows.append((26, "INFO", "secret store: key version 4 added, version 3 revoked"))
        words = _TROUBLE_WORDS.get(story)
        if words is None:
            rows.append((1, "INFO", "sync workorders finished: 12 read, 2 changed"))
        else:
            rows += [(float(n), "ERROR", words) for n in range(25, 0, -3)]
    rows.sort(key=lambda row: -row[0])
    return [
        json.dumps({"ts": stamp(now - timedelta(minutes=ago)), "level": level, "msg": text})
        for ago, level, text in rows
    ]


def write_log(folder: Path, story: Story, now: datetime) -> Path:
    """Write the log of our service into a folder and return its path."""
    path = folder / "maintainx-sync.log"
    path.write_text("\n".join(log_lines(story, now)) + "\n", encoding="utf-8")
    return path


GatewayMode = Literal["passes", "drops_key", "no_upstream", "timeout"]


def gateway_app(mode: GatewayMode, upstream: str) -> Starlette:
    """Return our own forwarder in front of the vendor, sound or broken."""

    async def forward(request: Request) -> Response:
        marks = {"Server": "egress-gateway", "Via": "1.1 egress-gateway"}
        if mode == "no_upstream":
            return _dated(PlainTextResponse("no healthy upstream", 502, marks))
        if mode == "timeout":
            await asyncio.sleep(2.0)
            return _dated(PlainTextResponse("upstream request timeout", 504, marks))
        wanted = ("authorization", "accept", "x-organization-id")
        headers = {name: request.headers[name] for name in wanted if name in request.headers}
        if mode == "drops_key":
            headers.pop("authorization", None)
        target = upstream + request.url.path
        if request.url.query:
            target += "?" + request.url.query
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(request.method, target, headers=headers)
        skipped = ("content-length", "content-encoding", "transfer-encoding", "connection")
        passed = {name: value for name, value in answer.headers.items() if name not in skipped}
        return Response(answer.content, answer.status_code, {**passed, "Via": marks["Via"]})

    return Starlette(routes=[Route("/{rest:path}", forward)])
