"""One rehearsed incident, with a responder killed on the way, and live settings exported beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

SCENARIO = "expired-key-killed-after-effect"
DRILL_WITHIN_S = 450
pytestmark = pytest.mark.timeout(500)


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A port of this machine that counts who comes: where the live settings point."""
    came: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        ended = threading.Event()

        def count() -> None:
            while not ended.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                came.append(str(address))
                connection.close()

        thread = threading.Thread(target=count)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            ended.set()
            thread.join()


@pytest.fixture(scope="module")
def drilled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The result of one drill, run as a person would, by the public command."""
    folder = tmp_path_factory.mktemp("drill")
    with listening() as (port, came):
        live = {
            "WATCHKEEPER_DATABASE_URL": f"postgresql://live:secret@127.0.0.1:{port}/live",
            "WATCHKEEPER_HOME": str(folder / "live-home"),
            "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
            "PREFECT_HOME": str(folder / "live-prefect"),
            "PAGERDUTY_ROUTING_KEY": "live0routing0key0of0the0company0",
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "HTTP_PROXY": f"http://127.0.0.1:{port}",
            "ALL_PROXY": f"http://127.0.0.1:{port}",
        }
        program = str(Path(sys.executable).with_name("watchkeeper"))
        done = subprocess.run(
            [program, "drill", SCENARIO, "--json", "--keep"],
            cwd=folder,
            env=os.environ | live,
            capture_output=True,
            text=True,
            timeout=DRILL_WITHIN_S,
            check=False,
        )
        words = done.stderr[-6000:]
        assert done.stdout, words
        (result,) = json.loads(done.stdout)
        yield result | {"exit": done.returncode, "words": words, "came": came, "folder": folder}


def test_the_drill_passes(drilled: dict[str, Any]) -> None:
    """Killed between an effect and its commit, the incident still ends whole, by another responder."""
    assert drilled["failures"] == [], drilled["words"]
    assert drilled["passed"]
    assert drilled["exit"] == 0
    assert drilled["responders"] >= 2
    assert drilled["restarts"] == 1


def test_the_cause_was_likely_before_it_was_confirmed(drilled: dict[str, Any]) -> None:
    """An expired key is only likely until another key is let in."""
    assert drilled["cause"]["found"] == "api_key_expired"
    assert drilled["cause"]["verdicts"][0] == "likely"
    assert drilled["cause"]["verdict"] == "confirmed"
    assert drilled["severity"]["found"] == 1


def test_nothing_is_missing_and_nothing_is_left(drilled: dict[str, Any]) -> None:
    """The judge, who knows nothing of us, finds the data whole; no lease, no page, no job is left."""
    data = drilled["data"]
    assert (data["missing"], data["duplicates"], data["stale"]) == (0, 0, 0)
    assert data["touched_since"] >= 200
    assert drilled["leases_left"] == 0
    assert drilled["jobs_left_paused"] == []
    assert drilled["jobs_left_as_a_person_set_them"] == ["report-generator"]
    assert drilled["pages"] == {"alerts": 1, "resolved": 1}
    assert drilled["old_key_alive"] is False


def test_live_settings_are_touched_by_nobody(drilled: dict[str, Any]) -> None:
    """W11: with a live database, Prefect, proxies and pager key exported, nobody goes there: what a
    drill calls is on loopback, which goes through no proxy."""
    assert drilled["came"] == []
    assert drilled["off_loopback"] == []
    assert not (drilled["folder"] / "live-home").exists()
    assert not (drilled["folder"] / "live-prefect").exists()


def test_milestones_come_in_order_and_wall_time_is_split(drilled: dict[str, Any]) -> None:
    """Every milestone has its time, and the wait is told apart by who is to blame."""
    times = list(drilled["milestones"].values())
    assert all(times)
    assert times == sorted(times)
    waits = drilled["waits"]
    parts = waits["ours"] + waits["prefect_start"] + waits["scheduler"] + waits["person"]
    assert parts == pytest.approx(waits["total"], abs=0.1)


def test_the_report_tells_the_whole_incident(drilled: dict[str, Any]) -> None:
    """The report file has every section of the runbook's template, filled from the record."""
    text = Path(drilled["report"]).read_text()
    sections = ("**Severity**: SEV-1", "## Timeline", "## Root cause", "## Resolution")
    for section in (*sections, "## Action items"):
        assert section in text
    assert "report-generator" not in [line for line in text.splitlines() if "pause job" in line]
