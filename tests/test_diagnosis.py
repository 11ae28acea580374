"""The runbook's symptom table as a table of evidence: what is seen, what it means, how sure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import (
    ENDPOINTS,
    T0,
    changed,
    contrast,
    endpoint,
    measured,
    network,
    other_key,
    runbook,
    seen,
    service,
    status_page,
)

from watchkeeper.answer import Answer, Speaker
from watchkeeper.diagnosis import Diagnosis, Verdict, diagnose
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs import SIGNS, sign_named

CONFIRMED, LIKELY = Verdict.CONFIRMED, Verdict.LIKELY
KINDS_OF_5XX = {"workorders": 500, "assets": 502, "locations": 503, "users": 504}
SLOW: dict[str, Any] = {"latency_s": 7.5, "outcome": Outcome.DEGRADED}


def found(diagnosis: Diagnosis) -> tuple[str | None, int | None, Verdict]:
    return diagnosis.cause, diagnosis.severity, diagnosis.verdict


OK, DEGRADED, DOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN
HTML_401 = {"signature": "401 text/html"}
WAY_OK = (network("dns"), network("tcp"), network("control"))


def again(*said: int | str, of: str = "workorders") -> tuple[Reading, ...]:
    """The same request once more, and once more; each a reading of its own."""
    return tuple(contrast("again", s, of, latency_s=0.1 + n / 100) for n, s in enumerate(said))


def volume(total: float, outcome: Outcome = OK) -> Reading:
    return measured(Kind.VOLUME, "total", outcome, value=total, bound=100)


JSON_401: dict[str, Any] = {
    "answer": Answer.REFUSED,
    "speaker": Speaker.API,
    "signature": "401 application/json",
}
JSON_503: dict[str, Any] = {"answer": Answer.SERVER_ERROR, "speaker": Speaker.API}
OUTAGE = (contrast("no_key", 503), *again(503), *WAY_OK)
BEFORE = measured(Kind.HISTORY, "service", OK)


def alike() -> tuple[Reading, ...]:
    """A made-up key and none are refused with the very words that ours is."""
    return tuple(contrast(varies, 401, **JSON_401) for varies in ("no_key", "made_up_key"))


def only(name: str, status: int, **more: Any) -> Evidence:
    """One endpoint answers otherwise, the others well."""
    others = tuple(endpoint(n) for n in ENDPOINTS if n != name)
    return Evidence(integration="x@test", at=T0, readings=(*others, endpoint(name, status, **more)))


def behind(evidence: Evidence) -> Evidence:
    """The same, seen through a gateway of ours."""
    return replace(evidence, behind_gateway=True)


# The six rows of the source's table, each with and without the check that confirms it, the rows of
# its severity table and error handling that are not in it, and what the same symptoms can mean.
ROWS = [
    (
        "401 on all, another key is let in",
        seen(401, other_key(200), *again(401)),
        "api_key_expired",
        1,
        CONFIRMED,
    ),
    ("401 on all, not asked again", seen(401, other_key(200)), "api_key_expired", 1, LIKELY),
    (
        "D7: every key and none is refused alike",
        seen(401, *alike(), **JSON_401),
        "vendor_auth_down",
        1,
        LIKELY,
    ),
    (
        "D7: refused alike, and the page is red",
        seen(401, *alike(), status_page(DOWN), **JSON_401),
        "vendor_auth_down",
        1,
        CONFIRMED,
    ),
    (
        "D7: refused alike, a new key too",
        seen(401, *alike(), other_key(401), **JSON_401),
        "vendor_auth_down",
        1,
        LIKELY,
    ),
    ("D7: 401 and a red page", seen(401, status_page(DOWN)), "vendor_auth_down", 1, LIKELY),
    (
        "D7: a red page, and another key is let in",
        seen(401, status_page(DOWN), other_key(200), *again(401)),
        "api_key_expired",
        1,
        CONFIRMED,
    ),
    ("401 on all, no other key to try", seen(401), "api_key_expired", 1, LIKELY),
    ("401 on all, another key is refused", seen(401, other_key(401)), "api_key_expired", 1, LIKELY),
    (
        "401 wherever the key was looked at",
        seen({**dict.fromkeys(ENDPOINTS, 401), "users": "timeout"}),
        "api_key_expired",
        1,
        LIKELY,
    ),
    (
        "401 as without a key",
        seen(401, contrast("no_key", 401, **HTML_401), **HTML_401),
        "key_missing",
        1,
        LIKELY,
    ),
    ("no key to send", seen("no key of ours"), "key_missing", 1, CONFIRMED),
    (
        "401 on all, the second key too",
        seen(401, contrast("second_key", 401)),
        "vendor_auth_down",
        1,
        LIKELY,
    ),
    (
        "the second key too, and the page says so",
        seen(401, contrast("second_key", 401), status_page(DEGRADED)),
        "vendor_auth_down",
        1,
        CONFIRMED,
    ),
    ("refused, then let in", seen(401, *again(401, 200)), "vendor_auth_down", 1, LIKELY),
    ("401 on one", seen({"users": 401}), "key_lacks_scope", 4, LIKELY),
    ("401 on the critical one", seen({"workorders": 401}), "key_lacks_scope", 2, LIKELY),
    (
        "403 on one, every time",
        seen({"assets": 403}, *again(403, 403, of="assets"), contrast("no_key", 401, "assets")),
        "key_lacks_scope",
        4,
        CONFIRMED,
    ),
    (
        "403 on one, without a key too",
        seen({"assets": 403}, *again(403, 403, of="assets"), contrast("no_key", 403, "assets")),
        "key_lacks_scope",
        4,
        LIKELY,
    ),
    (
        "D6: a firewall's page on one",
        only("assets", 403, answer=Answer.SHUT_OUT, speaker=Speaker.EDGE),
        "access_denied",
        4,
        LIKELY,
    ),
    (
        "D6: a firewall's page on all",
        seen(403, answer=Answer.SHUT_OUT, speaker=Speaker.EDGE),
        "access_denied",
        1,
        LIKELY,
    ),
    ("D9: 407 on all", seen(407), "network_issue", 1, LIKELY),
    ("D9: 511 on all", seen(511), "network_issue", 1, LIKELY),
    (
        "D9: a login on all",
        seen(302, answer=Answer.INTERCEPTED),
        "answered_by_another",
        1,
        LIKELY,
    ),
    (
        "D9: the same login elsewhere too",
        seen(302, network("control", DOWN, fault="intercepted"), answer=Answer.INTERCEPTED),
        "answered_by_another",
        1,
        CONFIRMED,
    ),
    (
        "D9: a login on one is a moved path",
        only("assets", 302, answer=Answer.INTERCEPTED),
        "api_path_changed",
        4,
        LIKELY,
    ),
    (
        "D5: a spent budget as 403 on all",
        seen(403, answer=Answer.THROTTLED, outcome=DEGRADED),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    ("D12: 522 on all", seen(522), "vendor_outage", 1, LIKELY),
    (
        "D3: our gateway fails, the vendor answers",
        behind(seen(502, contrast("direct", 401), contrast("no_key", 502), *again(502))),
        "gateway_fault",
        1,
        CONFIRMED,
    ),
    (
        "D3: one list fails at our gateway",
        behind(seen({"assets": 502}, contrast("direct", 401, "assets"))),
        "gateway_fault",
        4,
        LIKELY,
    ),
    (
        "D3: nothing answers at our gateway",
        behind(seen("refused", contrast("direct", 401), contrast("no_key", "refused"))),
        "gateway_fault",
        1,
        LIKELY,
    ),
    (
        "D3: behind a gateway, and nothing direct was asked",
        behind(seen(503, *OUTAGE, status_page(DOWN), **JSON_503)),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "D3: behind a gateway, and it fails directly too",
        behind(seen(503, *OUTAGE, contrast("direct", 503), status_page(DOWN), **JSON_503)),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    (
        "D3: the gateway lets us through without a key",
        behind(seen(503, contrast("direct", 401), contrast("no_key", 401), status_page(DOWN))),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "D2: 401 on all, announced maintenance",
        seen(401, status_page(DEGRADED, "maintenance")),
        "api_key_expired",
        1,
        LIKELY,
    ),
    (
        "D10: 403 on one, announced maintenance",
        seen({"assets": 403}, status_page(DEGRADED, "maintenance")),
        "key_lacks_scope",
        4,
        LIKELY,
    ),
    (
        "D10: our names do not resolve, announced maintenance",
        seen("dns", status_page(DEGRADED, "maintenance")),
        "dns_failure",
        1,
        LIKELY,
    ),
    (
        "D10: time-outs in announced maintenance",
        seen("timeout", *WAY_OK, status_page(DEGRADED, "maintenance")),
        "vendor_maintenance",
        3,
        CONFIRMED,
    ),
    (
        "D10: what maintenance does not explain leads",
        seen({"users": 403, "assets": 503}, status_page(DEGRADED, "maintenance")),
        "key_lacks_scope",
        3,
        LIKELY,
    ),
    (
        "D8: 400 on all",
        seen(400),
        "api_contract_changed",
        1,
        LIKELY,
    ),
    ("a status that means nothing", seen(999), None, 1, Verdict.INCONCLUSIVE),
    ("403 on all", seen(403), "access_denied", 1, LIKELY),
    (
        "the service is on another key",
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
        "5xx on all, the status page says so",
        seen(503, *again(503), status_page(DOWN)),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    (
        "5xx on all, the status page is green",
        seen(503, status_page(OK)),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "5xx for anybody, and our network is well",
        seen(503, *OUTAGE, **JSON_503),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    (
        "5xx for anybody, and somebody's page",
        seen(503, *OUTAGE, speaker=Speaker.EDGE),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "504 on all, written before the API",
        seen(504, *OUTAGE, status_page(OK), speaker=Speaker.EDGE),
        "vendor_hangs",
        1,
        LIKELY,
    ),
    (
        "504 on all, and the page admits an outage",
        seen(504, *OUTAGE, status_page(DOWN), speaker=Speaker.EDGE),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    ("504 on all, in the API's words", seen(504, **JSON_503), "vendor_outage", 1, LIKELY),
    (
        "502 without a sign of the API, and nothing else is reached",
        seen(502, *again(502), network("control", DOWN), speaker=Speaker.EDGE),
        "network_issue",
        1,
        LIKELY,
    ),
    (
        "502 in the API's words, and nothing else is reached",
        seen(502, *again(502), network("control", DOWN), **JSON_503),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "one 503 among many good answers",
        seen({"assets": 503}, *again(200, 200, 200, 200, of="assets"), *again(200, 200)),
        "occasional_failures",
        4,
        LIKELY,
    ),
    (
        "one 503 of the critical one, well each time after it",
        seen({"workorders": 503}, *again(200, 200, 200, 200, 200)),
        "occasional_failures",
        4,
        LIKELY,
    ),
    (
        "D4: one 503 of the critical one, and too few good answers after it",
        seen({"workorders": 503}, *again(200, 200, 200, 200)),
        "intermittent_errors",
        2,
        CONFIRMED,
    ),
    (
        "one 503, and a second one when asked again",
        seen({"assets": 503}, *again(200, 503, 200, 200, 200, of="assets")),
        "intermittent_errors",
        4,
        CONFIRMED,
    ),
    (
        "one 503, and the last checks failed as well",
        seen(
            {"assets": 503},
            *again(200, 200, 200, 200, of="assets"),
            measured(Kind.HISTORY, "assets", DEGRADED),
        ),
        "intermittent_errors",
        4,
        CONFIRMED,
    ),
    (
        "one 429, and well after the wait",
        seen({"assets": 429}, *again(200, 200, 200, of="assets"), volume(3)),
        "occasional_failures",
        4,
        LIKELY,
    ),
    (
        "one 429, well after the wait, and we ask all that is allowed",
        seen({"assets": 429}, *again(200, 200, 200, of="assets"), volume(98)),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    (
        "one 429, and once more after the wait",
        seen({"assets": 429}, *again(200, 429, 200, of="assets")),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    (
        "copies out of a cache",
        seen(200, answer=Answer.COPY, outcome=DOWN, fault="old_copy"),
        "answered_by_another",
        1,
        LIKELY,
    ),
    (
        "a list is empty that we hold records of",
        only("assets", 200, fault="emptied"),
        "source_gone_quiet",
        2,
        LIKELY,
    ),
    (
        "a label that others go by, and our service is unwell",
        seen(200, service(503), fault="mislabelled"),
        "api_contract_changed",
        1,
        LIKELY,
    ),
    (
        "our service died three times and is young",
        seen(
            200,
            measured(Kind.LOG, "deaths", DOWN),
            measured(Kind.METRIC, "process_age", DOWN),
        ),
        "service_crash",
        1,
        CONFIRMED,
    ),
    (
        "our service died three times",
        seen(200, measured(Kind.LOG, "deaths", DOWN), measured(Kind.METRIC, "process_age", OK)),
        "service_crash",
        1,
        LIKELY,
    ),
    (
        "our service says that its last sync was hours ago",
        seen(200, measured(Kind.METRIC, "last_sync", DOWN)),
        "sync_stalled",
        2,
        LIKELY,
    ),
    (
        "answers that break off",
        seen("cut", network("tcp"), network("control")),
        "network_issue",
        1,
        LIKELY,
    ),
    (
        "one list whose answers break off",
        seen({"assets": "cut"}, network("tcp"), network("control")),
        "network_issue",
        2,
        LIKELY,
    ),
    (
        "each endpoint is answered otherwise",
        seen({"workorders": 400, "assets": 401, "locations": 404, "users": 500}),
        None,
        1,
        Verdict.INCONCLUSIVE,
    ),
    (
        "one endpoint is answered otherwise each time",
        seen(dict.fromkeys(ENDPOINTS, 404) | {"assets": 503}, *again(500, 403, 302)),
        None,
        1,
        Verdict.INCONCLUSIVE,
    ),
    (
        "three faults, and one endpoint is well",
        seen({"workorders": 400, "assets": 401, "locations": 404}),
        "api_contract_changed",
        2,
        LIKELY,
    ),
    ("5xx on all, of several kinds", seen(KINDS_OF_5XX), "vendor_outage", 1, LIKELY),
    (
        "5xx on all, but not always",
        seen(503, *again(503, 200), status_page(DOWN)),
        "intermittent_errors",
        2,
        LIKELY,
    ),
    ("500 on one, not critical", seen({"users": 500}), "intermittent_errors", 4, CONFIRMED),
    (
        "500 on the critical one alone",
        seen({"workorders": 500}),
        "intermittent_errors",
        2,
        CONFIRMED,
    ),
    (
        "5xx while maintenance is announced",
        seen(503, status_page(DEGRADED, "maintenance")),
        "vendor_maintenance",
        3,
        CONFIRMED,
    ),
    (
        "429 on all, and we asked so much",
        seen(429, volume(98), wait_s=30.0),
        "rate_limit_exceeded",
        2,
        CONFIRMED,
    ),
    ("429 on all, and nobody counted", seen(429, wait_s=30.0), "rate_limit_exceeded", 2, LIKELY),
    (
        "429 on all, and not all are counted",
        seen(429, volume(3, Outcome.UNKNOWN), wait_s=30.0),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    (
        "429 on all, and it was not us",
        seen(429, volume(3), wait_s=30.0),
        "rate_limit_shared",
        2,
        LIKELY,
    ),
    (
        "429 in another dress, and no word of the budget",
        seen(403, volume(3), answer=Answer.THROTTLED, outcome=DEGRADED),
        "rate_limit_exceeded",
        2,
        LIKELY,
    ),
    (
        "429 in another dress, and the budget is spent",
        seen(
            403,
            volume(3),
            measured(Kind.RATE, "rate", value=0, bound=100),
            answer=Answer.THROTTLED,
            outcome=DEGRADED,
        ),
        "rate_limit_shared",
        2,
        LIKELY,
    ),
    (
        "hardly any calls left",
        seen(200, measured(Kind.RATE, "rate", value=4, bound=100)),
        "rate_limit_near",
        4,
        LIKELY,
    ),
    ("404 on the critical one", seen({"workorders": 404}), "api_path_changed", 2, LIKELY),
    ("404 on another", seen({"users": 404}), "api_path_changed", 4, LIKELY),
    (
        "404, and no longer described",
        seen({"users": 404}, contrast("description", 200, outcome=DOWN)),
        "api_path_changed",
        4,
        CONFIRMED,
    ),
    ("404 on all", seen(404), "api_path_changed", 1, LIKELY),
    ("302 on all", seen(302), "api_path_changed", 1, LIKELY),
    ("400 on one", seen({"assets": 400}), "api_contract_changed", 4, LIKELY),
    (
        "200 with an error in it",
        seen(200, outcome=DOWN, fault="error_body"),
        "api_contract_changed",
        1,
        LIKELY,
    ),
    (
        "200 with a page of HTML",
        seen(200, outcome=DOWN, fault="html"),
        "answered_by_another",
        1,
        LIKELY,
    ),
    ("time-outs everywhere", seen("timeout"), "network_issue", 1, LIKELY),
    (
        "time-outs everywhere, and no control",
        seen("timeout", network("tcp", DOWN, fault="timeout"), network("control", DOWN)),
        "network_issue",
        1,
        CONFIRMED,
    ),
    (
        "the connection is refused, the control answers",
        seen("refused", network("tcp", DOWN, fault="refused"), network("control")),
        "network_issue",
        1,
        LIKELY,
    ),
    ("connected, and nothing comes", seen("timeout", *WAY_OK), "vendor_hangs", 1, LIKELY),
    (
        "nothing comes, and the page says so",
        seen("timeout", *WAY_OK, status_page(DEGRADED)),
        "vendor_hangs",
        1,
        CONFIRMED,
    ),
    ("one hangs, not critical", seen({"users": "timeout"}), "vendor_hangs", 2, LIKELY),
    ("names do not resolve", seen("dns"), "dns_failure", 1, LIKELY),
    (
        "no name resolves here",
        seen("dns", network("dns", DOWN, fault="dns")),
        "dns_failure",
        1,
        CONFIRMED,
    ),
    ("no trust", seen("tls"), "tls_failure", 1, LIKELY),
    (
        "somebody else's certificate",
        seen("tls", network("tls", DOWN, fault="certificate")),
        "tls_failure",
        1,
        CONFIRMED,
    ),
    ("our service is gone", seen(200, service("refused"), BEFORE), "service_crash", 1, CONFIRMED),
    (
        "D11: a port where nothing ever answered",
        seen(200, service("refused")),
        "service_crash",
        1,
        LIKELY,
    ),
    ("D11: it hangs", seen(200, service("timeout"), BEFORE), "service_crash", 1, LIKELY),
    (
        "D11: it hangs, and nothing runs",
        seen(200, service("timeout"), measured(Kind.RUNTIME, "pods", DOWN, fault="not_running")),
        "service_crash",
        1,
        CONFIRMED,
    ),
    (
        "D11: a typo in its host",
        seen(200, service("dns"), BEFORE),
        "service_not_reached",
        2,
        LIKELY,
    ),
    ("D11: TLS fails there", seen(200, service("tls")), "service_not_reached", 2, LIKELY),
    (
        "our service is gone, the vendor too",
        seen(503, service("refused")),
        "vendor_outage",
        1,
        LIKELY,
    ),
    (
        "our service is sick, the vendor is not",
        seen(200, service(503)),
        "service_unhealthy",
        2,
        LIKELY,
    ),
    (
        "our service is slow and busy",
        seen(
            200, service(200, latency_s=9.0), measured(Kind.RUNTIME, "pods", DEGRADED, fault="busy")
        ),
        "slow_service",
        3,
        CONFIRMED,
    ),
    ("slow answers", seen(200, **SLOW), "slow_vendor", 3, LIKELY),
    ("slow answers, the way there is quick", seen(200, *WAY_OK, **SLOW), "slow_vendor", 3, LIKELY),
    (
        "slow to connect, slow everywhere",
        seen(
            200,
            network("tcp", DEGRADED, value=3.0, bound=1.0),
            network("control", DEGRADED),
            **SLOW,
        ),
        "slow_network",
        3,
        CONFIRMED,
    ),
    (
        "two clocks say that ours is wrong",
        seen(
            200,
            measured(Kind.CLOCK, "vendor", DEGRADED, skew_s=300.0),
            measured(Kind.CLOCK, "control", DEGRADED, skew_s=299.0),
        ),
        "clock_wrong",
        3,
        CONFIRMED,
    ),
    (
        "the vendor's clock is wrong",
        seen(
            200,
            measured(Kind.CLOCK, "vendor", DEGRADED, skew_s=300.0),
            measured(Kind.CLOCK, "control", OK, skew_s=0.0),
        ),
        "clock_wrong",
        3,
        LIKELY,
    ),
    (
        "nothing was walked for long",
        seen(200, measured(Kind.DATA, "workorders", DOWN, fault="stale")),
        "sync_stalled",
        2,
        LIKELY,
    ),
    (
        "zero rows, walk after walk",
        seen(200, measured(Kind.DATA, "workorders", DOWN, fault="empty")),
        "source_gone_quiet",
        2,
        LIKELY,
    ),
    (
        "a watermark in the future",
        seen(200, measured(Kind.DATA, "workorders", DOWN, fault="future")),
        "watermark_in_future",
        2,
        CONFIRMED,
    ),
    (
        "it fails now and then",
        seen(200, measured(Kind.HISTORY, "users", DEGRADED, value=4)),
        "occasional_failures",
        4,
        CONFIRMED,
    ),
]


@pytest.mark.parametrize(
    ("evidence", "cause", "severity", "verdict"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_each_row_of_the_table(
    evidence: Evidence, cause: str, severity: int, verdict: Verdict
) -> None:
    """What is seen leads to the runbook's cause and severity, no surer than its checks allow."""
    assert found(diagnose(evidence, runbook())) == (cause, severity, verdict)


def test_what_no_row_explains_is_inconclusive() -> None:
    """No cause is made up: people look within the hour, and nothing is changed on suspicion."""
    few = changed(causes=tuple(c for c in runbook().causes if c.cause == "vendor_outage"))
    diagnosis = diagnose(seen({"workorders": 401}), few)
    assert found(diagnosis) == (None, 2, Verdict.INCONCLUSIVE)
    assert diagnosis.because.startswith("no row of the runbook explains:")


def test_what_one_cause_leaves_unexplained_is_told() -> None:
    """A cause that explains an endpoint does not explain the one beside it."""
    few = changed(causes=tuple(c for c in runbook().causes if c.cause == "slow_vendor"))
    answers = (endpoint("workorders", 418), endpoint("users", 200, **SLOW))
    evidence = Evidence(integration="x@test", at=T0, readings=answers)
    diagnosis = diagnose(evidence, few)
    assert (diagnosis.cause, diagnosis.severity) == ("slow_vendor", 2)
    assert diagnosis.unexplained == ("/workorders?limit=1 answered 418 in 0.10 s",)


PAIRS = [
    (
        "the key, while part of the platform is down",
        {"workorders": 401, "assets": 503, "users": 401, "locations": 503},
        {"api_key_expired", "intermittent_errors"},
    ),
    ("throttled, and slow besides", {"workorders": 429, "assets": 429}, {"rate_limit_exceeded"}),
    (
        "moved, and down",
        {"workorders": 404, "assets": 503},
        {"api_path_changed", "intermittent_errors"},
    ),
]


@pytest.mark.parametrize(("answers", "causes"), [p[1:] for p in PAIRS], ids=[p[0] for p in PAIRS])
def test_two_faults_at_once_are_two_causes(answers: dict[str, int | str], causes: set[str]) -> None:
    """Each failing endpoint has its cause; the gravest leads."""
    assert {c.cause for c in diagnose(seen(answers), runbook()).causes} == causes


@pytest.mark.parametrize(
    "well",
    [
        seen(200, fault="mislabelled"),
        seen(200, measured(Kind.METRIC, "process_age", DOWN)),
    ],
    ids=["a wrong label that hurts nobody", "a service that was restarted"],
)
def test_what_hurts_nobody_is_no_cause(well: Evidence) -> None:
    """A label that we read past, or a young process, is no trouble by itself."""
    assert diagnose(well, runbook()).healthy


def test_all_well_is_healthy() -> None:
    """Without a failure there is no cause and no severity, and the words say how much was asked."""
    diagnosis = diagnose(seen(200, service()), runbook())
    assert diagnosis.healthy
    assert found(diagnosis) == (None, None, Verdict.HEALTHY)
    assert diagnosis.because == "4 of 4 endpoints answer"
    assert {r.cause for r in diagnosis.ruled_out} == {c.cause for c in runbook().causes}


def test_no_probe_at_all_is_not_health() -> None:
    """Evidence of nothing proves nothing."""
    empty = Evidence(integration="x@test", at=T0, readings=())
    assert diagnose(empty, runbook()).verdict is Verdict.INCONCLUSIVE


def test_a_sick_service_that_answers_has_not_crashed() -> None:
    """Our service may be unwell because the vendor is: only silence is a crash."""
    diagnosis = diagnose(seen(401, service(503)), runbook())
    assert [c.cause for c in diagnosis.causes] == ["api_key_expired"]


@pytest.mark.parametrize(("throttled", "holds"), [(0, False), (1, True), (2, True), (4, True)])
def test_one_throttled_request_is_throttling(throttled: int, holds: bool) -> None:
    """A budget that frees a slot now and then lets probes through; a 429 has no second meaning."""
    answers = {name: 429 if n < throttled else 200 for n, name in enumerate(ENDPOINTS)}
    assert (diagnose(seen(answers), runbook()).cause == "rate_limit_exceeded") is holds


def test_the_worst_cause_leads_and_the_others_stay() -> None:
    """Several rows may match: the worst comes first, and none is forgotten."""
    slow = endpoint("assets", 200, **SLOW)
    both = Evidence(
        integration="x@test",
        at=T0,
        readings=(endpoint("workorders"), slow, endpoint("users", 500), service("refused")),
    )
    causes = [c.cause for c in diagnose(both, runbook()).causes]
    assert causes == ["service_crash", "slow_vendor", "intermittent_errors"]


def test_the_surest_of_equals_leads() -> None:
    """Of two causes as bad, the confirmed one is acted on."""
    rules = {c.cause: c for c in runbook().causes}
    twins = (
        rules["slow_vendor"].model_copy(update={"severity": 2}),
        rules["intermittent_errors"].model_copy(update={"severity": 2}),
    )
    evidence = Evidence(
        integration="x@test",
        at=T0,
        readings=(endpoint("workorders", 503), endpoint("users", 200, **SLOW)),
    )
    leading = diagnose(evidence, changed(causes=twins)).leading
    assert leading is not None
    assert (leading.cause, leading.verdict) == ("intermittent_errors", CONFIRMED)


def test_evidence_and_counter_evidence_are_told() -> None:
    """A cause carries what speaks for it and what speaks against it, in words."""
    leading = diagnose(seen(503, status_page(Outcome.OK)), runbook()).leading
    assert leading is not None
    assert leading.because == "4 of 4 endpoints: the MaintainX platform is down"
    assert leading.evidence[0] == "/assets?limit=1 answered 503 in 0.10 s"
    assert leading.counter_evidence == ("/status_page?limit=1 answered 200 in 0.10 s",)


def test_an_unreadable_status_page_counts_for_neither_side() -> None:
    """Anything odd on the vendor's page means unknown, never down and never well."""
    leading = diagnose(seen(503, status_page(Outcome.UNKNOWN)), runbook()).leading
    assert leading is not None
    assert (leading.verdict, leading.counter_evidence) == (LIKELY, ())


def test_what_was_ruled_out_says_why() -> None:
    """W19: each row that does not match names the reading that speaks against it. Only such a row was
    weighed, or one whose own sign was seen and excluded."""
    found = diagnose(seen({"users": 401}), runbook()).ruled_out
    weighed = {r.cause for r in found if r.weighed}
    assert {"api_key_expired", "vendor_outage"} <= weighed
    assert not weighed & {"service_crash", "key_leaked", "key_missing"}
    assert all(r.because.startswith("not seen: ") != r.weighed for r in found)
    ruled = {r.cause: r.because for r in found}
    assert set(ruled) == {c.cause for c in runbook().causes} - {"key_lacks_scope"}
    assert ruled["api_key_expired"] == "/assets?limit=1 answered 200 in 0.10 s"
    assert ruled["service_crash"] == "not seen: service crashed"


STATUSES = st.sampled_from([200, 204, 301, 400, 401, 403, 404, 408, 429, 500, 503, 599])
FAULTS = st.sampled_from(["timeout", "dns", "refused", "reset", "tls", "too_large", "encoded"])


@st.composite
def looks(draw: st.DrawFn) -> Evidence:
    names = [f"probe-{n}" for n in range(draw(st.integers(0, 6)))]
    readings = [
        endpoint(
            name,
            draw(STATUSES | FAULTS),
            critical=draw(st.booleans()),
            latency_s=draw(st.floats(0, 20)),
            wait_s=draw(st.none() | st.floats(0, 300)),
        )
        for name in names
    ]
    readings += draw(st.sampled_from([[], [service(200)], [service(503)], [service("refused")]]))
    readings += draw(st.sampled_from([[], [status_page(o) for o in [draw(_OUTCOMES)]]]))
    readings += draw(st.sampled_from([[], [other_key(draw(STATUSES))]]))
    return Evidence(integration="x@test", at=T0, readings=tuple(readings))


_OUTCOMES = st.sampled_from(list(Outcome))


@given(looks(), st.randoms(use_true_random=False))
def test_it_is_total_and_does_not_depend_on_the_order_of_probes(
    evidence: Evidence, rng: Any
) -> None:
    """Any evidence has one diagnosis, whichever probe answered first."""
    shuffled: list[Reading] = list(evidence.readings)
    rng.shuffle(shuffled)
    again = Evidence(integration="x@test", at=T0, readings=tuple(shuffled))
    diagnosis = diagnose(evidence, runbook())
    assert diagnose(again, runbook()) == diagnosis
    matched = [c.cause for c in diagnosis.causes] + [r.cause for r in diagnosis.ruled_out]
    assert sorted(matched) == sorted(c.cause for c in runbook().causes)
    assert diagnosis.healthy is (diagnosis.severity is None)
    failing = [r for r in evidence.of(Kind.ENDPOINT) if not r.succeeded]
    assert not (diagnosis.healthy and failing)


@given(looks())
def test_a_confirmed_cause_has_all_of_its_checks(evidence: Evidence) -> None:
    """No cause is called confirmed while none of the runbook's ways to prove it is complete."""
    rules = {c.cause: c for c in runbook().causes}
    for cause in diagnose(evidence, runbook()).causes:
        ways = [[sign_named(s)(evidence).holds for s in way] for way in rules[cause.cause].ways]
        assert (cause.verdict is CONFIRMED) is any(all(way) for way in ways)


SEVERAL = st.lists(st.sampled_from(["ok", "slow", "failed"]), min_size=4, max_size=4)
FAILURES = st.sampled_from([401, 403, 404, 429, 500, 503, "timeout", "reset"])
WORSE = {"ok": "slow", "slow": "failed"}


def _look(states: list[str], failure: int | str) -> Evidence:
    answers = {
        "ok": lambda name: endpoint(name),
        "slow": lambda name: endpoint(name, 200, **SLOW),
        "failed": lambda name: endpoint(name, failure),
    }
    readings = (answers[state](name) for state, name in zip(states, ENDPOINTS, strict=True))
    return Evidence(integration="x@test", at=T0, readings=tuple(readings))


@given(SEVERAL, FAILURES, st.integers(0, 3))
def test_at_a_fixed_cause_nothing_gets_milder_when_an_endpoint_gets_worse(
    states: list[str], failure: int | str, which: int
) -> None:
    """ok < slow < failed: the number of the severity (1 is the worst) never rises on the way."""
    worse = [*states]
    worse[which] = WORSE.get(states[which], "failed")
    before = {c.cause: c.severity for c in diagnose(_look(states, failure), runbook()).causes}
    after = {c.cause: c.severity for c in diagnose(_look(worse, failure), runbook()).causes}
    for cause in before.keys() & after.keys():
        assert after[cause] <= before[cause]
    first, then = (diagnose(_look(s, failure), runbook()) for s in (states, worse))
    if first.cause == then.cause and first.severity and then.severity:
        assert then.severity <= first.severity


@pytest.mark.parametrize("name", [*SIGNS, "metric:any", "log:any"])
def test_every_word_of_the_vocabulary_is_total(name: str) -> None:
    """Each sign answers about no evidence at all, and does not hold."""
    empty = Evidence(integration="x@test", at=T0, readings=())
    assert sign_named(name)(empty).holds in (None, False)


@pytest.mark.parametrize("name", SIGNS)
def test_every_sign_says_what_it_is(name: str) -> None:
    """Its words are what an editor shows and `runbook check` prints."""
    said = SIGNS[name].__doc__
    assert said and len(said.split("\n")[0]) > 10
