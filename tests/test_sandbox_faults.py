"""Each fault's effect on one request, decided without a server; every kind is in the table."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchkeeper.sandbox import faults
from watchkeeper.sandbox.config import parse
from watchkeeper.sandbox.exchange import Answer, Call
from watchkeeper.sandbox.fault import Fault
from watchkeeper.sandbox.fault_limits import OtherCaller, own_arrivals
from watchkeeper.sandbox.faults import KINDS, from_json, to_json
from watchkeeper.sandbox.gate import NO_MARK, Caller, Gate, Verdict
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.rate import Rate, headers, judge
from watchkeeper.sandbox.site import Coming, Site

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
Raw = dict[str, Any]


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOON

    def now(self) -> datetime:
        return self.at


def site(*raws: Raw, hands: Hands | None = None, **config: object) -> Site:
    still = {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0}
    made = Site(parse({"arrivals": still, **config}, 1), (hands or Hands()).now)
    made.faults += [from_json(raw, NOON) for raw in raws]
    return made


def asked(
    where: Site, path: str = "/workorders", key: str | None = None, method: str = "GET"
) -> Verdict:
    value = where.config.first_key if key is None else key
    mark = fingerprint(value) if value else NO_MARK
    return Gate(where).judge(Caller(method, path, "test", value, mark), where.now())


def told(where: Site, path: str = "/workorders", key: str | None = None) -> Answer:
    verdict = asked(where, path, key)
    return verdict.refusal or where.answer(Call("GET", path), verdict.bent)


HERE = {"endpoints": ["/workorders"]}
# fault, what the fault's endpoint answers, what another one answers, what a made-up key meets
REFUSALS: list[tuple[Raw, int, int, int]] = [
    ({"kind": "key_expired"}, 401, 401, 401),
    ({"kind": "key_refused"}, 401, 401, 401),
    ({"kind": "key_refused", **HERE}, 401, 200, 401),
    ({"kind": "key_stripped", **HERE}, 401, 200, 401),
    ({"kind": "auth_down"}, 401, 401, 401),
    ({"kind": "auth_down", "status": 503}, 503, 503, 503),
    ({"kind": "forbidden", **HERE}, 403, 200, 401),
    ({"kind": "outage", **HERE}, 503, 200, 503),
    ({"kind": "answers", "status": 420, "headers": {"Retry-After": "9"}, **HERE}, 420, 200, 420),
    ({"kind": "encoded", "declared": "utf-8", **HERE}, 200, 200, 401),
    ({"kind": "html", **HERE}, 200, 200, 200),
    ({"kind": "html", "status": 502}, 502, 502, 502),
    ({"kind": "redirected", **HERE}, 302, 200, 302),
    ({"kind": "not_found", **HERE}, 404, 200, 401),
    ({"kind": "not_found"}, 404, 404, 401),
    ({"kind": "path_moved", "path": "/workorders"}, 404, 200, 401),
    ({"kind": "bad_request", **HERE}, 400, 200, 401),
    ({"kind": "error_body", **HERE}, 200, 200, 401),
    ({"kind": "empty", **HERE}, 200, 200, 401),
    ({"kind": "stale", **HERE}, 200, 200, 401),
    ({"kind": "record_gone"}, 200, 200, 401),
    ({"kind": "throttled", "limit": 0, "window_s": 10}, 429, 429, 429),
    ({"kind": "limit_lowered", "limit": 0, "window_s": 10}, 429, 429, 401),
    ({"kind": "other_caller", "per_s": 500}, 200, 200, 401),
    ({"kind": "no_rate_headers"}, 200, 200, 401),
    ({"kind": "slow", "delay_s": 1}, 200, 200, 401),
    ({"kind": "slow_model", "model": "ear-3", "delay_s": 1}, 200, 200, 401),
    ({"kind": "lost_reply"}, 200, 200, 401),
    ({"kind": "hang", **HERE}, 200, 200, 401),
    ({"kind": "drop", **HERE}, 200, 200, 401),
    ({"kind": "drip", "bytes_per_s": 2}, 200, 200, 401),
    ({"kind": "huge", "bytes": 1000}, 200, 200, 401),
    ({"kind": "clock_off", "seconds": 90}, 200, 200, 401),
]


@pytest.mark.parametrize(
    ("raw", "here", "elsewhere", "made_up"), REFUSALS, ids=[str(r[0]) for r in REFUSALS]
)
def test_whom_a_fault_strikes(raw: Raw, here: int, elsewhere: int, made_up: int) -> None:
    found = [
        told(site(raw)).status,
        told(site(raw), "/users").status,
        told(site(raw), key="test_made_up").status,
    ]
    assert found == [here, elsewhere, made_up]


def test_every_kind_is_in_the_table_and_survives_json() -> None:
    assert {raw["kind"] for raw, *_ in REFUSALS} == KINDS.keys()
    for raw, *_ in REFUSALS:
        fault = from_json(raw, NOON)
        assert from_json(json.loads(json.dumps(to_json(fault, NOON))), NOON + MINUTE) == fault


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "auth_down", "status": 403},
        {"kind": "html", "status": 100},
        {"kind": "key_refused", "endpoints": ["users"]},
        {"kind": "hang", "share": -0.1},
        {"kind": "stale", "share": 0.5},
        {"kind": "other_caller", "per_s": 0},
        {"kind": "drip", "bytes_per_s": 0},
        {"kind": "huge", "bytes": 0},
        {"kind": "slow", "delay_s": 1, "spread_s": -1},
        {"kind": "slow_model", "model": "", "delay_s": 1},
        {"kind": "slow_model", "model": "ear-3", "delay_s": -1},
        {"kind": "limit_lowered", "limit": -1, "window_s": 1},
        {"kind": "forbidden", "status": 403},
    ],
)
def test_a_fault_without_sense_is_refused(raw: Raw) -> None:
    with pytest.raises(ValueError, match=r"^[a-z_]+: |window_s > 0"):
        from_json(raw, NOON)


@pytest.mark.parametrize("kind", ["auth_down", "key_refused", "key_expired", "not_found"])
def test_what_needs_no_key_still_answers(kind: str) -> None:
    where = site({"kind": kind})
    assert told(where, "/openapi.json").status == 200
    assert told(where, "/openapi.json", "").status == 200


def test_an_outage_takes_the_description_with_it() -> None:
    assert told(site({"kind": "outage"}), "/openapi.json").status == 503


def test_no_key_of_any_age_passes_a_key_service_that_is_down() -> None:
    where = site({"kind": "auth_down"})
    later = where.keyring.make("later", NOON + MINUTE).value
    assert told(where, key=later).status == 401
    assert told(where, key="").body == where.vendor.manners.no_key.body
    assert where.keyring.keys[fingerprint(later)].state(where.faults, NOON) == "active"


def test_a_key_lost_on_the_way_looks_like_none() -> None:
    where = site({"kind": "key_stripped"})
    verdict = asked(where)
    assert (verdict.refusal, verdict.caller.mark) == (where.vendor.manners.no_key, NO_MARK)
    assert where.log.by_key.keys() == {NO_MARK}


def test_a_moved_path_is_described_and_served_where_it_is_now() -> None:
    where = site({"kind": "path_moved", "path": "/workorders"})
    paths = json.loads(told(where, "/openapi.json").body)["paths"]
    assert {"/v2/workorders", "/v2/workorders/{id}", "/users"} <= paths.keys()
    assert not any(path.startswith("/workorders") for path in paths)
    assert [told(where, p).status for p in ("/v2/workorders", "/v2/workorders/3")] == [200, 200]


def test_a_path_that_is_only_not_found_is_described_as_ever() -> None:
    paths = json.loads(told(site({"kind": "not_found"}), "/openapi.json").body)["paths"]
    assert "/workorders" in paths


def test_pages_for_people() -> None:
    page = told(site({"kind": "html", "title": "Down for maintenance"}))
    assert (page.status, page.content_type[:9]) == (200, "text/html")
    assert b"<title>Down for maintenance</title>" in page.body
    away = told(site({"kind": "redirected", "location": "https://elsewhere.invalid/x"}))
    assert dict(away.headers) == {"Location": "https://elsewhere.invalid/x"}


def test_a_200_may_carry_an_error_or_nothing() -> None:
    assert json.loads(told(site({"kind": "error_body"})).body).keys() == {"error"}
    empty = json.loads(told(site({"kind": "empty"})).body)
    assert (empty["workOrders"], empty["nextCursor"]) == ([], None)


def test_one_record_is_gone_and_the_others_are_not() -> None:
    where = site({"kind": "record_gone"})
    assert [told(where, f"/workorders/{n}").status for n in (1, 2)] == [404, 200]
    named = site({"kind": "record_gone", "resource": "workorders", "id": "7"})
    assert [told(named, f"/workorders/{n}").status for n in (1, 7)] == [200, 404]
    other = site({"kind": "record_gone", "resource": "assets"})
    assert told(other, "/workorders/1").status == 200


def listed(where: Site) -> list[str]:
    body = told(where, "/workorders").body
    return [item["updatedAt"] for item in json.loads(body)["workOrders"]]


def test_a_stale_list_stands_still_as_it_was_and_then_catches_up() -> None:
    hands = Hands()
    moving = {"created_per_s": 5, "changed_per_s": 5, "assets_changed_per_s": 0}
    where = site(hands=hands, records={"workorders": 20}, arrivals=moving)
    before = listed(where)
    hands.at += SECOND
    then = listed(where)
    where.faults.append(from_json({"kind": "stale", **HERE}, hands.at))
    hands.at += 5 * SECOND
    assert listed(where) == then != before
    newest = max(where.world.records["workorders"])
    assert told(where, f"/workorders/{newest}").status == 200
    where.faults[:] = [faults.ended(f, hands.at) for f in where.faults]
    assert len(listed(where)) == len(where.world.records["workorders"]) == 20 + 6 * 5


def test_a_share_of_the_requests_is_struck() -> None:
    where = site({"kind": "hang", "share": 0.25}, rate=None)
    hit = sum(asked(where).manner.wire == "hang" for _ in range(400))
    assert 60 < hit < 140


def test_lateness_is_spread() -> None:
    where = site({"kind": "slow", "delay_s": 2, "spread_s": 3}, rate=None)
    delays = [asked(where).delay_s for _ in range(50)]
    assert 2 <= min(delays) < 2.5 < 4.5 < max(delays) < 5


@pytest.mark.parametrize(
    ("raw", "name", "value"),
    [
        ({"kind": "hang"}, "wire", "hang"),
        ({"kind": "drop"}, "wire", "drop"),
        ({"kind": "drip", "bytes_per_s": 2}, "bytes_per_s", 2),
        ({"kind": "huge", "bytes": 1000}, "pad_to", 1000),
        ({"kind": "clock_off", "seconds": -90}, "skew_s", -90),
        ({"kind": "no_rate_headers"}, "tells_rate", False),
        ({"kind": "drip", "bytes_per_s": 2, "endpoints": ["/users"]}, "bytes_per_s", None),
    ],
)
def test_how_an_answer_comes(raw: Raw, name: str, value: object) -> None:
    assert getattr(asked(site(raw)).manner, name) == value


def test_a_lowered_limit_is_the_one_that_is_told() -> None:
    where = site({"kind": "limit_lowered", "limit": 2, "window_s": 10})
    verdicts = [asked(where) for _ in range(3)]
    assert [v.refusal.status if v.refusal else 200 for v in verdicts] == [200, 200, 429]
    last = verdicts[-1].allowance
    assert last is not None
    assert headers("X", last)["X-Limit"] == "2"


def test_another_caller_eats_the_budget_of_the_old_key_alone() -> None:
    hands = Hands()
    rate = {"limit": 30, "window_s": 10}
    where = site({"kind": "other_caller", "per_s": 4}, hands=hands, rate=rate)
    statuses, left = [], []
    for _ in range(10):
        hands.at += SECOND
        verdict = asked(where)
        statuses.append(verdict.refusal.status if verdict.refusal else 200)
        left.append(verdict.allowance.remaining if verdict.allowance else -1)
    assert statuses[:4] == [200] * 4
    assert (statuses[-1], left[0], left[-1]) == (429, 24, 0)
    assert where.log.summary(None)["total"] == 0
    later = where.keyring.make("later", hands.at).value
    assert asked(where, key=later).refusal is None


@pytest.mark.parametrize(("per_s", "after_s", "count"), [(1, 0, 1), (1, 5, 6), (2, 30, 20)])
def test_the_other_callers_pace(per_s: float, after_s: float, count: int) -> None:
    now = NOON + after_s * SECOND
    other: list[Fault] = [OtherCaller(since=NOON, per_s=per_s)]
    rate = Rate(100, 10.0)
    times = own_arrivals(other, [now.timestamp()], NOON - MINUTE, rate, now)
    assert judge(times, rate, now.timestamp()).remaining == 100 - count - 1
    assert own_arrivals(other, [1.0], NOON + MINUTE, rate, now) == [1.0]


def test_a_fault_may_begin_later() -> None:
    hands = Hands()
    later = (NOON + MINUTE).isoformat()
    where = site({"kind": "not_found", "since": later}, hands=hands)
    assert told(where).status == 200
    hands.at += MINUTE
    assert told(where).status == 404


def test_a_fault_may_begin_with_a_later_request() -> None:
    """Counted, so that it begins in the midst of a look however fast the look is."""
    hands = Hands()
    where = site(hands=hands)
    key = where.keyring.make("before", NOON - MINUTE).value
    where.coming.append(Coming(2, from_json({"kind": "key_expired"}, NOON - HOUR)))
    assert [told(where, key=key).status for _ in range(4)] == [200, 200, 401, 401]
    assert where.coming == []
    assert [fault.since for fault in where.faults] == [hands.at]


def test_looking_is_not_writing() -> None:
    caller = Caller("HEAD", "/users", "test", "", NO_MARK)
    assert [replace(caller, method=m).writes for m in ("HEAD", "GET", "POST")] == [
        False,
        False,
        True,
    ]


def test_reset_counts_from_now_or_from_the_epoch() -> None:
    allowance = judge([1.0], Rate(5, 60.0), 1.0)
    assert headers("X", allowance)["X-Reset"] == "60"
    assert headers("X", allowance, NOON.timestamp())["X-Reset"] == str(int(NOON.timestamp()) + 60)
