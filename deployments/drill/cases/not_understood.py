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
NOT_READ: dict[str, Any] = {**FINE, "unknown": ("service",)}

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

NOT_UNDERSTOOD = _HEALTH
