"""What our design takes for granted about the pinned Prefect, tried on the real thing.

A red test here means that Prefect changed under us: read docs/decisions/0002-prefect-3.9.md first.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

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
from prefect import Flow, flow, task
from prefect.artifacts import (
    Artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.flows import load_flow_from_entrypoint
from prefect.runner import Runner
from prefect.schedules import Interval, Schedule
from prefect.types.entrypoint import EntrypointType

# Prefect's client forgets a socket of each flow run of this process: not ours to close.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

RUN_TIMEOUT_S = 40.0
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
Line = dict[str, Any]


@dataclass(frozen=True)
class Started:
    """A flow run and the file in which it tells what it did."""

    run: str
    diary: Path


EARLY = ("expiring", "nested", "caller", "whereabouts")


@dataclass
class Lab:
    """One server and one serving process, with the questions that the tests ask of them."""

    server: Server
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    early: dict[str, Started] = field(default_factory=dict)

    @property
    def ticks(self) -> Path:
        return self.folder / "ticks"

    def start_early(self) -> None:
        """Start at once what needs no watching, so that nobody waits for one process at a time."""
        for name in EARLY:
            self.early[name] = self.start(f"{name}/lab")

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
        return self.server.ask(method, path, body)

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

    def start(self, name: str) -> Started:
        diary = self.folder / f"{time.monotonic_ns()}.diary"
        body = {"parameters": {"diary": str(diary)}, "state": {"type": "SCHEDULED"}}
        created = self.post(f"/deployments/{self.deployment(name)['id']}/create_flow_run", body)
        return Started(str(created["id"]), diary)

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
def lab(prefect_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    laboratory = Lab(prefect_server, tmp_path_factory.mktemp("lab"))
    try:
        laboratory.start_runner()
        laboratory.start_early()
        yield laboratory
    finally:
        laboratory.stop_runner()


@pytest.fixture
def here(prefect_server: Server) -> Iterator[Server]:
    """Flows of the test itself run in this process, against the session's server."""
    with pointed_at(prefect_server):
        yield prefect_server


def finish(run: Flow[[], Any]) -> State[Any]:
    """Run an async flow in this process and give back its final state."""

    async def finished() -> State[Any]:
        state: State[Any] = await run(return_state=True)
        return state

    return asyncio.run(finished())


def read(diary: Path, what: str | None = None) -> list[Line]:
    lines = diary.read_text().splitlines() if diary.exists() else []
    entries: list[Line] = [json.loads(line) for line in lines]
    return [entry for entry in entries if what in (None, entry["what"])]


def wait_for_line(diary: Path, what: str) -> Line:
    wait_until(lambda: bool(read(diary, what)), RUN_TIMEOUT_S, f"the diary tells {what!r}")
    return read(diary, what)[-1]


def wait_for_exit(pid: int) -> None:
    wait_until(lambda: not alive(pid), 15, "the suspended run's process is gone")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# -- suspending and resuming --------------------------------------------------------------------


def test_a_suspended_run_goes_on_from_the_top_in_a_new_process(lab: Lab) -> None:
    """A run asks and leaves its process, refuses silence, and goes on in another, twice in a row."""
    asking = lab.start("approval/lab")
    assert lab.wait_for_state(asking.run, "PAUSED")["name"] == "Suspended"
    first_process = int(read(asking.diary, "top")[0]["pid"])
    wait_for_exit(first_process)

    for silence in (lab.resume(asking.run), lab.resume(asking.run, reason="no decision")):
        assert (silence.status_code, silence.json()["status"]) == (200, "REJECT")
    assert lab.state(asking.run)["name"] == "Suspended"

    accepted = lab.resume(asking.run, decision="approve")
    assert (accepted.status_code, accepted.json()["status"]) == (201, "ACCEPT")
    answer = wait_for_line(asking.diary, "first answer")
    assert answer["decision"] == "approve"
    assert answer["pid"] != first_process

    wait_for_line(asking.diary, "second phase")
    lab.wait_for_state(asking.run, "PAUSED")
    assert lab.resume(asking.run, decision="deny").json()["status"] == "ACCEPT"
    assert lab.wait_for_state(asking.run, *ENDED)["type"] == "COMPLETED"
    assert read(asking.diary, "second answer")[-1]["decision"] == "deny"
    # From the top each time: an answer is given again from memory, a phase is done again.
    assert len({line["pid"] for line in read(asking.diary, "top")}) == 3
    assert len(read(asking.diary, "first phase")) == 3


def test_an_unanswered_question_fails_the_run(lab: Lab) -> None:
    """Past its time-out a suspended run is Failed, no flow code runs, and no answer is taken."""
    asking = lab.early["expiring"]
    state = lab.wait_for_state(asking.run, *ENDED)
    assert (state["type"], state["message"]) == ("FAILED", "The flow was paused and never resumed.")
    late = lab.resume(asking.run, decision="approve")
    assert (late.status_code, late.json()["status"]) == (200, "ABORT")
    assert [line["what"] for line in read(asking.diary)] == ["top"]


def test_a_subflow_cannot_be_suspended(lab: Lab) -> None:
    """A question asked in a subflow raises there, at once, and the run fails."""
    nested = lab.early["nested"]
    assert lab.wait_for_state(nested.run, *ENDED)["type"] == "FAILED"
    assert "Cannot suspend subflows" in read(nested.diary, "refused")[0]["error"]


# -- what dies, and how -------------------------------------------------------------------------


def test_a_killed_run_is_crashed_at_once_and_its_task_runs_for_ever(lab: Lab) -> None:
    """The runner sees kill -9 of its child; the task run never ends, if it was told of at all."""
    sleeper = lab.start("sleeper/lab")
    os.kill(int(wait_for_line(sleeper.diary, "task")["pid"]), signal.SIGKILL)
    assert "status code: -9" in lab.wait_for_state(sleeper.run, *ENDED)["message"]
    assert lab.state(sleeper.run)["type"] == "CRASHED"
    assert set(task_states(lab, sleeper.run)).isdisjoint(ENDED)


@dataclass(frozen=True)
class Restart:
    """A runner was stopped, a question answered, and another runner started."""

    asking: Started
    child: int
    states: dict[str, str]
    paused: bool


@pytest.fixture(scope="module")
def restart(lab: Lab) -> Restart:
    asking, sleeper = lab.start("approval/lab"), lab.start("sleeper/lab")
    child = int(wait_for_line(sleeper.diary, "task")["pid"])
    lab.wait_for_state(asking.run, "PAUSED")
    # A runner that is stopped while the suspended run still leaves its process cancels that too.
    wait_for_exit(int(read(asking.diary, "top")[0]["pid"]))
    lab.stop_runner()
    try:
        assert lab.resume(asking.run, decision="approve").json()["status"] == "ACCEPT"
        states = {
            "running": lab.state(sleeper.run)["type"],
            "suspended": lab.state(asking.run)["name"],
        }
        return Restart(asking, child, states, lab.deployment("quick/lab")["paused"])
    finally:
        lab.start_runner()


def test_a_runner_that_is_stopped_cancels_what_it_runs(restart: Restart) -> None:
    """Stopping the runner ends its children and marks their runs Cancelled: somebody must go on."""
    assert not alive(restart.child)
    assert restart.states["running"] == "CANCELLED"
    assert restart.paused is False


def test_an_answer_given_while_no_runner_is_up_is_kept(lab: Lab, restart: Restart) -> None:
    """A suspended run needs no runner; its answer is taken, and acted on when a runner is back."""
    assert restart.states["suspended"] == "Resuming"
    assert wait_for_line(restart.asking.diary, "first answer")["decision"] == "approve"
    lab.wait_for_state(restart.asking.run, "PAUSED")


def task_states(lab: Lab, run: str) -> list[str]:
    tasks = lab.post("/task_runs/filter", {"flow_runs": {"id": {"any_": [run]}}})
    return [found["state"]["type"] for found in tasks]


def test_a_failed_run_leaves_its_exception_on_disk(here: Server) -> None:
    """An exception is pickled into the home, unasked: it must hold no secret, the home be 0700."""

    @flow
    async def fails() -> None:
        raise ValueError("canary-in-an-exception")

    assert finish(fails).is_failed()
    results = [base64.b64decode(path.read_bytes()) for path in (here.home / "storage").iterdir()]
    assert any(b"canary-in-an-exception" in result for result in results)
    assert here.home.stat().st_mode & 0o077 == 0


# -- deploying ----------------------------------------------------------------------------------


def pause(lab: Lab, name: str) -> None:
    deployment = lab.deployment(name)
    assert lab.call("PATCH", f"/deployments/{deployment['id']}", {"paused": True}).is_success
    for schedule in deployment["schedules"]:
        path = f"/deployments/{deployment['id']}/schedules/{schedule['id']}"
        assert lab.call("PATCH", path, {"active": False}).is_success
    assert flags(lab, name) == (True, [False])


def flags(lab: Lab, name: str) -> tuple[bool, list[bool]]:
    deployment = lab.deployment(name)
    return deployment["paused"], [schedule["active"] for schedule in deployment["schedules"]]


async def deploy(name: str, *, schedule: Schedule, paused: bool | None = None) -> None:
    deployment = await prefect_lab.quick.ato_deployment(
        name,
        schedule=schedule,
        paused=paused,
        parameters={"diary": "unused"},
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    await deployment.aapply()


@pytest.mark.parametrize("slug", [None, "hourly"])
def test_serving_again_undoes_a_pause(lab: Lab, here: Server, slug: str | None) -> None:
    """What serve() does at its start unpauses a deployment and switches its schedule on again."""
    name, hourly = f"served-{slug}", Interval(3600, slug=slug)
    asyncio.run(deploy(name, schedule=hourly))
    pause(lab, f"quick/{name}")
    asyncio.run(deploy(name, schedule=hourly))
    assert flags(lab, f"quick/{name}") == (False, [True])


def test_a_pause_that_is_deployed_stays(lab: Lab, here: Server) -> None:
    """Only paused=True in what is deployed keeps a deployment paused over a deploy."""
    asyncio.run(deploy("kept", schedule=Interval(3600, slug="hourly"), paused=True))
    asyncio.run(deploy("kept", schedule=Interval(3600, slug="hourly"), paused=True))
    assert flags(lab, "quick/kept")[0] is True


def test_a_schedule_keeps_the_slug_it_began_with(lab: Lab, here: Server) -> None:
    """A schedule deployed with a slug cannot be deployed again without: every schedule has one."""
    asyncio.run(deploy("slugged", schedule=Interval(3600, slug="hourly")))
    with pytest.raises(Exception, match="provide a slug"):
        asyncio.run(deploy("slugged", schedule=Interval(3600)))


PREFECT_YAML = """
deployments:
- name: by-command
  entrypoint: prefect_lab.quick
  parameters: {diary: unused}
  schedules: [{interval: 3600, slug: hourly}]
  work_pool: {name: by-command}
"""


def test_the_deploy_command_unpauses_a_deployment_but_not_its_schedule(
    lab: Lab, here: Server, tmp_path: Path
) -> None:
    """`prefect deploy` unpauses the deployment; a schedule with a slug stays as it was switched."""
    (tmp_path / "prefect.yaml").write_text(PREFECT_YAML)
    lab.post("/work_pools/", {"name": "by-command", "type": "process"})
    asyncio.run(deploy("by-command", schedule=Interval(3600, slug="hourly")))
    pause(lab, "quick/by-command")
    deploy_command(lab, tmp_path)
    assert flags(lab, "quick/by-command") == (False, [False])


def deploy_command(lab: Lab, folder: Path) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    log = folder / "deploy.log"
    process = start_process(command, lab.server.environment, log, cwd=folder)
    assert process.wait(60) == 0, log.read_text()


@pytest.mark.parametrize("pauses", [False, True])
def test_a_runner_pauses_its_schedules_at_the_end_unless_told_not_to(
    lab: Lab, here: Server, pauses: bool
) -> None:
    """With pause_on_shutdown=False the schedules go on counting while the runner is away."""

    async def serve_for_a_moment() -> None:
        runner = Runner(name="short", pause_on_shutdown=pauses)
        hourly = Interval(3600, slug="hourly")
        deployment = await prefect_lab.quick.ato_deployment("short", schedule=hourly)
        await runner.aadd_deployment(deployment)
        async with runner:
            assert flags(lab, "quick/short") == (False, [True])

    asyncio.run(serve_for_a_moment())
    assert lab.deployment("quick/short")["paused"] is pauses


# -- where a run's code comes from --------------------------------------------------------------


def test_a_module_entrypoint_is_the_module_and_a_file_entrypoint_its_twin() -> None:
    """A module entrypoint gives the flow that the rest of the process imports; a file does not."""
    file = Path(prefect_lab.__file__)
    assert load_flow_from_entrypoint("prefect_lab.quick") is prefect_lab.quick
    assert load_flow_from_entrypoint(f"{file}:quick") is not prefect_lab.quick


def test_a_broken_flow_file_is_loaded_as_a_placeholder_and_a_broken_module_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flow file that cannot be imported seems to load, so a check of entrypoints uses modules."""
    code = "from prefect import flow\nimport not_installed\n@flow\ndef nothing(): pass\n"
    for name in ("broken_file", "broken_module"):
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    assert load_flow_from_entrypoint(f"{tmp_path}/broken_file.py:nothing").name == "nothing"
    with pytest.raises(ModuleNotFoundError):
        load_flow_from_entrypoint("broken_module.nothing")


def test_a_run_inherits_the_runners_environment_and_place(lab: Lab) -> None:
    """A served run is a child with the runner's variables and folder, which is first on its path."""
    where = lab.early["whereabouts"]
    assert lab.wait_for_state(where.run, *ENDED)["type"] == "COMPLETED"
    told = read(where.diary, "whereabouts")[0]
    assert told["module"] == "prefect_lab"
    assert told["colour"] == "green"
    assert told["cwd"] == told["path"][0] == str(lab.folder)


# -- starting runs ------------------------------------------------------------------------------


def test_an_idempotency_key_makes_one_run_of_two_calls(lab: Lab) -> None:
    """A flow that starts another twice with one key starts one run, which is nobody's subflow."""
    caller = lab.early["caller"]
    assert lab.wait_for_state(caller.run, *ENDED)["type"] == "COMPLETED"
    asked = read(caller.diary, "asked")
    assert [line["parent"] for line in asked] == ["None", "None"]
    assert len({line["child"] for line in asked}) == 1
    assert wait_for_line(caller.diary, "quick")["run"] == asked[0]["child"]
    assert lab.wait_for_state(asked[0]["child"], *ENDED)["type"] == "COMPLETED"
    assert len(read(caller.diary, "quick")) == 1


def test_a_schedule_fires_on_time_as_soon_as_it_is_unpaused(lab: Lab) -> None:
    """Unpausing brings scheduled runs back within seconds, each started close to its time."""
    path = f"/deployments/{lab.deployment('quick/ticking')['id']}"
    assert lab.call("PATCH", path, {"paused": False}).is_success
    wait_until(lambda: len(read(lab.ticks)) >= 2, RUN_TIMEOUT_S, "two scheduled runs came")
    assert lab.call("PATCH", path, {"paused": True}).is_success
    # The server tells an early process to wait a whole number of seconds, rounded.
    assert all(line["at"] >= line["scheduled"] - 0.6 for line in read(lab.ticks))


# -- inside a run -------------------------------------------------------------------------------


def test_an_async_run_does_not_wait_for_its_heartbeat(here: Server) -> None:
    """A sync run waits for its heartbeat thread, which sleeps a second at a time; an async one not."""

    @flow
    def sync() -> None:
        pass

    @flow
    async def not_sync() -> None:
        pass

    sync()  # the workers that send logs and events are up from here on
    before = set(threading.enumerate())
    started = time.monotonic()
    sync()
    assert time.monotonic() - started >= 0.9
    assert set(threading.enumerate()) <= before
    asyncio.run(not_sync())
    assert set(threading.enumerate()) - before, "the heartbeat thread is left to end by itself"


@pytest.mark.parametrize(("retriable", "calls"), [(False, 1), (True, 3)])
def test_a_retry_condition_decides_how_often_a_task_is_tried(
    here: Server, retriable: bool, calls: int
) -> None:
    """What the condition calls permanent is tried once, the rest up to the limit."""
    tried: list[int] = []

    async def condition(_task: Any, _run: Any, state: State[Any]) -> bool:
        return retriable and isinstance(await state.aresult(raise_on_failure=False), ValueError)

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=condition)
    async def fails() -> None:
        tried.append(1)
        raise ValueError("again")

    @flow
    async def asks() -> None:
        await fails()

    assert finish(asks).is_failed()
    assert len(tried) == calls


def test_a_retry_condition_may_be_any_callable(here: Server) -> None:
    """A partial as the condition is asked like a plain function."""
    tried: list[int] = []

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=partial(lambda *_: True))
    async def fails() -> None:
        tried.append(1)
        raise ValueError("again")

    @flow
    async def asks() -> None:
        await fails()

    assert finish(asks).is_failed()
    assert len(tried) == 3


def test_a_run_may_end_in_a_state_of_its_own_name(lab: Lab, here: Server) -> None:
    """A run that found nothing to do says so in the name of its Completed state."""
    state = finish(prefect_lab.nothing_to_do)
    shown = lab.state(str(state.state_details.flow_run_id))
    assert (shown["type"], shown["name"]) == ("COMPLETED", "Paused")
    assert shown["message"] == "the job is paused by incident 7"


def test_artifacts_are_made_and_updated_in_an_async_flow(lab: Lab, here: Server) -> None:
    """Markdown, table and progress artifacts are kept under their keys; progress is updated."""

    @flow
    async def shows() -> None:
        await acreate_markdown_artifact("# Fine", key="incident-7", description="open")
        await acreate_table_artifact([{"endpoint": "/a", "ok": True}], key="endpoint-health-a")
        progress = await acreate_progress_artifact(10.0, key="backfill-7")
        await aupdate_progress_artifact(progress, 90.0)

    assert finish(shows).is_completed()
    found = {a["key"]: a for a in lab.post("/artifacts/filter")}
    assert found["incident-7"]["data"] == "# Fine"
    assert json.loads(found["endpoint-health-a"]["data"])[0]["ok"] is True
    assert found["backfill-7"]["data"] == 90.0


@pytest.mark.parametrize("key", ["Upper", "under_score", "maintainx@prod", "a.b", "a/b"])
def test_an_artifact_key_is_small_letters_digits_and_dashes(key: str) -> None:
    """The name of an integration is not an artifact key: it needs a spelling of its own."""
    with pytest.raises(ValueError, match="lowercase letters, numbers, and dashes"):
        Artifact(type="markdown", key=key, data="")


def test_an_artifact_outside_a_run_is_made_by_the_client(lab: Lab, here: Server) -> None:
    """Outside a run the helpers warn that they will stop working; the client does it quietly."""

    async def by_helper() -> None:
        await acreate_markdown_artifact("x", key="outside")

    async def by_client() -> None:
        async with get_client() as client:
            made = ArtifactCreate(type="markdown", key="by-client", data="x")
            await client.create_artifact(made)

    with pytest.warns(FutureWarning, match="outside of a flow"):
        asyncio.run(by_helper())
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        asyncio.run(by_client())
    assert {"outside", "by-client"} <= {a["key"] for a in lab.post("/artifacts/filter")}


# -- the server's door --------------------------------------------------------------------------


def test_the_ui_is_told_the_address_that_the_server_was_given(prefect_server: Server) -> None:
    """With PREFECT_API_URL in the server's own environment the UI finds the API on any port."""
    settings = httpx.get(f"{prefect_server.url}/ui-settings", trust_env=False).json()
    assert settings["api_url"] == prefect_server.api


def test_without_an_address_the_ui_is_told_port_4200(tmp_path: Path) -> None:
    """The --port option is not the setting: left alone, the UI looks for the API on port 4200."""
    ask = "from prefect.settings import PREFECT_UI_API_URL as url; print(url.value())"
    told = subprocess.run(
        [sys.executable, "-c", ask],
        env={"PREFECT_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "http://127.0.0.1:4200/api"


USER = ("watch", "test_keeper")
PASSWORD = ":".join(USER)
LOCKED = {
    "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
    "PREFECT_API_AUTH_STRING": PASSWORD,
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://ui.test",
    "PREFECT_SERVER_UI_API_URL": "http://ui.test/api",
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("locked"), LOCKED, closed=False) as server:
        yield server


def test_a_locked_server_asks_for_the_password_and_for_a_token(locked: Server) -> None:
    """Without the password the API says 401, a write without a CSRF token 403; health is open."""
    with httpx.Client(base_url=locked.api, trust_env=False) as anybody:
        assert anybody.get("/health").status_code == 200
        assert anybody.get("/admin/version").status_code == 401
        assert anybody.get("/admin/version", auth=USER).status_code == 200
        write = anybody.post("/flows/", json={"name": "x"}, auth=USER)
        assert (write.status_code, write.json()["detail"]) == (403, "Missing CSRF token.")


def test_a_locked_server_answers_no_foreign_page(locked: Server) -> None:
    """A browser asks before a page of another origin may call the API: only ours is let in."""

    def allowed(origin: str) -> str | None:
        ask = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        answer = httpx.options(f"{locked.api}/flows/", headers=ask, trust_env=False)
        origins = answer.headers.get_list("access-control-allow-origin")
        return origins[0] if origins else None

    assert allowed("http://ui.test") == "http://ui.test"
    assert allowed("http://evil.test") is None


def test_a_locked_server_tells_its_ui_what_to_send(locked: Server) -> None:
    """The UI learns from /ui-settings to ask for the password, to send tokens, and where to."""
    settings = httpx.get(f"{locked.url}/ui-settings", trust_env=False).json()
    assert (settings["auth"], settings["csrf_enabled"]) == ("BASIC", True)
    assert settings["api_url"] == "http://ui.test/api"


def test_prefects_own_client_passes_the_lock(locked: Server) -> None:
    """With the password in its settings the Python client runs flows on a locked server."""
    with pointed_at(locked):
        assert finish(prefect_lab.nothing_to_do).is_completed()
