"""Whom a failure touches, as far as it can be counted: functions, jobs, requests and who sends them.

How many people that is, nobody counts here (TwinMind's runbook, first response: estimate impact).
"""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper.evidence import TOTAL, Kind, Outcome
from watchkeeper.told import Told

MOST_CONSUMERS = 3
# All together, and our own looks: neither is somebody who waits.
NOBODY = (TOTAL, "probe")
_BAD = (Outcome.DOWN, Outcome.DEGRADED)


def impact(told: Told) -> str:
    """`2 of 4 endpoints fail (assets, users); nothing new for asset-sync; ...`; empty where all is
    well or nothing that is touched can be named."""
    return "" if told.diagnosis.healthy else "; ".join(_parts(told))


def _parts(told: Told) -> Iterator[str]:
    endpoints = told.evidence.endpoints
    failing = [r.probe for r in endpoints if r.outcome is Outcome.DOWN]
    slow = [r.probe for r in endpoints if r.outcome is Outcome.DEGRADED]
    if failing:
        named = "" if len(failing) == len(endpoints) else f" ({', '.join(failing)})"
        yield f"{len(failing)} of {len(endpoints)} endpoints fail{named}"
    if slow:
        yield f"{len(slow)} of {len(endpoints)} only just answer ({', '.join(slow)})"
    if jobs := _without_data(told, failing):
        yield f"nothing new for {', '.join(jobs)}"
    yield from _shares(told)
    yield from _consumers(told)


def _without_data(told: Told, failing: list[str]) -> list[str]:
    """The jobs that read a resource where an endpoint fails."""
    book = told.runbook
    lost = {probe.resource for probe in book.probes if probe.name in failing}
    return [job.name for job in book.jobs if lost & set(job.resources)]


def _shares(told: Told) -> Iterator[str]:
    """What our own service says of its work: the share that fails."""
    shares = {rule.name for rule in told.runbook.metrics if rule.kind == "share"}
    for reading in told.evidence.of(Kind.METRIC):
        if reading.probe in shares and reading.outcome in _BAD and reading.value is not None:
            yield f"{reading.probe} {reading.value:.0%}"


def _consumers(told: Told) -> Iterator[str]:
    asking = [r for r in told.evidence.of(Kind.VOLUME) if r.probe not in NOBODY and r.value]
    most = sorted(asking, key=lambda r: (-(r.value or 0), r.probe))[:MOST_CONSUMERS]
    if most:
        counted = ", ".join(f"{r.probe} {r.value:.0f}" for r in most)
        yield f"asked for by {counted} {most[0].unit}".rstrip()
