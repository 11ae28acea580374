"""Looking again until a repair is proven, or until the runbook's patience is over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Evidence, Kind
from watchkeeper.incident import Incident
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.probing import look
from watchkeeper.performing.vigils import good_looks_wanted, looked
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import observations, watermarks
from watchkeeper.store.observations import Purpose
from watchkeeper.vendor.listing import pages
from watchkeeper.verification import Flow, Look, Recovery, good_in_a_row, recovered, unproven

Sleep = Callable[[float], Awaitable[None]]


async def verify(
    watch: Watch,
    watched: Watched,
    incident: Incident | None,
    soak: timedelta,
    sleep: Sleep = asyncio.sleep,
) -> tuple[Recovery, tuple[Look, ...]]:
    """Good looks in a row for at least the soak time, then data that moves.

    Gives up after the runbook's time and says what was still wrong. Keeps what it saw.
    """
    rule, began = watched.runbook.verification, watch.now()
    awaited = good_looks_wanted(watch, incident)
    if awaited is not None:
        rule = rule.model_copy(update={"probes_in_a_row": max(rule.probes_in_a_row, awaited)})
    looks: tuple[Look, ...] = ()
    while True:
        evidence = await look(watch, watched, status_page=awaited is not None)
        number = incident.id if incident else None
        with watch.store.write() as session:
            unwell = observations.unwell_services(session, number) if number else frozenset()
            observations.keep(session, evidence, number, Purpose.VERIFYING)
        diagnosis = diagnose(evidence.of_now(), watched.runbook)
        looks += (Look(evidence.at, diagnosis, unproven(evidence, unwell)),)
        # A clock that was set back begins the time anew: nobody waits for it to come round.
        began = min(began, watch.now())
        waited = watch.now() - began
        verdict = recovered(looks, (), rule)
        if incident is not None and awaited is not None:
            looked(watch, incident, good_in_a_row(looks), _page(evidence), verdict.holds)
        if verdict.holds and waited >= soak:
            return recovered(looks, await flows(watch, watched), rule), looks
        if waited >= max(rule.give_up_after, soak):
            return verdict, looks
        await sleep(rule.interval.total_seconds())


def _page(evidence: Evidence) -> str:
    """The vendor's own word on itself, as its status page has it."""
    told = [r for r in evidence.readings if r.kind is Kind.STATUS_PAGE]
    return told[-1].says() if told else ""


async def flows(watch: Watch, watched: Watched) -> tuple[Flow, ...]:
    """The first page of every resource that a critical job moves, from its watermark on."""
    names = sorted(
        {r for job in watched.runbook.jobs if job.criticality == "critical" for r in job.resources}
    )
    return tuple([await _flow(watch, watched, watched.runbook.resource(name)) for name in names])


async def _flow(watch: Watch, watched: Watched, resource: Resource) -> Flow:
    with watch.store.read() as session:
        mark = watermarks.get(session, watched.name, resource.name)
    since = mark.at if mark and resource.since_param else None
    try:
        async with client_of(watch, watched, "probe") as client:
            async for page in pages(client, resource, since, None):
                times = [i.changed_at for i in page.items if i.changed_at is not None]
                newest = max(times, default=None)
                said = f"{resource.name}: {len(page.items)} rows on the first page"
                said += f", the newest of {newest:%H:%M:%S}Z" if newest else ", nothing new yet"
                return Flow(resource.name, True, len(page.items), newest, said)
    except WatchkeeperError as error:
        return Flow(resource.name, False, 0, None, f"{resource.name}: {error}")
    return Flow(resource.name, False, 0, None, f"{resource.name}: no page came")
