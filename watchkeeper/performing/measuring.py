"""Measuring: what our own service counts of its work for this vendor, judged by the runbook."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256

from watchkeeper.errors import Transient
from watchkeeper.evidence import Reading
from watchkeeper.metrics import MetricsSource, Number, Scrape, Silent, Unreadable
from watchkeeper.metrics.fetch import Fetch, fault_told, fetch_page
from watchkeeper.metrics.judging import judged, volumes_judged
from watchkeeper.metrics.page import PageMetrics, wanted
from watchkeeper.metrics.promtext import read
from watchkeeper.metrics.server import ServerMetrics
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.signals import STILL
from watchkeeper.runbook.telemetry import MetricsText, PrometheusServer
from watchkeeper.store import scrapes

TEXT = "text/plain;version=0.0.4"
# Between two scrapes of one look, where there is no earlier one.
PAUSE_S = 2.0
# What is left of a deadline for judging and keeping what was scraped.
JUDGING_S = 0.3
# A scrape younger than this tells little of a rate.
YOUNGEST_S = 5.0

Sleep = Callable[[float], Awaitable[None]]


async def metric_readings(
    watch: Watch,
    watched: Watched,
    deadline_s: float | None = None,
    *,
    sleep: Sleep = asyncio.sleep,
) -> tuple[Reading, ...]:
    """METRIC readings by the runbook's names and VOLUME ones by consumer. Never raises: what cannot
    be read is UNKNOWN, with its reason. Nothing where no metrics are named.

    Where a second scrape would not come within the deadline, the first alone is judged: what stands
    still by itself is known, what grows is not.
    """
    ends = None if deadline_s is None else asyncio.get_running_loop().time() + deadline_s
    service, book = watched.integration.service, watched.runbook
    place = service.metrics if service is not None else None
    if place is None or not (book.metrics or book.volume):
        return ()
    if isinstance(place, PrometheusServer):
        source: MetricsSource = ServerMetrics(place, fetch_page)
    else:
        source = await _scraped(watch, watched, place, fetch_page, sleep, ends)
    return await _judged(source, book, watch)


async def _judged(source: MetricsSource, book: Runbook, watch: Watch) -> tuple[Reading, ...]:
    at, window_s = watch.now(), book.rate_limit.per.total_seconds()
    asked = asyncio.gather(*(source.number(rule) for rule in book.metrics))
    numbers, volumes = await asyncio.gather(asked, _volumes(source, book, window_s))
    metrics = (judged(rule, n, at) for rule, n in zip(book.metrics, numbers, strict=True))
    return *metrics, *volumes_judged(volumes, window_s, book.rate_limit.requests, at)


async def _volumes(source: MetricsSource, book: Runbook, window_s: float) -> dict[str, Number]:
    return await source.volumes(book.volume, window_s) if book.volume else {}


async def _scraped(
    watch: Watch,
    watched: Watched,
    place: MetricsText,
    fetch: Fetch,
    sleep: Sleep,
    ends: float | None,
) -> MetricsSource:
    """The page as it is now, beside an earlier look at it or, on a first triage, a second one."""
    names = wanted(watched.runbook.metrics, watched.runbook.volume)
    source = _source(place, names)
    try:
        after = await _scrape(watch, place, names, fetch)
    except Unreadable as error:
        return Silent(Number(None, str(error), error.fault))
    before = _kept(watch, watched, source, after)
    try:
        if before is None and _counts(watched.runbook):
            again = partial(_scrape, watch, place, names, fetch)
            before, after = await _twice(after, again, sleep, ends)
    finally:
        # Also where a short deadline ends the pause: the next look has something to go by.
        await asyncio.to_thread(_keep, watch, watched, source, after)
    return PageMetrics(before, after)


async def _twice(
    first: Scrape, scrape: Callable[[], Awaitable[Scrape]], sleep: Sleep, ends: float | None
) -> tuple[Scrape | None, Scrape]:
    try:
        async with asyncio.timeout_at(None if ends is None else ends - JUDGING_S):
            await sleep(PAUSE_S)
            return first, await scrape()
    except (Unreadable, TimeoutError):
        return None, first


async def _scrape(watch: Watch, place: MetricsText, names: frozenset[str], fetch: Fetch) -> Scrape:
    page = await fetch(place.url, accept=TEXT)
    at, fault = watch.now(), fault_told(page)
    if fault is not None:
        raise Unreadable(f"the metrics page gave {fault}", page.fault)
    # A large page takes a while, and other probes are timed meanwhile.
    return await asyncio.to_thread(read, page.body, names, at)


def _source(place: MetricsText, names: frozenset[str]) -> str:
    """An address may hold what is nobody's business. A scrape for other names is another source:
    what it lacks would look like new series."""
    return sha256("\n".join((place.url, *sorted(names))).encode()).hexdigest()[:32]


def _counts(book: Runbook) -> bool:
    return book.volume is not None or any(rule.kind not in STILL for rule in book.metrics)


def _kept(watch: Watch, watched: Watched, source: str, after: Scrape) -> Scrape | None:
    """None, too, where the database does not answer: a second scrape will do."""
    try:
        with watch.store.read() as session:
            return scrapes.before(session, watched.name, source, after.at, YOUNGEST_S)
    except Transient:
        return None


def _keep(watch: Watch, watched: Watched, source: str, scrape: Scrape) -> None:
    """Unless one has just been kept: looks in quick succession would push out those that are old
    enough to tell a rate."""
    with suppress(Transient), watch.store.write() as session:
        if scrapes.before(session, watched.name, source, scrape.at, 0.0, YOUNGEST_S) is None:
            scrapes.keep(session, watched.name, source, scrape)
