"""Asking the vendor: the runbook's probes, and one request with a key of choice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Ambiguous, Throttled, UserError
from watchkeeper.evidence import NO_TURN, Kind, Outcome, Reading
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe
from watchkeeper.signs.answers import NO_KEY_OF_OURS
from watchkeeper.vendor.answers import throttle
from watchkeeper.vendor.client import KeyChoice, VendorClient
from watchkeeper.vendor.failures import CallFailed
from watchkeeper.vendor.judging import judge, signature
from watchkeeper.vendor.rate_signals import RateSignal
from watchkeeper.vendor.reply import Reply

# Many answers are on their way at once, and each is of one record or a short list.
LARGEST = 1024 * 1024
# The share of a deadline that a call may wait for its turn.
PATIENCE = 0.8
_WITH: Mapping[KeyChoice, str] = {
    None: "with no key",
    "made_up": "with a key that nobody has",
    "second": "with the second key",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one probe saw, and what the answer told of the vendor's budget."""

    reading: Reading
    rate: RateSignal | None = None


def probes_of(runbook: Runbook, also: tuple[str, ...] = ()) -> tuple[Probe, ...]:
    """Those that may run unasked: none that writes or costs money. `also`: whom a person asked for."""
    return tuple(probe for probe in runbook.probes if not probe.costs or probe.name in also)


def unsent(watch: Watch, watched: Watched, also: tuple[str, ...] = ()) -> tuple[Asked, ...]:
    """A key of ours that cannot be read is a reading too: it must wake somebody, not end a check."""
    try:
        open_source(watched.integration.credential.reference, watch.secrets_base).read()
    except UserError as error:
        at = watch.now()
        return tuple(
            Asked(_nothing(probe, at, 0.0, NO_KEY_OF_OURS, str(error)))
            for probe in probes_of(watched.runbook, also)
        )
    return ()


async def ask(watch: Watch, watched: Watched, client: VendorClient, probe: Probe) -> Asked:
    """One probe; whatever comes of it is a reading."""
    at, began = watch.now(), time.monotonic()
    try:
        reply = await _send(client, probe)
    except CallFailed as error:
        return Asked(_nothing(probe, at, time.monotonic() - began, error.kind))
    except Ambiguous:
        said = "sent, and no usable answer came back"
        return Asked(_nothing(probe, at, time.monotonic() - began, "timeout", said))
    except Throttled:
        waited_s = time.monotonic() - began
        return Asked(replace(_nothing(probe, at, waited_s, NO_TURN), outcome=Outcome.UNKNOWN))
    slow_s = watched.runbook.thresholds.slow.total_seconds()
    return Asked(judge(probe, reply, at, slow_s, _list_of(probe, watched.runbook)), throttle(reply))


async def _send(client: VendorClient, probe: Probe) -> Reply:
    if probe.method == "GET":
        return await client.get(probe.path)
    if probe.method == "HEAD":
        return await client.head(probe.path)
    return await client.send(probe.method, probe.path, probe.body)


def _list_of(probe: Probe, runbook: Runbook) -> str:
    """For a probe of one record, the probe that asks for its list."""
    if not probe.record:
        return ""
    lists = (p.name for p in runbook.probes if p.resource == probe.resource and not p.record)
    return next(lists, probe.name)


def _nothing(probe: Probe, at: datetime, waited_s: float, fault: str, detail: str = "") -> Reading:
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=Outcome.DOWN,
        latency_s=waited_s,
        fault=fault,
        detail=detail,
        critical=probe.critical,
    )


def rate_reading(asked: tuple[Asked, ...], at: datetime) -> tuple[Reading, ...]:
    """What is left of the budget, by the answer that leaves least. No word of it is normal."""
    told = [
        a.rate
        for a in asked
        if a.rate and a.rate.remaining is not None and a.rate.limit is not None
    ]
    if not told:
        return ()
    least = min(told, key=lambda rate: rate.remaining or 0)
    return (
        Reading(
            probe="rate",
            kind=Kind.RATE,
            target="the vendor's budget",
            at=at,
            outcome=Outcome.OK if least.remaining else Outcome.DEGRADED,
            latency_s=0.0,
            detail=f"{least.remaining} of {least.limit} requests left",
            value=least.remaining,
            bound=least.limit,
            unit="requests",
        ),
    )


async def try_key(
    watch: Watch,
    watched: Watched,
    key: KeyChoice,
    name: str,
    path: str,
    *,
    of: str = "",
    deadline_s: float | None = None,
) -> Reading:
    """One read with the key of choice. `of`: the endpoint it is held against."""
    began = time.monotonic()
    blank = Reading(
        probe=name,
        kind=Kind.CONTRAST,
        target=path,
        at=watch.now(),
        outcome=Outcome.DOWN,
        latency_s=0.0,
        of=of,
    )
    patience = None if deadline_s is None else deadline_s * PATIENCE
    client = client_of(
        watch,
        watched,
        "probe",
        key_stage=key,
        deadline_s=deadline_s,
        max_wait_s=patience,
        max_bytes=LARGEST,
    )
    try:
        async with asyncio.timeout(deadline_s), client:
            reply = await client.get(path)
    except CallFailed as error:
        return replace(blank, fault=error.kind, latency_s=time.monotonic() - began)
    except TimeoutError:
        return replace(blank, fault="timeout", latency_s=time.monotonic() - began)
    except Throttled:
        said = "not asked: no turn in our budget"
        return replace(blank, outcome=Outcome.UNKNOWN, fault=NO_TURN, detail=said)
    return replace(
        blank,
        outcome=Outcome.OK if 200 <= reply.status < 300 else Outcome.DOWN,
        latency_s=reply.latency_s,
        status=reply.status,
        detail=_WITH.get(key, f"with the {key} key"),
        signature=signature(reply),
    )
