"""Asking our own services how they are.

Bodies are foreign: bounded in bytes and time, read strictly, and anything odd means unknown.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from datetime import datetime

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.fetching import DEADLINE_S, Fetched, fetch_json
from watchkeeper.harmless import harmless
from watchkeeper.health_body import USUAL, Health, Part, Said, Vocabulary, read_answer
from watchkeeper.performing.past import address_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched

# A fingerprint and nothing else: a service that shows its key here must not have it kept by us.
_MARK = re.compile(r"[0-9a-f]{8,64}")

# Of a reading's 160 characters.
LONGEST_WORD, LONGEST_NAMES = 60, 100
FAILING, WARNING, NOT_UNDERSTOOD = "failing", "degraded", "not understood"


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """A consumer's own word: how is it, and which key does it hold? `health` is None where no answer
    came."""

    status: int | None
    health: Health | None
    fingerprint: str | None
    fault: str | None
    said: str
    latency_s: float


async def service_health(
    url: str,
    fingerprint_field: str = "keyFingerprint",
    deadline_s: float = DEADLINE_S,
    words: Vocabulary = USUAL,
) -> ServiceHealth:
    return read_health(await fetch_json(url, deadline_s), fingerprint_field, words)


def read_health(
    got: Fetched, fingerprint_field: str = "keyFingerprint", words: Vocabulary = USUAL
) -> ServiceHealth:
    """Whatever came; what is not understood is unknown."""
    body = got.body if isinstance(got.body, dict) else {}
    shown = body.get(fingerprint_field)
    fingerprint = shown if isinstance(shown, str) and _MARK.fullmatch(shown) else None
    said = _said(got, words)
    health = None if said is None else said.health
    told = "" if said is None else _told(said)
    return ServiceHealth(got.status, health, fingerprint, got.fault, told, got.latency_s)


def _said(got: Fetched, words: Vocabulary) -> Said | None:
    if got.status is None:
        return None
    if got.fault in (None, "not_json"):
        text = None if got.fault is None else got.raw.decode(errors="replace")
        return read_answer(got.status, got.body, text, words)
    # A body that does not come to its end is a fault of the service; one that we cannot read is not.
    broken = got.fault not in ("encoded", "too_large")
    return Said(Health.SICK if broken else Health.UNKNOWN, f"not given: {got.fault}")


def _told(said: Said) -> str:
    """`status ok; failing: database (down); not understood: cache (disabled)`."""
    lists = ((FAILING, Health.SICK), (WARNING, Health.DEGRADED), (NOT_UNDERSTOOD, Health.UNKNOWN))
    more = "".join(
        f"; {word}: {', '.join(named)}"
        for word, health in lists
        if (named := [_part(p) for p in said.parts if p.health is health])
    )
    if said.health is Health.UNKNOWN and not said.parts:
        more = f"; {NOT_UNDERSTOOD}"
    head = f"status {said.word or 'not given'}"
    return harmless(head, LONGEST_WORD) + harmless(more, LONGEST_NAMES)


def _part(part: Part) -> str:
    return f"{part.name} ({part.word})" if part.word else part.name


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
    assert service is not None
    at, words = watch.now(), vocabulary_of(watched)
    field = service.fingerprint_field
    found = health_reading(name, await service_health(url, field, deadline_s, words), at)
    return replace(found, of=address_of(url))


def vocabulary_of(watched: Watched) -> Vocabulary:
    """The usual words, those of the runbook, and over them those of the company."""
    service = watched.integration.service
    own = (watched.runbook.health_words, service.health_words if service else None)
    words = USUAL
    for more in filter(None, own):
        words = words.with_words(more.well, more.degraded, more.sick)
    return words


_OUTCOMES = {
    None: Outcome.DOWN,
    Health.WELL: Outcome.OK,
    Health.UNKNOWN: Outcome.UNKNOWN,
    Health.DEGRADED: Outcome.DEGRADED,
    Health.SICK: Outcome.DEGRADED,
}
_FAULTS = {Health.UNKNOWN: "not_understood", Health.DEGRADED: "degraded", Health.SICK: "sick"}


def health_reading(name: str, health: ServiceHealth, at: datetime) -> Reading:
    """DOWN is no answer at all: unhealthy because its check of the vendor fails is still one."""
    fault = health.fault if health.health is None else _FAULTS.get(health.health)
    return Reading(
        probe=name,
        kind=Kind.SERVICE,
        target="our service" if name == "service" else f"our service's {name.partition('/')[2]}",
        at=at,
        outcome=_OUTCOMES[health.health],
        latency_s=health.latency_s,
        status=health.status,
        fault=fault,
        detail="" if health.health is Health.WELL else health.said,
        signature=health.fingerprint or "",
    )
