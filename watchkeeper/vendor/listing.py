"""A vendor's list as pages of items, and one record by its id.

An answer that is not the list it should be is an error, never an empty list: a count of nothing
would otherwise read as "nothing happened".
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from watchkeeper.errors import Permanent
from watchkeeper.runbook.model import Resource
from watchkeeper.vendor.answers import raise_for
from watchkeeper.vendor.client import VendorClient
from watchkeeper.vendor.items import Item, iso, item_of
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody

MOST_EMPTY_PAGES = 20
LONGEST_CURSOR = 4096
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    """`items`: those of the window; `raw_count`: what the vendor sent. Without a `next_cursor` it
    is the last."""

    items: tuple[Item, ...]
    next_cursor: str | None
    raw_count: int


@dataclass(frozen=True, slots=True)
class Window:
    """[since, until) by the records' instants of change; None is without end."""

    since: datetime | None
    until: datetime | None

    def holds(self, item: Item) -> bool:
        """A record that tells no instant of change belongs to every window."""
        at = item.changed_at
        if at is None:
            return True
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


async def pages(
    client: VendorClient,
    resource: Resource,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None = None,
) -> AsyncIterator[Page]:
    """Walk the list from its start or from `cursor`, the `next_cursor` of an earlier page.

    Raises what `raise_for` does, BadBody on an answer that is no such list, Permanent on a walk
    that does not end. Nothing is retried here: go on from the last page's cursor.
    """
    window = Window(since, until)
    asked = list_params(resource, window)
    seen: set[str] = set()
    empty = 0
    while True:
        if cursor is not None:
            seen.add(cursor)
        extra = {} if cursor is None else {resource.cursor_param: cursor}
        page = page_of(await client.get(resource.path, {**asked, **extra}), resource, window)
        empty = 0 if page.raw_count else empty + 1
        # Before the page is handed out: nobody shall keep a cursor that leads in a circle.
        if page.next_cursor in seen:
            raise Permanent(f"{resource.name}: cursor loop: the vendor sent one a second time")
        if empty > MOST_EMPTY_PAGES and page.next_cursor is not None:
            raise Permanent(f"{resource.name}: {empty} empty pages in a row, and no end")
        yield page
        if page.next_cursor is None:
            return
        cursor = page.next_cursor


async def fetch_one(client: VendorClient, resource: Resource, record_id: str) -> Item | None:
    """The record as it is now, or None where the vendor says that it has none (404).

    A 404 with a page of HTML comes from something before the API and says nothing of the record.

    Raises what `raise_for` and `item_of` do, and Permanent where records have no path.
    """
    if resource.item_path is None or record_id in ("", ".", ".."):
        raise Permanent(f"{resource.name}: no path to a record by its id")
    path = resource.item_path.replace("{id}", quote(record_id, safe=""))
    reply = await client.get(path)
    if reply.status == 404 and not reply.body.lstrip().startswith(b"<"):
        return None
    raise_for(reply, resource)
    item = item_of(_unwrapped(reply, resource.item_envelope, resource), resource)
    if item.record_id != record_id:
        raise BadBody(f"{resource.name}: asked for one record, got another")
    return item


def list_params(resource: Resource, window: Window) -> dict[str, str | int]:
    """What to ask a list, but for the cursor. Bounds are rounded outwards to milliseconds."""
    params: dict[str, str | int] = {resource.limit_param: resource.page_size}
    if resource.sort_param and resource.sort:
        params[resource.sort_param] = resource.sort
    if resource.since_param and window.since is not None:
        params[resource.since_param] = iso(_floor(window.since))
    if resource.until_param and window.until is not None:
        params[resource.until_param] = iso(_ceil(window.until))
    return params


def page_of(reply: Reply, resource: Resource, window: Window) -> Page:
    """Judge one page. The upper bound that vendors offer includes it, so the window cuts it off."""
    raise_for(reply, resource)
    body = reply.json()
    records = _member(body, resource.envelope, resource)
    if not isinstance(records, list):
        raise BadBody(f"{resource.name}: {resource.envelope!r} is not a list")
    items = tuple(item_of(record, resource) for record in records)
    inside = tuple(item for item in items if window.holds(item))
    return Page(inside, _next_cursor(body, resource, len(items)), len(items))


def _next_cursor(body: Any, resource: Resource, count: int) -> str | None:
    """The end is a null. A full page that has lost the field altogether is not believed."""
    if resource.cursor_field not in body and count >= resource.page_size:
        raise BadBody(f"{resource.name}: a full page without {resource.cursor_field!r}")
    value = body.get(resource.cursor_field)
    if value is None or value == "":
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or len(value) > LONGEST_CURSOR or not value.isprintable():
        raise BadBody(f"{resource.name}: {resource.cursor_field!r} is no cursor")
    return value


def _unwrapped(reply: Reply, envelope: str | None, resource: Resource) -> Any:
    body = reply.json()
    return body if envelope is None else _member(body, envelope, resource)


def _member(body: Any, envelope: str, resource: Resource) -> Any:
    if not isinstance(body, dict) or envelope not in body:
        raise BadBody(f"{resource.name}: the answer has no {envelope!r}")
    return body[envelope]


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _ceil(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + _MILLISECOND
