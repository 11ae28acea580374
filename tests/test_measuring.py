"""Measuring our own service: a page on loopback, a stand-in for Prometheus' query API, our store."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from math import inf, isnan, nan
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import Clock
from loopback import http, raw_server, routed, says
from making import NAME, T0, changed
from making import watched as making_watched
from sqlmodel import select

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.metrics import Scrape, Series
from watchkeeper.metrics.fetch import Page, fetch_page
from watchkeeper.metrics.page import series_name
from watchkeeper.metrics.promql import age_query, metric_query, up_query, volume_queries
from watchkeeper.performing.measuring import TEXT, metric_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import RateLimit
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.signals import Metric, Volume
from watchkeeper.runbook.telemetry import MetricsText, PrometheusServer, Service
from watchkeeper.store import scrapes
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import ScrapeRow

NOWHERE = "http://127.0.0.1:9"
BAD = {"status": "500"}
RULES = (
    Metric(name="errors", kind="share", metric="c_total", where=BAD, bound=0.05),
    Metric(name="pace", kind="rate", metric="c_total", bound=100, warn=5),
    Metric(name="left", kind="gauge", metric="left", bound=10, below=True),
    Metric(name="p95", kind="quantile", metric="h", bound=2),
)
VOLUME = Volume(metric="c_total", by="consumer")


def watched(
    place: MetricsText | PrometheusServer | None,
    rules: tuple[Metric, ...] = RULES,
    volume: Volume | None = VOLUME,
) -> Watched:
    """The real runbook with rules of ours; 120 requests in 60 s are allowed."""
    rate = RateLimit(requests=120, per=timedelta(seconds=60))
    made = making_watched(changed(metrics=rules, volume=volume, rate_limit=rate))
    service = Service(health_url=NOWHERE, metrics=place)
    changes = {"integration": made.integration.model_copy(update={"service": service})}
    return made.model_copy(update=changes)


def page(good: int, bad: int, left: int = 50) -> bytes:
    return (
        f'# TYPE c_total counter\nc_total{{status="200",consumer="sync"}} {good}\n'
        f'c_total{{status="500",consumer="worker"}} {bad}\nleft {left}\nsecret{{key="k"}} 1\n'
        f'h_bucket{{le="1"}} {good}\nh_bucket{{le="+Inf"}} {good}\n'
    ).encode()


async def measured(watch: Watch, here: Watched, clock: Clock) -> dict[str, Reading]:
    return {r.probe: r for r in await metric_readings(watch, here, sleep=clock.sleep)}


def scraped(
    watch: Watch,
    clock: Clock,
    answers: list[bytes],
    looks: int = 1,
    between: timedelta = timedelta(minutes=5),
    here: Callable[[str], Watched] | None = None,
) -> tuple[list[dict[str, Reading]], int]:
    """What each look told of a page that gives these answers in turn, and how often it was asked."""

    async def run() -> tuple[list[dict[str, Reading]], int]:
        left = iter(answers)
        found = []
        async with raw_server(routed(lambda _: next(left))) as server:
            chosen = (here or (lambda url: watched(MetricsText(url=url))))(f"{server.url}/metrics")
            for _ in range(looks):
                found.append(await measured(watch, chosen, clock))
                clock.advance(between)
            return found, len(server.heads)

    return asyncio.run(run())


def kept(watch: Watch) -> list[ScrapeRow]:
    with watch.store.read() as session:
        return list(session.exec(select(ScrapeRow)).all())


# A page.


def test_a_first_look_scrapes_twice_and_tells_rates(watch: Watch, clock: Clock) -> None:
    [found], asked = scraped(watch, clock, [http(page(100, 0)), http(page(118, 2))])
    assert asked == 2 and clock.now() == T0 + timedelta(minutes=5, seconds=2)
    told = {name: (r.kind, r.outcome, r.value) for name, r in found.items()}
    assert told == {
        "errors": (Kind.METRIC, Outcome.DOWN, pytest.approx(0.1)),
        "pace": (Kind.METRIC, Outcome.DEGRADED, pytest.approx(10)),
        "left": (Kind.METRIC, Outcome.OK, 50),
        "p95": (Kind.METRIC, Outcome.OK, pytest.approx(0.95)),
        "sync": (Kind.VOLUME, Outcome.DEGRADED, pytest.approx(540)),
        "worker": (Kind.VOLUME, Outcome.OK, pytest.approx(60)),
        "total": (Kind.VOLUME, Outcome.DEGRADED, pytest.approx(600)),
    }
    assert found["total"].bound == 120 and found["total"].unit == "requests per 60 s"


def test_a_later_look_counts_from_the_one_before(watch: Watch, clock: Clock) -> None:
    answers = [http(page(100, 0)), http(page(100, 0)), http(page(280, 20))]
    [_, found], asked = scraped(watch, clock, answers, looks=2)
    assert asked == 3
    assert found["errors"].detail == "0.1, at most 0.05 (20 of 200 in 300 s)"
    assert found["total"].value == pytest.approx(40)


@pytest.mark.parametrize(
    ("between", "asked"),
    [(4, 4), (5, 3), (30 * 60, 3), (30 * 60 + 1, 4)],
)
def test_a_scrape_too_young_or_too_old_is_not_counted_from(
    watch: Watch, clock: Clock, between: int, asked: int
) -> None:
    answers = [http(page(n, 0)) for n in range(4)]
    assert scraped(watch, clock, answers, 2, timedelta(seconds=between))[1] == asked


def test_looks_in_quick_succession_leave_a_scrape_to_count_from(watch: Watch, clock: Clock) -> None:
    """Three take two scrapes each, two seconds apart; after them one is old enough, and stays."""
    answers = [http(page(n, 0)) for n in range(20)]
    found, asked = scraped(watch, clock, answers, 12, timedelta(seconds=1))
    assert asked == 3 * 2 + 9
    assert all(look["pace"].value is not None for look in found)


def test_a_pause_that_is_cut_short_leaves_its_scrape(watch: Watch, clock: Clock) -> None:
    """As a deadline does that is no longer than the pause."""

    async def cut_short(_pause_s: float) -> None:
        raise asyncio.CancelledError

    async def run() -> None:
        async with raw_server(says(http(page(100, 0)))) as server:
            here = watched(MetricsText(url=f"{server.url}/metrics"))
            with pytest.raises(asyncio.CancelledError):
                await metric_readings(watch, here, sleep=cut_short)

    asyncio.run(run())
    assert len(kept(watch)) == 1


def test_gauges_alone_need_one_scrape(watch: Watch, clock: Clock) -> None:
    def here(url: str) -> Watched:
        return watched(MetricsText(url=url), RULES[2:3], None)

    [found], asked = scraped(watch, clock, [http(page(1, 1, left=3))], here=here)
    assert asked == 1
    assert found["left"].says() == "metric left: 3, at least 10"
    assert found["left"].outcome is Outcome.DOWN


def test_only_what_the_rules_read_is_kept_and_no_address(watch: Watch, clock: Clock) -> None:
    scraped(watch, clock, [http(page(1, 0)), http(page(2, 1, left=7))])
    [row] = kept(watch)
    assert row.samples == {
        'c_total{consumer="sync",status="200"}': 2,
        'c_total{consumer="worker",status="500"}': 1,
        "left{}": 7,
        'h_bucket{le="1"}': 2,
        'h_bucket{le="+Inf"}': 2,
    }
    assert re.fullmatch("[0-9a-f]{32}", row.source)


def test_a_rule_that_is_new_is_not_counted_from_an_older_scrape(watch: Watch, clock: Clock) -> None:
    """Its series were not kept then: all that it ever counted would look like growth."""

    async def run() -> tuple[dict[str, Reading], int]:
        async with raw_server(routed(lambda _: http(page(90_000, 0)))) as server:
            place = MetricsText(url=server.url)
            await measured(watch, watched(place, RULES[2:3], None), clock)
            clock.advance(timedelta(minutes=5))
            return await measured(watch, watched(place), clock), len(server.heads)

    found, asked = asyncio.run(run())
    assert asked == 3 and found["total"].value == 0


SILENCES = {
    "no metrics": (http(b"<html>Sign in</html>"), "html", "the page is HTML, not metrics"),
    "an error": (http(page(1, 1), status=503), None, "the metrics page gave status 503"),
    "elsewhere": (
        http(status=302, headers={"Location": "/else"}),
        None,
        "the metrics page gave status 302",
    ),
    "half a page": (
        http(page(1, 1), headers={"Content-Length": "4000"}),
        "protocol",
        "the metrics page gave no answer (protocol)",
    ),
    "compressed": (
        http(b"\x0b\x02\x80\xff\x00", headers={"Content-Encoding": "br"}),
        "encoded",
        "the metrics page gave no answer (encoded)",
    ),
    "too large": (
        http(b"#" * (4 * 1024 * 1024 + 1)),
        "too_large",
        "the metrics page gave no answer (too_large)",
    ),
}


@pytest.mark.parametrize(("answer", "fault", "why"), SILENCES.values(), ids=SILENCES)
def test_a_page_that_cannot_be_read_is_unknown(
    watch: Watch, clock: Clock, answer: bytes, fault: str | None, why: str
) -> None:
    [found], asked = scraped(watch, clock, [answer])
    assert asked == 1 and set(found) == {"errors", "pace", "left", "p95", "total"}
    assert {(r.outcome, r.fault, r.detail, r.value) for r in found.values()} == {
        (Outcome.UNKNOWN, fault, why, None)
    }
    assert kept(watch) == []


def test_a_page_that_never_ends_is_left_at_the_deadline() -> None:
    async def drips(_head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nc 1\n")
        await asyncio.sleep(60)

    async def run() -> Page:
        async with raw_server(drips) as server:
            return await fetch_page(server.url, accept="text/plain", deadline_s=0.1)

    found = asyncio.run(run())
    assert (found.status, found.body, found.fault) == (None, b"", "timeout")


def test_a_page_is_asked_for_as_plain_text_and_with_no_key() -> None:
    async def run() -> list[str]:
        async with raw_server(routed(lambda _: http(page(1, 1)))) as server:
            await fetch_page(f"{server.url}/metrics", accept=TEXT)
            return server.heads[0].lower().split("\r\n")

    head = asyncio.run(run())
    assert "accept: text/plain;version=0.0.4" in head and "accept-encoding: identity" in head
    assert not any(line.startswith(("authorization", "cookie")) for line in head)


@pytest.mark.parametrize("url", [NOWHERE, "http://[", "http://127.0.0.1:99999", "http://a..x"])
def test_a_place_that_cannot_be_asked_is_unknown(watch: Watch, clock: Clock, url: str) -> None:
    for place in (MetricsText(url=url), PrometheusServer(url=url)):
        found = asyncio.run(measured(watch, watched(place), clock))
        assert {r.outcome for r in found.values()} == {Outcome.UNKNOWN}
        assert all(r.fault and url not in r.detail for r in found.values())


def test_a_second_scrape_that_fails_leaves_the_gauges(watch: Watch, clock: Clock) -> None:
    [found], _ = scraped(watch, clock, [http(page(100, 0)), http(status=500)])
    assert found["left"].outcome is Outcome.OK
    assert found["pace"].outcome is found["total"].outcome is Outcome.UNKNOWN
    assert found["pace"].detail == "no earlier scrape to count from"


def test_a_database_that_fails_costs_the_earlier_scrape_alone(watch: Watch, clock: Clock) -> None:
    with watch.store.write() as session:
        session.connection().exec_driver_sql("DROP TABLE scrapes")
    answers = [http(page(n, 0)) for n in (0, 20, 20, 40)]
    found, asked = scraped(watch, clock, answers, looks=2)
    assert asked == 4 and [look["total"].value for look in found] == [600, 600]


@pytest.mark.parametrize(
    "here",
    [
        watched(None),
        watched(MetricsText(url=NOWHERE), (), None),
        making_watched(changed(metrics=RULES)),
    ],
    ids=["no source", "no rules", "no service"],
)
def test_nothing_is_measured_where_nothing_is_named(
    watch: Watch, clock: Clock, here: Watched
) -> None:
    assert asyncio.run(measured(watch, here, clock)) == {}


# A Prometheus server.


def prometheus(results: Mapping[str, list[tuple[dict[str, str], str]]]) -> Callable[[str], bytes]:
    """Its instant queries: the vector of a known query, an empty one of any other, and an error of
    one that does not end."""

    def answer(target: str) -> bytes:
        parts = urlsplit(target)
        if parts.path != "/prom/api/v1/query":
            return http(b"404 page not found", status=404)
        [query] = parse_qs(parts.query, strict_parsing=True)["query"]
        if query.count("(") != query.count(")"):
            said = {"status": "error", "errorType": "bad_data", "error": "unclosed parenthesis"}
            return http(said, status=400)
        vector = [{"metric": m, "value": [1700000000.1, v]} for m, v in results.get(query, [])]
        return http({"status": "success", "data": {"resultType": "vector", "result": vector}})

    return answer


def asked_of_server(
    watch: Watch, clock: Clock, answer: Callable[[str], bytes], place: str = "/prom/"
) -> tuple[dict[str, Reading], list[str]]:
    async def run() -> tuple[dict[str, Reading], list[str]]:
        async with raw_server(routed(answer)) as server:
            here = watched(PrometheusServer(url=f"{server.url}{place}", where={"job": "app"}))
            return await measured(watch, here, clock), server.paths()

    return asyncio.run(run())


SOURCE = PrometheusServer(url=NOWHERE, where={"job": "app"})
TOTALS, EACH = volume_queries(VOLUME, SOURCE, 60)
QUERY = {rule.name: metric_query(rule, SOURCE) for rule in RULES}
SERIES = {series_name(rule) for rule in RULES} | {VOLUME.metric}
AGES = {age_query(name, SOURCE): [({}, "12")] for name in SERIES}
UP = str(up_query(SOURCE))


def test_a_server_is_asked_for_each_metric_and_for_its_age(watch: Watch, clock: Clock) -> None:
    """And once whether its targets are up."""
    results = {
        **AGES,
        UP: [({}, "1")],
        QUERY["errors"]: [({}, "0.2")],
        QUERY["pace"]: [({}, "7.5")],
        QUERY["p95"]: [({}, "NaN")],
        TOTALS: [({}, "130")],
        str(EACH): [({"consumer": "sync"}, "100"), ({}, "30")],
    }
    found, asked = asked_of_server(watch, clock, prometheus(results))
    assert sum("query=min%28up" in path for path in asked) == 1
    assert len(asked) == 2 * (len(RULES) + 1) + 2
    assert {name: (r.outcome, r.value) for name, r in found.items()} == {
        "errors": (Outcome.DOWN, 0.2),
        "pace": (Outcome.DEGRADED, 7.5),
        "left": (Outcome.UNKNOWN, None),
        "p95": (Outcome.UNKNOWN, None),
        "sync": (Outcome.DEGRADED, 100),
        "unnamed": (Outcome.OK, 30),
        "total": (Outcome.DEGRADED, 130),
    }
    assert found["pace"].detail == "7.5, at most 100 (over 5m)"
    assert found["left"].detail == "the server has no such series, or too little was counted"
    assert kept(watch) == []


GONE: list[tuple[dict[str, list[tuple[dict[str, str], str]]], Outcome, str | None, str]] = [
    (AGES, Outcome.OK, None, "0.01, at most 0.05 (over 5m)"),
    ({}, Outcome.UNKNOWN, "vanished", "the server has no sample of c_total now"),
    (
        {name: [({}, "250")] for name in AGES},
        Outcome.UNKNOWN,
        "stale",
        "the newest sample of c_total is 250 s old",
    ),
    (
        {**AGES, UP: [({}, "0")]},
        Outcome.UNKNOWN,
        "part",
        "0.01, at most 0.05 (over 5m; up is 0: Prometheus cannot scrape all of it)",
    ),
    (
        {UP: [({}, "0")]},
        Outcome.UNKNOWN,
        "vanished",
        "up is 0: Prometheus cannot scrape all of it; the server has no sample of c_total now",
    ),
]


@pytest.mark.parametrize(("more", "outcome", "fault", "detail"), GONE)
def test_a_series_that_vanished_from_the_server_is_unknown(
    watch: Watch,
    clock: Clock,
    more: dict[str, list[tuple[dict[str, str], str]]],
    outcome: Outcome,
    fault: str | None,
    detail: str,
) -> None:
    """Its rate lives on for a while, and `up` is 0: what it was is not what it is."""
    results = {QUERY["errors"]: [({}, "0.01")], **more}
    found, _ = asked_of_server(watch, clock, prometheus(results))
    read = found["errors"]
    assert (read.outcome, read.fault, read.detail) == (outcome, fault, detail)


def test_a_server_that_says_no_is_unknown_with_its_word(watch: Watch, clock: Clock) -> None:
    said = {"status": "error", "errorType": "timeout", "error": "query timed out"}
    found, _ = asked_of_server(watch, clock, lambda _: http(said, status=503))
    assert {(r.outcome, r.fault, r.detail) for r in found.values()} == {
        (Outcome.UNKNOWN, "error_body", "the Prometheus server answered 503: timeout")
    }


def test_what_is_no_prometheus_server_is_unknown(watch: Watch, clock: Clock) -> None:
    found, _ = asked_of_server(watch, clock, prometheus({}), "/elsewhere")
    assert {(r.outcome, r.detail) for r in found.values()} == {
        (Outcome.UNKNOWN, "the Prometheus server answered 404, no query result")
    }


# What is kept between two looks.


def scrape(value: float, after_s: float = 0) -> Scrape:
    labels = (("path", 'a\\"b\n{c},'), ("z", "ü"))
    return Scrape(T0 + timedelta(seconds=after_s), {Series("c", labels): value, Series("d"): 2.5})


def test_a_scrape_comes_back_as_it_was(store: Store) -> None:
    for value in (3.0, inf, -inf):
        with store.write() as session:
            scrapes.keep(session, NAME, str(value), scrape(value))
        with store.read() as session:
            found = scrapes.before(session, NAME, str(value), T0, 0)
        assert found == scrape(value)


def test_what_is_no_number_comes_back_as_none(store: Store) -> None:
    with store.write() as session:
        scrapes.keep(session, NAME, "page", scrape(nan))
    with store.read() as session:
        found = scrapes.before(session, NAME, "page", T0, 0)
    assert found is not None and isnan(next(iter(found.samples.values())))


def test_the_newest_that_is_old_enough_is_taken(store: Store) -> None:
    with store.write() as session:
        for after_s in (0, 60, 120):
            scrapes.keep(session, NAME, "page", scrape(after_s, after_s))
        scrapes.keep(session, NAME, "other page", scrape(7, 90))
        scrapes.keep(session, "maintainx@else", "page", scrape(8, 90))
    at = T0 + timedelta(seconds=120)
    with store.read() as session:
        found = [scrapes.before(session, NAME, "page", at, age) for age in (0, 1, 60, 61, 121)]
        ended = scrapes.before(session, NAME, "page", at + timedelta(seconds=9), 5, 8)
    assert found == [scrape(120, 120), scrape(60, 60), scrape(60, 60), scrape(0), None]
    assert ended is None


def test_a_few_of_each_source_stay_and_none_that_is_old(store: Store) -> None:
    hour = 3600
    with store.write() as session:
        scrapes.keep(session, NAME, "other page", scrape(1))
        scrapes.keep(session, "maintainx@else", "page", scrape(1))
        for after_s in range(5):
            scrapes.keep(session, NAME, "page", scrape(1, hour + after_s))
    with store.read() as session:
        rows = session.exec(select(ScrapeRow)).all()
    left = sorted((r.integration, r.source, (r.at - T0).total_seconds()) for r in rows)
    assert left == [
        ("maintainx@else", "page", 0),
        (NAME, "page", hour + 2),
        (NAME, "page", hour + 3),
        (NAME, "page", hour + 4),
    ]


def test_a_row_that_cannot_be_read_is_no_scrape(store: Store) -> None:
    with store.write() as session:
        session.add(ScrapeRow(integration=NAME, source="page", at=T0, samples={"no series": 1}))
    with store.read() as session:
        assert scrapes.before(session, NAME, "page", T0, 0) is None
