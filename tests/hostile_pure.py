"""One hostile answer through everything that judges answers, without a wire, to one verdict."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache

from hostile import Hostile
from hostile_bodies import METRICS
from making import NAME, T0
from rich.console import Console

from deployments.commands.telling import tell_triage, triage_json
from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.fetching import Fetched, read_json
from watchkeeper.metrics import TOTAL, Number, Scrape, page, server
from watchkeeper.metrics.fetch import Page as MetricsPage
from watchkeeper.metrics.judging import judged, metric_reading, volume_readings, volumes_judged
from watchkeeper.metrics.promtext import read
from watchkeeper.network.clocks import clock_readings
from watchkeeper.performing.endpoint_probe import Asked, probes_of, rate_reading
from watchkeeper.performing.health_probe import health_reading, read_health
from watchkeeper.performing.status_probe import status_reading
from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.model import Runbook
from watchkeeper.told import Told
from watchkeeper.triage_markdown import triage_markdown
from watchkeeper.vendor.answers import raise_for, throttle
from watchkeeper.vendor.judging import judge
from watchkeeper.vendor.listing import Window, page_of
from watchkeeper.vendor.paging import Trail
from watchkeeper.vendor.reply import Reply

WINDOW = Window(T0 - timedelta(hours=1), T0)
_LIST = {"name": "workorders", "path": "/workorders", "envelope": "workOrders", "page_size": 2}
_PAGED = {**_LIST, "paging": "page_number", "cursor_param": "page"}
LISTS = (
    Resource.model_validate({**_LIST, "cursor_field": "nextCursor"}),
    Resource.model_validate({**_LIST, "cursor_field": "meta.nextPageUrl", "version_field": None}),
    Resource.model_validate({**_LIST, "envelope": None, "paging": "none"}),
    Resource.model_validate({**_PAGED, "cursor_field": "nextPageUrl", "cursor_means": "next_page"}),
    Resource.model_validate({**_PAGED, "cursor_field": "meta.pages", "cursor_means": "last_page"}),
    Resource.model_validate({**_PAGED, "cursor_field": "next", "cursor_means": "more"}),
)


def reply_of(one: Hostile) -> Reply:
    headers = {name.lower(): value for name, value in one.headers}
    return Reply(one.status, headers, one.body, latency_s=0.1, at=T0)


def judged_by_all(one: Hostile, turn: int, book: Runbook) -> Evidence:
    """The evidence of a look at which everybody gives this one answer."""
    reply = reply_of(one)
    endpoints = tuple(_endpoints(reply, turn, book))
    readings = (
        *endpoints,
        *_contrasts(endpoints),
        *rate_reading((Asked(endpoints[0], throttle(reply)),), T0),
        *clock_readings(endpoints, None, book),
        *_others(reply, book),
        *_measured(reply, book),
    )
    return Evidence(integration=NAME, at=T0, readings=readings)


def _endpoints(reply: Reply, turn: int, book: Runbook) -> Iterator[Reading]:
    """Judged once, by another probe each time; every second time the others are well."""
    probes = probes_of(book)
    chosen = probes[turn % len(probes)]
    told = judge(chosen, reply, T0, 5.0)
    well = replace(told, outcome=Outcome.OK, status=200, fault=None, detail="", wait_s=None)
    for probe in probes:
        kept = told if probe is chosen or turn % 2 else well
        yield replace(kept, probe=probe.name, target=probe.path, critical=probe.critical)


def _contrasts(endpoints: tuple[Reading, ...]) -> Iterator[Reading]:
    first = endpoints[0]
    for name in ("no_key", "made_up_key", "other_key", "second_key", "again", "direct"):
        yield replace(first, probe=name, kind=Kind.CONTRAST, of=first.probe)


def _others(reply: Reply, book: Runbook) -> Iterator[Reading]:
    """Our own service and the vendor's status page."""
    got = read_json(Fetched(reply.status, reply.body, None, None, 0.1, reply.date))
    yield health_reading("service", read_health(got), T0)
    assert book.status_page is not None
    yield status_reading(book.status_page, got, T0)


def _measured(reply: Reply, book: Runbook) -> Iterator[Reading]:
    """As a metrics page, and as what a Prometheus server answers."""
    wanted = page.wanted(book.metrics, book.volume)
    number = Number(None, "nothing")
    try:
        found = server.vector(MetricsPage(reply.status, reply.body, None, 0.1))
        number = Number(found[0][1]) if found else number
    except WatchkeeperError as error:
        number = Number(None, str(error))
    yield judged(book.metrics[0], number, T0)
    yield from volumes_judged({TOTAL: number}, 60.0, 100, T0)
    try:
        after = read(reply.body, wanted, T0)
    except WatchkeeperError:
        return
    before = _minute_ago(wanted)
    yield from (metric_reading(rule, before, after, T0) for rule in book.metrics)
    if book.volume is not None:
        yield from volume_readings(book.volume, before, after, 60.0, 100)


@cache
def _minute_ago(wanted: frozenset[str]) -> Scrape:
    return read(METRICS.encode(), wanted, T0 - timedelta(minutes=1))


def page_told(one: Hostile, turn: int) -> str:
    """Whether more follows this page of a list, or what the error of ours says that came instead."""
    reply, resource = reply_of(one), LISTS[turn % len(LISTS)]
    try:
        raise_for(reply, resource)
        found = page_of(reply, resource, WINDOW, Trail(resource))
        return "the last page" if found.next_cursor is None else "more follows"
    except WatchkeeperError as error:
        return str(error)


def triaged(one: Hostile, turn: int, book: Runbook) -> Told:
    evidence = judged_by_all(one, turn, book)
    return Told(runbook=book, evidence=evidence, diagnosis=diagnose(evidence, book))


def shown(found: Told) -> tuple[str, str, str]:
    """All that is told of it: as JSON, in the terminal, as Markdown."""
    out = io.StringIO()
    on = Console(file=out, width=100, force_terminal=True, color_system=None, highlight=False)
    tell_triage(found, everything=True, on=on)
    said = json.dumps(triage_json(found), allow_nan=False)
    return said, out.getvalue(), triage_markdown(found)
