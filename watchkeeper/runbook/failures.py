"""The classes of failure that any API may show, as one look would see them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe

_AT = datetime(2000, 1, 1, tzinfo=UTC)
Worse = Callable[[Reading], Reading]


def failures(runbook: Runbook) -> Iterator[tuple[str, tuple[Evidence, ...]]]:
    """Each class, seen at all of the runbook's endpoints at once and at each one alone."""
    well = [_answers(probe) for probe in runbook.probes if not probe.costs]
    for what, worse in _at_the_vendor(runbook):
        everywhere = [worse(reading) for reading in well]
        alone = [[worse(r) if r is hit else r for r in well] for hit in well]
        yield what, tuple(map(_look, (everywhere, *alone)))
    ours = Reading(
        probe="service",
        kind=Kind.SERVICE,
        target="our service",
        at=_AT,
        outcome=Outcome.DOWN,
        latency_s=0.1,
        fault="refused",
    )
    yield "our service down", (_look([*well, ours]),)


def _at_the_vendor(runbook: Runbook) -> Iterator[tuple[str, Worse]]:
    yield "401 (the key is refused)", _refused_with(401)
    yield "403 (a right is missing)", _refused_with(403)
    yield "404 (the path is gone)", _refused_with(404)
    yield "429 (too many requests)", _refused_with(429)
    yield "5xx (the vendor's errors)", _refused_with(503)
    yield "silence (no answer)", _silent
    slow = [probe.expect.slow or runbook.thresholds.slow for probe in runbook.probes]
    latency_s = max(span.total_seconds() for span in slow) + 1
    yield "slow answers", lambda r: replace(r, latency_s=latency_s, outcome=Outcome.DEGRADED)


def _refused_with(status: int) -> Worse:
    outcome = Outcome.DEGRADED if status == 429 else Outcome.DOWN
    return lambda reading: replace(reading, status=status, outcome=outcome)


def _silent(reading: Reading) -> Reading:
    return replace(reading, status=None, fault="timeout", outcome=Outcome.DOWN)


def _answers(probe: Probe) -> Reading:
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=_AT,
        outcome=Outcome.OK,
        latency_s=0.1,
        status=200,
        critical=probe.critical,
        bound=probe.expect.slow.total_seconds() if probe.expect.slow else None,
    )


def _look(readings: list[Reading]) -> Evidence:
    return Evidence(integration="any", at=_AT, readings=tuple(readings))
