"""The runbook's symptom table as a table of evidence: what is seen, what it means, how sure."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import (
    ENDPOINTS,
    T0,
    changed,
    endpoint,
    other_key,
    runbook,
    seen,
    service,
    status_page,
)

from watchkeeper.diagnosis import CONFIRMATIONS, SYMPTOMS, Diagnosis, Verdict, diagnose
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading

CONFIRMED, LIKELY = Verdict.CONFIRMED, Verdict.LIKELY
KINDS_OF_5XX = {"workorders": 500, "assets": 502, "locations": 503, "users": 504}
SLOW: dict[str, Any] = {"latency_s": 7.5, "outcome": Outcome.DEGRADED}


def found(diagnosis: Diagnosis) -> tuple[str | None, int | None, Verdict]:
    return diagnosis.cause, diagnosis.severity, diagnosis.verdict


# The six rows of the source's table, each with and without the check that confirms it, and the
# rows of its severity table and error handling that are not in it.
ROWS = [
    ("401 on all, another key is let in", seen(401, other_key(200)), "api_key_expired", 1, CONFIRMED),
    ("401 on all, no other key to try", seen(401), "api_key_expired", 1, LIKELY),
    ("401 on all, another key is refused", seen(401, other_key(401)), "api_key_expired", 1, LIKELY),
    (
        "5xx on all, the status page says so",
        seen(503, status_page(Outcome.DOWN)),
        "vendor_outage",
        1,
        CONFIRMED,
    ),
    (
        "5xx on all, the status page is green",
        seen(503, status_page(Outcome.OK)),
        "vendor_outage",
        1,
        LIKELY,
    ),
    ("5xx on all, of several kinds", seen(KINDS_OF_5XX), "vendor_outage", 1, LIKELY),
    ("429 on all, a wait is asked", seen(429, wait_s=30.0), "rate_limit_exceeded", 2, CONFIRMED),
    ("429 on all, no wait is asked", seen(429), "rate_limit_exceeded", 2, LIKELY),
    ("404 on the critical one", seen({"workorders": 404}), "api_path_changed", 2, CONFIRMED),
    ("404 on another", seen({"users": 404}), "api_path_changed", 4, CONFIRMED),
    ("time-outs everywhere", seen("timeout"), "network_issue", 1, LIKELY),
    ("names do not resolve", seen("dns"), "network_issue", 1, LIKELY),
    (
        "most are silent, but not the critical one",
        seen({"assets": "timeout", "locations": "reset", "users": "timeout"}),
        "network_issue",
        2,
        LIKELY,
    ),
    ("our service is gone", seen(200, service("refused")), "service_crash", 1, CONFIRMED),
    ("slow answers", seen(200, **SLOW), "slow_vendor", 3, LIKELY),
    ("500 on one, not critical", seen({"users": 500}), "intermittent_errors", 4, CONFIRMED),
    ("500 on the critical one alone", seen({"workorders": 500}), "intermittent_errors", 2, CONFIRMED),
]  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "cause", "severity", "verdict"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS]
)
def test_each_row_of_the_table(
    evidence: Evidence, cause: str, severity: int, verdict: Verdict
) -> None:
    """What is seen leads to the runbook's cause and severity, no surer than its checks allow."""
    assert found(diagnose(evidence, runbook())) == (cause, severity, verdict)


UNEXPLAINED = [
    ("a 401 on one resource is a matter of scope", seen({"workorders": 401})),
    ("403 on all", seen(403)),
    ("404 on all", seen(404)),
    ("half are silent", seen({"assets": "timeout", "users": "timeout"})),
    ("200 with a page of HTML", seen(200, outcome=Outcome.DOWN)),
    ("429 on one while the others fail otherwise", seen({"workorders": 429, "users": 403})),
]


@pytest.mark.parametrize("evidence", [r[1] for r in UNEXPLAINED], ids=[r[0] for r in UNEXPLAINED])
def test_what_no_row_explains_is_inconclusive(evidence: Evidence) -> None:
    """No cause is made up: people look within the hour, and nothing is changed on suspicion."""
    diagnosis = diagnose(evidence, runbook())
    assert found(diagnosis) == (None, 2, Verdict.INCONCLUSIVE)
    assert diagnosis.because.startswith("no row of the runbook explains:")


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
    alone = diagnose(seen(200, service(503)), runbook())
    assert (alone.cause, alone.verdict) == (None, Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(("throttled", "holds"), [(0, False), (1, False), (2, True), (4, True)])
def test_half_of_the_requests_throttled_is_throttling(throttled: int, holds: bool) -> None:
    """A budget that frees a slot now and then lets a probe through: most is enough, one is not."""
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
        rules["api_path_changed"].model_copy(update={"severity": 2}),
    )
    evidence = Evidence(
        integration="x@test",
        at=T0,
        readings=(endpoint("workorders", 404), endpoint("users", 200, **SLOW)),
    )
    leading = diagnose(evidence, changed(causes=twins)).leading
    assert leading is not None
    assert (leading.cause, leading.verdict) == ("api_path_changed", CONFIRMED)


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
    """Each row that does not match names the reading that speaks against it."""
    ruled = {r.cause: r.because for r in diagnose(seen({"users": 401}), runbook()).ruled_out}
    assert set(ruled) == {c.cause for c in runbook().causes}
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
    """No cause is called confirmed while one of the runbook's checks for it is open."""
    rules = {c.cause: c for c in runbook().causes}
    for cause in diagnose(evidence, runbook()).causes:
        checks = [CONFIRMATIONS[name](evidence).holds for name in rules[cause.cause].confirm]
        assert (cause.verdict is CONFIRMED) is (bool(checks) and all(checks))


@pytest.mark.parametrize("name", [*SYMPTOMS, *CONFIRMATIONS])
def test_every_word_of_the_vocabulary_is_total(name: str) -> None:
    """Each symptom and check answers about no evidence at all: it does not hold."""
    empty = Evidence(integration="x@test", at=T0, readings=())
    assert not {**SYMPTOMS, **CONFIRMATIONS}[name](empty).holds
