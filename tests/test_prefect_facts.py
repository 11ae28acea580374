"""What our design takes for granted about the pinned Prefect, tried on the real thing.

A red test here means that Prefect changed under us: read docs/decisions/0002-prefect-3.8.md first.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import prefect_lab
import pytest
from harness import (
    TESTS,
    Server,
    pointed_at,
    running_server,
    start_process,
    stop_process,
    wait_until,
)
from prefect import flow, task
from prefect.artifacts import (
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.context import use_profile
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_UI_API_URL, Profile, temporary_settings
from prefect.tasks import Task
from prefect.types.entrypoint import EntrypointType

RUN_TIMEOUT_S = 40.0
Line = dict[str, Any]


@dataclass
class Lab:
    """One server and one serving process, with the questions that the tests ask of them."""

    server: Server
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def ticks(self) -> Path:
        return self.folder / "ticks"

    def start_runner(self) -> None:
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        environment = dict(self.server.environment)
        environment |= {"LAB_TICKS": str(self.ticks), "LAB_COLOUR": "green"}
        command = [sys.executable, str(TESTS / "prefect_lab_runner.py"), str(ready)]
        log = self.folder / "runner.log"
        self.process = start_process(command, environment, log, cwd=self.folder)
        wait_until(lambda: ready.exists() or self.runner_died(), 60, "the runner serves")
        assert not self.runner_died(), log.read_text()[-2000:]

    def runner_died(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop_runner(self) -> None:
        if self.process is not None:
            stop_process(self.process)

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask the API, again when SQLite was locked: 503 is Prefect's word for "nothing done"."""
        url = f"{self.server.api}{path}"
        for _ in range(20):
            response = httpx.request(method, url, json=body, timeout=30, trust_env=False)
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return response
            print("503", path)
            time.sleep(0.2)
        return response

    def post(self, path: str, body: Any = None) -> Any:
        response = self.call("POST", path, {} if body is None else body)
        response.raise_for_status()
        return response.json()

    def get(self, path: str) -> Any:
        response = self.call("GET", path)
        response.raise_for_status()
        return response.json()

    def deployment(self, name: str) -> Any:
        return self.get(f"/deployments/name/{name}")

    def run(self, name: str, **parameters: Any) -> str:
        body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        created = self.post(f"/deployments/{self.deployment(name)['id']}/create_flow_run", body)
        return str(created["id"])

    def state(self, run: str) -> Any:
        return self.get(f"/flow_runs/{run}")["state"]

    def wait_for_state(self, run: str, *types: str) -> Any:
        reached = f"run {run} is {' or '.join(types)}"
        wait_until(lambda: self.state(run)["type"] in types, RUN_TIMEOUT_S, reached)
        return self.state(run)

    def resume(self, run: str, **answer: str) -> httpx.Response:
        body = {"run_input": answer} if answer else None
        return self.call("POST", f"/flow_runs/{run}/resume", body)


@pytest.fixture(scope="module")
def lab(
    prefect_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    laboratory = Lab(prefect_server, tmp_path_factory.mktemp("lab"))
    laboratory.start_runner()
    try:
        yield laboratory
    finally:
        laboratory.stop_runner()


@pytest.fixture
def diary(tmp_path: Path) -> Path:
    return tmp_path / "diary"


def read(diary: Path, what: str | None = None) -> list[Line]:
    lines = diary.read_text().splitlines() if diary.exists() else []
    entries: list[Line] = [json.loads(line) for line in lines]
    return [entry for entry in entries if what in (None, entry["what"])]


def wait_for_line(diary: Path, what: str) -> Line:
    wait_until(lambda: bool(read(diary, what)), RUN_TIMEOUT_S, f"the diary tells {what!r}")
    return read(diary, what)[-1]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- suspending and resuming --------------------------------------------------------------------


def test_a_suspended_run_leaves_its_process_and_goes_on_from_the_top_in_a_new_one(
    lab: Lab, diary: Path
) -> None:
    """A run asks, leaves, refuses silence, and goes on in a new process, twice in a row."""
    run = lab.run("approval/lab", diary=str(diary))
    assert lab.wait_for_state(run, "PAUSED")["name"] == "Suspended"
    first_process = int(read(diary, "top")[0]["pid"])
    wait_until(lambda: not alive(first_process), 15, "the suspended run's process is gone")

    for silence in (lab.resume(run), lab.resume(run, reason="no decision")):
        assert (silence.status_code, silence.json()["status"]) == (200, "REJECT")
    assert lab.state(run)["name"] == "Suspended"

    accepted = lab.resume(run, decision="approve")
    asked = time.time()
    assert (accepted.status_code, accepted.json()["status"]) == (201, "ACCEPT")
    answer = wait_for_line(diary, "first answer")
    print(f"resume: {answer['at'] - asked:.2f} s")
    assert answer["decision"] == "approve"
    assert answer["pid"] != first_process
    assert len(read(diary, "top")) == 2

    wait_for_line(diary, "second phase")
    lab.wait_for_state(run, "PAUSED")
    assert lab.resume(run, decision="deny").json()["status"] == "ACCEPT"
    assert lab.wait_for_state(run, "COMPLETED", "FAILED", "CRASHED")["type"] == "COMPLETED"
    assert read(diary, "second answer")[-1]["decision"] == "deny"
    assert len({line["pid"] for line in read(diary, "top")}) == 3
    print([line["what"] for line in read(diary)])


def test_unkeyed(lab: Lab, diary: Path) -> None:
    run = lab.run("unkeyed/lab", diary=str(diary))
    lab.wait_for_state(run, "PAUSED")
    lab.resume(run, decision="approve")
    wait_for_line(diary, "first answer")
    lab.wait_for_state(run, "PAUSED")
    lab.resume(run, decision="deny")
    print(lab.wait_for_state(run, "COMPLETED", "FAILED", "CRASHED"))
    print(read(diary))


def test_an_unanswered_question_fails_the_run(lab: Lab, diary: Path) -> None:
    """Past its time-out a suspended run is Failed and can no longer be resumed."""
    run = lab.run("approval/lab", diary=str(diary), timeout=2)
    paused = lab.wait_for_state(run, "PAUSED")
    state = lab.wait_for_state(run, "FAILED")
    print(paused["timestamp"], state)
    late = lab.resume(run, decision="approve")
    print(late.status_code, late.json())
    assert (late.status_code, late.json()["status"]) == (200, "ABORT")


def test_an_answer_given_while_no_runner_is_up_is_kept(lab: Lab, diary: Path) -> None:
    """A resume is accepted while the runner is down, and acted on when it is back."""
    run = lab.run("approval/lab", diary=str(diary))
    lab.wait_for_state(run, "PAUSED")
    t = time.time()
    lab.stop_runner()
    print("stop", time.time() - t)
    t = time.time()
    try:
        assert lab.resume(run, decision="approve").json()["status"] == "ACCEPT"
        print(lab.state(run))
        assert (lab.state(run)["type"], lab.state(run)["name"]) == ("SCHEDULED", "Resuming")
        assert lab.get("/deployments/name/quick/lab")["paused"] is False
    finally:
        lab.start_runner()
    print("start", time.time() - t)
    assert wait_for_line(diary, "first answer")["decision"] == "approve"
    lab.wait_for_state(run, "PAUSED")
    assert lab.call("DELETE", f"/flow_runs/{run}").status_code == 204


def test_a_subflow_cannot_be_suspended(lab: Lab, diary: Path) -> None:
    run = lab.run("nested/lab", diary=str(diary))
    state = lab.wait_for_state(run, "FAILED", "CRASHED", "PAUSED", "COMPLETED")
    print(state, read(diary))


def test_kill(lab: Lab, diary: Path) -> None:
    run = lab.run("sleeper/lab", diary=str(diary))
    line = wait_for_line(diary, "task")
    os.kill(line["pid"], signal.SIGKILL)
    t = time.time()
    state = lab.wait_for_state(run, "CRASHED")
    print("crashed after", time.time() - t, state["message"])
    tasks = lab.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    print([(t["name"], t["state"]["type"]) for t in tasks])


def test_caller(lab: Lab, diary: Path) -> None:
    run = lab.run("caller/lab", diary=str(diary), key=str(uuid4()))
    print(lab.wait_for_state(run, "COMPLETED", "FAILED"))
    q = wait_for_line(diary, "quick")
    for l in read(diary): print(l)
    print("lag", q["at"] - read(diary, "asking")[0]["at"])


def test_where(lab: Lab, diary: Path) -> None:
    run = lab.run("whereabouts/lab", diary=str(diary))
    run2 = lab.run("whereabouts/twin", diary=str(diary))
    print(lab.wait_for_state(run, "COMPLETED", "FAILED")["message"])
    print(lab.wait_for_state(run2, "COMPLETED", "FAILED", "CRASHED")["message"])
    for l in read(diary): print(l)
    print(lab.deployment("whereabouts/lab")["entrypoint"], lab.deployment("whereabouts/twin")["entrypoint"], lab.deployment("whereabouts/lab")["path"])


def test_ticks(lab: Lab) -> None:
    d = lab.deployment("quick/ticking")
    assert d["paused"]
    t = time.time()
    lab.post(f"/deployments/{d['id']}/resume_deployment") if False else print(lab.call("PATCH", f"/deployments/{d['id']}", {"paused": False}))
    wait_until(lambda: len(read(lab.ticks)) >= 3, 40, "three")
    print(lab.call("PATCH", f"/deployments/{d['id']}", {"paused": True}))
    for l in read(lab.ticks): print(l["at"] - t, l)
