"""From a number to a reading: is it too much? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import isfinite

from watchkeeper.evidence import TOTAL, Kind, Outcome, Reading
from watchkeeper.metrics import Number, Scrape, page
from watchkeeper.runbook.signals import Metric, Volume

LONGEST_DETAIL = 160
# A budget used to so much of it will be used up by the next burst.
NEARLY_ALL = 0.8


def metric_reading(rule: Metric, before: Scrape | None, after: Scrape, at: datetime) -> Reading:
    """One rule off two scrapes (off one, gauges alone)."""
    return judged(rule, page.number(rule, before, after), at)


def volume_readings(
    volume: Volume, before: Scrape | None, after: Scrape, window_s: float, budget: float
) -> tuple[Reading, ...]:
    """A reading for each consumer and one for `total`: requests in a window of that length."""
    found = page.volumes(volume, before, after, window_s)
    return volumes_judged(found, window_s, budget, after.at)


def judged(rule: Metric, number: Number, at: datetime) -> Reading:
    """DOWN beyond the bound, DEGRADED beyond `warn`; UNKNOWN where there is no finite value, or one of
    a part alone that decides nothing."""
    value = _finite(number)
    found = Outcome.UNKNOWN if value is None else _of_part(rule, value, number.part)
    return Reading(
        probe=rule.name,
        kind=Kind.METRIC,
        target=f"metric {rule.name}",
        at=at,
        outcome=found,
        latency_s=0.0,
        fault=number.fault or _fault(number, found),
        detail=_told(number, value, _bound_told(rule), rule.unit),
        value=value,
        bound=rule.bound,
        unit=rule.unit,
    )


def _of_part(rule: Metric, value: float, part: str) -> Outcome:
    """A part of a counter's growth is too much where it is beyond the bound, and of what must not be
    too little it is enough where it is not; anything else the missing part could turn round."""
    whole = outcome(rule, value)
    if not part:
        return whole
    enough_alone = rule.below and rule.kind in ("increase", "rate")
    return whole if (whole is Outcome.OK) is enough_alone else Outcome.UNKNOWN


def _fault(number: Number, found: Outcome) -> str | None:
    if found is not Outcome.UNKNOWN:
        return None
    return "part" if number.part else "no_number" if number.value is not None else None


def outcome(rule: Metric, value: float) -> Outcome:
    if _beyond(value, rule.bound, rule.below):
        return Outcome.DOWN
    if rule.warn is not None and _beyond(value, rule.warn, rule.below):
        return Outcome.DEGRADED
    return Outcome.OK


def volumes_judged(
    found: Mapping[str, Number], window_s: float, budget: float, at: datetime
) -> tuple[Reading, ...]:
    unit = f"requests per {window_s:g} s"
    return tuple(_volume(name, found[name], budget, unit, at) for name in found)


def _volume(name: str, number: Number, budget: float, unit: str, at: datetime) -> Reading:
    value = _finite(number)
    much = value is not None and value >= NEARLY_ALL * budget
    little = Outcome.UNKNOWN if number.part else Outcome.OK
    found = Outcome.UNKNOWN if value is None else Outcome.DEGRADED if much else little
    return Reading(
        probe=name,
        kind=Kind.VOLUME,
        target="requests of all consumers" if name == TOTAL else f"requests of {name}",
        at=at,
        outcome=found,
        latency_s=0.0,
        fault=number.fault or _fault(number, found),
        detail=_told(number, value, f"{budget:g} allowed", unit),
        value=value,
        bound=budget,
        unit=unit,
    )


def _finite(number: Number) -> float | None:
    return number.value if number.value is not None and isfinite(number.value) else None


def _beyond(value: float, bound: float, below: bool) -> bool:
    return value < bound if below else value > bound


def _bound_told(rule: Metric) -> str:
    return f"{'at least' if rule.below else 'at most'} {rule.bound:g}"


def _told(number: Number, value: float | None, bound: str, unit: str) -> str:
    if number.value is None:
        return number.said[:LONGEST_DETAIL]
    if value is None:
        return "the value is not a finite number"
    measured = f"{value:.4g} {unit}".rstrip()
    said = "; ".join(filter(None, (number.said, number.part)))
    more = f" ({said})" if said else ""
    return f"{measured}, {bound}{more}"[:LONGEST_DETAIL]
