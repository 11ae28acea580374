"""Cloud Run by its official client, which is loaded only here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.runbook.acting import CloudRunService
from watchkeeper.runtimes.cloud_run_errors import told

# Seconds between two bytes, and for a whole call, in which credentials may have to be had first.
TIMEOUT_S = 10.0
CALL_S = 30.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Api:
    """One service; its calls run in a thread. The client is asked for nothing twice."""

    client: Any
    name: str
    named: str

    async def read(self) -> Any:
        """The service. Raises Transient or Permanent."""
        return await _called(
            f"read {self.named}",
            lambda: self.client.get_service(name=self.name, retry=None, timeout=TIMEOUT_S),
            changes=False,
        )

    async def change(self, doing: str, fields: dict[str, Any], *paths: str) -> None:
        """Changes only the fields at `paths`. Raises Ambiguous too: it may have been done."""
        request = {"service": {"name": self.name, **fields}, "update_mask": {"paths": paths}}
        await _called(
            f"{doing} {self.named}",
            lambda: self.client.update_service(request=request, retry=None, timeout=TIMEOUT_S),
            changes=True,
        )


@asynccontextmanager
async def opened(spec: CloudRunService) -> AsyncIterator[Api]:
    """Raises Permanent where there are no credentials; UserError without the extra."""
    named = f"Cloud Run service {spec.service} in {spec.project}/{spec.region}"
    try:
        import google.cloud.run_v2  # noqa: F401
    except ImportError:
        raise UserError("Cloud Run needs the extra `gcp`: pip install 'watchkeeper[gcp]'") from None
    client = await _called(f"open {named}", lambda: _client(spec.api), changes=False)
    name = f"projects/{spec.project}/locations/{spec.region}/services/{spec.service}"
    try:
        yield Api(client, name, named)
    finally:
        client.transport.close()


def _client(api: str | None) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.run_v2 import ServicesClient
    from google.cloud.run_v2.services.services.transports import ServicesRestTransport

    if api is None:
        transport = ServicesRestTransport()
    else:
        at = urlsplit(api)
        # Our credentials are for Google alone.
        nobody: Any = AnonymousCredentials  # its constructor has no types
        transport = ServicesRestTransport(
            host=at.netloc, url_scheme=at.scheme, credentials=nobody()
        )
    # A redirect would be followed, with what we send.
    transport._session.max_redirects = 0
    return ServicesClient(transport=transport)


async def _called(doing: str, call: Callable[[], T], *, changes: bool) -> T:
    failed: WatchkeeperError
    try:
        async with asyncio.timeout(CALL_S):
            return await asyncio.to_thread(call)
    except Exception as error:  # whatever it is, its text may hold what we sent
        failed = told(error, doing, changes=changes)
    raise failed
