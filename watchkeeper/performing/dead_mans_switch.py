"""A sign of life to somebody outside: where it stops, they raise the alarm.

Sent with each sweep whose checks are fresh, in one of two forms:

- `healthchecks` (healthchecks.io and what speaks as it does): POST to the address; to `/fail` below it
  while the watch itself is unwell, with the reason as the body
- `alertmanager`: an alert that always fires, POSTed to `/api/v2/alerts` with an end in the near future,
  so that it resolves when nothing is sent any more; one more while the watch itself is unwell

It never delays a sweep: one is under way at a time, for so many seconds. The address is a secret.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx

from watchkeeper.credentials.references import open_source
from watchkeeper.ending import end_task
from watchkeeper.errors import Permanent, Transient, UserError, WatchkeeperError
from watchkeeper.heartbeat import Part, Result
from watchkeeper.network.proxies import proxy_for
from watchkeeper.performing.watch import Watch
from watchkeeper.settings import Settings
from watchkeeper.store import heartbeats
from watchkeeper.trouble import Condition
from watchkeeper.vendor.authorities import authorities

logger = logging.getLogger(__name__)

WITHIN_S = 10.0
# A missed sweep or two is no death.
SWEEPS, AT_LEAST = 8, timedelta(minutes=2)
ALERTS = "/api/v2/alerts"


class DeadMansSwitch:
    """`ping` begins a sign of life and returns at once."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._task: asyncio.Task[None] | None = None

    def ping(self, *, fresh: bool, unwell: Sequence[Condition]) -> None:
        """Nothing is sent where none is set, while one is under way, and without fresh checks."""
        settings = self._watch.settings
        if settings.heartbeat is None or (self._task is not None and not self._task.done()):
            return
        if not fresh:
            self._record(Result.FAILED, "not sent: the checks are not fresh")
            return
        self._task = asyncio.create_task(self._send(tuple(unwell)))

    async def sent(self) -> None:
        """Once the sign of life that is under way has ended, taken or not."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        if self._task is not None:
            await end_task(self._task)

    async def _send(self, unwell: tuple[Condition, ...]) -> None:
        try:
            said = await send(self._watch, unwell)
        except WatchkeeperError as error:
            logger.warning("no sign of life was taken: %s", error)
            self._record(Result.FAILED, str(error))
        except Exception as error:
            # Not with its text or traceback: they may hold the address.
            logger.warning("no sign of life was taken: %s", type(error).__name__)
            self._record(Result.FAILED, type(error).__name__)
        else:
            self._record(Result.WELL, said)

    def _record(self, result: Result, detail: str) -> None:
        every = lasting(self._watch.settings)
        try:
            with self._watch.store.write() as session:
                now = self._watch.now()
                heartbeats.beat(session, Part.DEAD_MAN, now, result, detail, every=every)
        except Transient:
            logger.warning("the last sign of life could not be recorded", exc_info=True)


def lasting(settings: Settings) -> timedelta:
    """For how long one sign of life counts."""
    return max(SWEEPS * timedelta(seconds=settings.sweep_interval_s), AT_LEAST)


def check_reference(watch: Watch) -> None:
    """Raises UserError where the setting names no store of secrets."""
    if watch.settings.heartbeat is not None:
        try:
            open_source(watch.settings.heartbeat, watch.secrets_base)
        except UserError as error:
            raise UserError(f"WATCHKEEPER_HEARTBEAT: {error}") from None


async def send(watch: Watch, unwell: Sequence[Condition]) -> str:
    """What the far side answered. Raises Transient or Permanent; neither holds the address."""
    settings = watch.settings
    assert settings.heartbeat is not None
    source = open_source(settings.heartbeat, watch.secrets_base)
    address = (await asyncio.to_thread(source.read)).reveal().strip()
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Permanent(f"{settings.heartbeat} holds no http(s) address")
    if settings.heartbeat_form == "alertmanager":
        url, body = alerts_url(address), alerts_body(settings, watch.now(), unwell)
        kind = "application/json"
    else:
        url = f"{address.rstrip('/')}/fail" if unwell else address
        body, kind = told(unwell).encode(), "text/plain; charset=utf-8"
    return await _post(url, body, kind)


def alerts_url(address: str) -> str:
    """Alertmanager's own address, or that of its alerts."""
    bare = address.rstrip("/")
    return bare if bare.endswith(ALERTS) else f"{bare}{ALERTS}"


def alerts_body(settings: Settings, now: datetime, unwell: Sequence[Condition]) -> bytes:
    """The alert that always fires, and one more while the watch is unwell."""
    ends = (now + lasting(settings)).strftime("%Y-%m-%dT%H:%M:%SZ")
    about = {"instance": socket.gethostname(), "home": settings.home.resolve().name}
    fires = [({"alertname": "WatchkeeperWatchdog", "severity": "none"}, "the watch is alive")]
    if unwell:
        fires.append(({"alertname": "WatchkeeperUnwell", "severity": "critical"}, told(unwell)))
    return json.dumps(
        [
            {"labels": labels | about, "annotations": {"summary": summary}, "endsAt": ends}
            for labels, summary in fires
        ]
    ).encode()


def told(unwell: Sequence[Condition]) -> str:
    return "; ".join(f"{one.kind.says} ({one.text})" for one in unwell) or "well"


async def _post(url: str, body: bytes, kind: str) -> str:
    request = httpx.Request("POST", url, content=body, headers={"content-type": kind})
    request.extensions["timeout"] = httpx.Timeout(WITHIN_S).as_dict()
    try:
        # Not a client: it logs each address that it calls.
        async with (
            asyncio.timeout(WITHIN_S),
            httpx.AsyncHTTPTransport(verify=authorities(), proxy=proxy_for(url)) as transport,
        ):
            answer = await transport.handle_async_request(request)
            status = answer.status_code
            await answer.aclose()
    except (httpx.HTTPError, TimeoutError) as error:
        failure = Transient(f"no answer ({type(error).__name__})")
    else:
        if 200 <= status < 300:
            return f"HTTP {status}"
        failure = Transient(f"HTTP {status}")
    # Raised outside the handler: the client's errors carry the address.
    raise failure
