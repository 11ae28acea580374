"""Asking what is not the vendor's API: our own services' health, and the vendor's status page.

Bodies are foreign: bounded in bytes and time, read strictly, and anything odd means unknown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.strict_json import loads

DEADLINE_S = 5.0
MAX_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: a status and a parsed body, or the kind of fault."""

    status: int | None
    body: Any
    fault: str | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """A consumer's own word: is it healthy, and which key does it hold?"""

    status: int | None
    healthy: bool
    fingerprint: str | None
    fault: str | None
    said: str
    latency_s: float


async def fetch_json(url: str, deadline_s: float = DEADLINE_S) -> Fetched:
    """One GET with no credential, no redirects, no proxy. Never raises for what the other side
    does."""
    began = time.monotonic()

    def done(status: int | None, body: Any, fault: str | None) -> Fetched:
        return Fetched(status, body, fault, time.monotonic() - began)

    try:
        async with (
            asyncio.timeout(deadline_s),
            httpx.AsyncClient(trust_env=False) as client,
            client.stream("GET", url, headers={"accept-encoding": "identity"}) as reply,
        ):
            raw = bytearray()
            async for chunk in reply.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    return done(reply.status_code, None, "too_large")
            return done(reply.status_code, loads(bytes(raw)), None)
    except TimeoutError:
        return done(None, None, "timeout")
    except httpx.ConnectError:
        return done(None, None, "refused")
    except httpx.HTTPError:
        return done(None, None, "protocol")
    except WatchkeeperError:
        return done(reply.status_code, None, "not_json")


async def service_health(url: str, fingerprint_field: str = "keyFingerprint") -> ServiceHealth:
    """Reads both shapes of checks that our services use: a mapping by name, or a list."""
    got = await fetch_json(url)
    body = got.body if isinstance(got.body, dict) else {}
    word = str(body.get("status", ""))
    failing = _failing_checks(body.get("checks"))
    healthy = got.status == 200 and word in ("healthy", "ok", "pass") and not failing
    said = f"status {word or 'not given'}" + (f"; failing: {', '.join(failing)}" if failing else "")
    shown = body.get(fingerprint_field)
    fingerprint = shown if isinstance(shown, str) else None
    return ServiceHealth(got.status, healthy, fingerprint, got.fault, said, got.latency_s)


def _failing_checks(checks: object) -> list[str]:
    if isinstance(checks, dict):
        named = [(name, check) for name, check in checks.items() if isinstance(check, dict)]
    elif isinstance(checks, list):
        named = [(str(c.get("name")), c) for c in checks if isinstance(c, dict)]
    else:
        return []
    return sorted(name for name, check in named if check.get("status") in (False, "fail"))


async def service_reading(watched: Watched, now: Callable[[], datetime]) -> Reading:
    """Our own integration service. Unhealthy because its vendor check fails is still an answer."""
    service = watched.integration.service
    assert service is not None
    at, health = now(), await service_health(service.health_url)
    outcome = Outcome.DOWN if health.status is None else Outcome.DEGRADED
    return Reading(
        probe="service",
        kind=Kind.SERVICE,
        target="our service",
        at=at,
        outcome=Outcome.OK if health.healthy else outcome,
        latency_s=health.latency_s,
        status=health.status,
        fault=health.fault,
        detail="" if health.healthy else health.said,
    )


async def status_page_reading(watched: Watched, now: Callable[[], datetime]) -> Reading:
    """The vendor's public word. Only a known state of the named component counts."""
    page, url = watched.runbook.status_page, watched.status_url
    assert page is not None and url is not None
    at, got = now(), await fetch_json(url)
    outcome, said = read_status(page.kind, got.body, page.component)
    return Reading(
        probe="status_page",
        kind=Kind.STATUS_PAGE,
        target="status page",
        at=at,
        outcome=outcome if got.status == 200 else Outcome.UNKNOWN,
        latency_s=got.latency_s,
        status=got.status,
        fault=got.fault,
        detail=said,
    )


_STATES = {
    "operational": Outcome.OK,
    "degraded": Outcome.DEGRADED,
    "degraded_performance": Outcome.DEGRADED,
    "downtime": Outcome.DOWN,
    "partial_outage": Outcome.DEGRADED,
    "major_outage": Outcome.DOWN,
    "maintenance": Outcome.DEGRADED,
    "under_maintenance": Outcome.DEGRADED,
}


def read_status(kind: str, body: object, component: str | None) -> tuple[Outcome, str]:
    """Better Stack's `included` resources or Statuspage v2's `components`, by component name."""
    if not isinstance(body, dict):
        return Outcome.UNKNOWN, "the page cannot be read"
    listed = body.get("included" if kind == "betterstack" else "components")
    for item in listed if isinstance(listed, list) else []:
        facts = item.get("attributes", item) if isinstance(item, dict) else {}
        if not isinstance(facts, dict):
            continue
        name = facts.get("public_name", facts.get("name"))
        if component is not None and name == component:
            state = str(facts.get("status"))
            return _STATES.get(state, Outcome.UNKNOWN), f"{component}: {state[:40]}"
    return Outcome.UNKNOWN, f"the page does not name {component}"
