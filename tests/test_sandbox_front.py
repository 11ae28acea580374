"""Both simulators over real sockets: one gate, one set of faults, one set of controls."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper.sandbox.process import Processes

KEY = "test_first"
RATE = {"limit": 5000, "window_s": 10}
CONFIGS: dict[str, dict[str, Any]] = {
    "vendor": {"key": KEY, "rate": RATE, "records": {"users": 30}},
    "derived": {
        "key": KEY,
        "shape": {
            "vendor": "odd",
            "auth": {"header": "X-Api-Key", "scheme": ""},
            "rate": {**RATE, "reset": "epoch"},
            "resources": [{"name": "users", "path": "/users", "envelope": "users", "records": 30}],
        },
        "probes": [{"name": "make", "path": "/make", "method": "POST"}],
    },
}


@pytest.fixture(scope="module", params=CONFIGS)
def vendor(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    path = folder / "config.json"
    path.write_text(json.dumps(CONFIGS[request.param]))
    with Processes(folder) as processes:
        yield processes.start([request.param, "--config", str(path)])


@pytest.fixture
def sim(vendor: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{vendor['url']}/_sim") as client:
        client.delete("/faults")
        yield client


@pytest.fixture
def api(vendor: dict[str, Any]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}", "X-Api-Key": KEY}
    with httpx.Client(base_url=vendor["api"], headers=headers, timeout=5) as client:
        yield client


def fault(sim: httpx.Client, **raw: Any) -> None:
    made = sim.post("/faults", json=raw)
    assert made.status_code == 201, made.text


def test_nothing_is_answered_and_nothing_was_done(api: httpx.Client, sim: httpx.Client) -> None:
    fault(sim, kind="hang", endpoints=["/users"])
    since = datetime.now(UTC)
    with pytest.raises(httpx.ReadTimeout):
        api.get("/users", timeout=0.2)
    fault(sim, kind="drop")
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        api.get("/elsewhere")
    count = sim.get("/requests", params={"since": since.isoformat()}).json()
    assert count["by_status"] == {"0": 2}
    sim.delete("/faults")
    assert api.get("/users").status_code == 200


def test_an_answer_may_come_a_byte_at_a_time(api: httpx.Client, sim: httpx.Client) -> None:
    fault(sim, kind="drip", bytes_per_s=100)
    began = time.monotonic()
    with api.stream("GET", "/elsewhere") as answer:
        pieces = list(answer.iter_raw())
    body = b"".join(pieces)
    assert (answer.status_code, json.loads(body).keys()) == (404, {"error"})
    assert len(pieces) > 5
    assert time.monotonic() - began >= len(body) / 100


def test_an_answer_may_be_huge(api: httpx.Client, sim: httpx.Client) -> None:
    fault(sim, kind="huge", bytes=300_000)
    found = api.get("/users", params={"limit": 1})
    assert (len(found.content), len(found.json()["users"])) == (300_000, 1)


def test_its_clock_may_be_wrong(api: httpx.Client, sim: httpx.Client) -> None:
    fault(sim, kind="clock_off", seconds=-3600)
    date = parsedate_to_datetime(api.get("/users").headers["Date"])
    assert abs(datetime.now(UTC) - timedelta(hours=1) - date) < timedelta(seconds=5)
    assert api.get("/users").headers.get_list("date") == [api.get("/users").headers["date"]]


def test_the_allowance_is_told_or_not(
    api: httpx.Client, sim: httpx.Client, vendor: dict[str, Any]
) -> None:
    derived = vendor["ready"] == "derived"
    prefix = "X-RateLimit" if derived else "X-Rate-Limit"
    told = api.get("/users").headers
    assert told[f"{prefix}-Limit"] == "5000"
    assert (int(told[f"{prefix}-Reset"]) > 1e9) is derived
    fault(sim, kind="no_rate_headers")
    assert not [n for n in api.get("/users").headers if "rate" in n]


def test_a_head_has_no_body(api: httpx.Client) -> None:
    found = api.head("/users")
    assert (found.status_code, found.content) == (200, b"")
    assert int(found.headers["Content-Length"]) > 100


def test_pages_for_people_and_other_places(api: httpx.Client, sim: httpx.Client) -> None:
    fault(sim, kind="redirected", location="https://elsewhere.invalid/", endpoints=["/a"])
    fault(sim, kind="html", title="Sign in", endpoints=["/b"])
    away, page = api.get("/a"), api.get("/b")
    assert (away.status_code, away.headers["Location"]) == (302, "https://elsewhere.invalid/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_the_controls_are_the_same(api: httpx.Client, sim: httpx.Client) -> None:
    row = sim.get("/truth", params={"resource": "users"}).json()["records"][0]
    assert row.keys() == {"id", "updatedAt", "createdAt", "digest"}
    assert sim.get("/truth").status_code == 200
    assert sim.get("/truth", params={"resource": "cats"}).status_code == 400
    assert sim.put("/arrivals", json={}).status_code == 200
    assert [k["label"] for k in sim.get("/keys").json()][:1] == ["initial"]
    before = sim.get("/requests").json()["costing"]
    made = api.post("/make", json={})
    assert sim.get("/requests").json()["costing"] == before + (made.status_code == 200)
