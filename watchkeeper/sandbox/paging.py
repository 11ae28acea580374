"""Pages of a list: where one starts, what it carries, and the opaque cursor to the next."""

import base64
import json
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlencode

from watchkeeper.sandbox.query import ListQuery, Pairs, Refusal, parse, simple
from watchkeeper.sandbox.records import Record
from watchkeeper.sandbox.resources import Resource
from watchkeeper.sandbox.shelf import BEFORE_ALL, Key, Shelf, key_of

NOT_KEPT = ("cursor", "limit")


@dataclass(frozen=True, slots=True)
class Place:
    """Between two pages: past `after` (a position among the values), or past `offset` rows."""

    pairs: tuple[tuple[str, str], ...] = ()
    after: Key | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    records: tuple[Record, ...]
    next_cursor: str | None


def encode(place: Place) -> str:
    raw = json.dumps({"q": place.pairs, "a": place.after, "o": place.offset})
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def decode(cursor: str) -> Place:
    """Raises ValueError on anything that `encode` did not make."""
    try:
        raw = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        after = (str(raw["a"][0]), int(raw["a"][1])) if raw["a"] else None
        return Place(tuple((str(k), str(v)) for k, v in raw["q"]), after, int(raw["o"]))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ValueError("not a cursor of ours") from error


def page(shelf: Shelf, resource: Resource, pairs: Pairs, cap: int) -> Page | Refusal:
    """The cursor keeps the filters: what is asked beside it is ignored, but for `limit`."""
    cursor = next((value for name, value in pairs if name == "cursor"), None)
    kept = tuple(pair for pair in pairs if pair[0] not in NOT_KEPT)
    try:
        place = decode(cursor) if cursor else Place(kept)
    except ValueError:
        return simple("Invalid cursor")
    limits = [pair for pair in pairs if pair[0] == "limit"]
    query = parse(resource, [*place.pairs, *limits])
    if isinstance(query, Refusal):
        return query
    return Page((), None) if query.nothing else cut(shelf, query, place, cap, resource.keyset)


def cut(shelf: Shelf, query: ListQuery, place: Place, cap: int, keyset: bool) -> Page:
    """The page at `place`; `keyset`: its cursor is a position among the values, not a count."""
    size = min(query.limit, cap)
    start = place.after or _start(query)
    found = (r for r in shelf.walk(query.sort, query.descending, start) if query.matches(r))
    rows = tuple(islice(found, place.offset, place.offset + size + 1))
    records = rows[:size]
    if len(rows) <= size:
        return Page(records, None)
    if keyset:
        following = Place(place.pairs, key_of(records[-1], query.sort))
    else:
        following = Place(place.pairs, None, place.offset + size)
    return Page(records, encode(following))


def _start(query: ListQuery) -> Key | None:
    """Skip straight to a lower bound on the field that the list is sorted by."""
    if query.descending:
        return None
    lows = [b.value for b in query.bounds if b.lower and b.field == query.sort]
    return (max(lows), BEFORE_ALL[1]) if lows else None


def next_url(resource: Resource, cursor: str | None, limit: int) -> str | None:
    query = urlencode({"cursor": cursor, "limit": limit})
    return f"/v1/{resource.name}?{query}" if cursor else None
