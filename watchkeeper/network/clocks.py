"""Is our clock right? Told by others' Date headers, whose resolution is a second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import median

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.runbook.model import Runbook


def clock_readings(
    endpoint_readings: Sequence[Reading],
    second_date_skew_s: float | None,
    runbook: Runbook,
    *,
    at: datetime | None = None,
) -> tuple[Reading, ...]:
    """`vendor`: the median skew of its endpoints. `control`: another's, where there is one.

    A skew is that clock minus ours, in seconds; `value` is its size. `at`: by default the latest
    endpoint's. No endpoint and no `at`: nothing.
    """
    when = at or max((r.at for r in endpoint_readings), default=None)
    if when is None:
        return ()
    bound_s = runbook.thresholds.clock_skew.total_seconds()
    told = [r.skew_s for r in endpoint_readings if r.skew_s is not None]
    vendor = _clock("vendor", "the vendor's clock", median(told) if told else None, when, bound_s)
    if second_date_skew_s is None:
        return (vendor,)
    return (vendor, _clock("control", "the control's clock", second_date_skew_s, when, bound_s))


def _clock(probe: str, whose: str, skew_s: float | None, at: datetime, bound_s: float) -> Reading:
    return Reading(
        probe=probe,
        kind=Kind.CLOCK,
        target=whose,
        at=at,
        outcome=_outcome(skew_s, bound_s),
        latency_s=0.0,
        detail=_said(skew_s),
        skew_s=skew_s,
        value=None if skew_s is None else abs(skew_s),
        bound=bound_s,
        unit="s",
    )


def _outcome(skew_s: float | None, bound_s: float) -> Outcome:
    if skew_s is None:
        return Outcome.UNKNOWN
    return Outcome.DEGRADED if abs(skew_s) > bound_s else Outcome.OK


def _said(skew_s: float | None) -> str:
    if skew_s is None:
        return "no answer told its date"
    if abs(skew_s) < 1:
        return "the same as ours"
    return f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'} ours"
