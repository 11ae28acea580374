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
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.answers import raise_for
from watchkeeper.vendor.bodies import has_errors_beside
from watchkeeper.vendor.client import VendorClient
from watchkeeper.vendor.following import MISSING, member
from watchkeeper.vendor.items import Item, iso, item_of
from watchkeeper.vendor.paging import Trail
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody

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
    window, trail = Window(since, until), Trail(resource, cursor)
    asked = list_params(resource, window)
    while True:
        reply = await client.get(resource.path, {**asked, **trail.params})
        # Judged before it is handed out: nobody shall keep a cursor that leads in a circle.
        page = page_of(reply, resource, window, trail)
        yield page
        if page.next_cursor is None:
            return


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
    item = item_of(_enveloped(reply.json(), resource.item_envelope, resource), resource)
    if item.record_id != record_id:
        raise BadBody(f"{resource.name}: asked for one record, got another")
    return item


def list_params(resource: Resource, window: Window) -> dict[str, str | int]:
    """What to ask a list, but for the cursor. Bounds are rounded outwards to milliseconds."""
    params: dict[str, str | int] = {}
    if resource.limit_param is not None:
        params[resource.limit_param] = resource.page_size
    if resource.sort_param and resource.sort:
        params[resource.sort_param] = resource.sort
    if resource.since_param and window.since is not None:
        params[resource.since_param] = iso(_floor(window.since))
    if resource.until_param and window.until is not None:
        params[resource.until_param] = iso(_ceil(window.until))
    return params


def page_of(reply: Reply, resource: Resource, window: Window, trail: Trail) -> Page:
    """Judge one page and step on. The upper bound that vendors offer includes it, so the window
    cuts it off."""
    raise_for(reply, resource)
    body = reply.json()
    items = items_of(body, resource)
    following = trail.step(body, [item.record_id for item in items])
    return Page(tuple(item for item in items if window.holds(item)), following, len(items))


def items_of(body: Any, resource: Resource) -> tuple[Item, ...]:
    """The records of a list's body. Raises BadBody where it is no such list."""
    records = _enveloped(body, resource.envelope, resource)
    if resource.envelope is not None and has_errors_beside(body):
        # What is in the list may then be a part of it, or nothing.
        raise BadBody(f"{resource.name}: an error stands beside {resource.envelope!r}")
    if not isinstance(records, list):
        what = "the body" if resource.envelope is None else repr(resource.envelope)
        raise BadBody(f"{resource.name}: {what} is not a list")
    return tuple(item_of(record, resource) for record in records)


def _enveloped(body: Any, envelope: str | None, resource: Resource) -> Any:
    if envelope is None:
        return body
    value = member(body, envelope)
    if value is MISSING:
        raise BadBody(f"{resource.name}: the answer has no {envelope!r}")
    return value


def _floor(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _ceil(at: datetime) -> datetime:
    floor = _floor(at)
    return floor if floor == at else floor + _MILLISECOND
