"""A real Prefect server for the tests, closed as that of `up` is: its own process, its own home, a
free loopback port."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deployments.door import Address
from deployments.server import for_runs
from deployments.server import sealed_environment as closed_environment
from watchkeeper.settings import Settings

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 15.0
TESTS = Path(__file__).parent
TEMPLATE_CACHE = TESTS.parent / ".pytest_cache"

# Read by the server and by every client: nothing leaves the machine, nothing is said unasked.
QUIET = {
    "DO_NOT_TRACK": "1",
    "NO_COLOR": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
}
# Read by the server alone: short loops where a test waits, none where no test looks.
SERVER = {
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
}


@dataclass(frozen=True)
class Server:
    """A running server; ``environment`` points a child process at it and at nothing else."""

    url: str
    pid: int
    home: Path
    environment: Mapping[str, str]
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def api(self) -> str:
        return f"{self.url}/api"

    @property
    def password(self) -> str | None:
        """`name:password`; None where nobody is asked for one."""
        return self.environment.get("PREFECT_API_AUTH_STRING")

    @property
    def auth(self) -> tuple[str, str] | None:
        name, _, word = (self.password or "").partition(":")
        return (name, word) if name else None

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """As the UI does, with the password and a token."""
        client = httpx.Client(base_url=self.api, auth=self.auth, timeout=30, trust_env=False)
        with client:
            headers = {}
            if method != "GET":
                me = uuid4().hex
                token = client.get("/csrf-token", params={"client": me})
                if token.is_success:
                    said = token.json()["token"]
                    headers = {"Prefect-Csrf-Token": said, "Prefect-Csrf-Client": me}
            for _ in range(20):
                reply = client.request(method, path, json=body, headers=headers)
                # Prefect's word for "the database was locked, nothing is done".
                if reply.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                time.sleep(0.2)
            return reply

    def stop(self) -> None:
        stop_process(self._process)


def start_server(
    home: Path,
    *,
    template: Path | None = None,
    settings: Mapping[str, str] | None = None,
    closed: bool = True,
) -> Server:
    """Start a server in ``home`` and return when it is healthy; ``template`` spares the migrations.

    Closed as that of `up`, or as Prefect starts it when left alone.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = sealed_environment(home, f"{url}/api")
    command = ["prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    if closed:
        address = Address("127.0.0.1", port)
        environment |= closed_environment(Settings(home=home.parent), address) | _paths(home)
        command = ["deployments.prefect_server", "127.0.0.1", str(port)]
    environment |= dict(settings or {})
    database = home / "prefect.db"
    copied = template is not None and template.exists() and not database.exists()
    if template is not None and copied:
        shutil.copyfile(template, database)
    # A template holds the block types already: reading them all again costs a second.
    blocks = {"PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"} if copied else {}
    process = start_process(
        [sys.executable, "-m", *command],
        environment | SERVER | blocks | dict(settings or {}),
        home / "server.log",
        cwd=home,
    )
    try:
        wait_until(lambda: _healthy(process, url, home), START_TIMEOUT_S, "the server is healthy")
    except BaseException:
        stop_process(process)
        raise
    return Server(url, process.pid, home, for_runs(environment), process)


def template_path() -> Path:
    """Where a migrated, otherwise empty database is kept between sessions, one for each version."""
    return TEMPLATE_CACHE / f"prefect-{version('prefect')}.db"


def save_template(server: Server, template: Path) -> None:
    """Keep this freshly started server's database as the template; never call it after a run."""
    template.parent.mkdir(parents=True, exist_ok=True)
    draft = template.with_suffix(f".{os.getpid()}")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(server.home / "prefect.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(draft),))
    draft.replace(template)


@contextmanager
def running_server(
    home: Path, settings: Mapping[str, str] | None = None, *, closed: bool = True
) -> Iterator[Server]:
    """A server for the time of the block; the first one ever started leaves the template behind."""
    template = template_path()
    server = start_server(home, template=template, settings=settings, closed=closed)
    try:
        if not template.exists():
            save_template(server, template)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The one server of the session, which conftest.py takes in by name."""
    with running_server(tmp_path_factory.mktemp("server") / "prefect") as server:
        yield server


@contextmanager
def pointed_at(server: Server) -> Iterator[None]:
    """Let this process's own Prefect client talk to ``server``, whatever the user's profile says."""
    from prefect.context import use_profile
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_KEY,
        PREFECT_API_URL,
        PREFECT_HOME,
        PREFECT_LOGGING_LEVEL,
        Profile,
    )

    profile = Profile(
        name="harness",
        settings={
            PREFECT_API_URL: server.api,
            PREFECT_API_AUTH_STRING: server.password,
            PREFECT_API_KEY: None,
            PREFECT_HOME: str(server.home),
            PREFECT_LOGGING_LEVEL: "WARNING",
        },
    )
    with use_profile(profile, override_environment_variables=True, include_current_context=False):
        yield
        APILogWorker.drain_all()
        EventsWorker.drain_all()
    with warnings.catch_warnings():
        # Prefect's client forgets a socket of each run: collected here, not in a stranger's test.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def seal_this_process(home: Path) -> None:
    """Forget the user's Prefect settings; to be called before anything imports Prefect."""
    for name in [name for name in os.environ if name.startswith("PREFECT")]:
        del os.environ[name]
    os.environ.update(QUIET | _paths(home))


def sealed_environment(home: Path, api: str) -> dict[str, str]:
    """This process's environment without any Prefect setting of the user's, pointed at ``api``."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    imports = {"PYTHONPATH": str(TESTS), "PYTHONUNBUFFERED": "1"}
    return inherited | QUIET | _paths(home) | imports | {"PREFECT_API_URL": api}


def start_process(
    command: list[str], environment: Mapping[str, str], log: Path, *, cwd: Path
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, so that a Ctrl-C at the terminal is ours to pass on."""
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop_process(process: subprocess.Popen[bytes]) -> None:
    """End a child by its pid: asked first, killed when it will not go."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_TIMEOUT_S)


def wait_until(
    predicate: Callable[[], bool], timeout_s: float, description: str, poll_s: float = 0.1
) -> float:
    """Poll until ``predicate`` holds and return the seconds it took; fail, saying what never came."""
    started = time.monotonic()
    while not predicate():
        if time.monotonic() - started > timeout_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain until {description}")
        time.sleep(poll_s)
    return time.monotonic() - started


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _paths(home: Path) -> dict[str, str]:
    return {"PREFECT_HOME": str(home), "PREFECT_PROFILES_PATH": str(home / "profiles.toml")}


def _healthy(process: subprocess.Popen[bytes], url: str, home: Path) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"the server died:\n{(home / 'server.log').read_text()[-2000:]}")
    try:
        return httpx.get(f"{url}/api/health", timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
