"""The watch looks at its own parts once a minute and records what it finds: `status` only reads it."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import httpx
from sqlmodel import Session

from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Transient, UserError
from watchkeeper.heartbeat import Part, Result
from watchkeeper.performing.side_by_side import said
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.channels import called
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import heartbeats, pages
from watchkeeper.store.pages import DeliveryState
from watchkeeper.vendor.strict_json import BadBody, loads

EVERY = timedelta(minutes=1)
SERVER_TIMEOUT_S = 3.0
# Less than this, and the database of a busy incident may fill the disk before a person is there.
LEAST_FREE_BYTES = 200 * 1024 * 1024
# Read from this machine: whoever else keeps a routing key is not asked each minute.
LOCAL = ("env:", "file:")
log = logging.getLogger(__name__)

Found = tuple[Result, str, float | None]


def beat_up(watch: Watch) -> None:
    """`up` is alive: its sweep has begun, or goes on."""
    every = timedelta(seconds=watch.settings.sweep_interval_s)
    with watch.store.write() as session:
        heartbeats.beat(session, Part.UP, watch.now(), every=every)


def self_check_due(watch: Watch) -> bool:
    """Whether a minute has passed since the last self-check, or the clock was set back."""
    with watch.store.read() as session:
        last = heartbeats.last(session, Part.DISK)
    return last is None or not timedelta(0) <= watch.now() - last.at < EVERY


async def check_self(watch: Watch, watched: tuple[Watched, ...]) -> None:
    """Record server, disk and pagers. A part that cannot be examined is recorded as unknown."""
    server = await _server(watch.settings.home)
    found: dict[Part, Found] = {
        Part.SERVER: server,
        Part.DISK: _examined(lambda: _disk(watch.settings.home)),
    }
    with watch.store.write() as session:
        for part, (result, detail, value) in found.items():
            heartbeats.beat(session, part, watch.now(), result, detail, every=EVERY, value=value)
    for one in watched:
        if one.integration.called_by:
            _record_pager(watch, one)


async def _server(home: Path) -> Found:
    """Whether the Prefect server that `up` runs answers."""
    try:
        api = str(loads((home / "up.json").read_bytes())["api"])
    except (OSError, BadBody, KeyError, TypeError):
        return Result.FAILED, "none is running", None
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=SERVER_TIMEOUT_S) as client:
            status = (await client.get(f"{api}/health")).status_code
    except httpx.HTTPError as error:
        return Result.FAILED, f"does not answer ({type(error).__name__})", None
    if status != httpx.codes.OK:
        return Result.FAILED, f"answers HTTP {status}", None
    return Result.WELL, "answers", None


def _disk(home: Path) -> Found:
    free = shutil.disk_usage(home).free
    result = Result.WELL if free >= LEAST_FREE_BYTES else Result.FAILED
    return result, f"{free / 1e9:.1f} GB free", float(free)


def _examined(look: Callable[[], Found]) -> Found:
    try:
        return look()
    except OSError as error:
        log.warning("a self-check failed", exc_info=True)
        return Result.UNKNOWN, str(error.strerror or type(error).__name__), None


_OF_DELIVERY = {
    DeliveryState.TAKEN: Result.WELL,
    DeliveryState.RESOLVED: Result.WELL,
    DeliveryState.FAILED: Result.FAILED,
    DeliveryState.GIVEN_UP: Result.FAILED,
    DeliveryState.DOUBTFUL: Result.UNKNOWN,
}
_WORST_FIRST = (Result.FAILED, Result.UNKNOWN, Result.WELL)


def _record_pager(watch: Watch, watched: Watched) -> None:
    """What each channel made of its last page, the worst of them; where none was used yet, whether
    the keys that are kept on this machine can be read."""
    channels = watched.integration.called_by
    fault = _unreadable(watch, [secret for channel in channels for secret in channel.secrets])
    named = {called(channel) for channel in channels}
    with watch.store.write() as session:
        if fault is not None:
            record_pager(session, watched.name, watch.now(), Result.FAILED, fault)
            return
        used = [d for d in pages.last_deliveries(session, watched.name) if d.channel in named]
        before = heartbeats.last(session, Part.PAGER, watched.name)
        if used:
            last = min(used, key=lambda d: _WORST_FIRST.index(_OF_DELIVERY[d.state]))
            # A well one that is newer is the doctor's.
            newer = before is None or last.tried_at > before.at
            if newer or (before is not None and before.result is not Result.WELL):
                detail = f"{last.channel}: {last.reason}" if last.reason else last.channel
                result = _OF_DELIVERY[last.state]
                record_pager(session, watched.name, last.tried_at, result, detail)
        elif before is not None and before.result is not Result.WELL:
            record_pager(session, watched.name, watch.now(), Result.WELL, KEYS_READ)


KEYS_READ = "its keys can be read"


def record_pager(session: Session, name: str, at: datetime, result: Result, detail: str) -> None:
    """A result comes with use: it is shown with its age, and is never too old."""
    heartbeats.beat(session, Part.PAGER, at, result, detail, every=None, target=name)


def _unreadable(watch: Watch, references: list[str]) -> str | None:
    """Why a key that is kept on this machine cannot be read, or None."""
    for reference in references:
        if not reference.startswith(LOCAL):
            continue
        try:
            open_source(reference, watch.secrets_base).read()
        except (UserError, Transient) as error:
            return f"its key cannot be read: {said(error)}"
    return None
