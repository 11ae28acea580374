"""TwinMind's runbook as a table of evidence: what is seen, what it means, how bad, how sure."""

from __future__ import annotations

from datetime import timedelta
from functools import cache

import pytest
from making import T0, contrast, endpoint, measured, network, service, status_page

from watchkeeper.diagnosis import Verdict, diagnose
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.performing.endpoint_probe import probes_of
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.runbook.model import Runbook
from watchkeeper.told import Told
from watchkeeper.triage_markdown import triage_markdown
from watchkeeper.triage_text import first_minutes

CONFIRMED, LIKELY = Verdict.CONFIRMED, Verdict.LIKELY
OK, DEGRADED, DOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN
WAY_OK = (network("dns"), network("tcp"), network("control"))


@cache
def twinmind() -> Runbook:
    return load_runbook(SHIPPED_RUNBOOKS / "twinmind.yaml")


def seen(
    said: int | str, *others: Reading, latency_s: float = 0.1, wait_s: float | None = None
) -> Evidence:
    """One answer of each endpoint that a triage asks, and what else was read."""
    slow = latency_s > 5
    outcome = {"outcome": DEGRADED} if slow and said == 200 else {}
    answers = tuple(
        endpoint(
            probe.name, said, critical=probe.critical, latency_s=latency_s, wait_s=wait_s, **outcome
        )
        for probe in probes_of(twinmind())
    )
    return Evidence(integration="twinmind@test", at=T0, readings=(*answers, *others))


def metric(name: str) -> Reading:
    return measured(Kind.METRIC, name, DOWN, value=1.0, bound=0.5)


def volume(total: float) -> Reading:
    return measured(Kind.VOLUME, "total", value=total, bound=60)


ROWS = [
    (
        "all fail, its page says so",
        seen(503, contrast("again", 503, of="health"), status_page(DOWN)),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    (
        "every transcription fails, the API answers",
        seen(200, metric("transcription_errors")),
        "transcriptions_failing",
        1,
        LIKELY,
    ),
    (
        "summaries fail, transcriptions do not",
        seen(200, metric("summarize_errors")),
        "summaries_failing",
        2,
        LIKELY,
    ),
    (
        "nothing gets out",
        seen("timeout", network("tcp", DOWN, fault="timeout"), network("control", DOWN)),
        "network_issue",
        1,
        CONFIRMED,
    ),
    (
        "no name resolves",
        seen("dns", network("dns", DOWN, fault="dns")),
        "dns_failure",
        1,
        CONFIRMED,
    ),
    (
        "a proxy's certificate",
        seen("tls", network("tls", DOWN, fault="certificate")),
        "tls_failure",
        1,
        CONFIRMED,
    ),
    ("connected, and nothing comes", seen("timeout", *WAY_OK), "vendor_hangs", 1, LIKELY),
    (
        "slow, its page says so",
        seen(200, status_page(DEGRADED), *WAY_OK, latency_s=7.5),
        "slow_vendor",
        3,
        CONFIRMED,
    ),
    (
        "the API is quick, transcriptions are not",
        seen(200, service(), metric("transcription_p95")),
        "slow_transcription",
        3,
        LIKELY,
    ),
    ("P95 above the bound", seen(200, metric("latency_p95")), "slow_service", 3, LIKELY),
    (
        "our service queues",
        seen(200, service(200, latency_s=9.0), metric("queue")),
        "slow_service",
        3,
        CONFIRMED,
    ),
    (
        "our pods are busy",
        seen(200, metric("queue"), measured(Kind.RUNTIME, "pods", DEGRADED, fault="busy")),
        "slow_service",
        3,
        CONFIRMED,
    ),
    (
        "slow to anywhere",
        seen(
            200,
            network("tcp", DEGRADED, value=3.0, bound=1.0),
            network("control", DEGRADED),
            latency_s=7.5,
        ),
        "slow_network",
        3,
        CONFIRMED,
    ),
    (
        "429, and we ask so much",
        seen(429, volume(59), wait_s=30.0),
        "rate_limit_exceeded",
        2,
        CONFIRMED,
    ),
    (
        "our own counter of 429s",
        seen(200, metric("rate_limited")),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    ("429, and it was not us", seen(429, volume(3)), "rate_limit_shared", 2, LIKELY),
    ("the gauge is near 0", seen(200, metric("calls_left")), "rate_limit_near", 4, LIKELY),
    (
        "the header is near 0",
        seen(200, measured(Kind.RATE, "rate", value=2, bound=60)),
        "rate_limit_near",
        4,
        LIKELY,
    ),
    ("401 on all", seen(401), "api_key_expired", 1, LIKELY),
    (
        "401 on all, another key is let in",
        seen(401, contrast("second_key", 200, of="me"), contrast("again", 401, of="me")),
        "api_key_expired",
        1,
        CONFIRMED,
    ),
    ("no key is set", seen("no key of ours"), "key_missing", 1, CONFIRMED),
    (
        "the store and the service disagree",
        seen(
            200,
            service(503),
            measured(Kind.KEY, "service", DEGRADED, fault="other_key", signature="ab"),
        ),
        "consumer_not_restarted",
        1,
        CONFIRMED,
    ),
    (
        "our pods are gone",
        seen(200, service("refused"), measured(Kind.HISTORY, "service")),
        "service_crash",
        1,
        CONFIRMED,
    ),
    ("time-outs are counted", seen(200, metric("timeouts")), "occasional_timeouts", 4, LIKELY),
    (
        "a time-out now and then",
        seen(200, measured(Kind.HISTORY, "health", DEGRADED, value=4)),
        "occasional_timeouts",
        4,
        CONFIRMED,
    ),
]


@pytest.mark.parametrize(
    ("evidence", "cause", "severity", "verdict"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_each_row_of_the_scenarios(
    evidence: Evidence, cause: str, severity: int, verdict: Verdict
) -> None:
    """What is seen leads to the scenario that the source names, no surer than it can be."""
    leading = diagnose(evidence, twinmind()).leading
    assert leading is not None
    assert (leading.cause, leading.severity, leading.verdict) == (cause, severity, verdict)


def test_all_well_is_healthy() -> None:
    assert diagnose(seen(200, service()), twinmind()).healthy


@pytest.mark.parametrize(
    ("level", "word", "example", "respond_within", "pages"),
    [
        (1, "P1", "all transcriptions fail", timedelta(minutes=15), True),
        (2, "P2", "summaries are not made", timedelta(hours=1), True),
        (3, "P3", "transcription is slow", timedelta(hours=4), False),
        (4, "P4", "a time-out now and then", timedelta(hours=24), False),
    ],
)
def test_each_row_of_the_severity_table(
    level: int, word: str, example: str, respond_within: timedelta, pages: bool
) -> None:
    row = twinmind().severity_level(level)
    assert (row.word, row.examples, row.respond_within, row.pages) == (
        word,
        (example,),
        respond_within,
        pages,
    )


def test_what_costs_is_asked_by_name_alone() -> None:
    """A transcription is paid for: no look tries one unless a person says so."""
    asked = {probe.name for probe in probes_of(twinmind())}
    assert asked == {"health", "health_head", "me", "models", "transcripts"}
    with_it = {probe.name for probe in probes_of(twinmind(), ("transcribe",))}
    assert with_it - asked == {"transcribe"}


def test_the_ladder_is_the_sources() -> None:
    rungs = [(r.level, r.who, r.after) for r in twinmind().escalation]
    assert rungs == [
        (1, "on-call engineer", timedelta(0)),
        (2, "team lead", timedelta(minutes=15)),
        (3, "engineering manager", timedelta(minutes=30)),
        (4, "VP engineering", timedelta(hours=1)),
    ]


def told(evidence: Evidence) -> str:
    diagnosis = diagnose(evidence, twinmind())
    return triage_markdown(Told(runbook=twinmind(), evidence=evidence, diagnosis=diagnosis))


def test_a_triage_tells_what_people_do_and_whom_they_ask() -> None:
    """The steps of the scenario, the vendor's support and the pages that help."""
    said = told(seen(503, status_page(DOWN)))
    steps = twinmind().causes[0].steps
    assert len(steps) == 3
    ways = [s.contact for s in twinmind().support]
    assert ways[:2] == ["support@twinmind.com", "enterprise-support@twinmind.com"]
    pages = [str(link.url) for link in twinmind().links]
    assert len(pages) == 4
    assert [text for text in (*steps, *ways, *pages) if text not in said] == []


def test_what_to_do_soon_and_in_the_long_run_is_told() -> None:
    said = told(seen(429, volume(59)))
    for word in ("higher limit", "higher tier", "cache", "batch", "ask better"):
        assert word in said


def test_the_first_five_minutes_are_told() -> None:
    names = [name for name, _ in first_minutes(twinmind())]
    assert names == ["acknowledge", "quick health check", "assessment", "communication"]
