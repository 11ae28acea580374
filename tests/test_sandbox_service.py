"""Our own service's stand-in: what it tells of its calls, and how it fails by itself."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.plain import Ask, Reply
from watchkeeper.sandbox.process import Processes
from watchkeeper.sandbox.prometheus_text import Metrics
from watchkeeper.sandbox.service import HUNG_S, Service
from watchkeeper.sandbox.service_calls import Poll
from watchkeeper.sandbox.service_config import parse
from watchkeeper.sandbox.service_faults import KINDS, Heavy
from watchkeeper.sandbox.service_state import State

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
KEY = "test_first"
TWO = [
    {
        "name": "transcribe",
        "path": "/transcripts?limit=1",
        "consumer": "web",
        "metric": "done_total",
    },
    {"name": "summarize", "path": "/summaries", "consumer": "batch", "metric": "done_total"},
]
Raw = dict[str, Any]


class Stand:
    """A service without threads or sockets; `asked` are the crashes and floods it was asked for."""

    def __init__(self, **raw: Any) -> None:
        setup = parse({"vendor": "odd", "operations": TWO, **raw})
        self.state = State(setup, KEY, lambda: NOON)
        self.asked: list[object] = []
        self.service = Service(self.state, lambda: self.asked.append("end"), self.asked.append)
        self.transcribe, self.summarize = setup.operations

    def get(self, path: str) -> Reply:
        return self.service.app(Ask("GET", path, {}))

    def fault(self, **raw: Any) -> int:
        body = json.dumps(raw).encode()
        return self.service.app(Ask("POST", "/_sim/faults", {}, body)).status

    def sample(self, name: str, **labels: str) -> float | None:
        families = text_string_to_metric_families(self.get("/metrics").body.decode())
        found = (s for f in families for s in f.samples if s.name == name)
        return next((s.value for s in found if labels.items() <= s.labels.items()), None)


def test_health_in_both_shapes_and_at_both_places() -> None:
    well, slow = Poll("200", 5), Poll("200", 2500)
    mapped, listed = Stand(), Stand(health="list")
    for stand in (mapped, listed):
        stand.state.did(stand.transcribe, slow)
        stand.state.did(stand.summarize, well)
        assert stand.get("/health").body == stand.get("/health/odd").body
        assert stand.get("/health/other").status == 404
    assert json.loads(mapped.get("/health").body)["checks"] == {
        "odd_api": {"status": True, "latencyMs": 2500}
    }
    assert json.loads(listed.get("/health").body)["checks"] == [
        {"name": "odd_api", "status": "warn", "latencyMs": 2500}
    ]
    assert json.loads(mapped.get("/health").body)["status"] == "degraded"


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        ("401", "AUTH_FAILED"),
        ("429", "RATE_LIMITED"),
        ("503", "SERVER_ERROR"),
        ("timeout", "TIMEOUT"),
        ("unreachable", "UNREACHABLE"),
        ("not_json", "BAD_ANSWER"),
        ("418", "UNKNOWN"),
    ],
)
def test_a_failed_call_is_counted_and_written_down(outcome: str, kind: str, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    stand = Stand(log_file=str(log), health="list")
    stand.state.did(stand.transcribe, Poll("200", 5, 17))
    stand.state.did(stand.summarize, Poll(outcome, 5))
    assert log.read_text() == f"ERROR 2026-11-22T12:00:00.000Z {kind} batch\n"
    assert stand.sample("odd_errors_total", error_type=kind, operation="summarize") == 1
    assert stand.sample("done_total", operation="summarize", status="error") == 1
    assert stand.sample("done_total", operation="transcribe", status="success") == 1
    assert stand.sample("odd_api_requests_total", endpoint="/summaries", consumer="batch") == 1
    assert stand.sample("odd_rate_limit_remaining") == 17
    assert stand.sample("odd_queue_length") == 0
    health = json.loads(stand.get("/health").body)
    assert (health["status"], health["checks"][0]["message"]) == ("unhealthy", kind)


def test_metrics_have_the_names_they_are_given() -> None:
    stand = Stand(metrics={"requests": "calls_total", "queue": None})
    stand.state.did(stand.transcribe, Poll("200", 300))
    assert stand.sample("calls_total", status="200", endpoint="/transcripts") == 1
    text = stand.get("/metrics").body
    assert b"queue" not in text and b"odd_api_requests_total" not in text


def test_a_log_and_an_operation_may_be_told_in_other_words(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    one = {**TWO[1], "endpoint": "/summarize", "duration": "took_seconds"}
    line = "{time} consumer={consumer} failed: {kind}"
    stand = Stand(operations=[TWO[0], one], log_file=str(log), log_line=line)
    stand.state.did(stand.summarize, Poll("429", 700))
    assert log.read_text() == "2026-11-22T12:00:00.000Z consumer=batch failed: RATE_LIMITED\n"
    assert stand.sample("odd_api_requests_total", endpoint="/summarize", status="429") == 1
    assert stand.sample("took_seconds_sum") == 0.7


def test_a_histogram_adds_up() -> None:
    metrics = Metrics()
    for seconds in (0.01, 0.2, 0.2, 7.0, 60.0):
        metrics.observe("took", seconds, endpoint='a"b\\c\n')
    (family,) = text_string_to_metric_families(metrics.text())
    buckets = {s.labels["le"]: s.value for s in family.samples if s.name == "took_bucket"}
    assert [buckets[le] for le in ("0.05", "0.25", "5", "10", "+Inf")] == [1, 3, 3, 4, 5]
    sums = {s.name: s.value for s in family.samples if s.name != "took_bucket"}
    assert sums == {"took_count": 5, "took_sum": pytest.approx(67.41)}
    assert family.samples[0].labels["endpoint"] == 'a"b\\c\n'


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 60, 140), (1.0, 200, 200)])
def test_an_operation_fails_by_itself(share: float, low: int, high: int) -> None:
    stand = Stand()
    assert stand.fault(kind="operation_errors", operation="summarize", share=share) == 201
    for _ in range(200):
        stand.state.did(stand.transcribe, Poll("200", 5))
        stand.state.did(stand.summarize, Poll("200", 5))
    failed = stand.sample("done_total", operation="summarize", status="error") or 0
    assert low <= failed <= high
    assert stand.sample("done_total", operation="transcribe", status="success") == 200
    assert stand.sample("odd_api_requests_total", endpoint="/summaries", status="200") == 200
    assert (stand.sample("odd_errors_total", error_type="OPERATION_FAILED") or 0) == failed
    assert json.loads(stand.get("/health").body)["status"] == "healthy"


def test_its_faults_begin_and_end() -> None:
    stand = Stand()
    stand.state.did(stand.transcribe, Poll("200", 5))
    stand.fault(kind="unhealthy")
    assert stand.get("/health").status == 503
    stand.fault(kind="slow", delay_s=2)
    assert stand.get("/metrics").delay_s == 2
    stand.fault(kind="hang")
    assert stand.get("/health").delay_s == HUNG_S
    stand.fault(kind="queue", length=400)
    told = json.loads(stand.get("/_sim/faults").body)["faults"]
    assert [f["kind"] for f in told] == ["unhealthy", "slow", "hang", "queue"]
    ended = stand.service.app(Ask("DELETE", "/_sim/faults/hang", {}))
    assert json.loads(ended.body) == {"ended": ["hang"]}
    assert stand.sample("odd_queue_length") == 400
    stand.service.app(Ask("DELETE", "/_sim/faults", {}))
    assert (stand.get("/health").status, stand.get("/health").delay_s) == (200, 0)


def test_a_wrong_key_is_used_and_shown_by_its_mark_alone() -> None:
    stand = Stand(header="X-Api-Key", scheme="")
    assert stand.state.setup.key_header(stand.state.key) == {"X-Api-Key": KEY}
    stand.fault(kind="wrong_key", key="test_old_one")
    assert stand.state.key == "test_old_one"
    shown = stand.get("/health").body.decode()
    assert fingerprint("test_old_one") in shown
    assert "test_old_one" not in shown + stand.get("/_sim/faults").body.decode()


def test_what_it_does_to_itself_is_asked_of_its_process() -> None:
    stand = Stand()
    stand.fault(kind="crash")
    stand.fault(kind="heavy", consumer="report", per_s=20)
    assert stand.asked == ["end", Heavy(consumer="report", per_s=20)]


@pytest.mark.parametrize(
    "raw",
    [
        {"kind": "tired"},
        {"kind": "slow"},
        {"kind": "slow", "delay_s": -1},
        {"kind": "operation_errors", "operation": "sing"},
        {"kind": "operation_errors", "operation": "summarize", "share": 2},
        {"kind": "heavy", "consumer": "x", "per_s": 0},
        {"kind": "heavy", "consumer": "x", "per_s": 1, "criticality": "vital"},
        {"kind": "queue"},
        {"kind": "overloaded", "work_per_s": 9, "capacity_per_s": 0},
        {"kind": "overloaded", "work_per_s": -1, "capacity_per_s": 1},
        {"kind": "slow_dns", "delay_s": -1},
    ],
)
def test_a_fault_that_means_nothing_is_refused(raw: Raw) -> None:
    stand = Stand()
    assert stand.fault(**raw) == 400
    assert stand.state.faults == []


@pytest.mark.parametrize(
    "raw",
    [
        {"healht": "list"},
        {"health": "poem"},
        {"metrics": {"speed": "x"}},
        {"operations": [{"x": 1}]},
        {"operations": [{"method": "PUT"}]},
        {"operations": [{"criticality": "vital"}]},
        {"operations": [{"per_turn": 0}]},
        {"operations": [{"body": {"a": 1}}]},
    ],
)
def test_a_setup_that_means_nothing_is_refused(raw: Raw) -> None:
    with pytest.raises((ValueError, TypeError)):
        parse(raw)


def test_every_kind_has_a_name() -> None:
    wanted = "crash hang slow unhealthy health_says metric_lost wrong_key operation_errors queue"
    assert KINDS.keys() == {*wanted.split(), "heavy", "overloaded", "slow_dns"}


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 8.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Raw, Raw]]:
    """A derived vendor and a service of ours that calls it."""
    folder = tmp_path_factory.mktemp("service")
    shape = {
        "vendor": "odd",
        "base_path": "/v1",
        "auth": {"header": "X-Api-Key", "scheme": ""},
        "resources": [{"name": "transcripts", "path": "/transcripts", "envelope": "items"}],
    }
    (folder / "vendor.json").write_text(json.dumps({"shape": shape, "key": KEY, "rate": None}))
    (folder / "key.json").write_text(json.dumps({"current": {"version": "1", "value": KEY}}))
    setup = {"vendor": "odd", "header": "X-Api-Key", "scheme": "", "operations": TWO[:1]}
    (folder / "service.json").write_text(json.dumps(setup))
    with Processes(folder) as processes:
        vendor = processes.start(["derived", "--config", str(folder / "vendor.json")])
        options = ["--secret-file", str(folder / "key.json"), "--poll-s", "0.1"]
        options += ["--config", str(folder / "service.json"), "--vendor-url", vendor["api"]]
        yield vendor, processes.start(["service", *options])


def test_a_heavy_consumer_really_sends_and_a_crash_is_one(stands: tuple[Raw, Raw]) -> None:
    vendor, service = stands

    def health() -> str:
        return str(httpx.get(f"{service['url']}/health/odd").json()["status"])

    def by_caller() -> Raw:
        found: Raw = httpx.get(f"{vendor['url']}/_sim/requests").json()["by_caller"]
        return found

    wait_until(lambda: health() == "healthy", "it gets on with its vendor")
    faults = f"{service['url']}/_sim/faults"
    httpx.post(faults, json={"kind": "heavy", "consumer": "report", "per_s": 50})
    name = "integration-service/1.0 (report)"
    wait_until(lambda: by_caller().get(name, 0) >= 20, "the vendor sees the flood")
    assert b'consumer="report"' in httpx.get(f"{service['url']}/metrics").content
    httpx.delete(f"{faults}/heavy")
    httpx.post(faults, json={"kind": "wrong_key"})
    wait_until(lambda: health() == "unhealthy", "the vendor refuses the old key")
    assert httpx.post(faults, json={"kind": "crash"}).status_code == 201

    def is_gone() -> bool:
        try:
            httpx.get(f"{service['url']}/health")
        except httpx.TransportError:
            return True
        return False

    wait_until(is_gone, "the process ends")
