"""A page as a message to one target of Apprise: chat, mail, SMS and others.

Apprise only sends: it folds no repeats, and a resolve is one more message. Its own log lines name
hosts and sometimes whole URLs, which hold credentials, so they are dropped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from watchkeeper.errors import WatchkeeperError
from watchkeeper.pagers import Page, PagerRefused, PagerUnavailable, PagerUnknown
from watchkeeper.pagers.addresses import check_address

WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class AppriseTarget:
    """`url` is read at each call."""

    url: Callable[[], str] = field(repr=False)
    sandbox: bool = False
    within_s: float = WITHIN_S

    async def trigger(self, page: Page) -> str:
        kind = "failure" if page.severity in ("critical", "error") else "warning"
        return await self._notify(page.summary, _lines(page), kind)

    async def resolve(self, page: Page) -> str:
        return await self._notify(f"Resolved: {page.summary}", page.dedup_key, "success")

    async def _notify(self, title: str, body: str, kind: str) -> str:
        url = (await asyncio.to_thread(self.url)).strip()
        check_address("apprise", url, sandbox=self.sandbox)
        sent = await asyncio.to_thread(_send, url, title, body, kind, self.within_s)
        if sent is not None:
            raise sent
        return "sent"


def _send(url: str, title: str, body: str, kind: str, within_s: float) -> WatchkeeperError | None:
    """In a thread: most of its plugins block. None where the target took it."""
    # Imported here: it loads all of its plugins, and most processes send nothing.
    import apprise

    logging.getLogger("apprise").addFilter(_nothing)
    asset = apprise.AppriseAsset(app_id="Watchkeeper", app_desc="", app_url="", async_mode=False)
    target = apprise.Apprise(asset=asset)
    if not target.add(url):
        return PagerRefused("apprise: its URL is not one that Apprise knows")
    status = target.notify(body=body, title=title, notify_type=kind, timeout=within_s).status
    match status:
        case apprise.AppriseResultStatus.SUCCESS:
            return None
        case apprise.AppriseResultStatus.TIMEOUT:
            return PagerUnknown(f"apprise: no end in {within_s:g} s")
        case _:
            return PagerUnavailable("apprise: the target did not take it")


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def _lines(page: Page) -> str:
    details = [f"{name}: {text}" for name, text in page.details.items()]
    return "\n".join([*details, *(f"{text}: {address}" for address, text in page.links)])
