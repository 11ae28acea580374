"""One page of a derived vendor's list, by whichever paging its shape has."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from watchkeeper.sandbox import paging
from watchkeeper.sandbox.derived_query import query_of
from watchkeeper.sandbox.members import put
from watchkeeper.sandbox.paging import Place
from watchkeeper.sandbox.query import ListQuery, Pairs, Refusal, simple
from watchkeeper.sandbox.records import Record
from watchkeeper.sandbox.shape import ListShape
from watchkeeper.sandbox.shelf import Shelf


def body_of(
    resource: ListShape, shelf: Shelf, pairs: Pairs, largest: int | None, cap: int
) -> Any | Refusal:
    """The answer's JSON value. `cap`: no page carries more rows, whatever was asked."""
    asked = dict(pairs)
    if resource.paging in ("cursor", "offset_cursor"):
        return _by_cursor(resource, shelf, asked, largest, cap)
    query = query_of(resource, asked, largest)
    if isinstance(query, Refusal):
        return query
    if resource.paging == "none":
        return _enveloped(resource, _matching(shelf, query))
    return _by_number(resource, shelf, query, asked, cap)


def _by_cursor(
    resource: ListShape, shelf: Shelf, asked: dict[str, str], largest: int | None, cap: int
) -> Any | Refusal:
    """The cursor keeps the filters."""
    aside = (resource.cursor_param, resource.limit_param)
    kept = tuple((name, value) for name, value in asked.items() if name not in aside)
    sizes = {name: value for name, value in asked.items() if name == resource.limit_param}
    try:
        cursor = asked.get(resource.cursor_param)
        place = paging.decode(cursor) if cursor else Place(kept)
    except ValueError:
        return simple("Invalid cursor")
    query = query_of(resource, {**dict(place.pairs), **sizes}, largest)
    if isinstance(query, Refusal):
        return query
    page = paging.cut(shelf, query, place, cap, keyset=resource.paging == "cursor")
    return _told(resource, _enveloped(resource, page.records), page.next_cursor)


def _by_number(
    resource: ListShape, shelf: Shelf, query: ListQuery, asked: Mapping[str, str], cap: int
) -> Any | Refusal:
    value = asked.get(resource.cursor_param, str(resource.first_page))
    if not value.isdecimal() or int(value) < resource.first_page:
        return simple(f"'{resource.cursor_param}' is no page")
    rows, size = _matching(shelf, query), min(query.limit, cap)
    place, count = int(value) - resource.first_page, -(-len(rows) // size)
    body = _enveloped(resource, tuple(islice(rows, place * size, (place + 1) * size)))
    goes_on = place + 1 < count
    told = {
        "last_page": resource.first_page + max(count - 1, 0),
        "page_count": count,
        "next_page": int(value) + 1 if goes_on else None,
        "more": goes_on,
    }
    return _told(resource, body, told[resource.cursor_means])


def _matching(shelf: Shelf, query: ListQuery) -> tuple[Record, ...]:
    return tuple(r for r in shelf.walk(query.sort, query.descending) if query.matches(r))


def _enveloped(resource: ListShape, rows: tuple[Record, ...]) -> Any:
    items = [row.fields for row in rows]
    return items if resource.envelope is None else put({}, resource.envelope, items)


def _told(resource: ListShape, body: Any, value: object) -> Any:
    """A body that is the list itself has no room for it."""
    if resource.cursor_field is None or isinstance(body, list):
        return body
    return put(body, resource.cursor_field, value)
