"""Metrics as values: pages read, growth told, numbers judged, and the same asked in PromQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from math import inf, isnan, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import T0

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.metrics import MOST_CONSUMERS, Scrape, Series, Unreadable, growth, promtext
from watchkeeper.metrics.fetch import Page
from watchkeeper.metrics.judging import metric_reading, volume_readings
from watchkeeper.metrics.page import wanted
from watchkeeper.metrics.promql import metric_query, volume_queries
from watchkeeper.metrics.server import vector
from watchkeeper.runbook.signals import Metric, Volume
from watchkeeper.runbook.telemetry import PrometheusServer

ELAPSED_S = 300
LATER = T0 + timedelta(seconds=ELAPSED_S)
# Unix times, so many seconds before LATER.
AGO_9, AGO_30 = (f"{LATER.timestamp() - s:.0f}" for s in (9, 30))

PAGE = b"""\
# HELP app_requests_total Requests, by status.
# TYPE app_requests_total counter
app_requests_total{status="200",consumer="sync"} 1027 1772442000000
app_requests_total{ status = "500" , consumer="worker", } 3
# TYPE jobs counter
jobs 12
# TYPE app_latency_seconds histogram
app_latency_seconds_bucket{le="0.5"} 8
app_latency_seconds_bucket{le="+Inf"} 10
app_latency_seconds_sum 4.2e0
app_latency_seconds_count 10
# TYPE app_errors_total counter
odd{path="C:\\\\DIR\\n\\"x\\", {y}"} NaN
queue_age_seconds +Inf\r

# EOF
"""


def series(name: str, **labels: str) -> Series:
    return Series(name, tuple(sorted(labels.items())))


def scrape(text: str, after_s: float = 0.0) -> Scrape:
    """A page given as lines; all that is on it is wanted."""
    body = text.replace("; ", "\n").encode()
    names = frozenset(line.split("{")[0].split(" ")[0] for line in text.split("; "))
    declared = frozenset(line.split(" ")[2] for line in text.split("; ") if line.startswith("#"))
    return promtext.read(body, names | declared, T0 + timedelta(seconds=after_s))


def rule(kind: str = "increase", metric: str = "c", bound: float = 10, **more: Any) -> Metric:
    given = {"name": "m", "kind": kind, "metric": metric, "bound": bound, **more}
    return Metric.model_validate(given)


def judged(asked: Metric, before: str | None, after: str) -> Reading:
    earlier = None if before is None else scrape(before)
    return metric_reading(asked, earlier, scrape(after, ELAPSED_S), LATER)


# Reading a page.


def test_a_page_is_read_by_the_names_that_are_asked_for() -> None:
    names = frozenset({"app_requests_total", "app_latency_seconds_bucket", "jobs"})
    found = promtext.read(PAGE, names | {"app_errors_total"}, T0)
    assert found.samples == {
        series("app_requests_total", status="200", consumer="sync"): 1027,
        series("app_requests_total", status="500", consumer="worker"): 3,
        series("jobs"): 12,
        series("app_latency_seconds_bucket", le="0.5"): 8,
        series("app_latency_seconds_bucket", le="+Inf"): 10,
    }
    assert found.declared == {"app_requests_total", "app_errors_total", "jobs"}
    assert found.knows("app_errors_total") and not found.knows("queue_age_seconds")


def test_odd_labels_and_values_are_read_as_they_are() -> None:
    found = promtext.read(PAGE, frozenset({"odd", "queue_age_seconds"}), T0).samples
    assert isnan(found[series("odd", path='C:\\DIR\n"x", {y}')])
    assert found[series("queue_age_seconds")] == inf


TOO_MANY = b"".join(b'c{i="%d"} 1\n' % i for i in range(promtext.MOST_SAMPLES + 1))
UNREADABLE = {
    "html": (b"<!doctype html><title>Sign in</title>", "is HTML"),
    "html after blanks": (b"\n\n <html>c 1", "is HTML"),
    "json": (b'{"status":"ok"}', "text format"),
    "words": (b"Not found", "text format"),
    "one word": (b"Unauthorized", "text format"),
    "not utf-8": (b"c 1\n\xff\xfe", "UTF-8"),
    "no value": (b"c\n", "text format"),
    "no value after labels": (b'c{a="1"}\n', "cannot be read"),
    "a value that is no number": (b'c{a="1"} many\n', "cannot be read"),
    "an endless number": (b"c " + b"9" * 4000, "cannot be read"),
    "an open quote": (b'c{a="1} 2}\n', "cannot be read"),
    "a label twice": (b'c{a="1",a="2"} 2\n', "cannot be read"),
    "no label name": (b'c{="1"} 2\n', "cannot be read"),
    "a series twice": (b'c{a="1"} 2\nc{a="1"} 3\n', "twice"),
    "a name with a blank": (b"c 1 {} 2\n", "twice or broken"),
    "a name within": (b'c{__name__="d"} 2\n', "cannot be read"),
    "a long line": (b'c{a="' + b"x" * promtext.LONGEST_LINE + b'"} 1\n', "text format"),
    "too many": (TOO_MANY, "more than"),
    "too large": (b"#" * (promtext.LARGEST + 1), "larger"),
}


@pytest.mark.parametrize(("body", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_metrics_page_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        promtext.read(body, frozenset({"c"}), T0)


def test_a_broken_line_of_no_concern_costs_nothing() -> None:
    found = promtext.read(b'other{a="1"} many\nc 1\n', frozenset({"c"}), T0)
    assert found.samples == {series("c"): 1}


PIECES = st.lists(
    st.sampled_from([*'c{}="\\,# \n\t+-.', "c ", 'c{a="', "NaN", "1e999", "9" * 400, "é", "\x00"])
)


@given(PIECES.map("".join) | st.text())
def test_hostile_text_is_read_or_refused(text: str) -> None:
    """Anything but Unreadable fails."""
    try:
        found = promtext.read(text.encode("utf-8", "replace"), frozenset({"c"}), T0)
    except Unreadable:
        return
    assert {s.name for s in found.samples} <= {"c"}


LABELS = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=12), max_size=4
)


@given(st.lists(LABELS, max_size=4))
def test_a_series_comes_back_from_its_text(labels: list[dict[str, str]]) -> None:
    given = [Series("c", tuple(sorted(each.items()))) for each in labels]
    assert promtext.named([promtext.canonical(one) for one in given]) == given


# Growth.


GROWTH = {
    "grew": ("c 5", "c 12", 7),
    "stood still": ("c 5", "c 5", 0),
    "started again": ("c 50", "c 3", 3),
    "started again and stands at zero": ("c 50", "c 0", 0),
    "a new series counts from zero": ('c{a="1"} 5', 'c{a="1"} 6; c{a="2"} 4', 5),
    "a series that is gone adds nothing": ('c{a="1"} 5; c{a="2"} 4', 'c{a="1"} 6', 1),
    "one of two started again": ('c{a="1"} 5; c{a="2"} 90', 'c{a="1"} 7; c{a="2"} 4', 6),
    "another process passed it": (
        "c 5; process_start_time_seconds 100",
        "c 12; process_start_time_seconds 400",
        12,
    ),
    "the same process, its clock set": (
        "c 5; process_start_time_seconds 100",
        "c 12; process_start_time_seconds 101",
        7,
    ),
    "no number": ("c NaN", "c 3", nan),
    "no number now": ("c 3", "c NaN", nan),
    "endless twice": ("c +Inf", "c +Inf", nan),
    "less than nothing": ("c 3", "c -4", nan),
}


@pytest.mark.parametrize(("before", "after", "expected"), GROWTH.values(), ids=GROWTH)
def test_growth(before: str, after: str, expected: float) -> None:
    found = growth.total(scrape(before), scrape(after), "c", {})
    assert found == pytest.approx(expected, nan_ok=True)


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), min_size=1))
def test_growth_over_many_scrapes_is_what_was_counted(steps: list[tuple[int, bool]]) -> None:
    """Where the page tells when its process began, whatever restarts there were."""
    held, began, told, earlier = 0, 1000, 0.0, scrape("c 0; process_start_time_seconds 1000")
    for counted, restarted in steps:
        held, began = (counted, began + 60) if restarted else (held + counted, began)
        later = scrape(f"c {held}; process_start_time_seconds {began}")
        told, earlier = told + growth.total(earlier, later, "c", {}), later
    assert told == sum(counted for counted, _ in steps)


WHERE = 'c{status="200",path="/a"} 1; c{status="500",path="/a"} 2; c{status="500"} 4; d 8'


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({}, 7),
        ({"status": "500"}, 6),
        ({"status": "500", "path": "/a"}, 2),
        ({"path": ""}, 4),
        ({"status": "50"}, 0),
        ({"nothing": "such"}, 0),
    ],
)
def test_labels_choose_the_series(where: Mapping[str, str], expected: float) -> None:
    assert growth.total(scrape("c 0"), scrape(WHERE), "c", where) == expected


@pytest.mark.parametrize(
    ("values", "below", "expected"),
    [
        ([3, 9, 4], False, 9),
        ([3, 9, 4], True, 3),
        ([nan, 9, 4], False, 9),
        ([nan, 9, 4], True, 4),
        ([nan], False, nan),
        ([], True, nan),
        ([1, inf], False, inf),
    ],
)
def test_a_gauge_is_its_worst_series(values: list[float], below: bool, expected: float) -> None:
    assert growth.gauge(values, below) == pytest.approx(expected, nan_ok=True)


# Quantiles. The expected values are worked out by hand.

QUANTILES = {
    "in the middle of a bucket": (0.5, [(1, 10), (2, 20), (inf, 20)], 1.0),
    "within a bucket": (0.95, [(1, 10), (2, 20), (inf, 20)], 1.9),
    "within the first, which begins at 0": (0.25, [(1, 10), (2, 20), (inf, 20)], 0.5),
    "beyond the highest bound": (0.95, [(1, 10), (2, 15), (inf, 20)], 2),
    "an empty bucket between": (0.75, [(1, 10), (2, 10), (4, 20), (inf, 20)], 3),
    "all in the first": (0.5, [(-1, 4), (0, 4), (inf, 4)], -1),
    "a count that falls is held": (0.9, [(1, 10), (2, 8), (4, 12), (inf, 12)], 2.8),
    "nothing observed": (0.5, [(1, 0), (inf, 0)], nan),
    "no last bucket": (0.5, [(1, 3), (2, 4)], nan),
    "the last bucket alone": (0.5, [(inf, 4)], nan),
    "no bucket": (0.5, [], nan),
    "a bound that is no number": (0.5, [(1, 3), (nan, 3), (inf, 4)], nan),
    "a count that is no number": (0.5, [(1, nan), (inf, 4)], nan),
    "an endless count": (0.5, [(1, 3), (inf, inf)], nan),
}


@pytest.mark.parametrize(("q", "buckets", "expected"), QUANTILES.values(), ids=QUANTILES)
def test_quantile(q: float, buckets: list[tuple[float, float]], expected: float) -> None:
    assert growth.quantile(q, buckets) == pytest.approx(expected, nan_ok=True)


def walked(q: float, counts: list[tuple[float, int]]) -> float:
    """The reference: walk the buckets, each with its own count, until the rank is used up."""
    rank, start = q * sum(count for _, count in counts), 0.0
    highest = max(bound for bound, _ in counts if bound < inf)
    for bound, count in counts:
        if rank <= count and bound == inf:
            return highest
        if rank <= count:
            return start + (bound - start) * rank / count
        rank, start = rank - count, bound
    return highest


@given(
    st.floats(0.01, 0.99),
    st.lists(st.tuples(st.integers(1, 500), st.integers(0, 200)), min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_quantile_is_that_of_a_plain_walk(
    q: float, given: list[tuple[int, int]], beyond: int
) -> None:
    bounds = sorted({bound / 100: count for bound, count in given}.items())
    counts = [*bounds, (inf, beyond)]
    running = [(bound, sum(c for _, c in counts[: i + 1])) for i, (bound, _) in enumerate(counts)]
    found = growth.quantile(q, running)
    if running[-1][1] == 0:
        assert isnan(found)
    else:
        assert found == pytest.approx(walked(q, counts))


def test_a_histogram_starts_again_as_a_whole() -> None:
    """Its first bucket has by now passed what it was: by itself it would look as if it grew by 2."""
    before = 'h_bucket{e="x",le="1"} 6; h_bucket{e="x",le="+Inf"} 60; h_bucket{e="y",le="+Inf"} 5'
    after = 'h_bucket{e="x",le="1"} 8; h_bucket{e="x",le="+Inf"} 9; h_bucket{e="y",le="+Inf"} 7'
    found = growth.buckets(scrape(before), scrape(after), "h", {})
    assert list(found) == [(1.0, 8), (inf, 11)]
    assert list(growth.buckets(scrape(before), scrape(after), "h", {"e": "y"})) == [(inf, 2)]


# Judging.

SLOW = 'h_bucket{le="1"} 0; h_bucket{le="5"} 0; h_bucket{le="+Inf"} 0'
SLOWER = 'h_bucket{le="1"} 10; h_bucket{le="5"} 20; h_bucket{le="+Inf"} 20'
SLOWEST = 'h_bucket{le="1"} 2; h_bucket{le="5"} 10; h_bucket{le="+Inf"} 10'
PARTS = 'c{s="ok"} 0; c{s="bad"} 0'
OK, WARN, DOWN, NONE = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN, Outcome.UNKNOWN
JUDGED: dict[str, tuple[Metric, str | None, str, Outcome, float | None]] = {
    "increase": (rule(), "c 0", "c 7", OK, 7),
    "increase at its bound": (rule(), "c 0", "c 10", OK, 10),
    "increase beyond it": (rule(), "c 0", "c 11", DOWN, 11),
    "increase beyond warn": (rule(warn=5), "c 0", "c 7", WARN, 7),
    "increase below": (rule(bound=1, below=True), "c 4", "c 4", DOWN, 0),
    "increase below warn": (rule(bound=1, warn=5, below=True), "c 4", "c 7", WARN, 3),
    "increase of no such label": (rule(where={"s": "bad"}), "c 0", 'c{s="ok"} 9', OK, 0),
    # What was counted before a restart is not known: it is never little enough.
    "increase after a restart": (rule(), "c 900", "c 8", NONE, 8),
    "increase after a restart, too much": (rule(), "c 900", "c 80", DOWN, 80),
    "increase after a restart, beyond warn": (rule(warn=5), "c 900", "c 8", WARN, 8),
    "increase below, after a restart": (rule(below=True), "c 900", "c 8", NONE, 8),
    "increase below, enough since": (rule(below=True), "c 900", "c 80", OK, 80),
    "increase of another process": (
        rule(),
        "c 1; process_start_time_seconds 100",
        "c 5; process_start_time_seconds 400",
        NONE,
        5,
    ),
    "increase, one series gone": (rule(), 'c{a="1"} 1; c{a="2"} 1', 'c{a="1"} 2', NONE, 1),
    "increase of a label that is gone": (
        rule(where={"s": "bad"}),
        'c{s="bad"} 3; c{s="ok"} 1',
        'c{s="ok"} 9',
        NONE,
        None,
    ),
    "gauge that is gone": (rule("gauge"), "c 3", "# TYPE c gauge; d 1", NONE, None),
    "gauge beside no number": (rule("gauge"), None, 'c{a="1"} 3; c{a="2"} NaN', NONE, 3),
    "gauge too much beside no number": (rule("gauge"), None, 'c{a="1"} 30; c{a="2"} NaN', DOWN, 30),
    "gauge of long ago": (rule("gauge"), None, "c 3 1000", NONE, None),
    "share after a restart": (
        rule("share", bound=0.5, of="d"),
        "c 0; d 90",
        "c 1; d 9",
        NONE,
        1 / 9,
    ),
    "share of one that is gone": (rule("share", bound=0.5, of="d"), "c 0; d 90", "c 1", NONE, None),
    "quantile after a restart": (rule("quantile", "h", 5), SLOWER, SLOWEST, NONE, 4.75),
    "increase of the declared": (rule(), "d 1", "# TYPE c counter; d 1", OK, 0),
    "increase of the missing": (rule(), "c 1", "d 1", NONE, None),
    "increase off one scrape": (rule(), None, "c 1", NONE, None),
    "increase that is no number": (rule(), "c NaN", "c 1", NONE, None),
    "rate": (rule("rate", bound=0.1), "c 0", "c 60", DOWN, 0.2),
    "gauge": (rule("gauge"), None, 'c{a="1"} 3; c{a="2"} 30', DOWN, 30),
    "gauge below": (rule("gauge", below=True), None, 'c{a="1"} 3; c{a="2"} 30', DOWN, 3),
    "age": (rule("age"), None, f'c{{a="1"}} {AGO_9}; c{{a="2"}} {AGO_30}', DOWN, 30),
    "age below": (
        rule("age", below=True),
        None,
        f'c{{a="1"}} {AGO_9}; c{{a="2"}} {AGO_30}',
        DOWN,
        9,
    ),
    "age of little": (rule("age"), None, f"c {AGO_9}", OK, 9),
    "age beside what never was": (rule("age"), None, f'c{{a="1"}} 0; c{{a="2"}} {AGO_9}', OK, 9),
    "age of what never was": (rule("age"), None, "c 0", NONE, None),
    "age of no number": (rule("age"), None, "c NaN", NONE, None),
    "age that is gone": (rule("age"), f"c {AGO_9}", "d 1", NONE, None),
    "gauge by label": (rule("gauge", where={"a": "1"}), None, 'c{a="1"} 3; c{a="2"} 30', OK, 3),
    "gauge of no such label": (rule("gauge", where={"a": "1"}), None, "c 3", NONE, None),
    "gauge without end": (rule("gauge"), None, "c +Inf", NONE, None),
    "gauge that is no number": (rule("gauge"), None, "c NaN", NONE, None),
    "share of itself": (
        rule("share", bound=0.05, where={"s": "bad"}),
        PARTS,
        'c{s="ok"} 90; c{s="bad"} 10',
        DOWN,
        0.1,
    ),
    "share of another": (rule("share", bound=0.5, of="d"), "c 0; d 0", "c 10; d 40", OK, 0.25),
    "share of some of another": (
        rule("share", bound=0.4, of="d", of_where={"a": "1"}),
        "c 0; d 0",
        'c 10; d{a="1"} 20; d{a="2"} 20',
        DOWN,
        0.5,
    ),
    "share of too few": (
        rule("share", bound=0.05, of="d", least=20),
        "c 0; d 0",
        "c 19; d 19",
        NONE,
        None,
    ),
    "share of just enough": (
        rule("share", bound=0.05, of="d", least=20),
        "c 0; d 0",
        "c 1; d 20",
        OK,
        0.05,
    ),
    "share of nothing": (rule("share", of="d", least=0), "c 0; d 3", "c 0; d 3", NONE, None),
    "share of the missing": (rule("share", of="d"), "c 0", "c 3", NONE, None),
    "quantile": (rule("quantile", "h", 3), SLOW, SLOWER, DOWN, 4.6),
    "quantile by its buckets' name": (rule("quantile", "h_bucket", 5), SLOW, SLOWER, OK, 4.6),
    "quantile, another one": (rule("quantile", "h", 3, quantile=0.5), SLOW, SLOWER, OK, 1),
    "quantile of too few": (rule("quantile", "h", 3, least=21), SLOW, SLOWER, NONE, None),
    "quantile of just enough": (rule("quantile", "h", 5, least=20), SLOW, SLOWER, OK, 4.6),
    "quantile of nothing": (rule("quantile", "h", 3), SLOWER, SLOWER, NONE, None),
    "quantile of the missing": (rule("quantile", "h", 3), "c 1", "c 1", NONE, None),
}


@pytest.mark.parametrize(("asked", "before", "after", "said", "value"), JUDGED.values(), ids=JUDGED)
def test_a_rule_is_judged(
    asked: Metric, before: str | None, after: str, said: Outcome, value: float | None
) -> None:
    found = judged(asked, before, after)
    assert (found.kind, found.probe, found.outcome) == (Kind.METRIC, "m", said)
    assert found.value == (None if value is None else pytest.approx(value))
    assert found.bound == asked.bound and found.detail and len(found.detail) <= 160


def test_a_reading_says_what_was_measured() -> None:
    asked = rule("share", bound=0.05, of="d", unit="of calls")
    found = judged(asked, "c 0; d 0", "c 10; d 40")
    assert found.says() == "metric m: 0.25 of calls, at most 0.05 (10 of 40 in 300 s)"


def test_no_time_between_two_scrapes_tells_no_rate() -> None:
    same = scrape("c 5", ELAPSED_S)
    assert metric_reading(rule("rate"), same, same, LATER).outcome is Outcome.UNKNOWN


def test_what_the_rules_read_is_all_that_is_wanted() -> None:
    rules = [rule(), rule("quantile", "h"), rule("share", of="d")]
    found = wanted(rules, Volume(metric="v_total"))
    assert found == {"c", "h", "h_bucket", "d", "v_total", growth.BEGAN.name}


# Volumes.


def volumes(after: str, volume: Volume | None = None, budget: float = 100) -> dict[str, Reading]:
    """By probe, over a window of 60 s, from nothing 300 s before."""
    asked = volume or Volume(metric="c", by="consumer")
    found = volume_readings(asked, scrape("d 0"), scrape(after, ELAPSED_S), 60, budget)
    assert all(r.kind is Kind.VOLUME and r.at == LATER for r in found)
    return {reading.probe: reading for reading in found}


def test_volumes_are_told_by_consumer_and_in_all() -> None:
    found = volumes('c{consumer="sync",s="1"} 100; c{consumer="sync",s="2"} 50; c{s="1"} 250')
    assert {name: r.value for name, r in found.items()} == {"unnamed": 50, "sync": 30, "total": 80}
    assert {name: r.outcome for name, r in found.items()} == {
        "unnamed": Outcome.OK,
        "sync": Outcome.OK,
        "total": Outcome.DEGRADED,
    }
    assert (found["sync"].bound, found["sync"].unit) == (100, "requests per 60 s")
    assert found["total"].says() == (
        "requests of all consumers: 80 requests per 60 s, 100 allowed (in 300 s)"
    )


@pytest.mark.parametrize(
    ("count", "outcome"), [(399, Outcome.OK), (400, Outcome.DEGRADED), (5000, Outcome.DEGRADED)]
)
def test_a_budget_nearly_used_is_degraded(count: int, outcome: Outcome) -> None:
    assert volumes(f"c {count}", Volume(metric="c"))["total"].outcome is outcome


def test_a_volume_after_a_restart_may_be_much_and_is_never_little() -> None:
    """What was asked before it is not known."""
    for after, outcome in (("c 8", Outcome.UNKNOWN), ("c 800", Outcome.DEGRADED)):
        found = volume_readings(
            Volume(metric="c"), scrape("c 900"), scrape(after, ELAPSED_S), 60, 100
        )
        assert [r.outcome for r in found] == [outcome]
    gone = volume_readings(Volume(metric="c"), scrape("c 9"), scrape("d 1", ELAPSED_S), 60, 100)
    assert [(r.outcome, r.fault) for r in gone] == [(Outcome.UNKNOWN, "vanished")]


WHY = [
    ("increase", "c 1", "d 1", "vanished", "c was there at 09:00Z, and is gone"),
    ("increase", "d 1", "d 1", "missing", "the page has no c"),
    ("gauge", "c 1", "c 1 1000", "stale", "c is on the page with a time that is long past"),
    ("increase", "c 9", "c 1", "part", "1, at most 10 (in 300 s; c started again)"),
    ("gauge", "c 1", "c NaN", "no_number", "the value is not a finite number"),
]


@pytest.mark.parametrize(("kind", "before", "after", "fault", "said"), WHY)
def test_why_a_metric_is_not_known(
    kind: str, before: str, after: str, fault: str, said: str
) -> None:
    """A metric that vanished, stood still or began again is named, and is never well."""
    found = judged(rule(kind), before, after)
    assert (found.outcome, found.fault, found.detail) == (Outcome.UNKNOWN, fault, said)


def test_a_volume_that_is_not_told_is_unknown() -> None:
    assert volumes("d 1")["total"].outcome is Outcome.UNKNOWN
    alone = volume_readings(Volume(metric="c"), None, scrape("c 9"), 60, 100)
    assert [(r.probe, r.outcome, r.value) for r in alone] == [("total", Outcome.UNKNOWN, None)]


def test_consumers_are_bounded_and_harmless() -> None:
    page = "; ".join(f'c{{consumer="w{i:02}"}} {i}' for i in range(40))
    found = volumes(f'{page}; c{{consumer="total"}} 900; c{{consumer="\x1b[31m\u202e"}} 901')
    assert len(found) == MOST_CONSUMERS + 1
    assert list(found)[:3] == ["?[31m?", "total (a consumer)", "w39"]
    assert found["total"].value == pytest.approx((sum(range(40)) + 1801) / 5)


# The same in PromQL.

SERVER = PrometheusServer(url="http://127.0.0.1:9", range="5m", where={"job": "app"})
BAD = {"s": "bad"}
QUERIES = {
    "gauge": (rule("gauge"), 'max(c{job="app"})'),
    "gauge below": (rule("gauge", below=True), 'min(c{job="app"})'),
    "age": (rule("age"), 'time() - min(c{job="app"} > 0)'),
    "age below": (rule("age", below=True), 'time() - max(c{job="app"} > 0)'),
    "increase": (rule(), 'sum(increase(c{job="app"}[5m]))'),
    "rate by label": (
        rule("rate", where=BAD),
        'sum(rate(c{job="app",s="bad"}[5m])) or 0 * sum(rate(c{job="app"}[5m]))',
    ),
    "share": (
        rule("share", of="d", least=20),
        '(sum(increase(c{job="app"}[5m]))) / ((sum(increase(d{job="app"}[5m]))) >= 20.0)',
    ),
    "quantile": (
        rule("quantile", "h", least=5),
        'histogram_quantile(0.95, sum by (le) (increase(h_bucket{job="app"}[5m])))'
        ' and (sum(increase(h_bucket{job="app",le="+Inf"}[5m])) >= 5.0)',
    ),
    "a hostile label": (
        rule("gauge", where={"a": '"} or vector(1) #\\\n'}),
        'max(c{job="app",a="\\"} or vector(1) #\\\\\\n"})',
    ),
}


@pytest.mark.parametrize(("asked", "query"), QUERIES.values(), ids=QUERIES)
def test_a_rule_as_promql(asked: Metric, query: str) -> None:
    assert metric_query(asked, SERVER) == query


def test_a_volume_as_promql() -> None:
    total, each = volume_queries(Volume(metric="c", by="consumer"), SERVER, 60)
    assert total == '(sum(rate(c{job="app"}[5m]))) * 60.0'
    assert each == 'topk(20, sum by (consumer) (rate(c{job="app"}[5m])) * 60.0)'
    assert volume_queries(Volume(metric="c"), SERVER, 60)[1] is None


@pytest.mark.parametrize("name", ['a="1"} or d{b', "", "a-b", "a\n", "1a"])
def test_a_label_name_that_is_none_is_not_sent(name: str) -> None:
    with pytest.raises(Unreadable, match="not a label's name"):
        metric_query(rule("gauge", where={name: "1"}), SERVER)
    with pytest.raises(Unreadable, match="not a label's name"):
        volume_queries(Volume(metric="c", by=name or "-"), SERVER, 60)


def answer(result: object, status: int = 200, kind: str = "vector") -> Page:
    body = {"status": "success", "data": {"resultType": kind, "result": result}}
    return Page(status, json.dumps(body).encode(), None, 0.1)


def raw(body: bytes, status: int | None = 200, fault: str | None = None) -> Page:
    return Page(status, body, fault, 0.1)


def test_a_vector_is_read() -> None:
    result = [
        {"metric": {"a": "1"}, "value": [1435781451.781, "1.5"]},
        {"metric": {}, "value": [1435781451.781, "+Inf"]},
    ]
    assert vector(answer(result)) == [({"a": "1"}, 1.5), ({}, inf)]
    assert vector(answer([])) == []


SAID_NO = b'{"status":"error","errorType":"bad_data","error":"unclosed parenthesis"}'
HOSTILE_KIND = b'{"status":"error","errorType":"\\u001b[31m' + b"x" * 99 + b'"}'
NO_VECTORS = {
    "no answer": (raw(b"", None, "refused"), "refused", "refused"),
    "html": (raw(b"<html>"), "answered 200", "not_json"),
    "a gateway's page": (raw(b"<html>", 502), "answered 502", None),
    "a success with a status of 500": (answer([], 500), "answered 500", None),
    "an error": (raw(SAID_NO, 400), "answered 400: bad_data", "error_body"),
    "an error of a hostile kind": (raw(HOSTILE_KIND, 422), "422: unknown$", "error_body"),
    "a list": (raw(b"[]"), "answered 200", None),
    "a matrix": (answer([], kind="matrix"), "no instant vector", "wrong_value"),
    "a scalar": (answer([1, "1"], kind="scalar"), "no instant vector", "wrong_value"),
    "no list": (answer({}), "no instant vector", "wrong_value"),
    "no value": (answer([{"metric": {}}]), "no instant vector", "wrong_value"),
    "a bare number": (answer([{"metric": {}, "value": [1, 2]}]), "no instant", "wrong_value"),
    "no number": (answer([{"metric": {}, "value": [1, "x"]}]), "no instant", "wrong_value"),
    "no pair": (answer([{"metric": {}, "value": ["1"]}]), "no instant", "wrong_value"),
    "no labels": (answer([{"metric": [], "value": [1, "1"]}]), "no instant", "wrong_value"),
    "no object": (answer([None]), "no instant vector", "wrong_value"),
    "no data": (raw(b'{"status":"success"}'), "no instant vector", "wrong_value"),
}


@pytest.mark.parametrize(("page", "why", "fault"), NO_VECTORS.values(), ids=NO_VECTORS)
def test_what_is_no_vector_is_refused(page: Page, why: str, fault: str | None) -> None:
    with pytest.raises(Unreadable, match=why) as refused:
        vector(page)
    assert refused.value.fault == fault
