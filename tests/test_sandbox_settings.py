"""What can be changed in our own service's stand-in while it runs, without threads or sockets."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.pacing import Intake, Pacer
from watchkeeper.sandbox.plain import Ask
from watchkeeper.sandbox.resolving import Resolver
from watchkeeper.sandbox.service import Service
from watchkeeper.sandbox.service_config import Operation, parse
from watchkeeper.sandbox.service_state import State
from watchkeeper.sandbox.service_work import Caller
from watchkeeper.sandbox.settings import Settings, UnknownSetting, patched
from watchkeeper.sandbox.settings_book import SettingsBook

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TWO = [
    {"name": "transcribe", "path": "/transcribe", "method": "POST", "body": {"audio_url": "x"}},
    {"name": "summarize", "path": "/me", "criticality": "deferrable", "consumer": "batch"},
]
DEFAULTS = asdict(Settings())


class Hands:
    """Seconds that pass when told, or when somebody sleeps."""

    def __init__(self) -> None:
        self.at = 100.0

    def now(self) -> float:
        return self.at

    def sleep(self, for_s: float) -> None:
        self.at += for_s


class Stand:
    """A service whose vendor answers `statuses` one after another, the last one for ever."""

    def __init__(self, *statuses: int, keys: tuple[str, ...] = ("test_1",), **raw: Any) -> None:
        setup = parse({"vendor": "odd", "operations": TWO, **raw})
        self.state = State(setup, keys[0], lambda: NOON, keys[1:])
        self.statuses, self.asked = list(statuses or (200,)), list[httpx.Request]()
        client = httpx.Client(base_url="http://odd", transport=httpx.MockTransport(self.answer))
        self.caller = Caller(self.state, client)
        self.service = Service(self.state, lambda: None, self.caller.flood)
        self.transcribe, self.summarize = setup.operations

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        left = self.statuses
        return httpx.Response(left.pop(0) if len(left) > 1 else left[0], json={})

    def patch(self, **raw: Any) -> tuple[int, dict[str, Any]]:
        return self.ask("PATCH", "/settings", raw)

    def ask(self, method: str, path: str, raw: Any = None) -> tuple[int, dict[str, Any]]:
        body = b"" if raw is None else json.dumps(raw).encode()
        found = self.service.app(Ask(method, path, {}, body))
        assert found is not None
        return found.status, dict(json.loads(found.body))

    @property
    def stats(self) -> dict[str, Any]:
        return self.ask("GET", "/stats")[1]

    def sample(self, name: str, **labels: str) -> float | None:
        body = self.service.app(Ask("GET", "/metrics", {})).body
        families = text_string_to_metric_families(body.decode())
        found = (s for f in families for s in f.samples if s.name == name)
        return next((s.value for s in found if labels.items() <= s.labels.items()), None)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("max_requests_per_s", 0.2, 0.2),
        ("max_requests_per_s", "0.5", 0.5),
        ("max_retries", 3, 3),
        ("max_retries", "0", 0),
        ("refuse", "normal, deferrable", "deferrable,normal"),
        ("refuse", "", None),
        ("model", " ear-2 ", "ear-2"),
        ("keys", 2, 2),
        ("intake_per_s", 0, 0.0),
        ("dns_cache_s", 300, 300.0),
    ],
)
def test_a_setting_is_taken_and_given_back(name: str, given: object, kept: object) -> None:
    found = patched(Settings(), {name: given}, 2)
    assert asdict(found) == {**DEFAULTS, name: kept}
    assert patched(found, {name: None}, 2) == Settings()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        *(("max_requests_per_s", value) for value in (0, -1, "fast", True, "nan", 1e9, [1])),
        *(("max_retries", value) for value in (-1, 11, 1.5, "inf")),
        *(("refuse", value) for value in ("critical", "all", 3, ["normal"])),
        *(("model", value) for value in ("", 3, "a\nb", "x" * 81)),
        *(("keys", value) for value in (0, 3)),
        *(("intake_per_s", value) for value in (-1, "many")),
        ("dns_cache_s", -1),
    ],
)
def test_a_bad_value_is_refused_and_nothing_is_changed(name: str, given: object) -> None:
    stand = Stand(keys=("test_1", "test_2"))
    good = {"dns_cache_s": 5} if name == "model" else {"model": "ear-2"}
    status, told = stand.patch(**good, **{name: given})
    assert (status, told["error"].partition(":")[0]) == (400, name)
    assert stand.ask("GET", "/settings") == (200, DEFAULTS)


def test_an_unknown_setting_is_named() -> None:
    stand = Stand()
    status, told = stand.patch(max_retries=1, speed=3)
    assert (status, told) == (404, {"error": "no setting speed", "setting": "speed"})
    assert stand.ask("GET", "/settings") == (200, DEFAULTS)
    assert stand.patch(max_retries=1) == (200, {**DEFAULTS, "max_retries": 1})
    assert stand.ask("PATCH", "/settings", [1])[0] == 400


def test_settings_are_kept_where_there_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    SettingsBook(1, path).patch({"max_retries": 2, "model": "ear-2"})
    again = SettingsBook(1, path)
    assert (again.now.max_retries, again.now.model) == (2, "ear-2")
    assert SettingsBook(1).now == Settings()


def test_what_somebody_else_writes_there_counts_if_it_makes_sense(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    book = SettingsBook(1, path)

    def write(text: str) -> None:
        beside = tmp_path / "beside"
        beside.write_text(text)
        os.replace(beside, path)

    write('{"refuse": "deferrable"}')
    assert book.now.refused == {"deferrable"}
    for nonsense in ("{", "[1]", '{"speed": 3}', '{"max_retries": -1}'):
        write(nonsense)
        assert book.now.refused == {"deferrable"}
    (tmp_path / "odd.json").write_text('{"speed": 3}')
    with pytest.raises(UnknownSetting):
        SettingsBook(1, tmp_path / "odd.json")


def test_calls_are_paced_and_a_lifted_cap_is_not_waited_out() -> None:
    hands, rates = Hands(), [4.0]
    pacer = Pacer(lambda: rates[-1], hands.now, hands.sleep)
    times = []
    for _ in range(5):
        pacer.wait()
        times.append(round(hands.at - 100, 6))
    assert times == [0, 0.25, 0.5, 0.75, 1.0]

    def lifts(for_s: float) -> None:
        hands.sleep(for_s)
        rates.append(1000.0)

    slow = Pacer(lambda: rates[-1], hands.now, lifts)
    rates.append(0.01)
    slow.wait()
    slow.wait()
    assert hands.at - 101 <= 0.11


@pytest.mark.parametrize(
    ("rate", "low", "high"), [(None, 1000, 1000), (0, 0, 0), (0.5, 5, 6), (20, 200, 221)]
)
def test_the_door_takes_so_much_a_second(rate: float | None, low: int, high: int) -> None:
    hands = Hands()
    intake = Intake(lambda: rate, hands.now)
    taken = 0
    for _ in range(1000):
        hands.sleep(0.01)
        taken += intake.takes()
    assert low <= taken <= high


def test_an_address_is_kept_as_long_as_is_said() -> None:
    hands, kept, asked = Hands(), [None, 60.0], list[str]()

    def ask(host: str) -> str:
        asked.append(host)
        return "127.0.0.1"

    resolver = Resolver(lambda: kept[0], lambda: None, ask, hands.now)
    assert [resolver.address("odd") for _ in range(3)] == ["127.0.0.1"] * 3
    assert len(asked) == 3
    kept.reverse()
    for _ in range(3):
        resolver.address("odd")
    assert len(asked) == 3
    hands.sleep(61)
    resolver.address("odd")
    assert len(asked) == 4


def test_a_5xx_is_tried_again_and_nothing_else_is() -> None:
    stand = Stand(503, 502, 200)
    stand.patch(max_retries=2)
    stand.caller.turn(stand.transcribe)
    assert stand.stats["by_status"] == {"503": 1, "502": 1, "200": 1}
    assert (stand.stats["turns"], stand.stats["retried"]) == ({"success": 1}, 2)
    assert stand.sample("odd_retries_total", operation="transcribe") == 2
    assert stand.sample("odd_errors_total") is None
    stand.statuses[:] = [503]
    stand.caller.turn(stand.transcribe)
    assert (stand.stats["turns"], stand.stats["retried"]) == ({"success": 1, "error": 1}, 4)
    assert stand.sample("odd_errors_total", error_type="SERVER_ERROR") == 1
    stand.statuses[:] = [429]
    stand.caller.turn(stand.transcribe)
    assert stand.stats["retried"] == 4


def test_without_the_setting_nothing_is_tried_again() -> None:
    stand = Stand(503, 200)
    stand.caller.turn(stand.transcribe)
    assert (stand.stats["turns"], len(stand.asked)) == ({"error": 1}, 1)


def test_refused_work_makes_no_call_and_is_counted() -> None:
    stand = Stand(200, 429)
    for operation in (stand.transcribe, stand.summarize):
        stand.caller.turn(operation)
    assert stand.ask("GET", "/health")[1]["status"] == "unhealthy"
    stand.patch(refuse="deferrable")
    stand.statuses[:] = [200]
    for operation in (stand.transcribe, stand.summarize):
        stand.caller.turn(operation)
    assert [r.url.path for r in stand.asked] == ["/transcribe", "/me", "/transcribe"]
    assert stand.stats["refused"] == {
        "total": 1,
        "by_criticality": {"deferrable": 1},
        "by_reason": {"refuse": 1},
    }
    assert stand.sample("odd_refused_total", criticality="deferrable", reason="refuse") == 1
    assert stand.ask("GET", "/health")[1]["status"] == "healthy"
    stand.patch(refuse="deferrable,normal")
    stand.caller.turn(stand.transcribe)
    assert stand.ask("GET", "/health")[1]["status"] == "degraded"


def test_what_is_not_taken_in_makes_no_call() -> None:
    stand = Stand()
    stand.patch(intake_per_s=0)
    stand.caller.turn(stand.transcribe)
    assert (stand.asked, stand.stats["refused"]["by_reason"]) == ([], {"intake": 1})


def test_the_model_goes_with_a_post_and_says_which() -> None:
    stand = Stand(201)
    stand.caller.turn(stand.transcribe)
    stand.patch(model="ear-2")
    stand.caller.turn(stand.transcribe)
    stand.caller.turn(stand.summarize)
    sent = [json.loads(r.content or b"null") for r in stand.asked]
    assert sent == [
        {"audio_url": "x", "model": "ear-3"},
        {"audio_url": "x", "model": "ear-2"},
        None,
    ]
    assert stand.stats["by_model"] == {"ear-3": 1, "ear-2": 1}
    assert stand.sample("odd_calls_total", model="ear-2", key=fingerprint("test_1")) == 1
    assert stand.stats["ok"] == 3


def test_calls_are_spread_over_the_keys_in_turn() -> None:
    stand = Stand(keys=("test_1", "test_2", "test_3"))
    for keys, turns in ((None, 2), (2, 4)):
        stand.patch(keys=keys)
        for _ in range(turns):
            stand.caller.turn(stand.transcribe)
    used = [r.headers["Authorization"].removeprefix("Bearer test_") for r in stand.asked]
    assert (used[:2], sorted(used[2:])) == (["1", "1"], ["1", "1", "2", "2"])
    assert stand.stats["by_key"] == {fingerprint("test_1"): 4, fingerprint("test_2"): 2}
    assert stand.stats["keys"] == [fingerprint("test_1"), fingerprint("test_2")]
    assert "test_" not in json.dumps(stand.stats)


@pytest.mark.parametrize(
    ("raw", "agent"),
    [
        ({}, "s/1"),
        ({"consumer": "web"}, "s/1 (web)"),
        ({"criticality": "deferrable"}, "s/1 (integration-service; deferrable)"),
        ({"consumer": "web", "criticality": "critical"}, "s/1 (web; critical)"),
    ],
)
def test_who_asks_is_told_where_it_is_not_the_usual(raw: dict[str, Any], agent: str) -> None:
    assert Operation(**raw).agent("s/1") == agent


def overloaded(**raw: Any) -> dict[str, Any]:
    return {"kind": "overloaded", "work_per_s": 50, "capacity_per_s": 10, **raw}


Act = Callable[[Stand], object]


@pytest.mark.parametrize(
    ("act", "grows_per_s", "turned_away"),
    [
        (lambda _: None, 40, 0),
        (lambda s: s.ask("PUT", "/_sim/replicas", {"replicas": 5}), 0, 0),
        (lambda s: s.ask("PUT", "/_sim/replicas", {"replicas": 8}), -30, 0),
        (lambda s: s.patch(intake_per_s=5), -5, 90),
        (lambda s: s.ask("POST", "/_sim/faults", overloaded(work_per_s=0)), -10, 0),
    ],
)
def test_what_helps_an_overloaded_service(act: Act, grows_per_s: int, turned_away: int) -> None:
    stand, hands = Stand(), Hands()
    stand.state.load.monotonic = hands.now
    stand.ask("POST", "/_sim/faults", overloaded(waiting=100))
    assert stand.sample("odd_queue_length") == 100
    act(stand)
    hands.sleep(2)
    assert stand.stats["queue"] == 100 + 2 * grows_per_s
    assert stand.stats["refused"]["total"] == turned_away


def test_what_waits_slows_its_health_and_its_end_drains_it() -> None:
    stand, hands = Stand(), Hands()
    stand.state.load.monotonic = hands.now
    health, metrics = Ask("GET", "/health", {}), Ask("GET", "/metrics", {})
    stand.ask("POST", "/_sim/faults", overloaded(waiting=20))
    assert stand.service.app(health).delay_s == 2
    stand.ask("PUT", "/_sim/replicas", {"replicas": 4})
    assert (stand.service.app(health).delay_s, stand.service.app(metrics).delay_s) == (0.5, 0)
    hands.sleep(1000)
    assert stand.service.app(health).delay_s == 8
    stand.ask("DELETE", "/_sim/faults/overloaded")
    assert (stand.service.app(health).delay_s, stand.stats["queue"]) == (0, 0)


@pytest.mark.parametrize("wanted", [0, 101, "3", True, None, 1.5])
def test_no_such_number_of_replicas(wanted: object) -> None:
    stand = Stand()
    assert stand.ask("PUT", "/_sim/replicas", {"replicas": wanted})[0] == 400
    assert stand.ask("GET", "/_sim/replicas") == (200, {"replicas": 1})
