"""Asking a Prefect server of ours or another, by its own client: one deadline, and what came of it
in our own words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from watchkeeper.credentials.reading import ask_store
from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Ambiguous, Permanent, Transient, UserError, WatchkeeperError
from watchkeeper.runbook.acting import PrefectDeployment
from watchkeeper.vendor.authorities import authorities

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

T = TypeVar("T")
DEADLINE_S = 20.0
BUSY_S = (0.2, 0.5, 1.0)
AGAIN = frozenset({408, 425, 429})
PLAIN: dict[str, Any] = {"follow_redirects": False}
# The request never left: there was nobody to send it to.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class PrefectServer:
    """The server of this process where the spec names none. `base`: paths of secrets count from
    it. The auth string is read at each call."""

    spec: PrefectDeployment
    base: Path = Path()
    deadline_s: float = DEADLINE_S

    async def ask(self, do: Callable[[PrefectClient], Awaitable[T]], *, changes: bool = False) -> T:
        """Raises Permanent (not there, no rights), Transient, or, of what `changes` something,
        Ambiguous once it may have arrived."""
        try:
            async with asyncio.timeout(self.deadline_s), self._client() as client:
                return await _unless_busy(lambda: do(client))
        except Exception as error:
            failure = _meaning(error, changes)
        # Raised out here: the client's errors carry the request, and so the auth string.
        raise type(failure)(f"prefect: {self.spec.deployment}: {failure}")

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[PrefectClient]:
        from prefect.settings import (
            PREFECT_CLIENT_CUSTOM_HEADERS,
            PREFECT_CLIENT_MAX_RETRIES,
            temporary_settings,
        )

        # Our own headers are meant for our server, and may let one in there.
        ours_alone = set() if self.spec.api is None else {PREFECT_CLIENT_CUSTOM_HEADERS}
        # For this task alone: neither the profile nor the environment is touched.
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}, restore_defaults=ours_alone):
            made = _ours() if self.spec.api is None else await self._another(self.spec.api)
            async with made as client:
                yield client

    async def _another(self, api: str) -> PrefectClient:
        from prefect.client.orchestration import PrefectClient
        from prefect.settings import PREFECT_API_SSL_CERT_FILE

        auth = None
        if self.spec.auth is not None:
            source = open_source(self.spec.auth, self.base)
            auth = (await ask_store(self.spec.auth, source.read)).reveal()
        company = PREFECT_API_SSL_CERT_FILE.value()
        trusted = ssl.create_default_context(cafile=company) if company else authorities()
        return PrefectClient(api, auth_string=auth, httpx_settings={**PLAIN, "verify": trusted})


async def _unless_busy(do: Callable[[], Awaitable[T]]) -> T:
    """Prefect's server on SQLite says 503 where its database is locked, and nothing was done. Its
    client's own retries are not for us: they send again what may have arrived."""
    for pause_s in BUSY_S:
        try:
            return await do()
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                raise
        await asyncio.sleep(pause_s)
    return await do()


def _ours() -> PrefectClient:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        # The client would start a server of its own.
        raise UserError("there is no Prefect server here; set PREFECT_API_URL")
    return get_client(httpx_settings=dict(PLAIN))


def _meaning(error: Exception, changes: bool) -> WatchkeeperError:
    """What the caller must do about it; nothing that was said is quoted."""
    if (status := _status(error)) is not None:
        return _refusal(status)
    if isinstance(error, UserError):
        return Permanent(str(error))
    name = type(error).__name__
    if isinstance(error, NOT_SENT):
        return Transient(f"the server cannot be reached ({name})")
    if changes:
        return Ambiguous(f"no usable answer ({name}); it may have been done")
    if isinstance(error, TimeoutError | httpx.TransportError | OSError):
        return Transient(f"the server does not answer ({name})")
    return Permanent(f"what answers is no Prefect server ({name})")


def _status(error: Exception) -> int | None:
    from prefect.exceptions import ObjectNotFound

    if isinstance(error, ObjectNotFound):
        return 404
    return error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None


def _refusal(status: int) -> WatchkeeperError:
    if status in AGAIN or status >= 500:
        return Transient(f"the server answered {status}")
    meaning = {
        401: "the server refuses us",
        403: "the server refuses us",
        404: "there is no such deployment",
    }
    return Permanent(f"{meaning.get(status, 'the server refuses the call')} ({status})")
