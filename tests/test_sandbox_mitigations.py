"""Mitigations seen at work from outside: a vendor, our service under its manager, and their wires."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.process import Processes

FIRST, SECOND = "test_first", "test_second"
OPERATIONS = [
    {"name": "transcribe", "path": "/transcribe", "method": "POST", "criticality": "critical"},
    {"name": "summarize", "path": "/me", "consumer": "batch", "criticality": "deferrable"},
]
PROBES = [
    {"name": "transcribe", "path": "/transcribe", "method": "POST", "json_path": "transcript_id"},
    {"name": "me", "path": "/me"},
]
Raw = dict[str, Any]


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 8.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@dataclass(frozen=True)
class Stand:
    folder: Path
    sim: httpx.Client
    unit: httpx.Client
    service: httpx.Client

    def set(self, **raw: Any) -> Raw:
        return dict(self.service.patch("/settings", json=raw).raise_for_status().json())

    def break_vendor(self, **raw: Any) -> None:
        self.sim.post("/faults", json=raw).raise_for_status()

    def break_service(self, **raw: Any) -> None:
        self.service.post("/_sim/faults", json=raw).raise_for_status()

    @property
    def stats(self) -> Raw:
        return dict(self.service.get("/stats").json())

    @property
    def latency_ms(self) -> int:
        return int(self.health["checks"]["twin_api"]["latencyMs"])

    @property
    def health(self) -> Raw:
        return dict(self.service.get("/health").json())

    def requests(self, since: datetime) -> Raw:
        found = self.sim.get("/requests", params={"since": f"{since:%Y-%m-%dT%H:%M:%S.%fZ}"})
        return dict(found.raise_for_status().json())

    def calls_more(self, n: int) -> None:
        """So many more calls have been answered since now."""
        wanted = sum(self.stats["by_status"].values()) + n
        wait_until(lambda: sum(self.stats["by_status"].values()) >= wanted, f"{n} more calls")

    def put_key(self, value: str) -> None:
        write_key(self.folder / "first.json", value)


def write_key(path: Path, value: str) -> None:
    path.write_text(json.dumps({"current": {"version": "1", "value": value}}))


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    folder = tmp_path_factory.mktemp("mitigations")
    shape = {"shape": {"vendor": "twin"}, "probes": PROBES, "key": FIRST, "rate": None}
    (folder / "vendor.json").write_text(json.dumps(shape))
    setup = {"vendor": "twin", "operations": OPERATIONS}
    (folder / "service.json").write_text(json.dumps(setup))
    write_key(folder / "first.json", FIRST)
    write_key(folder / "second.json", SECOND)
    with Processes(folder) as processes:
        vendor = processes.start(["derived", "--config", str(folder / "vendor.json")])
        child = [sys.executable, "-m", "watchkeeper.sandbox.service", "--poll-s", "0.05"]
        child += ["--vendor-url", vendor["api"], "--config", str(folder / "service.json")]
        child += ["--secret-file", str(folder / "first.json")]
        child += ["--secret-file", str(folder / "second.json")]
        child += ["--settings-file", str(folder / "settings.json")]
        unit = processes.start(["unit", "--", *child])
        with (
            httpx.Client(base_url=f"{vendor['url']}/_sim") as sim,
            httpx.Client(base_url=unit["url"], timeout=15) as manager,
            httpx.Client(base_url=unit["service"]) as service,
        ):
            yield Stand(folder, sim, manager, service)


@pytest.fixture
def stand(started: Stand) -> Iterator[Stand]:
    yield started
    started.sim.delete("/faults")
    started.unit.delete("/_sim/faults")
    started.unit.post("/scale", json={"replicas": 1})
    started.service.delete("/_sim/faults")
    started.set(**dict.fromkeys(started.service.get("/settings").json()))


def test_another_model_is_quick_where_one_is_slow(stand: Stand) -> None:
    stand.break_vendor(kind="slow_model", model="ear-3", delay_s=0.5)
    wait_until(lambda: stand.latency_ms >= 500, "it is slow")
    since = datetime.now(UTC)
    stand.set(model="ear-2")
    wait_until(lambda: stand.latency_ms < 500, "it is quick again")
    stand.calls_more(4)
    assert stand.requests(since)["by_model"].get("ear-2", 0) >= 2
    assert b'model="ear-2"' in stand.service.get("/metrics").content


def test_refused_work_does_not_reach_the_vendor(stand: Stand) -> None:
    stand.set(refuse="deferrable")
    # One of them may be on its way.
    stand.calls_more(2)
    since = datetime.now(UTC)
    stand.calls_more(4)
    assert stand.requests(since)["by_path"].keys() == {"POST /transcribe"}
    assert stand.requests(since)["by_criticality"].keys() == {"critical"}
    assert stand.stats["refused"]["by_criticality"]["deferrable"] >= 2


def test_a_flood_of_work_that_can_wait_is_refused_too(stand: Stand) -> None:
    flood = {"consumer": "report", "per_s": 50, "criticality": "deferrable"}
    stand.break_service(kind="heavy", **flood)
    before = datetime.now(UTC)
    wait_until(lambda: "report" in stand.requests(before)["by_consumer"], "it comes")
    stand.set(refuse="deferrable")
    # Each of its ten workers may have a call on its way.
    stand.calls_more(12)
    since = datetime.now(UTC)
    stand.calls_more(4)
    assert "report" not in stand.requests(since)["by_consumer"]


def test_its_calls_are_no_more_than_it_is_allowed(stand: Stand) -> None:
    stand.break_service(kind="heavy", consumer="report", per_s=50)
    stand.set(max_requests_per_s=8)
    # Each of its workers may have a call on its way.
    stand.calls_more(12)
    since = datetime.now(UTC)
    stand.calls_more(5)
    counted = stand.requests(since)["total"]
    assert counted <= (datetime.now(UTC) - since).total_seconds() * 8 + 2


def test_what_fails_now_and_then_succeeds_when_tried_again(stand: Stand) -> None:
    stand.set(max_retries=10)
    stand.calls_more(2)
    before = stand.stats
    stand.break_vendor(kind="outage", share=0.2)
    wait_until(lambda: stand.stats["retried"] >= before["retried"] + 3, "it tries again")
    after = stand.stats
    assert after["turns"]["success"] > before["turns"]["success"]
    assert after["turns"].get("error", 0) == before["turns"].get("error", 0)


def test_calls_go_out_with_both_keys_and_one_lacks_a_right(stand: Stand) -> None:
    made = stand.sim.post("/keys", json={"label": "second", "lacks": ["transcribe"]}).json()
    write_key(stand.folder / "second.json", made["value"])
    stand.unit.post("/restart").raise_for_status()
    stand.set(keys=2)
    calls = f"/keys/{made['fingerprint']}/calls"

    def told() -> set[tuple[str, bool]]:
        return {(c["path"], c["accepted"]) for c in stand.sim.get(calls).json()["calls"]}

    # With an even number of operations each would always come with the same key.
    stand.set(refuse="deferrable")
    wait_until(lambda: ("/transcribe", False) in told(), "it is refused there")
    both = {fingerprint(FIRST), made["fingerprint"]}
    assert stand.stats["by_key"].keys() == both
    row = stand.sim.get("/keys").json()[-1]
    assert (row["lacks"], row["scopes"], row["uses"]["refused"] > 0) == (["transcribe"], None, True)
    assert row["uses"]["calls"][-1].keys() >= {"time", "method", "path", "accepted"}
    late = stand.sim.get(calls, params={"since": "2999-01-01T00:00:00Z"}).json()["calls"]
    assert late == []
    assert stand.sim.get("/keys/00000000/calls").status_code == 404
    for bad in ("users", [1], [""]):
        assert stand.sim.post("/keys", json={"lacks": bad}).status_code == 400


def test_a_kept_address_is_not_looked_up_again(stand: Stand) -> None:
    first = stand.stats["lookups"]
    wait_until(lambda: stand.stats["lookups"] >= first + 4, "each call looks the name up")
    stand.break_service(kind="slow_dns", delay_s=0.5)
    wait_until(lambda: stand.latency_ms >= 500, "each look-up is slow")
    stand.set(dns_cache_s=60)
    wait_until(lambda: stand.latency_ms < 500, "it is quick again")
    kept = stand.stats["lookups"]
    stand.calls_more(4)
    assert stand.stats["lookups"] == kept
    assert b"twin_dns_lookups_total" in stand.service.get("/metrics").content


def unitctl(stand: Stand, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "watchkeeper.sandbox.unitctl", *words]
    url = ["--url", str(stand.unit.base_url).rstrip("/")]
    return subprocess.run([*command, *url], capture_output=True, text=True, check=False)


def test_more_replicas_drain_the_queue_and_outlive_a_restart(stand: Stand) -> None:
    load = {"work_per_s": 400, "capacity_per_s": 200, "waiting": 200, "slowest_s": 0.5}
    stand.break_service(kind="overloaded", **load)
    stand.calls_more(1)
    assert stand.stats["queue"] >= 200
    assert stand.service.get("/health").elapsed.total_seconds() >= 0.5
    assert unitctl(stand, "scale", "6").returncode == 0
    assert unitctl(stand, "replicas").stdout == "6\n"
    wait_until(lambda: stand.stats["queue"] == 0, "it drains")
    assert stand.unit.get("/state").json()["replicas"] == 6
    stand.unit.post("/restart").raise_for_status()
    assert stand.service.get("/_sim/replicas").json() == {"replicas": 6}
    (load_after,) = stand.service.get("/_sim/faults").json()["faults"]
    assert load_after["kind"] == "overloaded"
    wait_until(lambda: stand.stats["queue"] == 0, "it drains again")
    assert b"twin_replicas 6" in stand.service.get("/metrics").content
    assert unitctl(stand, "scale", "0").returncode == 1


def test_less_work_taken_in_drains_the_queue_as_well(stand: Stand) -> None:
    stand.break_service(kind="overloaded", work_per_s=500, capacity_per_s=200, waiting=100)
    stand.set(intake_per_s=50)
    wait_until(lambda: stand.stats["queue"] == 0, "it drains")
    assert stand.stats["refused"]["by_reason"]["intake"] > 50


def test_settings_last_over_a_restart(stand: Stand) -> None:
    stand.set(max_retries=2, model="ear-2")
    stand.unit.post("/restart").raise_for_status()
    found = stand.service.get("/settings").json()
    assert (found["max_retries"], found["model"], found["refuse"]) == (2, "ear-2", None)
    assert json.loads((stand.folder / "settings.json").read_text()) == found
    assert stand.service.patch("/settings", json={"speed": 1}).status_code == 404


def test_a_restart_may_fail_or_only_seem_to_work(stand: Stand) -> None:
    """And the vendor tells which key is still in use."""
    made = stand.sim.post("/keys", json={"label": "next"}).json()
    stand.put_key(made["value"])
    before, boot = stand.unit.get("/state").json(), stand.health["bootId"]
    stand.unit.post("/_sim/faults", json={"kind": "restart_fails", "times": 1}).raise_for_status()
    stand.unit.post("/_sim/faults", json={"kind": "keeps_old_key"}).raise_for_status()
    assert len(stand.unit.get("/_sim/faults").json()["faults"]) == 2
    assert stand.unit.post("/restart").status_code == 500
    assert stand.unit.post("/restart").status_code == 200
    assert (stand.health["bootId"], stand.health["keyFingerprint"]) == (boot, fingerprint(FIRST))
    assert stand.unit.post("/restart").status_code == 200
    assert stand.health["keyFingerprint"] == made["fingerprint"]
    state = stand.unit.get("/state").json()
    assert state["restarts"] == before["restarts"] + 2
    assert state["failed_restarts"] == before["failed_restarts"] + 1
    came = [row["came"] for row in state["history"][-3:]]
    assert came == ["failed", "keeps_old_key", "restarted"]
    times = [row[name] for row in state["history"] for name in ("asked", "done")]
    assert times == sorted(times)
    wait_until(lambda: "200" in stand.stats["by_status"], "it gets on with the new key")
    stand.sim.delete(f"/keys/{fingerprint(FIRST)}").raise_for_status()
    table = stand.sim.get("/keys/history").json()
    assert made["fingerprint"] in table["accepted"] and fingerprint(FIRST) not in table["accepted"]
    assert table["events"][-1]["event"] == "revoked"
    first = stand.sim.get("/keys").json()[0]
    assert (first["state"], first["revoked_at"]) == ("revoked", table["events"][-1]["time"])
    calls = stand.sim.get(
        f"/keys/{fingerprint(FIRST)}/calls", params={"since": first["revoked_at"]}
    )
    assert calls.json()["calls"] == []
    at = table["events"][0]["time"]
    assert stand.sim.get("/keys/history", params={"at": at}).json()["accepted"] == [
        fingerprint(FIRST)
    ]


@pytest.mark.parametrize("raw", [{"kind": "tired"}, {"kind": "restart_fails", "times": 0}, {}])
def test_a_fault_that_a_unit_does_not_know(stand: Stand, raw: Raw) -> None:
    assert stand.unit.post("/_sim/faults", json=raw).status_code == 400


def test_a_unit_may_find_no_room(stand: Stand) -> None:
    stand.unit.post("/_sim/faults", json={"kind": "scale_fails"}).raise_for_status()
    assert stand.unit.post("/scale", json={"replicas": 3}).status_code == 500
    assert stand.unit.get("/state").json()["replicas"] == 1
    assert stand.unit.post("/scale", json={"replicas": "3"}).status_code == 400
