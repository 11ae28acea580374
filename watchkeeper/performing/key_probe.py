"""One request with a key of choice: what the vendor says to it, or why it was not asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from watchkeeper import own_clock
from watchkeeper.answer import Answer
from watchkeeper.credentials.reading import unreachable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Throttled, Transient
from watchkeeper.evidence import NO_TURN, Kind, Outcome, Reading
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.endpoint_probe import LARGEST, PATIENCE
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.classifying import classify
from watchkeeper.vendor.client import KeyChoice
from watchkeeper.vendor.failures import CallFailed
from watchkeeper.vendor.judging import signature

_WITH: Mapping[KeyChoice, str] = {
    None: "with no key",
    "made_up": "with a key that nobody has",
    "second": "with the second key",
}


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
    """One read with the key of choice. `of`: the endpoint it is held against.

    Raises UserError where there is no such key. A store that cannot be asked is a reading.
    """
    began, blank = own_clock.seconds(), blank_of(watch, name, path, of)
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
        took_s = own_clock.seconds() - began
        return replace(blank, fault=error.kind, status=error.status, latency_s=took_s)
    except TimeoutError:
        return replace(blank, fault="timeout", latency_s=own_clock.seconds() - began)
    except Throttled:
        return not_asked(blank, "no turn in our budget")
    except Transient as error:
        return not_asked(blank, unreachable(error))
    said = classify(reply)
    return replace(
        blank,
        outcome=Outcome.OK if said.answer is Answer.OK else Outcome.DOWN,
        latency_s=reply.latency_s,
        status=reply.status,
        detail=_with(key),
        signature=signature(reply),
        answer=said.answer,
        speaker=said.speaker,
        wait_s=said.wait_s,
    )


def not_asked(blank: Reading, why: str) -> Reading:
    """It says nothing of the vendor."""
    return replace(blank, outcome=Outcome.UNKNOWN, fault=NO_TURN, detail=f"not asked: {why}")


def blank_of(watch: Watch, name: str, path: str, of: str) -> Reading:
    return Reading(
        probe=name,
        kind=Kind.CONTRAST,
        target=path,
        at=watch.now(),
        outcome=Outcome.DOWN,
        latency_s=0.0,
        of=of,
    )


def _with(key: KeyChoice) -> str:
    if isinstance(key, Secret):
        return "with the offered key"
    return _WITH.get(key, f"with the {key} key")
