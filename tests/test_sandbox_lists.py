"""The simulator's data: it moves by the clock, lists lag it, and cursors walk it."""

import hashlib
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.sandbox.api import Call, answer
from watchkeeper.sandbox.clock import instant, iso
from watchkeeper.sandbox.config import FROZEN, Arrivals, parse
from watchkeeper.sandbox.paging import Page, decode, page
from watchkeeper.sandbox.records import Record, canonical, digest
from watchkeeper.sandbox.resources import RESOURCES
from watchkeeper.sandbox.world import World

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
WORKORDERS, ASSETS = RESOURCES["workorders"], RESOURCES["assets"]
MOVING = {"created_per_s": 2.0, "changed_per_s": 3.0, "assets_changed_per_s": 0.5}
STILL = dict.fromkeys(MOVING, 0.0)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def world(count: int = 20, arrivals: dict[str, float] = STILL, **config: object) -> World:
    raw = {"records": {"workorders": count, "assets": 10}, "arrivals": arrivals, **config}
    return World(parse(raw, 7), START)


def pages(of: World, name: str, *pairs: tuple[str, str], cap: int = 200) -> list[list[Record]]:
    found, asked = [], list(pairs)
    while True:
        one = page(of.shelves[name], RESOURCES[name], asked, cap)
        assert isinstance(one, Page)
        found.append(list(one.records))
        if one.next_cursor is None:
            return found
        asked = [("cursor", one.next_cursor), *(p for p in pairs if p[0] == "limit")]


def ids(rows: list[list[Record]]) -> list[int]:
    return [record.id for one in rows for record in one]


def test_the_same_seed_lives_the_same_life() -> None:
    one, two = world(arrivals=MOVING), world(arrivals=MOVING)
    one.advance(after(10))
    for second in range(11):
        two.advance(after(second))
    assert one.records == two.records
    assert len(one.records["workorders"]) == 40


def test_each_write_has_a_millisecond_of_its_own() -> None:
    of = world(arrivals={"created_per_s": 200.0, "changed_per_s": 200.0})
    of.advance(after(3))
    for _ in range(5):
        of.create("workorders", {"title": "by hand"}, {}, after(3))
    stamps = [r.updated_at for r in of.records["workorders"].values()]
    assert len(set(stamps)) == len(stamps)
    assert max(stamps) == of.records["workorders"][max(of.records["workorders"])].updated_at


def test_a_change_strikes_the_record_and_its_stamp() -> None:
    of = world(arrivals={**STILL, "changed_per_s": 1.0})
    before = dict(of.records["workorders"])
    of.advance(after(1))
    (changed,) = [r for r in of.records["workorders"].values() if r != before[r.id]]
    assert changed.updated_at == iso(after(1))
    assert changed.created_at == before[changed.id].created_at


def test_frozen_is_frozen_and_thaws_where_it_stopped() -> None:
    of = world(arrivals=MOVING)
    of.advance(after(2))
    of.set_arrivals(FROZEN, after(2))
    still = dict(of.records["workorders"])
    of.advance(after(500))
    assert of.records["workorders"] == still
    of.set_arrivals(Arrivals(1.0, 0.0, 0.0), after(500))
    of.advance(after(503))
    assert len(of.records["workorders"]) == len(still) + 3


@pytest.mark.parametrize(("jitter", "at_most_s"), [(True, 60), (False, 60)])
def test_lists_lag_and_reading_by_id_does_not(jitter: bool, at_most_s: float) -> None:
    of = world(list_lag_s=60, list_lag_jitter=jitter)
    made = of.create("workorders", {"title": "new"}, {}, after(1))
    changed = of.change("workorders", 3, {"title": "newer"}, {}, after(1))
    seen = of.shelves["workorders"].by_id
    of.advance(after(1))
    assert made.id not in seen
    assert seen[3] != changed
    call = Call("GET", f"/workorders/{made.id}")
    assert answer(of, call, after(1)).status == 200
    of.advance(after(1.1 + at_most_s))
    assert (seen[made.id], seen[3]) == (made, changed)


def test_the_lag_is_drawn_anew_for_each_write() -> None:
    of = world(list_lag_s=100)
    made = [of.create("workorders", {}, {}, after(0)).id for _ in range(200)]
    of.advance(after(50))
    shown = len(of.shelves["workorders"].by_id.keys() & set(made))
    assert 70 < shown < 130


def test_a_late_older_version_never_covers_a_newer_one() -> None:
    of = world(list_lag_s=100)
    for n in range(50):
        of.change("workorders", 1, {"title": f"version {n}"}, {}, after(n * 0.01))
    of.advance(after(200))
    assert of.shelves["workorders"].by_id[1].fields["title"] == "version 49"


def test_a_digest_is_of_the_item_as_it_is_sent() -> None:
    of = world()
    body = json.loads(answer(of, Call("GET", "/workorders", [("limit", "5")]), START).body)
    for item in body["workOrders"]:
        text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        own = hashlib.sha256(text.encode()).hexdigest()
        assert own == digest(of.records["workorders"][item["id"]].item)


def test_canonical_bytes_ignore_the_order_of_names() -> None:
    assert canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'.encode()


def test_nulls_are_left_out_but_where_the_vendor_requires_the_name() -> None:
    of = world(count=40)
    assert all(None not in r.fields.values() for r in of.records["workorders"].values())
    assert None in of.records["assets"][1].fields.values()


@pytest.mark.parametrize("limit", ["1", "3", "20", "200"])
@pytest.mark.parametrize("sort", ["", "updatedAt", "-updatedAt", "createdAt", "-dueDate"])
def test_pages_at_rest_hold_each_record_once_and_in_order(limit: str, sort: str) -> None:
    pairs = [("limit", limit), *([("sort", sort)] if sort else [])]
    rows = pages(world(), "workorders", *pairs)
    assert sorted(ids(rows)) == list(range(1, 21))
    if sort.endswith("updatedAt"):
        stamps = [r.updated_at for one in rows for r in one]
        assert stamps == sorted(stamps, reverse=sort.startswith("-"))


def test_the_last_page_alone_has_no_cursor() -> None:
    assert [len(one) for one in pages(world(20), "workorders", ("limit", "10"))] == [10, 10]
    assert [len(one) for one in pages(world(20), "workorders", cap=15)] == [15, 5]
    assert [len(one) for one in pages(world(0), "workorders")] == [0]


def test_the_cursor_keeps_the_filters() -> None:
    of = world(100)
    rows = pages(of, "workorders", ("limit", "2"), ("statuses", "OPEN"), ("statuses", "DONE"))
    statuses = {r.fields["status"] for one in rows for r in one}
    assert len(rows) > 2
    assert statuses == {"OPEN", "DONE"}


def test_two_statuses_that_the_vendor_cannot_ask_for_together() -> None:
    of = world(30)
    of.change("workorders", 1, {"status": "CANCELED"}, {}, after(1))
    assert ids(pages(of, "workorders", ("statuses", "CANCELED"))) == [1]
    both = [("statuses", "CANCELED"), ("statuses", "SKIPPED")]
    assert pages(of, "workorders", *both) == [[]]


@pytest.mark.parametrize("sort", ["updatedAt", "-updatedAt", "createdAt"])
def test_time_filters_are_inclusive_on_both_sides(sort: str) -> None:
    of = world(20)
    stamps = sorted(r.updated_at for r in of.records["workorders"].values())
    low, high = stamps[4], stamps[9]
    pairs = [("updatedAt[gte]", low), ("updatedAt[lte]", high), ("sort", sort), ("limit", "4")]
    found = [r.updated_at for one in pages(of, "workorders", *pairs) for r in one]
    assert sorted(found) == stamps[4:10]


def test_offset_paging_skips_a_row_when_rows_shift() -> None:
    """The vendor says so itself about assets: walk with an overlap, and more than once."""
    of = world()
    first = page(of.shelves["assets"], ASSETS, [("limit", "5"), ("sort", "updatedAt")], 200)
    assert isinstance(first, Page)
    of.change("assets", first.records[0].id, {"description": "moved"}, {}, after(1))
    rest = pages(of, "assets", ("cursor", first.next_cursor or ""), ("limit", "50"))
    assert len({r.id for r in first.records} | set(ids(rest))) == 9


@pytest.mark.parametrize("cursor", ["x", "bm9wZQ", "e30", "/v1/workorders?cursor=abc"])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    call = Call("GET", "/workorders", [("cursor", cursor)])
    assert answer(world(), call, START).status == 400
    with pytest.raises(ValueError, match="not a cursor of ours"):
        decode(cursor)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    sort=st.sampled_from(["", "updatedAt", "-updatedAt", "createdAt", "-createdAt"]),
    limit=st.integers(1, 7),
    between=st.lists(st.lists(st.integers(0, 15), max_size=4), max_size=20),
)
def test_a_cursor_walk_loses_no_record_that_stayed_as_it_was(
    sort: str, limit: int, between: list[list[int]]
) -> None:
    """0 makes a new record, any other number changes the record of that id."""
    of = world(15)
    size = ("limit", str(limit))
    asked, seen, moved, tick = [size, *([("sort", sort)] if sort else [])], set(), set(), 0
    while True:
        one = page(of.shelves["workorders"], WORKORDERS, asked, 200)
        assert isinstance(one, Page)
        seen |= {record.id for record in one.records}
        if one.next_cursor is None:
            break
        asked = [("cursor", one.next_cursor), size]
        for number in between.pop() if between else []:
            tick += 1
            moved.add(number)
            if number:
                of.change("workorders", number, {"title": "moved"}, {}, after(tick))
            else:
                of.create("workorders", {"title": "made"}, {}, after(tick))
    assert set(range(1, 16)) - moved <= seen


def test_writes_answer_as_the_vendor_does() -> None:
    of = world()
    body = b'{"title": "Leak", "priority": "HIGH", "externalData": {"ours": "k-1"}}'
    made = json.loads(answer(of, Call("POST", "/workorders", body=body), after(1)).body)
    assert made == {"id": 21}
    one = json.loads(answer(of, Call("GET", "/workorders/21"), after(1)).body)["workOrder"]
    assert (one["title"], one["externalData"]) == ("Leak", {"ours": "k-1"})
    assert "externalData" not in of.records["workorders"][21].fields
    done = Call("PATCH", "/workorders/21/status", body=b'{"status": "DONE"}')
    moved = json.loads(answer(of, done, after(2)).body)["workOrder"]
    assert (moved["status"], moved["completedAt"]) == ("DONE", iso(after(2)))
    assert instant(moved["updatedAt"]) == after(2)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "envelope"),
    [
        ("GET", "/workorders/999", b"", 404, {"error": "Not Found."}),
        ("PATCH", "/workorders/999", b"{}", 404, {"error": "Work Order Not Found"}),
        ("GET", "/nowhere", b"", 404, {"error": "Not Found."}),
        ("POST", "/workorders", b"{", 400, None),
        ("POST", "/workorders", b"[]", 400, None),
        ("POST", "/workorders", b"{}", 400, None),
        ("PATCH", "/workorders/1", b'{"title": null}', 400, None),
        ("PATCH", "/workorders/1", b'{"priority": "URGENT"}', 400, None),
        ("PATCH", "/workorders/1/status", b'{"status": "SKIPPED"}', 400, None),
    ],
)
def test_what_cannot_be_done_is_said_in_the_vendors_shapes(
    method: str, path: str, body: bytes, status: int, envelope: dict[str, str] | None
) -> None:
    found = answer(world(), Call(method, path, body=body), START)
    assert found.status == status
    said = json.loads(found.body)
    assert said == envelope if envelope else said.keys() <= {"error", "errors"}
