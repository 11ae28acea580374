"""Cases of what answers, and is not understood, or says less than it seems to: health bodies, status
pages, logs and metrics. What is not understood is neither well nor a cause."""

from __future__ import annotations

from typing import Any

from deployments.drill.cases.case import Case

M, T = "maintainx", "twinmind"


def says(body: Any = None, **more: Any) -> tuple[dict[str, Any], ...]:
    return ({"kind": "health_says", "body": body, **more},)


SICK: dict[str, Any] = {"causes": ("service_unhealthy",), "severity": 2, "proven": False}
FINE: dict[str, Any] = {"causes": (), "severity": None, "record": ("well_walked",)}
NOT_READ: dict[str, Any] = {**FINE, "read_as": {"service": "unknown"}}

# What our own service says of its health, in shapes that others use (D1, D14).
_HEALTH = (
    Case(name="health-part-down", says="status ok, and its database is down", vendor=M, **SICK,
         service=says({"status": "ok", "checks": {"database": "down"}})),
    Case(name="health-json-fail", says="health+json: one check fails", vendor=M, **SICK,
         service=says({"checks": {"db": [{"status": "fail"}]}})),
    Case(name="health-json-warn", says="health+json: one check warns", vendor=T, **SICK,
         service=says({"status": "pass", "checks": {"cpu": [{"status": "warn"}]}})),
    Case(name="health-spring-up", says="Spring Boot is UP", vendor=M, **FINE,
         service=says({"status": "UP", "components": {"db": {"status": "UP"}}})),
    Case(name="health-spring-part-down", says="Spring Boot is UP, a nested part is not", vendor=M,
         **SICK, service=says({"status": "UP", "components": {
             "db": {"status": "UP", "components": {"two": {"status": "OUT_OF_SERVICE"}}}}})),
    Case(name="health-503-with-body", says="503, and the body names the part", vendor=T, **SICK,
         service=says({"status": "Unhealthy", "entries": {"sql": {"status": "Unhealthy"}}},
                      status=503)),
    Case(name="health-kubernetes-lines", says="livez?verbose: etcd has failed", vendor=M, **SICK,
         service=says(text="[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed")),
    Case(name="health-plain-ok", says="the word ok as text", vendor=T, **FINE, service=says(text="ok")),
    Case(name="health-unknown-shape", says="a body that says nothing of health", vendor=M,
         **NOT_READ, service=says({"message": "hello"})),
    Case(name="health-unknown-part", says="status ok, and a part whose word is not known", vendor=M,
         **NOT_READ, service=says({"status": "ok", "checks": {"cache": "disabled"}})),
    Case(name="health-url-gone", says="our health address answers 404", vendor=T, **NOT_READ,
         service=says({"error": "not found"}, status=404)),
    Case(name="health-spa", says="a web page where the health should be", vendor=M, **NOT_READ,
         service=says(text="<!doctype html><html><body><div id=app>Loading</div></body></html>")),
)  # fmt: skip

LONG_AGO = {"starts_at": "2026-01-30T08:00:00Z", "ends_at": "2026-01-30T09:00:00Z"}
OUTAGE: dict[str, Any] = {
    "faults": ({"kind": "outage", "status": 503},), "causes": ("vendor_outage",), "severity": 1,
}  # fmt: skip


def incident(component: str | None, impact: str = "minor", **more: Any) -> dict[str, Any]:
    named = {"name": "Elevated error rates", "component": component, "impact": impact}
    return {"incident": {**named, **more}}


def page(outcome: str, **told: Any) -> dict[str, Any]:
    return {"page": told, "read_as": {"status_page": outcome}}


# What the vendor's status page says: incidents, doubled names, maintenance of another time (D2, D15).
_PAGES = (
    Case(name="page-open-incident", says="all lines operational, and an open incident", vendor=T,
         **OUTAGE, proven=True, **page("degraded", **incident(None, status="investigating"))),
    Case(name="page-incident-names-us", says="an open incident names the API, and is critical",
         vendor=M, **OUTAGE, proven=True, **page("down", **incident("REST API", "critical"))),
    Case(name="page-incident-of-another", says="an open incident names another component", vendor=M,
         **OUTAGE, **page("ok", **incident("Website", "critical"))),
    Case(name="page-incident-all-answers", says="an open incident, and every endpoint answers",
         vendor=M, **FINE, **page("degraded", **incident("REST API"))),
    Case(name="page-doubled-name", says="two lines of the same name, one of them down", vendor=M,
         **OUTAGE, page_kind="statuspage_v2", proven=True,
         **page("down", twins={"REST API": "major_outage"})),
    Case(name="page-stale-maintenance", says="401 on all; a maintenance in progress since months",
         vendor=T, faults=({"kind": "key_expired"},), causes=("api_key_expired",), severity=1,
         proven=False, **page("ok", maintenance={
             "component": "API", **LONG_AGO, "state": "in_progress"})),
    Case(name="page-maintenance-of-another", says="503 while another component is maintained",
         vendor=M, **OUTAGE, page_kind="statuspage_v2", **page("ok", maintenance={
             "component": "Website", **LONG_AGO, "ends_at": None, "state": "in_progress"})),
    Case(name="page-incident-io", says="incident.io's widget names the API", vendor=M, **OUTAGE,
         page_kind="incident_io", proven=True, **page("down", **{"REST API": "full_outage"})),
    Case(name="page-instatus", says="Instatus: an incident on a line that is operational", vendor=M,
         **OUTAGE, page_kind="instatus", proven=True, **page("degraded", **incident("REST API"))),
    Case(name="page-feed", says="a feed states an open incident of the API", vendor=T, **OUTAGE,
         page_kind="feed", proven=True, **page("degraded", **incident("API"))),
    Case(name="page-feed-of-whom", says="a feed states an open incident, and not whose", vendor=T,
         **OUTAGE, page_kind="feed", **page("unknown", **incident(None))),
)  # fmt: skip


def log(outcome: str) -> dict[str, Any]:
    return {**FINE, "read_as": {"errors": outcome}}


# What our service's log says, and of when (D16, D17, D18).
_LOGS = (
    Case(name="log-tokyo", says="times of Tokyo without a zone, which is stated", vendor=M,
         log="tokyo", **log("down")),
    Case(name="log-pino-old", says="pino: an error 26 hours old, by its epoch", vendor=M,
         log="pino_old", **log("ok")),
    Case(name="log-pino-level", says="pino: level 50, and no word of error", vendor=M,
         log="pino_error", **log("down")),
    Case(name="log-syslog-old", says="syslog without a year: an error of yesterday", vendor=M,
         log="syslog_old", **log("ok")),
    Case(name="log-far-word", says="the error word behind 2,600 characters of JSON", vendor=M,
         log="far_word", **log("down")),
    Case(name="log-empty", says="an empty log: 0 of 0 lines", vendor=M, log="empty", **log("unknown")),
    Case(name="log-rotated", says="empty after a rotation; the part put aside has an error",
         vendor=M, log="rotated", **log("down")),
    Case(name="log-silent", says="no line for three hours", vendor=M, log="silent", **log("unknown")),
    Case(name="log-undated", says="an error line that tells no time", vendor=M, log="undated",
         **log("unknown")),
)  # fmt: skip


def metric(name: str, outcome: str, **more: Any) -> dict[str, Any]:
    planted = {"kind": "metric_lost", **more}
    return {**FINE, "measured": True, "service": (planted,), "read_as": {name: outcome}}


# Metrics that vanish from a page that answers.
_METRICS = (
    Case(name="metric-vanished", says="the page answers without a metric", vendor=T,
         **metric("queue", "unknown", metric="twinmind_queue_length")),
    Case(name="metric-no-number", says="a metric is NaN", vendor=T,
         **metric("queue", "unknown", metric="twinmind_queue_length", value="NaN")),
)  # fmt: skip

NOT_UNDERSTOOD = (*_HEALTH, *_PAGES, *_LOGS, *_METRICS)
