"""A vendor made of data: its lists, its key, its rate, its checks, and the faults that it shares."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchkeeper.sandbox.derived import parse
from watchkeeper.sandbox.derived_api import Derived, id_in
from watchkeeper.sandbox.exchange import Answer, Call
from watchkeeper.sandbox.faults import from_json
from watchkeeper.sandbox.gate import NO_MARK, Caller, Gate
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.members import has, put
from watchkeeper.sandbox.site import Site

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
STILL = {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0}
NOTES: dict[str, Any] = {
    "name": "notes",
    "path": "/notes",
    "envelope": "data.notes",
    "item_path": "/notes/{id}",
    "item_envelope": "note",
    "version_field": "modified_at",
    "cursor_field": "meta.next",
    "since_param": "modified_after",
    "until_param": "modified_before",
    "sort_param": "order",
    "sort": "modified_at",
    "records": 12,
}
USERS = {**NOTES, "name": "users", "path": "/users", "item_path": "/users/{id}"}
NUMBERED = {"paging": "page_number", "cursor_param": "page", "cursor_field": "end"}
AUTH = {"header": "X-Api-Key", "scheme": ""}


class Hands:
    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def site(
    *faults: dict[str, Any],
    notes: dict[str, Any] | None = None,
    probes: tuple[dict[str, Any], ...] = (),
    hands: Hands | None = None,
    **settings: Any,
) -> Site:
    shape = {
        "vendor": "odd",
        "base_path": "/api",
        "auth": AUTH,
        "max_page_size": 50,
        "description": "/schema.json",
        "resources": [{**NOTES, **(notes or {})}, USERS],
    }
    raw = {"shape": shape, "probes": list(probes), "arrivals": STILL, "rate": None, **settings}
    config, read = parse(raw, 5)
    made = Site(config, (hands or Hands()).now, Derived(read))
    made.faults += [from_json(fault, NOON) for fault in faults]
    return made


def told(where: Site, url: str, key: str | None = None, method: str = "GET") -> Answer:
    path, _, query = url.partition("?")
    pairs = [(n, v) for n, _, v in (p.partition("=") for p in query.split("&")) if n]
    value = where.config.first_key if key is None else key
    mark = fingerprint(value) if value else NO_MARK
    verdict = Gate(where).judge(Caller(method, path, "test", value, mark), where.now())
    return verdict.refusal or where.answer(Call(method, path, pairs), verdict.bent)


def body(where: Site, url: str) -> Any:
    answer = told(where, url)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("sent", "key"),
    [("test_1", "test_1"), (" test_1 ", "test_1"), ("", "")],
)
def test_a_key_may_travel_without_a_scheme(sent: str, key: str) -> None:
    assert site().vendor.manners.key_in({"x-api-key": sent}) == key


@pytest.mark.parametrize(
    ("sent", "key"), [("Token test_1", "test_1"), ("token  test_1", "test_1"), ("Bearer x", "")]
)
def test_a_key_may_travel_behind_another_word(sent: str, key: str) -> None:
    _, shape = parse({"shape": {"vendor": "odd", "auth": {"scheme": "Token"}}}, 1)
    assert Derived(shape).manners.key_in({"authorization": sent}) == key


@pytest.mark.parametrize("tells", [True, False])
def test_a_missing_key_is_told_apart_where_the_shape_says_so(tells: bool) -> None:
    raw = {"shape": {"vendor": "odd", "auth": {**AUTH, "tells_missing_key": tells}}}
    config, shape = parse(raw, 1)
    where = Site(config, Hands().now, Derived(shape))
    none, bad = told(where, "/x", ""), told(where, "/x", "test_made_up")
    assert (none.status, bad.status) == (401, 401)
    assert (none == bad) is not tells


@pytest.mark.parametrize("limit", ["0", "51", "many", "-1", ""])
def test_a_wrong_page_size_is_refused(limit: str) -> None:
    assert told(site(), f"/notes?limit={limit}").status == 400


@pytest.mark.parametrize("url", ["/notes?cursor=x", "/notes?modified_after=noon"])
def test_what_cannot_be_read_is_refused(url: str) -> None:
    assert told(site(), url).status == 400


def test_parameters_that_mean_nothing_here_are_ignored() -> None:
    assert body(site(), "/notes?createdAtGte=noon&page=-3") == body(site(), "/notes")


def test_time_filters_are_inclusive_and_go_with_the_cursor() -> None:
    where = site()
    stamps = sorted(r["modified_at"] for r in body(where, "/notes")["data"]["notes"])
    asked = f"modified_after={stamps[2]}&modified_before={stamps[8]}&order=modified_at"
    first = body(where, f"/notes?{asked}&limit=4")
    rest = body(where, f"/notes?cursor={first['meta']['next']}&limit=50")
    found = [r["modified_at"] for page in (first, rest) for r in page["data"]["notes"]]
    assert (found, rest["meta"]["next"]) == (stamps[2:9], None)


@pytest.mark.parametrize(
    ("order", "field", "descending"),
    [
        ("modified_at", "modified_at", False),
        ("-modified_at", "modified_at", True),
        ("modified_at:desc", "modified_at", True),
        ("created_at", "created_at", False),
        ("-id", "id", True),
    ],
)
def test_orders(order: str, field: str, descending: bool) -> None:
    rows = body(site(), f"/notes?order={order}")["data"]["notes"]
    values = [row[field] for row in rows]
    assert values == sorted(values, reverse=descending)


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ({"cursor_means": "last_page"}, [3, 3, 3]),
        ({"cursor_means": "page_count", "first_page": 0}, [3, 3, 3]),
        ({"cursor_means": "last_page", "first_page": 0}, [2, 2, 2]),
        ({"cursor_means": "next_page"}, [2, 3, None]),
        ({"cursor_means": "more"}, [True, True, False]),
    ],
)
def test_how_numbered_pages_tell_their_end(more: dict[str, Any], ends: list[object]) -> None:
    where = site(notes={**NUMBERED, **more})
    first = int(more.get("first_page", 1))
    found = [body(where, f"/notes?limit=5&page={first + n}") for n in range(3)]
    assert [page["end"] for page in found] == ends
    assert [len(page["data"]["notes"]) for page in found] == [5, 5, 2]
    assert body(where, f"/notes?limit=5&page={first + 3}")["data"]["notes"] == []
    assert told(where, f"/notes?page={first - 1}").status == 400


def test_a_list_without_pages_is_whole_whatever_is_asked() -> None:
    where = site(notes={"paging": "none", "envelope": None, "limit_param": None})
    assert len(body(where, "/notes?limit=3")) == 12


def test_records_come_and_change_and_are_the_truth() -> None:
    hands = Hands()
    moving = {"created_per_s": 2, "changed_per_s": 2, "assets_changed_per_s": 1}
    where = site(hands=hands, arrivals=moving)
    before = {r["id"]: r for r in body(where, "/notes?limit=50")["data"]["notes"]}
    hands.at += 4 * SECOND
    after = {r["id"]: r for r in body(where, "/notes?limit=50")["data"]["notes"]}
    assert len(after) == 12 + 8
    assert any(after[n] != before[n] for n in before)
    assert {n: r["modified_at"] for n, r in after.items()} == {
        n: r.updated_at for n, r in where.world.records["notes"].items()
    }
    assert any(r.updated_at > r.created_at for r in where.world.records["users"].values())


@pytest.mark.parametrize("version", [None, "created_at"])
def test_records_without_a_time_of_change_do_not_change(version: str | None) -> None:
    hands = Hands()
    where = site(hands=hands, notes={"version_field": version}, arrivals={"changed_per_s": 5})
    before = dict(where.world.records["notes"])
    hands.at += 4 * SECOND
    where.now()
    assert before.items() <= where.world.records["notes"].items()
    first = body(where, "/notes?limit=1")["data"]["notes"][0]
    assert ("created_at" in first, "modified_at" in first) == (version is not None, False)


RECORD = {"name": "one", "path": "/notes/abc-1", "record": True}
STRANGER = {"name": "hat", "path": "/hats/9", "record": True}
PRICED = {"name": "make", "path": "/make", "method": "POST", "status": [202], "json_path": "job"}
PROBES = (RECORD, STRANGER, PRICED, {"name": "me", "path": "/me", "json_path": "a.1.b"})


def test_what_checks_ask_for_is_there() -> None:
    where = site(probes=PROBES)
    assert body(where, "/notes/abc-1")["note"]["id"] == "abc-1"
    assert body(where, "/me") == {"status": "ok", "a": [{}, {"b": "ok"}]}
    made = told(where, "/make", method="POST")
    assert (made.status, made.costs, json.loads(made.body)["job"]) == (202, True, "ok")
    assert told(where, "/make").status == told(where, "/notes/abc-2").status == 404
    assert told(where, "/me", method="HEAD").status == 200


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({}, [404, 200, 404]),
        ({"resource": "notes"}, [404, 200, 200]),
        ({"resource": "notes", "id": "3"}, [200, 404, 200]),
        ({"resource": "hat"}, [200, 200, 404]),
    ],
)
def test_the_record_that_a_check_asks_for_may_be_gone(
    fault: dict[str, Any], statuses: list[int]
) -> None:
    where = site({"kind": "record_gone", **fault}, probes=PROBES)
    assert [told(where, p).status for p in ("/notes/abc-1", "/notes/3", "/hats/9")] == statuses


def test_a_moved_path_and_the_description() -> None:
    where = site({"kind": "path_moved", "path": "/notes", "to": "/memos"}, probes=PROBES)
    paths = json.loads(told(where, "/schema.json", "").body)["paths"]
    assert paths.keys() == {"/memos", "/memos/{id}", "/users", "/users/{id}", "/make", "/me"}
    urls = ("/notes", "/memos", "/memos/3", "/users")
    assert [told(where, u).status for u in urls] == [404, 200, 200, 200]


def test_an_empty_and_a_stale_list() -> None:
    assert body(site({"kind": "empty"}), "/notes")["data"]["notes"] == []
    hands = Hands()
    fault = {"kind": "stale", "endpoints": ["/notes"]}
    moving = {"created_per_s": 1, "changed_per_s": 0, "assets_changed_per_s": 1}
    where = site(fault, hands=hands, arrivals=moving)
    before = [body(where, url) for url in ("/notes", "/users")]
    hands.at += 3 * SECOND
    after = [body(where, url) for url in ("/notes", "/users")]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_a_refusal_names_the_wait_in_a_header_too() -> None:
    where = site(rate={"limit": 1, "window_s": 30})
    answers = [told(where, "/me"), told(where, "/me")]
    assert (answers[1].status, dict(answers[1].headers)) == (429, {"Retry-After": "30"})


@pytest.mark.parametrize(
    "raw",
    [
        {"shape": {"vendor": "x", "colour": "red"}},
        {"shape": {}},
        {"shape": {"vendor": "x"}, "probes": [{"name": "a", "path": "/a", "verb": "GET"}]},
        {"shape": {"vendor": "x", "resources": [{**NOTES, "paging": "scroll"}]}},
        {"shape": {"vendor": "x"}, "speed": 3},
        {"shape": {"vendor": "x"}, "key": "live_1"},
    ],
)
def test_a_shape_that_means_nothing_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(raw, 1)


@pytest.mark.parametrize(
    ("template", "path", "found"),
    [
        ("/notes/{id}", "/notes/7", "7"),
        ("/notes/{id}/full", "/notes/7/full", "7"),
        ("/notes/{id}", "/notes/7/full", None),
        ("/notes/{id}", "/notes/", None),
        ("/notes/{id}", "/users/7", None),
        (None, "/notes/7", None),
    ],
)
def test_an_id_in_a_path(template: str | None, path: str, found: str | None) -> None:
    assert id_in(template, path) == found


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ({}, "a.b", {"a": {"b": 1}}),
        ({"a": 5, "c": 2}, "a.b", {"a": {"b": 1}, "c": 2}),
        ({"a": [{"x": 0}]}, "a.0.b", {"a": [{"x": 0, "b": 1}]}),
        ([], "1.b", [{}, {"b": 1}]),
    ],
)
def test_members_are_put_where_a_path_says(before: Any, path: str, after: Any) -> None:
    assert put(before, path, 1) == after
    assert has(after, path) and not has(before, path)


def test_finer_bounds_are_rounded_inwards() -> None:
    """Records are stamped in whole milliseconds."""
    where = site()
    stamp = body(where, "/notes")["data"]["notes"][0]["modified_at"]
    at, half_ms = datetime.fromisoformat(stamp), timedelta(microseconds=500)

    def found(param: str, bound: datetime) -> bool:
        asked = f"/notes?{param}={bound.isoformat().replace('+00:00', 'Z')}"
        return stamp in [r["modified_at"] for r in body(where, asked)["data"]["notes"]]

    assert found("modified_after", at) and not found("modified_after", at + half_ms)
    assert found("modified_before", at + half_ms) and not found("modified_before", at - half_ms)
