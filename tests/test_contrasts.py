"""Which contrast probes go out after the first answers, and what a trouble that begins meanwhile is."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from making import ENDPOINTS, T0, changed, contrast, endpoint, runbook, seen, service

from watchkeeper.contrasts import as_of_last, worth_asking
from watchkeeper.evidence import Evidence, Outcome, Reading

WELL_ELSEWHERE = {"assets": 3, "locations": 3, "users": 3}


def seen_throttled(wait_s: float, others: dict[str, int | str] | None = None) -> Evidence:
    """Work orders are refused for so long, and the others are as given."""
    found = seen(others or {})
    first = endpoint("workorders", 429, wait_s=wait_s)
    kept = tuple(r for r in found.readings if r.probe != "workorders")
    return replace(found, readings=(first, *kept))


ASKED_AGAIN: list[tuple[str, Evidence, dict[str, int]]] = [
    ("all is well", seen(200), {}),
    ("throttled: nothing more", seen({"workorders": 429}), {}),
    ("throttled for a second", seen_throttled(1.0), {"workorders": 3}),
    ("throttled for a minute", seen_throttled(60.0), {}),
    ("throttled for a second, and another fails", seen_throttled(1.0, {"assets": 503}), {}),
    ("all throttled for a second", seen(429, wait_s=1.0), {}),
    ("one broken", seen({"workorders": 503}), {"workorders": 5, **WELL_ELSEWHERE}),
    (
        "one broken, not critical",
        seen({"users": 503}),
        {**WELL_ELSEWHERE, "users": 4, "workorders": 5},
    ),
    ("one silent", seen({"workorders": "timeout"}), {"workorders": 2, **WELL_ELSEWHERE}),
    ("one refused", seen({"workorders": 401}), {"workorders": 4, **WELL_ELSEWHERE}),
    ("a path is gone", seen({"workorders": 404}), WELL_ELSEWHERE),
    ("led elsewhere", seen({"workorders": 302}), WELL_ELSEWHERE),
    ("a request is refused", seen({"workorders": 400}), WELL_ELSEWHERE),
    ("wrong everywhere", seen(404), {}),
    ("only we are unwell", seen(200, service(503)), {"workorders": 5}),
]


@pytest.mark.parametrize(
    ("evidence", "again"), [row[1:] for row in ASKED_AGAIN], ids=[row[0] for row in ASKED_AGAIN]
)
def test_who_is_asked_again_and_how_often(evidence: Evidence, again: dict[str, int]) -> None:
    """What can come and go, and whatever was well while something else failed."""
    chosen = worth_asking(evidence, runbook())
    assert Counter(c.of for c in chosen if c.varies == "again") == again


@pytest.mark.parametrize("budget", [0, 1, 3, 8])
def test_the_budget_holds(budget: int) -> None:
    """And what can prove something has its turn first."""
    limits = runbook().thresholds.model_copy(update={"contrast_requests": budget})
    chosen = worth_asking(seen(401), changed(thresholds=limits))
    assert len(chosen) == budget
    keys = ["other_key", "second_key", "no_key", "made_up_key"]
    assert [c.varies for c in chosen][:4] == keys[:budget]


def again(*said: int) -> tuple[Reading, ...]:
    seconds = (timedelta(seconds=second) for second in range(1, 9))
    return tuple(contrast("again", status, of="assets", at=T0 + next(seconds)) for status in said)


@pytest.mark.parametrize(
    ("first", "later", "so"),
    [
        (200, (503, 503), 503),
        (200, (302,), 302),
        (200, (503, 200), 503),
        (200, (429, 200), 200),
        (200, (401, 200, 200), 401),
        (200, (), 200),
        (503, (200, 200), 503),
    ],
)
def test_what_began_while_we_looked_counts(first: int, later: tuple[int, ...], so: int) -> None:
    """D4: of a failing half the repeats count: a lucky first answer does not make it well. One 429
    among them may be our own doing."""
    (kept,) = as_of_last((endpoint("assets", first),), again(*later))
    assert (kept.probe, kept.status) == ("assets", so)
    assert kept.succeeded is (so == 200)


def test_another_endpoints_trouble_is_not_ours() -> None:
    others = contrast("again", 503, of="users")
    assert as_of_last((endpoint("assets"),), (others,))[0].outcome is Outcome.OK
    assert set(ENDPOINTS) >= {"assets", "users"}
