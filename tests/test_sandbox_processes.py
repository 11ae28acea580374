"""The stand-ins as processes: real sockets, real deaths, one line on stdout."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import watchkeeper.sandbox.judge as judging
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.process import Processes, StartFailed
from watchkeeper.sandbox.service_calls import Poll, verdict

KEY = "test_first"
STILL = {"created_per_s": 0, "changed_per_s": 0}
Started = dict[str, Any]


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 8.0) -> None:
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("processes")) as started:
        yield started


@pytest.fixture
def vendor(processes: Processes, tmp_path: Path) -> Iterator[Started]:
    settings = tmp_path / "vendor.json"
    rate = {"limit": 1000, "window_s": 10}
    records = {"workorders": 30}
    said = {"key": KEY, "rate": rate, "records": records, "arrivals": {"created_per_s": 20}}
    settings.write_text(json.dumps(said))
    started = processes.start(["vendor", "--seed", "3", "--config", str(settings)])
    yield started
    processes.stop(started["pid"])


@pytest.fixture
def api(vendor: Started) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"bearer {KEY}", "User-Agent": "tester/1 (x)"}
    with httpx.Client(base_url=vendor["api"], headers=headers) as client:
        yield client


@pytest.fixture
def sim(vendor: Started) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{vendor['url']}/_sim") as client:
        yield client


def test_the_vendor_answers_with_its_headers_and_a_date(api: httpx.Client) -> None:
    found = api.get("/workorders", params={"limit": 2})
    assert found.status_code == 200
    assert len(found.json()["workOrders"]) == 2
    assert found.headers["X-Rate-Limit-Limit"] == "1000"
    assert int(found.headers["X-Rate-Limit-Reset"]) <= 10
    skew = datetime.now(UTC) - parsedate_to_datetime(found.headers["Date"])
    assert abs(skew.total_seconds()) < 3
    assert "Retry-After" not in found.headers


def test_a_wrong_key_and_no_key_look_different(api: httpx.Client, vendor: Started) -> None:
    wrong = api.get("/users", headers={"Authorization": "Bearer test_wrong"})
    assert (wrong.status_code, wrong.json()) == (401, {"error": "Invalid token"})
    none = httpx.get(f"{vendor['api']}/users")
    assert (none.status_code, none.text) == (401, "Invalid authentication token")
    assert none.headers["content-type"].startswith("text/html")
    assert httpx.get(f"{vendor['api']}/openapi.json").status_code == 200


def test_records_keep_coming_while_nobody_can_reach_them(
    api: httpx.Client, sim: httpx.Client
) -> None:
    assert sim.post("/faults", json={"kind": "outage", "status": 502}).status_code == 201
    before = {row["id"] for row in sim.get("/truth").json()["records"]}
    assert api.get("/workorders").status_code == 502
    time.sleep(0.3)
    assert sim.delete("/faults/outage").json() == {"ended": ["outage"]}
    assert sim.put("/arrivals", json=STILL).status_code == 200
    truth = sim.get("/truth").json()["records"]
    assert len(truth) >= len(before) + 4
    listed = api.get("/workorders", params={"limit": 200}).json()["workOrders"]
    assert {row["id"] for row in truth} == {row["id"] for row in listed}
    assert sim.get("/truth").json()["records"] == truth
    (history,) = sim.get("/faults").json()["faults"]
    assert history["until"] is not None
    assert not history["active"]


def test_a_person_makes_a_key_and_revokes_the_old(api: httpx.Client, sim: httpx.Client) -> None:
    sim.post("/faults", json={"kind": "key_expired"})
    assert api.get("/users").status_code == 401
    made = sim.post("/keys", json={"label": "second"}).json()
    assert made["fingerprint"] == fingerprint(made["value"])
    new = {"Authorization": f"Bearer {made['value']}"}
    assert api.get("/users", headers=new).status_code == 200
    assert sim.delete(f"/keys/{fingerprint(KEY)}").status_code == 200
    states = [(key["label"], key["state"]) for key in sim.get("/keys").json()]
    assert states == [("initial", "revoked"), ("second", "active")]
    assert made["value"] not in sim.get("/keys").text
    assert sim.delete("/keys/00000000").status_code == 404


def test_the_far_side_counts_who_asked(api: httpx.Client, sim: httpx.Client) -> None:
    sim.post("/faults", json={"kind": "throttled", "limit": 3, "window_s": 60})
    statuses = [api.get(f"/workorders/{n}").status_code for n in (1, 2, 3, 4, 999)]
    assert statuses == [200, 200, 200, 429, 429]
    assert "seconds" in api.get("/users").json()["error"]
    count = sim.get("/requests").json()
    assert (count["total"], count["throttled"]) == (6, 3)
    assert count["by_caller"] == {"tester/1 (x)": 6}
    assert count["by_path"] == {"GET /workorders/{id}": 5, "GET /users": 1}
    assert count["by_key"] == {fingerprint(KEY): 6}
    assert sum(n for _, n in count["by_second"]) == 6
    assert sim.get("/requests", params={"since": "2999-01-01T00:00:00Z"}).json()["total"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/faults", {"kind": "nothing"}),
        ("POST", "/faults", []),
        ("PUT", "/arrivals", {"created_per_s": -1}),
        ("GET", "/truth?resource=cats", None),
        ("GET", "/requests?since=today", None),
        ("DELETE", "/faults/nothing", None),
    ],
)
def test_a_control_that_means_nothing_is_refused(
    sim: httpx.Client, method: str, path: str, body: object
) -> None:
    assert sim.request(method, path, json=body).status_code == 400


def test_slow_is_slow_and_moved_is_gone(api: httpx.Client, sim: httpx.Client) -> None:
    sim.post("/faults", json={"kind": "slow", "delay_s": 0.3, "endpoints": ["/assets"]})
    sim.post("/faults", json={"kind": "path_moved", "path": "/users"})
    began = time.monotonic()
    assert api.get("/assets").status_code == 200
    assert time.monotonic() - began >= 0.3
    assert api.get("/users").status_code == 404
    assert api.get("/locations").elapsed.total_seconds() < 0.3


def test_a_write_whose_answer_is_lost_was_done(api: httpx.Client, sim: httpx.Client) -> None:
    sim.post("/faults", json={"kind": "lost_reply"})
    body = {"title": "Leak", "externalData": "ours-1"}
    with pytest.raises(httpx.ReadTimeout):
        api.post("/workorders", json=body, timeout=0.2)
    done = [row for row in sim.get("/truth").json()["records"] if "externalData" in row]
    assert [row["externalData"] for row in done] == ["ours-1"]
    assert api.get(f"/workorders/{done[0]['id']}").status_code == 200


def test_an_answer_does_not_wait_for_an_acknowledgement(api: httpx.Client) -> None:
    """It once did, 40 ms each: the listening socket was not known to be TCP."""
    waits = [api.get("/users", params={"limit": 1}).elapsed for _ in range(40)]
    # A new connection is acknowledged at once for a while: the last ones tell.
    assert min(waits[-8:]).total_seconds() < 0.03


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.json"
    put_key(path, KEY)
    return path


def put_key(path: Path, value: str) -> None:
    path.write_text(json.dumps({"current": {"version": "1", "value": value}, "pending": None}))


@pytest.fixture
def unit(processes: Processes, vendor: Started, secret: Path) -> Iterator[Started]:
    child = [sys.executable, "-m", "watchkeeper.sandbox.service", "--vendor-url", vendor["api"]]
    options = ["--secret-file", str(secret), "--poll-s", "0.1"]
    started = processes.start(["unit", "--", *child, *options])
    yield started
    processes.stop(started["pid"])


def health(unit: Started) -> tuple[int, str, str]:
    found = httpx.get(f"{unit['service']}/health")
    return found.status_code, found.json()["status"], found.json()["keyFingerprint"]


def unitctl(url: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "watchkeeper.sandbox.unitctl", "restart", "--url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_service_sees_a_new_key_after_a_restart_only(
    unit: Started, sim: httpx.Client, secret: Path
) -> None:
    wait_until(lambda: health(unit)[:2] == (200, "healthy"), "the service gets well")
    sim.post("/faults", json={"kind": "key_expired"})
    made = sim.post("/keys", json={"label": "second"}).json()
    put_key(secret, made["value"])
    wait_until(lambda: health(unit)[:2] == (503, "unhealthy"), "the service meets 401s")
    assert health(unit)[2] == fingerprint(KEY)
    done = unitctl(unit["url"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    wait_until(lambda: health(unit) == (200, "healthy", made["fingerprint"]), "it is well again")
    stats = httpx.get(f"{unit['service']}/stats").json()
    assert (stats["failed"], stats["ok"] > 0) == (0, True)
    assert sim.get("/requests").json()["by_caller"].keys() == {"integration-service/1.0"}


def test_a_crash_stays_until_somebody_restarts(unit: Started) -> None:
    state = httpx.post(f"{unit['url']}/crash").json()
    assert state == {"running": False, "pid": None, "restarts": 0, "crashes": 1}
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{unit['service']}/health")
    again = httpx.post(f"{unit['url']}/restart").json()
    assert again["restarts"] == 1
    assert httpx.get(f"{unit['url']}/state").json()["pid"] == again["pid"]


def test_a_restart_that_fails_says_so_in_one_line(unit: Started, secret: Path) -> None:
    secret.unlink()
    done = unitctl(unit["url"])
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert unitctl("http://127.0.0.1:1").returncode == 1


def is_alive(pid: int) -> bool:
    """A zombie nobody has collected yet is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
def test_a_killed_unit_leaves_no_orphan(
    processes: Processes, vendor: Started, secret: Path
) -> None:
    child = [sys.executable, "-m", "watchkeeper.sandbox.service", "--vendor-url", vendor["api"]]
    started = processes.start(["unit", "--", *child, "--secret-file", str(secret)])
    processes.kill(started["pid"])
    wait_until(lambda: not is_alive(started["child_pid"]), "the child follows")


@pytest.mark.parametrize("name", ["vendor", "status_page", "pager"])
def test_the_end_comes_at_once(name: str) -> None:
    """On SIGTERM, and when the parent is gone; nothing but the ready line on stdout."""
    for end in ("signal", "orphaned"):
        child = subprocess.Popen(
            [sys.executable, "-m", f"watchkeeper.sandbox.{name}", "--tied"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        line = json.loads(child.stdout.readline())
        assert (line["ready"], line["pid"]) == (name, child.pid)
        if end == "signal":
            os.kill(child.pid, signal.SIGTERM)
        else:
            child.stdin.close()
        assert child.wait(1.0) == (-signal.SIGTERM if end == "signal" else 0)
        assert child.stdout.read() == ""
        child.stdin.close()
        child.stdout.close()


def test_a_stand_in_that_cannot_start_says_why(processes: Processes) -> None:
    with pytest.raises(StartFailed, match="no child"):
        processes.start(["unit"])


@pytest.mark.parametrize(
    ("poll", "expected"),
    [
        (None, "unhealthy"),
        (Poll("200", 5), "healthy"),
        (Poll("200", 2500), "degraded"),
        (Poll("429", 5), "unhealthy"),
        (Poll("unreachable", 5), "unhealthy"),
    ],
)
def test_what_a_service_says_of_itself(poll: Poll | None, expected: str) -> None:
    assert verdict(poll) == expected


def sink_of(path: Path, rows: list[tuple[str, str]]) -> Path:
    sink = sqlite3.connect(path)
    sink.execute(
        "CREATE TABLE records (integration, resource, record_id TEXT, version TEXT, "
        "payload TEXT, deleted_at)"
    )
    fixed = [("x@test", "workorders", number, "", payload) for number, payload in rows]
    sink.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, NULL)", fixed)
    sink.commit()
    sink.close()
    return path


def judge(vendor: Started, sink: Path, *more: str) -> dict[str, Any]:
    command = [sys.executable, "-I", judging.__file__, "--truth", vendor["url"]]
    options = ["--resource", "workorders", "--sink-sqlite", str(sink), "--integration", "x@test"]
    done = subprocess.run([*command, *options, *more], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_judge_finds_what_is_missing_stale_and_double(
    vendor: Started, api: httpx.Client, sim: httpx.Client, tmp_path: Path
) -> None:
    since = datetime.now(UTC).isoformat()
    made = api.post("/workorders", json={"title": "Übung"}).json()["id"]
    sim.put("/arrivals", json=STILL)
    items = api.get("/workorders", params={"limit": 200}).json()["workOrders"]
    whole = [(str(item["id"]), json.dumps(item)) for item in items]
    good = judge(vendor, sink_of(tmp_path / "good.db", whole), "--since", since)
    assert (good["expected"], good["present"]) == (len(items), len(items))
    assert (good["missing"], good["stale"], good["duplicates"], good["extra"]) == (0, 0, 0, 0)
    assert 1 <= good["touched_since"] < len(items)
    stale = json.dumps({**items[1], "title": "old"})
    broken = [*whole[2:], (whole[1][0], stale), whole[2], ("77777", "{}")]
    bad = judge(vendor, sink_of(tmp_path / "bad.db", broken))
    assert (bad["missing_ids"], bad["stale_ids"]) == ([whole[0][0]], [whole[1][0]])
    assert (bad["duplicates"], bad["extra"]) == (1, 1)
    assert str(made) in dict(whole)


def test_the_judge_does_not_judge_what_it_cannot_read(vendor: Started, tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        judge(vendor, tmp_path / "absent.db")
    assert failed.value.returncode == 2
    assert not (tmp_path / "absent.db").exists()
