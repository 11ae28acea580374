"""Who asks how much: our own jobs by our record, and our service by its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from watchkeeper.evidence import TOTAL, Kind, Outcome, Reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import volume

HOUR = timedelta(hours=1)
NEARLY_ALL = 0.8


def volume_readings(
    watch: Watch, watched: Watched, told: Sequence[Reading], allowed: float | None
) -> tuple[Reading, ...]:
    """A reading of each job of ours, and the total with what our service `told` of itself.

    `allowed`: the vendor's own word on the budget, where it gave one smaller than the runbook's.
    The total is unknown, as a whole, where a service of ours holds the key and is not counted.
    """
    now, budget = watch.now(), watched.runbook.rate_limit
    with watch.store.read() as session:
        lately = volume.by_consumer(session, watched.name, now - budget.per)
        hour = volume.by_consumer(session, watched.name, now - HOUR)
    unit = f"requests per {budget.per.total_seconds():g} s"
    bound = budget.requests if allowed is None else min(budget.requests, allowed)
    ours = tuple(_of_one(name, lately.get(name, 0), hour[name], unit, bound, now) for name in hour)
    return (*ours, _total(watched, ours, told, unit, bound, now))


def _of_one(name: str, lately: int, hour: int, unit: str, bound: float, now: datetime) -> Reading:
    return Reading(
        probe=name,
        kind=Kind.VOLUME,
        target=f"requests of {name}",
        at=now,
        outcome=Outcome.OK,
        latency_s=0.0,
        detail=f"{lately} {unit}; {hour} in the last hour",
        value=lately,
        bound=bound,
        unit=unit,
    )


def _total(
    watched: Watched,
    ours: Sequence[Reading],
    told: Sequence[Reading],
    unit: str,
    bound: float,
    now: datetime,
) -> Reading:
    elsewhere = next((r for r in told if r.probe == TOTAL), None)
    holders = watched.integration.service is not None or bool(watched.integration.consumers)
    counted = not holders or (elsewhere is not None and elsewhere.value is not None)
    value = sum(r.value or 0 for r in ours) + ((elsewhere.value or 0) if elsewhere else 0)
    well = Outcome.DEGRADED if value >= NEARLY_ALL * bound else Outcome.OK
    more = "" if counted else "; our service is not counted, for it names no metrics"
    return Reading(
        probe=TOTAL,
        kind=Kind.VOLUME,
        target="requests of all our consumers",
        at=now,
        outcome=well if counted else Outcome.UNKNOWN,
        latency_s=0.0,
        detail=f"{value:g} {unit}, {bound:g} allowed{more}",
        value=value,
        bound=bound,
        unit=unit,
    )
