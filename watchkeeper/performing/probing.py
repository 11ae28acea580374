"""One look at an integration: all probes at once, one deadline, read-only.

A failed probe is a reading, not an error. A close look also asks what tells causes apart: as soon
as the first answers show what is open, the contrast probes that bear on it go out beside the rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper.contrasts import as_of_last, worth_asking
from watchkeeper.evidence import TOTAL, Evidence, Kind, Outcome, Reading
from watchkeeper.network.clocks import clock_readings
from watchkeeper.own_clock import own_lateness_measured
from watchkeeper.performing.changing import change_readings
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.contrasting import contrast_readings
from watchkeeper.performing.emptied import with_emptied
from watchkeeper.performing.endpoint_probe import (
    LARGEST,
    Asked,
    ask,
    probes_of,
    rate_reading,
    unsent,
)
from watchkeeper.performing.health_probe import service_readings
from watchkeeper.performing.key_standing import key_standing
from watchkeeper.performing.measuring import metric_readings
from watchkeeper.performing.network_probe import network_readings
from watchkeeper.performing.own_keys import StoreLook, key_readings, look_at_store
from watchkeeper.performing.own_side import log_readings, runtime_readings
from watchkeeper.performing.past import history_readings, restless, service_history
from watchkeeper.performing.standing_data import data_readings
from watchkeeper.performing.status_probe import status_page_reading
from watchkeeper.performing.volume import volume_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched

Readings = tuple[Reading, ...]
# When to choose the contrasts, as a share of the deadline: what has not answered by then counts as
# silent for the choice, and still has the rest of the deadline to answer.
CHOOSE_AT = 0.4
# By then the questions are out, and nothing of ours keeps them waiting.
QUESTIONS_OUT_S = 0.03
# Others get a little less than the deadline, so that their silence is a reading of theirs.
OTHERS_SHARE = 0.95


async def look(
    watch: Watch,
    watched: Watched,
    *,
    closely: bool = False,
    status_page: bool = False,
    also: tuple[str, ...] = (),
) -> Evidence:
    """One look. It lasts as long as its slowest probe, and never longer than the probes' deadline
    and the wait for our turn. `status_page`: the vendor's word is read too, as in every close look.
    `also`: probes that cost, and run since a person asked for them."""
    at, limit_s = watch.now(), watched.runbook.thresholds.probe_deadline.total_seconds()
    try:
        async with own_lateness_measured(), asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(_within(limit_s, part, at))
                for part in _beside(
                    watch, watched, limit_s * OTHERS_SHARE, closely, closely or status_page
                )
            ]
            asking = tasks.create_task(_vendor(watch, watched, limit_s, closely, also, beside[0]))
            record = tasks.create_task(_recorded(watch, watched, closely, asking))
            store = tasks.create_task(_stored(watch, watched, limit_s * OTHERS_SHARE, asking))
    except ExceptionGroup as group:
        # Whoever tries again looks for our own error, such as Transient, and not for a group.
        raise group.exceptions[0] from None
    asked, contrasts = asking.result()
    readings = [*as_of_last(tuple(a.reading for a in asked), contrasts), *contrasts]
    readings = await asyncio.to_thread(with_emptied, watch, watched, readings)
    readings += [r for part in beside for r in part.result()]
    readings += [*rate_reading(asked, at), *record.result()]
    if closely:
        readings = _with_volume(watch, watched, readings)
    keys = key_readings(watch.now(), store.result(), _shown(readings))
    readings += [*_clocks(readings, watched), *keys]
    return Evidence(
        integration=watched.name,
        at=at,
        readings=tuple(readings),
        slow=watched.runbook.thresholds.slow,
        tells_missing_key=watched.runbook.auth.tells_missing_key,
        behind_gateway=watched.behind_gateway,
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """What is asked of others than the vendor's API, and what it is called where it is not done in
    time."""

    kind: Kind
    name: str
    asking: Awaitable[Readings]


def _beside(
    watch: Watch, watched: Watched, limit_s: float, closely: bool, status_page: bool
) -> Iterable[_Part]:
    """Our own service first."""
    yield _Part(Kind.SERVICE, "our service", service_readings(watch, watched, limit_s))
    yield _Part(Kind.METRIC, "metrics", metric_readings(watch, watched, limit_s))
    if watched.status_url is not None and status_page:
        page = _one(status_page_reading(watch, watched, limit_s))
        yield _Part(Kind.STATUS_PAGE, "status page", page)
    if closely:
        yield _Part(Kind.NETWORK, "network", network_readings(watch, watched, limit_s))
        yield _Part(Kind.LOG, "logs", log_readings(watch, watched))
        yield _Part(Kind.RUNTIME, "runtime", runtime_readings(watch, watched))


async def _recorded(
    watch: Watch, watched: Watched, closely: bool, asking: asyncio.Task[Any]
) -> Readings:
    """Looked up while the answers are under way, and in a thread, for they are being timed."""
    await asyncio.wait([asking], timeout=QUESTIONS_OUT_S)
    return await asyncio.to_thread(_from_tables, watch, watched, closely)


async def _stored(
    watch: Watch, watched: Watched, limit_s: float, asking: asyncio.Task[Any]
) -> StoreLook:
    await asyncio.wait([asking], timeout=QUESTIONS_OUT_S)
    return await look_at_store(watch, watched, limit_s)


def _from_tables(watch: Watch, watched: Watched, closely: bool) -> Readings:
    """What our own record says; it costs nobody a request."""
    always = (
        *data_readings(watch, watched),
        *history_readings(watch, watched),
        *service_history(watch, watched),
        *key_standing(watch, watched),
    )
    if not closely:
        return always
    return (*always, *change_readings(watch, watched))


def _with_volume(watch: Watch, watched: Watched, readings: list[Reading]) -> list[Reading]:
    """One total of all that we know to ask of the vendor."""
    told = [r for r in readings if r.kind is Kind.VOLUME]
    rate = next((r for r in readings if r.kind is Kind.RATE), None)
    counted = volume_readings(watch, watched, told, rate.bound if rate else None)
    return [r for r in readings if r not in told or r.probe != TOTAL] + list(counted)


async def _vendor(
    watch: Watch,
    watched: Watched,
    limit_s: float,
    closely: bool,
    also: tuple[str, ...],
    service: asyncio.Task[Readings],
) -> tuple[tuple[Asked, ...], Readings]:
    """The probes, and the contrasts that they, and our service's own health, call for."""
    if nothing := await unsent(watch, watched, limit_s, also):
        return nothing, ()
    ends = time.monotonic() + limit_s
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            client_of(
                watch,
                watched,
                "probe",
                deadline_s=limit_s,
                max_wait_s=limit_s / 2,
                max_bytes=LARGEST,
            )
        )
        probes = probes_of(watched.runbook, also)
        asking = [asyncio.create_task(ask(watch, watched, client, probe)) for probe in probes]
        contrasts: Readings = ()
        if closely:
            await asyncio.wait([*asking, service], timeout=limit_s * CHOOSE_AT)
            told = service.result() if service.done() else ()
            so_far = _so_far(watched, [t.result() for t in asking if t.done()], told, watch)
            lately = await asyncio.to_thread(restless, watch, watched)
            chosen = worth_asking(so_far, watched.runbook, lately)
            left_s = max(ends - time.monotonic(), 0.1)
            contrasts = await contrast_readings(watch, watched, chosen, left_s)
        return tuple(await asyncio.gather(*asking)), contrasts


def _so_far(watched: Watched, asked: list[Asked], told: Readings, watch: Watch) -> Evidence:
    """The answers that there are; who has not answered yet counts as silent. Without those that
    cost, for what fails is asked again."""
    free = {probe.name for probe in probes_of(watched.runbook)}
    asked = [a for a in asked if a.reading.probe in free]
    there = {a.reading.probe for a in asked}
    waiting = tuple(
        Reading(
            probe=probe.name,
            kind=Kind.ENDPOINT,
            target=probe.path,
            at=watch.now(),
            outcome=Outcome.DOWN,
            latency_s=0.0,
            fault="timeout",
            critical=probe.critical,
        )
        for probe in probes_of(watched.runbook)
        if probe.name not in there
    )
    return Evidence(
        integration=watched.name,
        at=watch.now(),
        readings=(*(a.reading for a in asked), *waiting, *told),
        slow=watched.runbook.thresholds.slow,
    )


async def _one(reading: Awaitable[Reading]) -> Readings:
    return (await reading,)


async def _within(limit_s: float, part: _Part, at: datetime) -> Readings:
    """A part that is not done in time is unknown, and says so: it proves nothing by its absence."""
    try:
        async with asyncio.timeout(limit_s):
            return await part.asking
    except TimeoutError:
        return (
            Reading(
                probe=part.name.replace(" ", "_"),
                kind=part.kind,
                target=part.name,
                at=at,
                outcome=Outcome.UNKNOWN,
                latency_s=limit_s,
                fault="timeout",
            ),
        )


def _clocks(readings: list[Reading], watched: Watched) -> Readings:
    endpoints = tuple(r for r in readings if r.kind is Kind.ENDPOINT)
    second = next(
        (r.skew_s for r in readings if r.kind is not Kind.ENDPOINT and r.skew_s is not None), None
    )
    return clock_readings(endpoints, second, watched.runbook)


def _shown(readings: list[Reading]) -> Mapping[str, str | None]:
    """Whose health answer shows which key's fingerprint."""
    return {r.probe: r.signature or None for r in readings if r.kind is Kind.SERVICE and r.answered}
