"""A page as a JSON POST to an address of the user's, signed as Standard Webhooks has it.

The body: `type` (`page.triggered`, `page.resolved`), `dedup_key`, `summary`, `severity`, `source`,
`details` (name -> text), `links` (`href`, `text`), `sent_at` (ISO 8601, UTC). `webhook-id` is the same
for repeats of one event, so that the receiver can fold them.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from watchkeeper.errors import WatchkeeperError
from watchkeeper.network.proxies import proxy_for
from watchkeeper.pagers import Page, PagerRefused, PagerUnavailable, PagerUnknown
from watchkeeper.pagers.addresses import check_address
from watchkeeper.vendor.authorities import authorities

WITHIN_S = 15.0
# The request never left: there was nobody to send it to.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_AGAIN = frozenset({408, 409, 425, 429})
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class WebhookPager:
    """`url` and `signing_key` are read at each call, so that a changed one is picked up."""

    url: Callable[[], str] = field(repr=False)
    signing_key: Callable[[], str] | None = field(default=None, repr=False)
    sandbox: bool = False
    within_s: float = WITHIN_S
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def trigger(self, page: Page) -> str:
        return await self._post("page.triggered", page)

    async def resolve(self, page: Page) -> str:
        return await self._post("page.resolved", page)

    async def _post(self, event: str, page: Page) -> str:
        url = (await asyncio.to_thread(self.url)).strip()
        check_address("webhook", url, sandbox=self.sandbox)
        now = self.now()
        body = json.dumps(event_body(event, page, now)).encode()
        once = f"{page.delivery or page.dedup_key}/{event}"
        headers = {"content-type": "application/json", "webhook-id": once}
        headers["webhook-timestamp"] = stamp = str(int(now.timestamp()))
        if self.signing_key is not None:
            key = (await asyncio.to_thread(self.signing_key)).strip()
            headers["webhook-signature"] = signature(key, once, stamp, body)
        request = httpx.Request("POST", url, content=body, headers=headers)
        timeout = httpx.Timeout(self.within_s).as_dict()
        request.extensions["timeout"] = timeout
        try:
            # Not a client: it logs each address that it calls.
            async with (
                asyncio.timeout(self.within_s),
                httpx.AsyncHTTPTransport(verify=authorities(), proxy=proxy_for(url)) as transport,
            ):
                answer = await transport.handle_async_request(request)
                status = answer.status_code
                await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            failure = _lost(error)
        else:
            if 200 <= status < 300:
                return f"HTTP {status}"
            failure = _refusal(status)
        # Raised outside the handler: the client's errors carry the address, which is a secret.
        raise failure


def event_body(event: str, page: Page, now: datetime) -> dict[str, Any]:
    return {
        "type": event,
        "dedup_key": page.dedup_key,
        "summary": page.summary,
        "severity": page.severity,
        "source": page.source,
        "details": dict(page.details),
        "links": [{"href": address, "text": text} for address, text in page.links],
        "sent_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def signature(key: str, once: str, stamp: str, body: bytes) -> str:
    """`v1,<base64>` over `id.timestamp.body`. A key without `whsec_` is used as its own bytes."""
    secret = key.encode()
    if key.startswith(_PREFIX):
        try:
            secret = base64.b64decode(key.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            secret = b""
        if not secret:
            raise PagerRefused("webhook: the signing key is not base64 after whsec_")
    signed = hmac.new(secret, f"{once}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _lost(error: Exception) -> WatchkeeperError:
    text = f"webhook: {type(error).__name__}"
    return PagerUnavailable(text) if isinstance(error, _NOT_SENT) else PagerUnknown(text)


def _refusal(status: int) -> WatchkeeperError:
    text = f"webhook: HTTP {status}"
    if status in _AGAIN or status >= 500:
        return PagerUnavailable(text)
    if 300 <= status < 400:
        return PagerRefused(f"{text}: it redirects, and redirects are not followed")
    return PagerRefused(text)
