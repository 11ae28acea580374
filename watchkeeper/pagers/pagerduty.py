"""PagerDuty's Events API v2 through its own client, with the client's patience bounded.

Left alone, that client retries a 429 for ever and repeats lost requests without saying whether
an earlier one was sent. Here a status is retried a few times (nothing was accepted), a lost
connection never (the caller must know), and no call outlasts `within_s`.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pagerduty

from watchkeeper.errors import WatchkeeperError
from watchkeeper.pagers import Page, PagerRefused, PagerUnavailable, PagerUnknown

BASE_URL = "https://events.pagerduty.com"
RETRIED = (429, 500, 502, 503, 504)
# The request never left: there was nobody to send it to. By name, because the client's HTTP
# library is its own affair and has changed between its versions.
NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})


@dataclass(frozen=True, slots=True)
class Patience:
    """`retries` after a refused attempt, waiting 2, 4, ... times `pause_s` before each.

    `timeout_s` bounds each step of one attempt (the client takes whole seconds), `within_s` the
    whole call.
    """

    retries: int = 2
    pause_s: float = 0.5
    timeout_s: int = 5
    within_s: float = 20.0

    def __post_init__(self) -> None:
        # The client reads 0 as "as usual", which for a 429 means without end.
        if self.retries < 1:
            raise ValueError("at least one retry")


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """`routing_key` is asked for at each call, so that a rotated one is picked up.

    `tls` is for a far side with an authority of its own; the address must be https.
    """

    routing_key: Callable[[], str] = field(repr=False)
    base_url: str = BASE_URL
    tls: ssl.SSLContext | None = None
    patience: Patience = Patience()

    async def trigger(self, page: Page) -> str:
        return await self._call("trigger", page.dedup_key, body(page))

    async def acknowledge(self, dedup_key: str) -> None:
        await self._call("acknowledge", dedup_key, {})

    async def resolve(self, page: Page) -> str:
        return await self._call("resolve", page.dedup_key, {})

    async def _call(self, action: str, dedup_key: str, said: Mapping[str, Any]) -> str:
        sending = asyncio.to_thread(self._send, action, dedup_key, said)
        try:
            return await asyncio.wait_for(sending, self.patience.within_s)
        except TimeoutError:
            late = PagerUnknown(f"pagerduty {action}: no end in {self.patience.within_s:g} s")
        raise late

    def _send(self, action: str, dedup_key: str, said: Mapping[str, Any]) -> str:
        """Raised outside the handler: the client's errors carry the request and so the key."""
        with self._client() as client:
            try:
                taken: str = client.send_event(action, dedup_key, **said)
                return taken
            except pagerduty.Error as error:
                failure = meaning(action, error)
        raise failure

    def _client(self) -> pagerduty.EventsApiV2Client:
        client = pagerduty.EventsApiV2Client(
            self.routing_key(), base_url=self.base_url, verify=self.tls or True
        )
        client.retry = dict.fromkeys(RETRIED, self.patience.retries)
        client.max_http_attempts = self.patience.retries
        client.max_network_attempts = 0
        client.sleep_timer = self.patience.pause_s
        client.timeout = self.patience.timeout_s
        return client


def body(page: Page) -> dict[str, Any]:
    payload = {
        "summary": page.summary,
        "source": page.source,
        "severity": page.severity,
    }
    links = [{"href": address, "text": text} for address, text in page.links]
    return {
        "payload": {**payload, "custom_details": dict(page.details)},
        "links": links,
    }


def meaning(action: str, error: pagerduty.Error) -> WatchkeeperError:
    """What the caller must do about it, in our own words."""
    if error.response is not None:
        return _answered(action, error.response.status_code)
    lost = type(error.__cause__).__name__
    text = f"pagerduty {action}: {lost}"
    return PagerUnavailable(text) if lost in NOT_SENT else PagerUnknown(text)


def _answered(action: str, status: int) -> WatchkeeperError:
    text = f"pagerduty {action}: HTTP {status}"
    if status in RETRIED or status >= 500:
        return PagerUnavailable(text)
    if status < 300:
        return PagerUnknown(f"{text} with an answer that is not PagerDuty's")
    return PagerRefused(text)
