"""Asking our own services how they are, and reading what the vendor says of itself.

Bodies are foreign: bounded in bytes and time, read strictly, and anything odd means unknown.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.fetching import DEADLINE_S, Fetched, fetch_json
from watchkeeper.harmless import harmless
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import StatusPage
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.status_page import read_status

# A fingerprint and nothing else: a service that shows its key here must not have it kept by us.
_MARK = re.compile(r"[0-9a-f]{8,64}")

# Of a reading's 160 characters.
LONGEST_WORD, LONGEST_NAMES = 60, 100


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """A consumer's own word: is it healthy, and which key does it hold?"""

    status: int | None
    healthy: bool
    fingerprint: str | None
    fault: str | None
    said: str
    latency_s: float


async def service_health(
    url: str, fingerprint_field: str = "keyFingerprint", deadline_s: float = DEADLINE_S
) -> ServiceHealth:
    return read_health(await fetch_json(url, deadline_s), fingerprint_field)


def read_health(got: Fetched, fingerprint_field: str = "keyFingerprint") -> ServiceHealth:
    """Reads both shapes of checks that our services use: a mapping by name, or a list."""
    body = got.body if isinstance(got.body, dict) else {}
    word = str(body.get("status", ""))
    failing = _failing_checks(body.get("checks"))
    healthy = got.status == 200 and word in ("healthy", "ok", "pass") and not failing
    more = f"; failing: {', '.join(failing)}" if failing else ""
    said = harmless(f"status {word or 'not given'}", LONGEST_WORD) + harmless(more, LONGEST_NAMES)
    shown = body.get(fingerprint_field)
    fingerprint = shown if isinstance(shown, str) and _MARK.fullmatch(shown) else None
    return ServiceHealth(got.status, healthy, fingerprint, got.fault, said, got.latency_s)


def _failing_checks(checks: object) -> list[str]:
    if isinstance(checks, dict):
        named = [(name, check) for name, check in checks.items() if isinstance(check, dict)]
    elif isinstance(checks, list):
        named = [(str(c.get("name")), c) for c in checks if isinstance(c, dict)]
    else:
        return []
    return sorted(name for name, check in named if check.get("status") in (False, "fail"))


async def service_readings(
    watch: Watch, watched: Watched, deadline_s: float
) -> tuple[Reading, ...]:
    """Our own integration service, at each of its health URLs, and the key it shows."""
    service = watched.integration.service
    if service is None:
        return ()
    urls = {"service": service.health_url}
    urls |= {f"service/{name}": url for name, url in service.health_urls.items()}
    return tuple(
        await asyncio.gather(
            *(_service(watch, watched, name, url, deadline_s) for name, url in urls.items())
        )
    )


async def _service(
    watch: Watch, watched: Watched, name: str, url: str, deadline_s: float
) -> Reading:
    service = watched.integration.service
    field = service.fingerprint_field if service else ""
    at = watch.now()
    return health_reading(name, await service_health(url, field, deadline_s), at)


def health_reading(name: str, health: ServiceHealth, at: datetime) -> Reading:
    """Unhealthy because its check of the vendor fails is still an answer."""
    silent = Outcome.DOWN if health.status is None else Outcome.DEGRADED
    return Reading(
        probe=name,
        kind=Kind.SERVICE,
        target="our service" if name == "service" else f"our service's {name.partition('/')[2]}",
        at=at,
        outcome=Outcome.OK if health.healthy else silent,
        latency_s=health.latency_s,
        status=health.status,
        fault=health.fault,
        detail="" if health.healthy or health.status is None else health.said,
        signature=health.fingerprint or "",
    )


async def status_page_reading(watch: Watch, watched: Watched, deadline_s: float) -> Reading:
    """The vendor's public word."""
    page, url = watched.runbook.status_page, watched.status_url
    assert page is not None and url is not None
    at = watch.now()
    return status_reading(page, await fetch_json(url, min(deadline_s, DEADLINE_S)), at)


def status_reading(page: StatusPage, got: Fetched, at: datetime) -> Reading:
    """Only a known state of the named component counts."""
    told = read_status(page, got.body, at)
    return Reading(
        probe="status_page",
        kind=Kind.STATUS_PAGE,
        target="status page",
        at=at,
        outcome=told.outcome if got.status == 200 else Outcome.UNKNOWN,
        latency_s=got.latency_s,
        status=got.status,
        fault=got.fault or ("maintenance" if told.maintenance else None),
        detail=told.said,
        skew_s=None if got.date is None else (got.date - at).total_seconds(),
    )
