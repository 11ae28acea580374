"""Sending the contrast probes that were chosen, all at once and within what is left of the look."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace

from watchkeeper.answer import Answer
from watchkeeper.contrasts import Contrast
from watchkeeper.credentials.reading import ask_store, unreachable
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Transient, UserError, WatchkeeperError
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.fetching import fetch
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.endpoint_probe import LARGEST, PATIENCE, ask
from watchkeeper.performing.key_probe import blank_of, not_asked, try_key
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.classifying import classify
from watchkeeper.vendor.client import STORE_SHARE, KeyChoice
from watchkeeper.vendor.reply import Reply

AGAIN = "again"
HEAD_START = 0.4

_KEYS: dict[str, KeyChoice] = {
    "no_key": None,
    "made_up_key": "made_up",
    "second_key": "second",
}


async def contrast_readings(
    watch: Watch, watched: Watched, chosen: tuple[Contrast, ...], deadline_s: float
) -> tuple[Reading, ...]:
    """A contrast that is not possible here, such as a key that nobody has offered, is left out; one
    that got no turn in our budget, or whose key cannot be read, is unknown, and says so.

    What can prove something goes first; repeats wait for it, but for no more than a part of the
    deadline: what hangs must not keep them back.
    """
    ends = time.monotonic() + deadline_s
    possible = [c for c in chosen if _possible(watched, c)]
    first = [c for c in possible if c.varies != AGAIN or c.first]
    asking = [asyncio.ensure_future(_one(watch, watched, c, deadline_s)) for c in first]
    if asking:
        await asyncio.wait(asking, timeout=deadline_s * HEAD_START)
    left_s = max(ends - time.monotonic(), 0.1)
    repeats = (
        _one(watch, watched, c, left_s) for c in possible if c.varies == AGAIN and not c.first
    )
    found = await asyncio.gather(*asking, *repeats)
    return tuple(reading for reading in found if reading is not None)


def _possible(watched: Watched, contrast: Contrast) -> bool:
    credential = watched.integration.credential
    if contrast.varies == "second_key":
        return credential.second is not None
    if contrast.varies == "direct":
        return watched.direct_url is not None
    if contrast.varies == "description":
        return watched.runbook.description is not None
    return True


def _one(
    watch: Watch, watched: Watched, contrast: Contrast, deadline_s: float
) -> Awaitable[Reading | None]:
    if contrast.varies == "other_key":
        return _other_key(watch, watched, contrast, deadline_s)
    if contrast.varies in _KEYS:
        return _with_key(watch, watched, contrast, _KEYS[contrast.varies], deadline_s)
    if contrast.varies == "direct":
        return _direct(watch, watched, contrast, deadline_s)
    if contrast.varies == "description":
        return _described(watch, watched, contrast, deadline_s)
    return _again(watch, watched, contrast, deadline_s)


async def _other_key(
    watch: Watch, watched: Watched, contrast: Contrast, deadline_s: float
) -> Reading | None:
    """None where nobody has offered one."""
    ends = time.monotonic() + deadline_s
    try:
        offered = await _offered(watch, watched, deadline_s * STORE_SHARE)
    except UserError:
        return None
    except Transient as error:
        blank = blank_of(watch, contrast.varies, contrast.path, contrast.of)
        return not_asked(blank, unreachable(error))
    if offered is None:
        return None
    return await _with_key(watch, watched, contrast, offered, ends - time.monotonic())


async def _offered(watch: Watch, watched: Watched, within_s: float) -> Secret | None:
    reference = watched.integration.credential.reference
    store = open_rotatable(reference, watch.secrets_base)
    return await ask_store(reference, lambda: store.read("pending"), within_s)


async def _with_key(
    watch: Watch, watched: Watched, contrast: Contrast, key: KeyChoice, deadline_s: float
) -> Reading:
    name, path, of = contrast.varies, contrast.path, contrast.of
    try:
        return await try_key(watch, watched, key, name, path, of=of, deadline_s=deadline_s)
    except UserError as error:
        return not_asked(blank_of(watch, name, path, of), str(error))


async def _again(watch: Watch, watched: Watched, contrast: Contrast, deadline_s: float) -> Reading:
    """The very same probe once more, judged as the first one was."""
    if contrast.after_s:
        await asyncio.sleep(min(contrast.after_s, deadline_s))
        deadline_s = max(deadline_s - contrast.after_s, 0.1)
    probe = next(p for p in watched.runbook.probes if p.name == contrast.of)
    client = client_of(
        watch,
        watched,
        "probe",
        deadline_s=deadline_s,
        max_wait_s=deadline_s * PATIENCE,
        max_bytes=LARGEST,
    )
    async with client:
        reading = (await ask(watch, watched, client, probe)).reading
    return replace(reading, probe="again", kind=Kind.CONTRAST, of=contrast.of)


async def _direct(watch: Watch, watched: Watched, contrast: Contrast, deadline_s: float) -> Reading:
    """Without our gateway. No key: it belongs to the one address it is pinned to."""
    at, url = watch.now(), f"{(watched.direct_url or '').rstrip('/')}{contrast.path}"
    got = await fetch(url, deadline_s)
    reading = Reading(
        probe="direct",
        kind=Kind.CONTRAST,
        target="the vendor's own address",
        at=at,
        outcome=Outcome.DOWN,
        latency_s=got.latency_s,
        fault=got.fault,
        of=contrast.of,
    )
    if got.status is None:
        return reading
    said = classify(Reply(got.status, got.headers, got.raw, got.latency_s, at))
    down = said.answer in (Answer.SERVER_ERROR, Answer.PAGE, Answer.INTERCEPTED, Answer.SHUT_OUT)
    return replace(
        reading,
        outcome=Outcome.DOWN if down else Outcome.OK,
        status=got.status,
        answer=said.answer,
        speaker=said.speaker,
    )


async def _described(
    watch: Watch, watched: Watched, contrast: Contrast, deadline_s: float
) -> Reading:
    """Does the vendor's description of its API still have the path? Unknown where it cannot be
    read."""
    at, path = watch.now(), watched.runbook.description or "/"
    blank = Reading(
        probe="description",
        kind=Kind.CONTRAST,
        target="the vendor's description",
        at=at,
        outcome=Outcome.UNKNOWN,
        latency_s=0.0,
        of=contrast.of,
    )
    client = client_of(
        watch, watched, "probe", deadline_s=deadline_s, max_wait_s=deadline_s * PATIENCE
    )
    try:
        async with client:
            reply = await client.get(path)
        paths = reply.json()["paths"] if reply.status == 200 else None
    except (WatchkeeperError, KeyError, TypeError):
        return blank
    if not isinstance(paths, dict) or not paths:
        return blank
    wanted = contrast.path.partition("?")[0]
    there = any(_same_path(wanted, str(known)) for known in paths)
    return replace(
        blank,
        outcome=Outcome.OK if there else Outcome.DOWN,
        status=reply.status,
        latency_s=reply.latency_s,
        detail=f"{wanted} is {'still' if there else 'not'} among its {len(paths)} paths",
    )


def _same_path(asked: str, described: str) -> bool:
    """Part by part; `{id}` in a description stands for anything."""
    ours, theirs = asked.strip("/").split("/"), described.strip("/").split("/")
    return len(ours) == len(theirs) and all(
        a == b or (b.startswith("{") and b.endswith("}")) for a, b in zip(ours, theirs, strict=True)
    )
