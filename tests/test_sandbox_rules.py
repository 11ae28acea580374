"""What the simulator decides about one request: faults, rates, keys, and what a list may ask."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from watchkeeper.sandbox import faults
from watchkeeper.sandbox.config import Config, parse
from watchkeeper.sandbox.effects import Effect, effect
from watchkeeper.sandbox.fault import Facts, Fault
from watchkeeper.sandbox.faults import KeyExpired, LostReply, Outage, PathMoved, Slow, Throttled
from watchkeeper.sandbox.gate import Caller, Gate
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.query import ListQuery, Refusal
from watchkeeper.sandbox.query import parse as parse_query
from watchkeeper.sandbox.rate import Rate, headers, judge
from watchkeeper.sandbox.resources import RESOURCES
from watchkeeper.sandbox.serving import NotLoopback, listen
from watchkeeper.sandbox.site import Site

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
OLD_KEY = NOON - HOUR


def facts(
    path: str = "/workorders",
    key_made: datetime = OLD_KEY,
    arrivals: tuple[float, ...] = (NOON.timestamp(),),
    draw: float = 0.0,
) -> Facts:
    return Facts(path, key_made, arrivals, draw)


CASES: list[tuple[str, list[Fault], Facts, tuple[int, str]]] = [
    ("nothing wrong", [], facts(), (200, "")),
    ("old key", [KeyExpired(since=NOON - MINUTE)], facts(), (401, "key_expired")),
    ("new key", [KeyExpired(since=NOON - MINUTE)], facts(key_made=NOON), (200, "")),
    ("not yet", [KeyExpired(since=NOON + MINUTE)], facts(), (200, "")),
    ("over", [Outage(since=OLD_KEY, until=NOON)], facts(), (200, "")),
    ("down", [Outage(since=OLD_KEY, status=502)], facts(), (502, "outage")),
    ("half, hit", [Outage(since=OLD_KEY, share=0.5)], facts(draw=0.49), (503, "outage")),
    ("half, spared", [Outage(since=OLD_KEY, share=0.5)], facts(draw=0.5), (200, "")),
    ("elsewhere", [Outage(since=OLD_KEY, endpoints=("/assets",))], facts(), (200, "")),
    (
        "below",
        [Outage(since=OLD_KEY, endpoints=("/workorders",))],
        facts("/workorders/3"),
        (503, "outage"),
    ),
    ("moved", [PathMoved(since=OLD_KEY, path="/users")], facts("/users"), (404, "path_moved")),
    ("not moved", [PathMoved(since=OLD_KEY, path="/users")], facts("/usersx"), (200, "")),
    (
        "outermost first",
        [PathMoved(since=OLD_KEY, path="/workorders"), KeyExpired(since=NOON), Outage(since=NOON)],
        facts(),
        (503, "outage"),
    ),
]


@pytest.mark.parametrize(
    ("held", "asked", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_each_fault_has_its_effect(
    held: list[Fault], asked: Facts, expected: tuple[int, str]
) -> None:
    found = effect(held, asked, NOON)
    assert (found.status, found.cause) == expected


def test_slow_delays_what_goes_through_and_what_is_refused() -> None:
    slow, down = Slow(since=NOON, delay_s=2.5), Outage(since=NOON)
    assert effect([slow], facts(), NOON) == Effect(delay_s=2.5)
    assert effect([slow, down], facts(), NOON).delay_s == 2.5


@pytest.mark.parametrize(
    ("held", "writes", "lost"),
    [
        ([LostReply(since=NOON)], True, True),
        ([LostReply(since=NOON)], False, False),
        ([LostReply(since=NOON, endpoints=("/assets",))], True, False),
        ([LostReply(since=NOON), Outage(since=NOON)], True, False),
    ],
)
def test_only_the_answer_to_a_write_that_was_done_is_lost(
    held: list[Fault], writes: bool, lost: bool
) -> None:
    assert effect(held, replace(facts(), writes=writes), NOON).lost == lost


@pytest.mark.parametrize(
    ("ages_s", "refused", "remaining", "wait_s"),
    [
        ([0], False, 2, 10),
        ([4, 2, 0], False, 0, 6),
        ([4, 2, 1, 0], True, 0, 8),
        ([10, 4, 2, 0], False, 0, 6),  # the first has just left the window
        ([4, 3, 2, 1, 0], True, 0, 8),
    ],
)
def test_a_window_slides(ages_s: list[int], refused: bool, remaining: int, wait_s: int) -> None:
    now = 1_000_000.0
    found = judge([now - age for age in ages_s], Rate(3, 10.0), now)
    assert (found.refused, found.remaining, found.wait_s) == (refused, remaining, wait_s)


@pytest.mark.parametrize("sent", range(1, 9))
def test_the_wait_that_is_told_is_enough_and_not_too_long(sent: int) -> None:
    now, rate = 1_000_000.0, Rate(3, 10.0)
    arrivals = [now - 0.5 * n for n in reversed(range(sent))]
    told = judge(arrivals, rate, now)
    later = now + told.wait_s
    assert not judge([*arrivals, later], rate, later).refused
    if told.refused:
        early = later - 1.5
        assert judge([*arrivals, early], rate, early).refused


def test_hammering_keeps_the_door_shut() -> None:
    """Refused requests count: one a second never gets through, one in five seconds does."""
    throttled, window = Throttled(since=OLD_KEY, limit=2, window_s=10), NOON.timestamp()
    hammered = facts(arrivals=tuple(window - n for n in reversed(range(10))))
    patient = facts(arrivals=tuple(window - 5 * n for n in reversed(range(10))))
    assert effect([throttled], hammered, NOON).error.startswith("Too many requests. Please retry")
    assert effect([throttled], hammered, NOON).status == 429
    assert effect([throttled], patient, NOON).status == 200


def test_headers_take_the_spelling_asked_for() -> None:
    told = headers("X-RateLimit", judge([1.0], Rate(5, 60.0), 1.0))
    assert told == {
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "4",
        "X-RateLimit-Reset": "60",
    }


@pytest.mark.parametrize(
    "fault",
    [
        KeyExpired(since=NOON),
        Throttled(since=NOON, until=NOON + HOUR, limit=5, window_s=60),
        Outage(since=NOON, share=0.2, endpoints=("/assets",)),
        Slow(since=NOON, delay_s=3),
        LostReply(since=NOON, endpoints=("/workorders",)),
        PathMoved(since=NOON, path="/users"),
    ],
)
def test_a_fault_survives_json(fault: Fault) -> None:
    assert faults.from_json(faults.to_json(fault, NOON), NOON + HOUR) == fault


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"kind": "gremlins"},
        {"kind": "slow"},
        {"kind": "slow", "delay_s": -1},
        {"kind": "outage", "status": 404},
        {"kind": "outage", "share": 2},
        {"kind": "throttled", "limit": 1, "window_s": 0},
        {"kind": "key_expired", "since": "2026-11-22T12:00:00"},
    ],
)
def test_a_fault_that_means_nothing_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises(
        ValueError, match=r"kind must be|^outage:|^slow:|window_s > 0|no UTC offset"
    ):
        faults.from_json(raw, NOON)


def test_ending_a_fault_keeps_its_history() -> None:
    over = faults.ended(Outage(since=NOON), NOON + MINUTE)
    assert over.until == NOON + MINUTE
    assert faults.ended(over, NOON + HOUR) == over
    assert not faults.ended(Outage(since=NOON + HOUR), NOON).holds(NOON + HOUR)


def site(**config: object) -> Site:
    return Site(parse({"arrivals": {}, "rate": {"limit": 3, "window_s": 10}, **config}, 1), now)


def now() -> datetime:
    return NOON


def asks(where: Site, key: str, method: str = "GET", path: str = "/users") -> int:
    caller = Caller(method, path, "test", key, fingerprint(key) if key else "none")
    verdict = Gate(where).judge(caller, NOON)
    return verdict.refusal.status if verdict.refusal else 200


def test_the_gate_tells_a_wrong_key_from_none() -> None:
    where = site()
    first = where.config.first_key
    assert [asks(where, key) for key in (first, "test_other", "")] == [200, 401, 401]
    where.keyring.revoke(fingerprint(first), NOON)
    assert asks(where, first) == 401
    assert where.keyring.keys[fingerprint(first)].state([], NOON) == "revoked"


def test_each_key_has_a_limit_of_its_own() -> None:
    where = site()
    other = where.keyring.make("other", NOON).value
    assert [asks(where, where.config.first_key) for _ in range(4)] == [200, 200, 200, 429]
    assert asks(where, other) == 200


def test_a_read_only_key_may_not_write() -> None:
    where = site()
    looker = where.keyring.make("looker", NOON, read_only=True).value
    assert asks(where, looker) == 200
    assert asks(where, looker, "POST", "/workorders") == 403


def test_an_expired_key_is_shown_as_such_and_its_successor_works() -> None:
    where = site()
    where.faults.append(KeyExpired(since=NOON))
    later = where.keyring.make("later", NOON + MINUTE).value
    first = where.config.first_key
    assert [asks(where, first), asks(where, later)] == [401, 200]
    assert where.keyring.keys[fingerprint(first)].state(where.faults, NOON) == "expired"


WORKORDERS, USERS = RESOURCES["workorders"], RESOURCES["users"]
LIMIT_250 = {"errors": [{"error": "must be <= 200", "fieldPath": "limit", "fieldValue": 250}]}


@pytest.mark.parametrize(
    ("pair", "envelope"),
    [
        (("limit", "0"), "errors"),
        (("limit", "many"), "errors"),
        (("statuses", "CLOSED"), "error"),
        (("priorities", "URGENT"), "error"),
        (("status", "OPEN"), "error"),
        (("expand", "everything"), "error"),
        (("sort", "id"), "error"),
        (("updatedAt[gte]", "yesterday"), "errors"),
        (("updatedAt[gte]", "2026-11-22T12:00:00"), "errors"),
    ],
)
def test_what_the_vendor_refuses(pair: tuple[str, str], envelope: str) -> None:
    found = parse_query(WORKORDERS, [pair])
    assert isinstance(found, Refusal)
    assert (found.status, list(found.body)) == (400, [envelope])


def test_a_page_too_large_is_refused_in_the_vendors_words() -> None:
    assert parse_query(WORKORDERS, [("limit", "250")]) == Refusal(400, LIMIT_250)


@pytest.mark.parametrize("name", ["createdAtGte", "updatedAt.gte", "page", "foo"])
def test_a_misspelt_filter_is_ignored_in_silence(name: str) -> None:
    assert parse_query(WORKORDERS, [(name, "2026-11-22T12:00:00Z")]) == ListQuery(100)


def test_users_have_no_time_filter() -> None:
    assert parse_query(USERS, [("updatedAt[gte]", "2026-11-22T12:00:00Z")]) == ListQuery(100)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("updatedAt[gte]", "2026-11-22T12:00:00.0005Z", "2026-11-22T12:00:00.001Z"),
        ("updatedAt[lte]", "2026-11-22T12:00:00.0005Z", "2026-11-22T12:00:00.000Z"),
        ("createdAt[gte]", "2026-11-22T13:00:00+01:00", "2026-11-22T12:00:00.000Z"),
    ],
)
def test_a_time_bound_is_compared_as_an_instant(name: str, given: str, value: str) -> None:
    found = parse_query(WORKORDERS, [(name, given)])
    assert isinstance(found, ListQuery)
    assert found.bounds[0].value == value


@pytest.mark.parametrize("raw", [{"key": "live_1"}, {"record": {}}, {"arrivals": {"created": 1}}])
def test_a_config_that_means_nothing_is_refused(raw: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(raw, 1)


def test_defaults_are_the_vendors() -> None:
    assert Config().rate == Rate(100, 60.0)
    assert Config().header_prefix == "X-Rate-Limit"


@pytest.mark.parametrize("host", ["0.0.0.0", "", "::1", "10.0.0.1"])
def test_no_stand_in_can_be_reached_from_elsewhere(host: str) -> None:
    with pytest.raises(NotLoopback):
        listen(0, host)
