"""The vendor's key table: what each key may do, what it was used for, and what was accepted when."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from watchkeeper.sandbox.config import parse
from watchkeeper.sandbox.faults import ended, from_json
from watchkeeper.sandbox.gate import Caller, Gate
from watchkeeper.sandbox.key_history import accepted, history
from watchkeeper.sandbox.key_uses import KEPT, SHOWN, Use, Uses
from watchkeeper.sandbox.keys import Rights, fingerprint
from watchkeeper.sandbox.requests_log import Entry, behalf, model_of, summary
from watchkeeper.sandbox.site import Site

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LISTS = {"orders": "/v2/shop/orders", "users": "/users"}
STILL = {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0}


@pytest.mark.parametrize(
    ("rights", "path", "writes", "may"),
    [
        (Rights(), "/users", True, True),
        (Rights(read_only=True), "/users", False, True),
        (Rights(read_only=True), "/users", True, False),
        (Rights(lacks=("orders",)), "/v2/shop/orders/17", False, False),
        (Rights(lacks=("orders",)), "/v2/shop/orders-more", False, True),
        (Rights(lacks=("orders",)), "/users", False, True),
        (Rights(lacks=("transcribe",)), "/transcribe", True, False),
        (Rights(scopes=("users",)), "/users/1", False, True),
        (Rights(scopes=("users",)), "/me", False, False),
        (Rights(scopes=("users",), lacks=("users",)), "/users", False, False),
        (Rights(scopes=()), "/users", False, False),
    ],
)
def test_what_a_key_may_do(rights: Rights, path: str, writes: bool, may: bool) -> None:
    assert rights.allow(path, writes, LISTS) is may


def site() -> Site:
    return Site(parse({"arrivals": STILL}, 1), lambda: NOON)


def asks(where: Site, key: str, path: str) -> int:
    caller = Caller("GET", path, "test", key, fingerprint(key))
    refusal = Gate(where).judge(caller, where.now()).refusal
    return refusal.status if refusal else 200


def test_a_key_that_lacks_a_resource_meets_403_there_alone() -> None:
    where = site()
    lacking = where.keyring.make("lacking", NOON, lacks=("workorders",)).value
    where.faults.append(from_json({"kind": "path_moved", "path": "/workorders"}, NOON))
    found = [asks(where, lacking, p) for p in ("/workorders", "/v2/workorders/1", "/users")]
    assert found == [403, 403, 200]
    assert asks(where, lacking, "/openapi.json") == 200
    assert asks(where, where.config.first_key, "/v2/workorders") == 200


@pytest.mark.parametrize(
    ("status", "accepted", "refused"),
    [(200, 1, 0), (404, 1, 0), (429, 1, 0), (401, 0, 1), (403, 0, 1), (503, 0, 0), (0, 0, 0)],
)
def test_what_counts_as_accepted(status: int, accepted: int, refused: int) -> None:
    uses = Uses()
    uses.add(Use(NOON, "GET", "/users", "test", status))
    assert (uses.accepted, uses.refused) == (accepted, refused)


def test_the_newest_calls_are_shown_and_the_memory_is_bounded() -> None:
    uses = Uses()
    for n in range(KEPT + 5):
        uses.add(Use(NOON + n * MINUTE, "GET", f"/users/{n}", "test", 200))
    shown = uses.to_json()
    assert (shown["accepted"], len(uses.calls)) == (KEPT + 5, KEPT)
    assert [call["path"] for call in shown["calls"]][-1:] == [f"/users/{KEPT + 4}"]
    assert len(shown["calls"]) == SHOWN
    assert len(list(uses.since(NOON + KEPT * MINUTE))) == 5


def test_at_every_instant_it_can_be_told_which_keys_were_accepted() -> None:
    where = site()
    old = fingerprint(where.config.first_key)
    new = fingerprint(where.keyring.make("new", NOON + 2 * MINUTE).value)
    where.faults.append(from_json({"kind": "key_expired"}, NOON + MINUTE))
    where.faults[0] = ended(where.faults[0], NOON + 3 * MINUTE)
    where.faults.append(ended(from_json({"kind": "key_expired"}, NOON), NOON))
    where.keyring.revoke(old, NOON + 4 * MINUTE)
    keys = list(where.keyring.keys.values())
    told = history(keys, where.faults, NOON + 9 * MINUTE)
    assert [(e["event"], e["fingerprint"], e["accepted"]) for e in told] == [
        ("created", old, [old]),
        ("expired", old, []),
        ("created", new, [new]),
        ("restored", old, [old, new]),
        ("revoked", old, [new]),
    ]
    assert [len(accepted(keys, where.faults, NOON + n * MINUTE)) for n in range(6)] == [
        *(1, 0, 1, 2, 1, 1)
    ]
    assert len(history(keys, where.faults, NOON + 2 * MINUTE)) == 3


@pytest.mark.parametrize(
    ("caller", "told"),
    [
        ("integration-service/1.0", ("", "")),
        ("integration-service/1.0 (web)", ("web", "")),
        ("integration-service/1.0 (web; deferrable)", ("web", "deferrable")),
        ("watchkeeper/0.1 (probe)", ("probe", "")),
        ("x (a) y", ("", "")),
    ],
)
def test_for_whom_a_caller_asks(caller: str, told: tuple[str, str]) -> None:
    assert behalf(caller) == told


@pytest.mark.parametrize(
    ("method", "body", "model"),
    [
        ("POST", b'{"model": "ear-2"}', "ear-2"),
        ("GET", b'{"model": "ear-2"}', ""),
        ("POST", b'{"model": 2}', ""),
        ("POST", b'["model"]', ""),
        ("POST", b"{", ""),
        ("POST", b"[" * 60_000, ""),
        ("POST", b"", ""),
        ("POST", b'{"model": "ear-2", "x": "' + b"y" * 70_000 + b'"}', ""),
    ],
)
def test_which_model_was_asked_for(method: str, body: bytes, model: str) -> None:
    assert model_of(method, body) == model


def test_requests_are_counted_by_who_tells_what() -> None:
    def entry(caller: str, **more: Any) -> Entry:
        return Entry(NOON, "POST", "/transcribe", caller, "0a1b2c3d", 200, **more)

    rows = [entry("s/1 (web; critical)", model="ear-2"), entry("s/1 (web)"), entry("s/1")]
    found = summary(rows)
    assert (found["by_model"], found["by_consumer"]) == ({"ear-2": 1}, {"web": 2})
    assert found["by_criticality"] == {"critical": 1}
