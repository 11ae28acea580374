"""Looking: all probes at once, one deadline, read-only. A failed probe is a reading, not an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime

from watchkeeper.credentials.protocols import Stage
from watchkeeper.credentials.references import open_rotatable, open_source
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.health_probe import service_reading, status_page_reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import ContrastProbe, Probe
from watchkeeper.vendor.answers import asked_wait_s
from watchkeeper.vendor.client import Reply, VendorClient
from watchkeeper.vendor.failures import CallFailed


async def look(watch: Watch, watched: Watched, *, closely: bool = False) -> Evidence:
    """One look. `closely` adds what tells causes apart: the status page and, where something
    fails and the vendor does not throttle us, the contrast probes."""
    at = watch.now()
    jobs: list[Awaitable[tuple[Reading, ...]]] = [_endpoints(watch, watched)]
    if watched.integration.service is not None:
        jobs.append(_one(service_reading(watched, watch.now)))
    if closely and watched.status_url is not None:
        jobs.append(_one(status_page_reading(watched, watch.now)))
    readings = tuple(r for group in await asyncio.gather(*jobs) for r in group)
    if closely and _worth_contrasting(readings):
        readings += await _contrasts(watch, watched)
    slow = watched.runbook.thresholds.slow
    return Evidence(integration=watched.name, at=at, readings=readings, slow=slow)


async def _one(reading: Awaitable[Reading]) -> tuple[Reading, ...]:
    return (await reading,)


def _worth_contrasting(readings: tuple[Reading, ...]) -> bool:
    endpoints = [r for r in readings if r.kind is Kind.ENDPOINT]
    throttled = any(r.status == 429 for r in endpoints)
    return not throttled and not all(r.succeeded for r in endpoints)


async def _endpoints(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """A key of ours that cannot be read is a reading too: it must wake somebody, not end a check."""
    slow_s = watched.runbook.thresholds.slow.total_seconds()
    try:
        open_source(watched.integration.credential.reference, watch.secrets_base).read()
    except UserError as error:
        return tuple(_unsent(probe, watch.now(), str(error)) for probe in watched.runbook.probes)
    async with client_of(watch, watched, "probe") as client:
        return tuple(
            await asyncio.gather(
                *(_endpoint(client, probe, watch.now(), slow_s) for probe in watched.runbook.probes)
            )
        )


async def _endpoint(client: VendorClient, probe: Probe, at: datetime, slow_s: float) -> Reading:
    began = time.monotonic()
    try:
        reply = await client.get(probe.path)
    except CallFailed as error:
        return _silent(probe, at, error, time.monotonic() - began)
    return judge(probe, reply, at, slow_s)


def judge(probe: Probe, reply: Reply, at: datetime, slow_s: float) -> Reading:
    """One answer by itself. A 200 that is not what the vendor serves is no success."""
    outcome, detail = Outcome.DOWN, ""
    if 200 <= reply.status < 300:
        outcome, detail = _shape(probe, reply)
        if outcome is Outcome.OK and reply.latency_s > slow_s:
            outcome = Outcome.DEGRADED
    elif reply.status == 429:
        outcome = Outcome.DEGRADED
    elif reply.status == 401:
        detail = "the key was refused" if _is_json(reply) else "no key was seen"
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=outcome,
        latency_s=reply.latency_s,
        status=reply.status,
        fault=None,
        detail=detail,
        critical=probe.critical,
        wait_s=asked_wait_s(reply) if reply.status == 429 else None,
        skew_s=None if reply.date is None else (reply.date - at).total_seconds(),
    )


def _is_json(reply: Reply) -> bool:
    return "json" in reply.headers.get("content-type", "")


def _shape(probe: Probe, reply: Reply) -> tuple[Outcome, str]:
    if probe.envelope is None:
        return Outcome.OK, ""
    try:
        body = reply.json()
    except WatchkeeperError:
        return Outcome.DOWN, "the body is not the JSON that was asked for"
    if not isinstance(body, dict) or not isinstance(body.get(probe.envelope), list):
        return Outcome.DOWN, f"the body has no list {probe.envelope!r}"
    return Outcome.OK, ""


def _unsent(probe: Probe, at: datetime, why: str) -> Reading:
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=Outcome.DOWN,
        latency_s=0.0,
        fault="no key of ours",
        detail=why,
        critical=probe.critical,
    )


def _silent(probe: Probe, at: datetime, error: CallFailed, waited_s: float) -> Reading:
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=Outcome.DOWN,
        latency_s=waited_s,
        fault=error.kind,
        critical=probe.critical,
    )


async def _contrasts(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    probes = [p for p in watched.runbook.contrast_probes if _possible(watch, watched, p)]
    return tuple(await asyncio.gather(*(_contrast(watch, watched, p) for p in probes)))


def _possible(watch: Watch, watched: Watched, probe: ContrastProbe) -> bool:
    """Another key can only be tried where one has been offered."""
    if probe.varies != "other_key":
        return True
    reference = watched.integration.credential.reference
    try:
        return open_rotatable(reference, watch.secrets_base).read("pending") is not None
    except UserError:
        return False


async def _contrast(watch: Watch, watched: Watched, probe: ContrastProbe) -> Reading:
    stage: Stage | None = "pending" if probe.varies == "other_key" else None
    return await try_key(watch, watched, stage, probe.varies, probe.path)


async def try_key(
    watch: Watch, watched: Watched, stage: Stage | None, name: str, path: str
) -> Reading:
    """One read with the key of a stage (None: with no key at all)."""
    at, began = watch.now(), time.monotonic()
    async with client_of(watch, watched, "probe", key_stage=stage) as client:
        try:
            reply = await client.get(path)
        except CallFailed as error:
            return Reading(
                probe=name,
                kind=Kind.CONTRAST,
                target=path,
                at=at,
                outcome=Outcome.DOWN,
                latency_s=time.monotonic() - began,
                fault=error.kind,
            )
    good = 200 <= reply.status < 300
    return Reading(
        probe=name,
        kind=Kind.CONTRAST,
        target=path,
        at=at,
        outcome=Outcome.OK if good else Outcome.DOWN,
        latency_s=reply.latency_s,
        status=reply.status,
        detail=f"with {'no key' if stage is None else f'the {stage} key'}",
    )
