"""A walk has every record of its window, or ends in an error that says why it has not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from loopback import (
    CANARY,
    RawServer,
    fresh_store,
    http,
    raw_server,
    resource,
    routed,
    store_key,
    utc_now,
)
from loopback import watched as watch

from watchkeeper.errors import Permanent, Refused, Throttled, WatchkeeperError
from watchkeeper.runbook.api import Resource
from watchkeeper.store.engine import Store
from watchkeeper.vendor.answers import KeyRefused, NotFound, Redirected, Unavailable, raise_for
from watchkeeper.vendor.client import VendorClient, vendor_client
from watchkeeper.vendor.items import Item, iso, item_of
from watchkeeper.vendor.listing import Page, Window, fetch_one, pages
from watchkeeper.vendor.paging import MOST_EMPTY_PAGES, MOST_PAGES
from watchkeeper.vendor.strict_json import BadBody

T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store_key(tmp_path)
    opened = fresh_store(tmp_path)
    yield opened
    opened.close()


def client_of(store: Store, url: str, folder: Path) -> VendorClient:
    return vendor_client(watch(url), store, utc_now, "backfill", base=folder)


def record(number: int, at: datetime = T0, **more: Any) -> dict[str, Any]:
    return {"id": number, "updatedAt": iso(at), **more}


def listed(*records: Any, cursor: str | None = None) -> dict[str, Any]:
    return {"workOrders": list(records), "nextCursor": cursor, "nextPageUrl": "//evil/x"}


class Walk:
    """Walks a scripted vendor: `answers` by cursor."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.server = RawServer()

    def run(
        self,
        answers: Callable[[str | None], bytes],
        of: Resource | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        cursor: str | None = None,
        param: str = "cursor",
    ) -> list[Page]:
        def answer(target: str) -> bytes:
            return answers(parse_qs(urlsplit(target).query).get(param, [None])[0])

        async def walk() -> list[Page]:
            async with (
                raw_server(routed(answer)) as self.server,
                client_of(self.store, self.server.url, self.folder) as client,
            ):
                found = pages(client, of or resource(), since, until, cursor)
                return [page async for page in found]

        return asyncio.run(walk())

    def asked(self) -> list[dict[str, list[str]]]:
        return [parse_qs(urlsplit(path).query) for path in self.server.paths()]


@pytest.fixture
def walk(store: Store, tmp_path: Path) -> Walk:
    return Walk(store, tmp_path)


def ids(found: list[Page]) -> list[list[str]]:
    return [[item.record_id for item in page.items] for page in found]


def test_a_walk(walk: Walk) -> None:
    """Page after page by the opaque cursor, to the null that ends it."""
    answers = {
        None: listed(record(1), record(2), record(3), cursor="a/b=="),
        "a/b==": listed(record(4), cursor="c"),
        "c": listed(),
    }
    found = walk.run(lambda cursor: http(answers[cursor]))
    assert ids(found) == [["1", "2", "3"], ["4"], []]
    assert [page.next_cursor for page in found] == ["a/b==", "c", None]
    assert [page.raw_count for page in found] == [3, 1, 0]


def test_what_is_asked(walk: Walk) -> None:
    """The window in milliseconds of UTC, rounded outwards; since and until as the vendor has them."""
    east = T0.astimezone(tz=None) + timedelta(microseconds=1500)
    walk.run(lambda _: http(listed()), since=east, until=east + HOUR, cursor="z")
    assert walk.asked() == [
        {
            "limit": ["3"],
            "sort": ["updatedAt"],
            "updatedAt[gte]": ["2026-03-01T09:00:00.001Z"],
            "updatedAt[lte]": ["2026-03-01T10:00:00.002Z"],
            "cursor": ["z"],
        }
    ]
    untimed = resource(since_param=None, until_param=None, sort_param=None, sort=None)
    walk.run(lambda _: http(listed()), untimed, since=T0, until=T0 + HOUR)
    assert walk.asked() == [{"limit": ["3"]}]


def test_windows_are_half_open(walk: Walk) -> None:
    """The vendor's upper bound is inclusive, ours is not: no record stands in two windows."""
    tick = timedelta(milliseconds=1)
    times = [T0 - tick, T0, T0 + tick, T0 + HOUR - tick, T0 + HOUR]
    body = listed(*(record(n, at) for n, at in enumerate(times)))
    found = walk.run(lambda _: http(body), resource(page_size=9), since=T0, until=T0 + HOUR)
    assert ids(found) == [["1", "2", "3"]]
    assert found[0].raw_count == 5


def test_records_without_a_time_belong_to_every_window(walk: Walk) -> None:
    """They are walked whole; their version is a digest that changes with them."""
    users = resource(version_field=None, since_param=None, until_param=None)
    first = walk.run(lambda _: http(listed({"id": 1, "n": "a"})), users, since=T0, until=T0)
    other = walk.run(lambda _: http(listed({"id": 1, "n": "b"})), users, since=T0, until=T0)
    (item,), (changed,) = first[0].items, other[0].items
    assert item.changed_at is None
    assert item.version.startswith("sha256:")
    assert item.version != changed.version


NO_LIST: dict[str, tuple[bytes, type[WatchkeeperError]]] = {
    "error body": (http({"error": "boom"}), BadBody),
    "refused in a 200": (http({"error": "Invalid token"}), KeyRefused),
    "throttled in a 200": (http({"error": "rate limit exceeded"}), Throttled),
    "an error beside the list": (http({"workOrders": [], "errors": [{"message": "x"}]}), BadBody),
    "401": (http({"error": "Invalid token"}, 401), KeyRefused),
    "404": (http({"error": "Not Found."}, 404), NotFound),
    "redirect": (http(b"", 302, {"Location": "/login"}), Redirected),
    "500": (http({"workOrders": [], "nextCursor": None}, 500), Unavailable),
    "429": (http({"error": "retry in 1 seconds"}, 429), Throttled),
    "html": (http(b"<html>maintenance</html>"), BadBody),
    "empty body": (http(b""), BadBody),
    "null": (http(b"null"), BadBody),
    "bare list": (http([record(1)]), BadBody),
    "envelope null": (http({"workOrders": None, "nextCursor": None}), BadBody),
    "envelope object": (http({"workOrders": {}, "nextCursor": None}), BadBody),
    "other envelope": (http({"work_orders": [], "nextCursor": None}), BadBody),
    "record null": (http(listed(None)), BadBody),
    "no id": (http(listed({"updatedAt": iso(T0)})), BadBody),
    "id true": (http(listed({**record(1), "id": True})), BadBody),
    "id float": (http(listed({**record(1), "id": 1.0})), BadBody),
    "id empty": (http(listed({**record(1), "id": ""})), BadBody),
    "id with newline": (http(listed({**record(1), "id": "a\nb"})), BadBody),
    "id half a pair": (http(listed({**record(1), "id": "\ud83d"})), BadBody),
    "no version": (http(listed({"id": 1})), BadBody),
    "version null": (http(listed({"id": 1, "updatedAt": None})), BadBody),
    "version naive": (http(listed({"id": 1, "updatedAt": "2026-03-01T09:00:00"})), BadBody),
    "version a day": (http(listed({"id": 1, "updatedAt": "2026-03-01"})), BadBody),
    "version leap": (http(listed({"id": 1, "updatedAt": "2016-12-31T23:59:60Z"})), BadBody),
    "version year 0": (http(listed({"id": 1, "updatedAt": "0001-01-01T00:00+23:59"})), BadBody),
    "cursor object": (http({"workOrders": [], "nextCursor": {}}), BadBody),
    "cursor true": (http({"workOrders": [], "nextCursor": True}), BadBody),
    "cursor huge": (http({"workOrders": [], "nextCursor": "c" * 5000}), BadBody),
    "cursor gone": (http({"workOrders": [record(1), record(2), record(3)]}), BadBody),
}


@pytest.mark.parametrize(("answer", "kind"), NO_LIST.values(), ids=NO_LIST)
def test_no_other_answer_is_an_empty_list(
    answer: bytes, kind: type[WatchkeeperError], walk: Walk
) -> None:
    """Whatever is not the list it should be is an error of its own kind."""
    with pytest.raises(kind) as caught:
        walk.run(lambda _: answer)
    assert type(caught.value) is kind
    assert CANARY not in str(caught.value)


def test_a_short_page_may_leave_the_cursor_out(walk: Walk) -> None:
    """Null fields may be omitted."""
    found = walk.run(lambda _: http({"workOrders": [record(1)]}))
    assert (ids(found), found[0].next_cursor) == ([["1"]], None)


@pytest.mark.parametrize("loop", ["a", "b"])
def test_a_cursor_loop_ends(loop: str, walk: Walk) -> None:
    """A cursor seen before leads nowhere new, at whatever distance; it is never handed out."""
    answers = {
        None: listed(record(1), cursor="a"),
        "a": listed(record(2), cursor="b"),
        "b": listed(record(3), cursor=loop),
    }
    with pytest.raises(Permanent, match="cursor loop"):
        walk.run(lambda cursor: http(answers[cursor]))
    assert len(walk.server.heads) == 3


def test_a_loop_to_the_cursor_it_began_with_ends(walk: Walk) -> None:
    """Resuming remembers where it began."""
    with pytest.raises(Permanent, match="cursor loop"):
        walk.run(lambda _: http(listed(record(1), cursor="x")), cursor="x")
    assert len(walk.server.heads) == 1


def test_empty_pages_are_bounded(walk: Walk) -> None:
    """Some may be empty, filters being what they are; not for ever."""
    gaps = {str(n): listed(cursor=str(n + 1)) for n in range(5)} | {"5": listed(record(1))}
    found = walk.run(lambda cursor: http(gaps[cursor or "0"]))
    assert ids(found) == [[], [], [], [], [], ["1"]]
    with pytest.raises(Permanent, match="empty pages"):
        walk.run(lambda cursor: http(listed(cursor=str(int(cursor or 0) + 1))))
    assert len(walk.server.heads) == MOST_EMPTY_PAGES + 1


def test_a_link_as_cursor_goes_nowhere(walk: Walk) -> None:
    """Were a cursor a URL, it would still be a parameter of our own request."""
    answers = {None: listed(record(1), cursor="http://evil.example/x"), "http": listed()}
    walk.run(lambda cursor: http(answers[cursor and cursor[:4]]))
    assert walk.asked()[1]["cursor"] == ["http://evil.example/x"]


# Page numbers and lists without pages --------------------------------------------------------------

NUMBERED: dict[str, Any] = {
    "paging": "page_number",
    "since_param": None,
    "until_param": None,
    "sort_param": None,
    "sort": None,
}


def numbered(**changes: Any) -> Resource:
    return resource(**{**NUMBERED, **changes})


def numbered_pages(*sizes: int, first: int = 1, **said: Any) -> Callable[[str | None], bytes]:
    """A vendor with pages of such sizes, and nothing after them; `said`: what each page tells."""

    def answer(page: str | None) -> bytes:
        index = int(page or 0) - first
        before = sum(sizes[:index])
        size = sizes[index] if 0 <= index < len(sizes) else 0
        told = {k: v(index + first) if callable(v) else v for k, v in said.items()}
        return http({"workOrders": [record(before + n) for n in range(size)], **told})

    return answer


def turned(walk: Walk, answers: Callable[[str | None], bytes], **changes: Any) -> list[str]:
    """The numbers of the pages that a walk asked for."""
    walk.run(answers, numbered(**changes), param="page")
    return [asked["page"][0] for asked in walk.asked()]


def following(last: int) -> Callable[[int], Any]:
    return lambda page: page + 1 if page < last else None


def link(last: int) -> Callable[[int], Any]:
    return lambda page: f"http://evil.example/x?limit=3&page={page + 1}" if page < last else None


TURNS: dict[str, tuple[tuple[int, ...], dict[str, Any], dict[str, Any], str]] = {
    # sizes of the pages, what each page tells, what the runbook says -> the pages asked for
    "a shorter page ends it": ((3, 3, 1), {}, {}, "123"),
    "a full last page is followed by one more": ((3, 3), {}, {}, "123"),
    "an empty list": ((), {}, {}, "1"),
    "one page that is not full, and one more to be sure": ((2,), {}, {}, "12"),
    "fewer served than asked for": ((2, 2, 1), {}, {"page_size": 100}, "123"),
    "more served than asked for": ((9, 9, 4), {}, {}, "123"),
    "counted from 0": ((3, 1), {}, {"first_page": 0}, "01"),
    "no page size to ask for": ((3, 1), {}, {"limit_param": None}, "12"),
    "last page": ((3, 3), {"total": 2}, {"cursor_field": "total"}, "12"),
    "last page in digits": ((3, 3), {"total": "2"}, {"cursor_field": "total"}, "12"),
    "last page, none": ((), {"total": 0}, {"cursor_field": "total"}, "1"),
    "last page, left out of an empty list": ((), {}, {"cursor_field": "total"}, "1"),
    "last page beyond a short one": ((1, 3), {"total": 2}, {"cursor_field": "total"}, "12"),
    "last page, from 0": ((3, 3), {"total": 1}, {"cursor_field": "total", "first_page": 0}, "01"),
    "count of pages, from 0": (
        (3, 3),
        {"total": 2},
        {"cursor_field": "total", "cursor_means": "page_count", "first_page": 0},
        "01",
    ),
    "count of pages": (
        (3, 3),
        {"total": 2},
        {"cursor_field": "total", "cursor_means": "page_count"},
        "12",
    ),
    "within another member": (
        (3, 3),
        {"meta": {"total": 2}},
        {"cursor_field": "meta.total"},
        "12",
    ),
    "next page": (
        (3, 3, 3),
        {"next": following(3)},
        {"cursor_field": "next", "cursor_means": "next_page"},
        "123",
    ),
    "next page as a link": (
        (3, 3),
        {"next": link(2)},
        {"cursor_field": "next", "cursor_means": "next_page"},
        "12",
    ),
    "next page, left out of a short one": (
        (2,),
        {},
        {"cursor_field": "next", "cursor_means": "next_page"},
        "1",
    ),
    "more": (
        (3, 3),
        {"more": lambda page: page < 2},
        {"cursor_field": "more", "cursor_means": "more"},
        "12",
    ),
}


@pytest.mark.parametrize(("sizes", "told", "said", "asked"), TURNS.values(), ids=TURNS)
def test_pages_by_number(
    sizes: tuple[int, ...], told: dict[str, Any], said: dict[str, Any], asked: str, walk: Walk
) -> None:
    """All pages once, and no more than are needed to know that they are all."""
    answers = numbered_pages(*sizes, first=said.get("first_page", 1), **told)
    found = walk.run(answers, numbered(**said), param="page")
    assert [a["page"][0] for a in walk.asked()] == list(asked)
    assert [i for page in ids(found) for i in page] == [str(n) for n in range(sum(sizes))]
    assert found[-1].next_cursor is None
    limits = {a.get("limit", [""])[0] for a in walk.asked()}
    assert limits == {"" if "limit_param" in said else str(said.get("page_size", 3))}


BAD_TURNS: dict[str, tuple[Any, dict[str, Any]]] = {
    "no number": ({"total": "many"}, {}),
    "true": ({"total": True}, {}),
    "below nothing": ({"total": -1}, {}),
    "a half": ({"total": 1.5}, {}),
    "null": ({"total": None}, {}),
    "left out": ({}, {}),
    "huge": ({"total": "9" * 40}, {}),
    "a list": ({"total": [2]}, {}),
    "the same page next": ({"total": 1}, {"cursor_means": "next_page"}),
    "a page left over": ({"total": 3}, {"cursor_means": "next_page"}),
    "left out of a full page": ({}, {"cursor_means": "next_page"}),
    "a link without a number": ({"total": "/x?cursor=2"}, {"cursor_means": "next_page"}),
    "a broken link": ({"total": "http://[/?page=2"}, {"cursor_means": "next_page"}),
    "a number where more is told": ({"total": 1}, {"cursor_means": "more"}),
    "null where more is told": ({"total": None}, {"cursor_means": "more"}),
}


@pytest.mark.parametrize(("told", "said"), BAD_TURNS.values(), ids=BAD_TURNS)
def test_what_does_not_tell_the_end_ends_in_an_error(
    told: Any, said: dict[str, Any], walk: Walk
) -> None:
    """Never in a list that is taken for whole."""
    with pytest.raises(BadBody, match="'total' is no"):
        turned(walk, numbered_pages(3, 3, **told), cursor_field="total", **said)
    assert len(walk.server.heads) == 1


@pytest.mark.parametrize("field", [None, "total"])
def test_a_page_seen_twice_is_an_error(field: str | None, walk: Walk) -> None:
    """A vendor that does not know `page` sends its first one for ever; one that has no such page,
    its last one, in whatever order."""
    same = [[record(1), record(2)], [record(2), record(1)]]
    answers = lambda page: http({"workOrders": same[int(page or 0) % 2], "total": 9})  # noqa: E731
    with pytest.raises(Permanent, match=r"page 2 holds the records of an earlier one: is 'page'"):
        turned(walk, answers, cursor_field=field)
    assert len(walk.server.heads) == 2


def test_a_circle_of_pages_is_an_error(walk: Walk) -> None:
    """At whatever distance the walk comes back."""
    answers = lambda page: http({"workOrders": [record(int(page or 0) % 3)]})  # noqa: E731
    with pytest.raises(Permanent, match="page 4 holds the records of an earlier one"):
        turned(walk, answers)


def test_rows_may_shift_between_pages(walk: Walk) -> None:
    """A record that is met again does not end the walk: who gathers them goes by their ids."""
    shifted = {"1": [1, 2, 3], "2": [3, 4, 5], "3": [5]}
    found = walk.run(
        lambda page: http({"workOrders": [record(n) for n in shifted[page or ""]]}),
        numbered(),
        param="page",
    )
    assert ids(found) == [["1", "2", "3"], ["3", "4", "5"], ["5"]]


def test_empty_numbered_pages_are_bounded(walk: Walk) -> None:
    with pytest.raises(Permanent, match="empty pages"):
        turned(walk, numbered_pages(total=99), cursor_field="total")
    assert len(walk.server.heads) == MOST_EMPTY_PAGES + 1


def test_a_count_of_pages_has_an_end(walk: Walk) -> None:
    """However many the vendor promises."""
    with pytest.raises(Permanent, match=f"{MOST_PAGES} pages, and no end"):
        walk.run(
            lambda page: http({"workOrders": [record(int(page or 0))], "total": 10**8}),
            numbered(cursor_field="total"),
            cursor=str(MOST_PAGES - 1),
            param="page",
        )
    assert len(walk.server.heads) == 2


def test_a_walk_goes_on_from_a_page_number(walk: Walk) -> None:
    """The cursor that is kept is the next page's number, as text."""
    answers = numbered_pages(3, 3, 3, total=3)
    found = walk.run(answers, numbered(cursor_field="total"), cursor="2", param="page")
    assert [page.next_cursor for page in found] == ["3", None]
    with pytest.raises(Permanent, match="no page number"):
        walk.run(answers, numbered(), cursor="opaque==", param="page")
    assert walk.server.heads == []


def test_a_window_cuts_a_list_that_is_walked_whole(walk: Walk) -> None:
    """Without a filter at the vendor; what is outside still counts for the pages."""
    times = [T0 - HOUR, T0, T0 + HOUR]
    body = lambda page: http(  # noqa: E731
        {"workOrders": [record(n, t) for n, t in enumerate(times)] if page == "1" else []}
    )
    found = walk.run(body, numbered(), since=T0, until=T0 + HOUR, param="page")
    assert (ids(found), found[0].raw_count) == ([["1"], []], 3)


def test_a_body_that_is_the_list(walk: Walk) -> None:
    """No envelope: the answer itself holds the records."""
    bare = numbered(envelope=None)
    pages_of = {"1": [record(1), record(2)], "2": [record(3)]}
    assert ids(walk.run(lambda page: http(pages_of[page or ""]), bare, param="page")) == [
        ["1", "2"],
        ["3"],
    ]
    for body in ({"error": "no"}, {"workOrders": []}, None, 1):
        with pytest.raises(BadBody, match="the body is not a list"):
            walk.run(lambda _, body=body: http(body), bare, param="page")


def test_an_envelope_within_another(walk: Walk) -> None:
    deep = numbered(envelope="data.items", paging="none", limit_param=None)
    assert ids(walk.run(lambda _: http({"data": {"items": [record(1)]}}), deep)) == [["1"]]
    assert ids(walk.run(lambda _: http({"data.items": [record(2)]}), deep)) == [["2"]]
    for body in ({"data": []}, {"data": {}}, {"data": None}):
        with pytest.raises(BadBody, match=r"no 'data.items'"):
            walk.run(lambda _, body=body: http(body), deep)


def test_a_list_without_pages(walk: Walk) -> None:
    """One request. A page size is asked for only where the runbook says so, and a full page is then
    not believed to be all."""
    whole = listed(record(1), record(2), record(3), cursor="never asked for")
    one = Resource(name="orders", path="/orders", envelope="workOrders", paging="none")
    assert ids(walk.run(lambda _: http(whole), one)) == [["1", "2", "3"]]
    assert walk.asked() == [{}]
    with pytest.raises(Permanent, match="there may be more"):
        walk.run(lambda _: http(whole), numbered(paging="none", limit_param="limit"))
    assert walk.asked() == [{"limit": ["3"]}]


USUAL = [
    ({}, ("cursor", "nextCursor", "limit")),
    ({"paging": "page_number"}, ("page", None, "limit")),
    ({"paging": "page_number", "cursor_param": "p"}, ("p", None, "limit")),
    ({"paging": "none"}, ("cursor", "nextCursor", None)),
]


@pytest.mark.parametrize(("said", "usual"), USUAL)
def test_usual_names(said: dict[str, Any], usual: tuple[str | None, ...]) -> None:
    """What need not be said depends on how the list pages."""
    made = Resource(name="orders", path="/orders", envelope=None, **said)
    assert (made.cursor_param, made.cursor_field, made.limit_param) == usual


def test_a_cursor_comes_from_somewhere() -> None:
    with pytest.raises(ValueError, match="cursor_field is wanted"):
        resource(cursor_field=None)


VERSIONS = [
    ("2026-03-01T09:00:00.000Z", "2026-03-01T09:00:00.000000Z"),
    ("2026-03-01T09:00:00Z", "2026-03-01T09:00:00.000000Z"),
    ("2026-03-01T10:00:00.5+01:00", "2026-03-01T09:00:00.500000Z"),
    ("2026-03-01T09:00:00.123456Z", "2026-03-01T09:00:00.123456Z"),
    (17, "00000000000000000017"),
]


@pytest.mark.parametrize(("told", "version"), VERSIONS)
def test_versions_sort_as_text(told: object, version: str) -> None:
    """However the vendor spells an instant, later is greater."""
    assert item_of({"id": 1, "updatedAt": told}, resource()).version == version


def test_payload_is_canonical() -> None:
    """The same record has the same text in whatever order it came."""
    one = item_of(json.loads('{"updatedAt":"2026-03-01T09:00:00Z","id":1,"t":"ä"}'), resource())
    two = item_of(json.loads('{"t":"ä","id":1,"updatedAt":"2026-03-01T09:00:00Z"}'), resource())
    assert one == two
    assert one.payload == '{"id":1,"t":"ä","updatedAt":"2026-03-01T09:00:00Z"}'


def test_a_window_of_time() -> None:
    """Without ends it holds all."""
    item = item_of(record(1), resource())
    assert Window(None, None).holds(item)
    assert not Window(None, T0).holds(item)
    assert Window(T0, None).holds(item)


# One record --------------------------------------------------------------------------------------


def fetch(
    store: Store, folder: Path, answer: bytes, record_id: str = "1", **changes: Any
) -> tuple[Any, RawServer]:
    async def run() -> tuple[Any, RawServer]:
        async with (
            raw_server(routed(lambda _: answer)) as server,
            client_of(store, f"{server.url}/v1", folder) as client,
        ):
            try:
                return await fetch_one(client, resource(**changes), record_id), server
            except WatchkeeperError as error:
                return error, server

    return asyncio.run(run())


def test_one_record(store: Store, tmp_path: Path) -> None:
    """Unwrapped, judged as in a list."""
    found, server = fetch(store, tmp_path, http({"workOrder": record(1, title="x")}))
    assert (found.record_id, found.changed_at) == ("1", T0)
    assert server.paths() == ["/v1/workorders/1"]
    bare, _ = fetch(store, tmp_path, http(record(1, title="x")), item_envelope=None)
    assert bare == found


ONES = {
    "gone": (http({"error": "Not Found."}, 404), type(None)),
    "a page before the API": (http(b"<html>404</html>", 404), NotFound),
    "refused": (http({"error": "Invalid token"}, 401), KeyRefused),
    "unwrapped": (http(record(1)), BadBody),
    "another": (http({"workOrder": record(2)}), BadBody),
    "nothing": (http({"workOrder": None}), BadBody),
}


@pytest.mark.parametrize(("answer", "kind"), ONES.values(), ids=ONES)
def test_only_the_vendors_own_404_means_gone(
    answer: bytes, kind: type, store: Store, tmp_path: Path
) -> None:
    """Anything else is no word on the record."""
    assert type(fetch(store, tmp_path, answer)[0]) is kind


IDS = [("a/../b?x=1#y", "/v1/workorders/a%2F..%2Fb%3Fx%3D1%23y"), ("ü", "/v1/workorders/%C3%BC")]


@pytest.mark.parametrize(("record_id", "path"), IDS)
def test_an_id_stays_one_segment(record_id: str, path: str, store: Store, tmp_path: Path) -> None:
    """A record's id cannot lead to another path."""
    _, server = fetch(store, tmp_path, http({}, 404), record_id)
    assert server.paths() == [path]


@pytest.mark.parametrize("record_id", ["", ".", ".."])
def test_ids_that_are_no_segment(record_id: str, store: Store, tmp_path: Path) -> None:
    """They would name the list, or what is above it."""
    error, server = fetch(store, tmp_path, http({}), record_id)
    assert isinstance(error, Permanent)
    assert not isinstance(error, Refused)
    assert server.heads == []


# The simulator -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sandbox vendor with a frozen world of 400 work orders; the base URL of its API."""
    still = {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0}
    config = tmp_path_factory.mktemp("vendor") / "vendor.json"
    config.write_text(json.dumps({"arrivals": still, "key": CANARY, "rate": None}))
    command = [sys.executable, "-m", "watchkeeper.sandbox.vendor", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["api"]
        process.terminate()


def walked(store: Store, folder: Path, api: str, of: Resource, *window: datetime) -> list[Page]:
    since, until = window or (None, None)

    async def walk() -> list[Page]:
        async with client_of(store, api, folder) as client:
            return [page async for page in pages(client, of, since, until)]

    return asyncio.run(walk())


def test_a_whole_list_and_its_windows(vendor: str, store: Store, tmp_path: Path) -> None:
    """Every record once, and each in one window of those that lie side by side."""
    every = resource(page_size=37)
    whole = [item for page in walked(store, tmp_path, vendor, every) for item in page.items]
    assert len({item.record_id for item in whole}) == len(whole) == 400
    times = sorted(item.changed_at for item in whole if item.changed_at)
    edges = [times[0], times[100], times[250], times[-1] + timedelta(milliseconds=1)]
    parts = [
        walked(store, tmp_path, vendor, every, since, until) for since, until in pairwise(edges)
    ]
    found = [item for part in parts for page in part for item in page.items]
    assert sorted(item.record_id for item in found) == sorted(item.record_id for item in whole)
    assert sum(len(page.items) for page in parts[0]) == 100


def test_untimed_and_single_records(vendor: str, store: Store, tmp_path: Path) -> None:
    """Users have no time of change; an order is read by its id; none where there is none."""
    users = Resource(
        name="users", path="/users", envelope="users", version_field=None, page_size=10
    )
    found = [item for page in walked(store, tmp_path, vendor, users) for item in page.items]
    assert len(found) == 25

    async def fetch_each(*record_ids: str) -> list[Item | None]:
        async with client_of(store, vendor, tmp_path) as client:
            return [await fetch_one(client, resource(), one) for one in record_ids]

    order = walked(store, tmp_path, vendor, resource(page_size=200))[0].items[7]
    same, none = asyncio.run(fetch_each(order.record_id, "999999999"))
    assert same is not None
    assert (same.record_id, same.version) == (order.record_id, order.version)
    assert none is None


REFUSED = [("unknown.json", "current", "bad_key"), ("key.json", None, "not_sent")]


@pytest.mark.parametrize(("name", "stage", "fault"), REFUSED)
def test_the_two_401s(
    name: str, stage: Any, fault: str, vendor: str, store: Store, tmp_path: Path
) -> None:
    """A key that the vendor does not know, and none at all, are told apart."""
    store_key(tmp_path, "test_unknown_key", "unknown.json")

    async def ask() -> None:
        watched = watch(vendor, reference=f"file:{name}")
        made = vendor_client(watched, store, utc_now, "probe", key_stage=stage, base=tmp_path)
        async with made as client:
            raise_for(await client.get("/workorders?limit=1"), "workorders")

    with pytest.raises(KeyRefused) as caught:
        asyncio.run(ask())
    assert caught.value.fault == fault
