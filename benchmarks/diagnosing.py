"""How long it takes to decide, once 200 probes have answered: CPU time, for it waits for nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from benchmarks.timing import TIMES, Row
from watchkeeper.diagnosis import diagnose
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.runbook.model import Runbook

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PROBES = 200
GOAL_S, FLOOR_S = 0.005, 0.005
# What the probes answer in turn.
PICTURES: dict[str, tuple[int | None, ...]] = {
    "all well": (200,),
    "all refused": (401,),
    "all broken": (500,),
    "of each kind": (200, 401, 403, 404, 429, 500, None),
}


def diagnosing() -> Iterator[Row]:
    """The slowest picture of each shipped runbook."""
    for path in sorted(SHIPPED_RUNBOOKS.glob("*.yaml")):
        book = load_runbook(path)
        rows = [
            _row(f"diagnose (CPU), {path.stem}, {name}", PICTURES[name], book) for name in PICTURES
        ]
        yield max(rows, key=lambda row: row.median_s)


def _row(what: str, answers: tuple[int | None, ...], book: Runbook) -> Row:
    return Row(what, tuple(_timed(answers, book) for _ in range(TIMES)), GOAL_S, FLOOR_S)


def _timed(answers: tuple[int | None, ...], book: Runbook) -> float:
    # Made anew: nothing that an earlier turn worked out is at hand.
    evidence = _evidence(answers)
    began = time.process_time()
    diagnose(evidence, book)
    return time.process_time() - began


def _evidence(answers: tuple[int | None, ...]) -> Evidence:
    endpoints = [_reading(n, answers[n % len(answers)], Kind.ENDPOINT) for n in range(PROBES)]
    history = [_reading(n, 200, Kind.HISTORY) for n in range(PROBES)]
    service = _reading(0, 200, Kind.SERVICE)
    return Evidence(integration="maintainx@bench", at=AT, readings=(*endpoints, *history, service))


def _reading(number: int, status: int | None, kind: Kind) -> Reading:
    return Reading(
        probe=f"list{number}",
        kind=kind,
        target=f"/list{number}?limit=1",
        at=AT,
        outcome=Outcome.OK if status == 200 else Outcome.DOWN,
        latency_s=0.1 + number / 10_000,
        status=status,
        fault="timeout" if status is None else None,
        critical=number == 0,
    )
