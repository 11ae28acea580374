"""The Prefect server as a child of ours: in our own home, closed, silent to the outside."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from deployments.door import Address
from deployments.password import kept_password
from deployments.team_database import SETTING, team_database
from watchkeeper.errors import UserError
from watchkeeper.settings import Settings

# A machine at a load of twenty takes a minute.
START_TIMEOUT_S = 300.0
STOP_TIMEOUT_S = 10.0
# What the server alone may know: runs, and the commands that they start, have no use for it.
_SERVERS_OWN = ("PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_DATABASE_CONNECTION_URL")


def free_address(settings: Settings) -> Address:
    """The configured address, or a free port where port is 0. Raises UserError on a taken one."""
    public = _origin(settings.public_url)
    if public is None and Address(settings.host, settings.port).everywhere:
        raise UserError(
            f"WATCHKEEPER_HOST={settings.host} listens on every address: set WATCHKEEPER_PUBLIC_URL "
            "to the one that browsers use, such as https://watch.example.com"
        )
    try:
        return Address(settings.host, _bindable(settings.host, settings.port), public)
    except OSError as error:
        raise UserError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror}): "
            "stop what listens there, or set WATCHKEEPER_PORT or WATCHKEEPER_HOST"
        ) from None


def _bindable(host: str, port: int) -> int:
    """The port, or a free one where it is 0. Raises OSError where nobody can listen there."""
    family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(place)
        return int(probe.getsockname()[1])


def _origin(url: str | None) -> str | None:
    """As browsers write it. Raises UserError on what is no origin."""
    if url is None:
        return None
    try:
        parts = urlsplit(url.strip().rstrip("/").lower())
        plain = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        default = {"http": 80, "https": 443}.get(parts.scheme) == parts.port
    except ValueError:
        plain = default = False
    if not plain or parts.username or parts.path or parts.query or parts.fragment:
        raise UserError(
            "WATCHKEEPER_PUBLIC_URL is no origin: write http:// or https://, a host and, where it is "
            "needed, a port, such as https://watch.example.com"
        )
    return f"{parts.scheme}://{parts.netloc.rpartition(':')[0] if default else parts.netloc}"


def sealed_environment(settings: Settings, address: Address) -> dict[str, str]:
    """This process's environment with every Prefect setting ours, and none of the user's profile.

    The server's; `for_runs` makes that of everybody else. Prefect's client wants the password in
    there. Raises UserError where none can be made, or Prefect's database is no PostgreSQL.
    """
    home = settings.home.resolve() / "prefect"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT") and k != SETTING}
    password = kept_password(settings.home)
    database = team_database(settings)
    theirs = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}
    return (
        kept
        | theirs
        | {
            "DO_NOT_TRACK": "1",
            "PREFECT_HOME": str(home),
            "PREFECT_PROFILES_PATH": str(home / "profiles.toml"),
            "PREFECT_API_URL": address.api,
            "PREFECT_API_AUTH_STRING": password,
            "PREFECT_SERVER_API_AUTH_STRING": password,
            "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address.ui,
            "PREFECT_UI_URL": address.ui,
            "PREFECT_SERVER_UI_API_URL": address.ui_api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
            "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
            "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
            "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "2",
            # A hundred runs ahead for each schedule is work for nobody.
            "PREFECT_SERVER_SERVICES_SCHEDULER_MAX_RUNS": "10",
            "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
            "PREFECT_TELEMETRY_ENABLE_RESOURCE_METRICS": "false",
            "PREFECT_CLI_PROMPT": "false",
            "PREFECT_LOGGING_LEVEL": "WARNING",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
            "PYTHONUNBUFFERED": "1",
        }
    )


def for_runs(environment: Mapping[str, str]) -> dict[str, str]:
    """The supervisor's environment, and with it that of every run."""
    return {name: value for name, value in environment.items() if name not in _SERVERS_OWN}


@dataclass(frozen=True, slots=True)
class Fault:
    """`hard`: it answered that it cannot; else it may be busy."""

    hard: bool
    text: str


class Server:
    """Started, waited for until healthy, and stopped by pid."""

    def __init__(
        self,
        settings: Settings,
        address: Address,
        environment: Mapping[str, str],
        program: Sequence[str] = ("deployments.prefect_server",),
    ):
        """`program`: the module that serves, and its first arguments."""
        self.address = address
        self._program = program
        self.log = settings.home / "prefect-server.log"
        self._environment = environment
        self._home = settings.home
        self._process: subprocess.Popen[bytes] | None = None

    def spawn(self) -> None:
        """Raises OSError where no process or no log can be made."""
        self.stop()
        public = [self.address.public] if self.address.public else []
        start = [*self._program, self.address.host, str(self.address.port), *public]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deployments.tied", *start],
                env=dict(self._environment),
                cwd=self._home,
                # A pipe that only we hold: a server whose supervisor was killed ends by itself.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is ours to pass on, in our order: first the runs, then the server.
                start_new_session=True,
            )

    async def healthy(self) -> None:
        """Raises UserError with the log's name when it dies or never answers."""
        async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
            for _ in range(int(START_TIMEOUT_S / 0.1)):
                if not self.alive:
                    raise UserError(f"the Prefect server ended at its start: see {self.log}")
                if await _answers(client, f"{self.address.api}/health"):
                    return
                await asyncio.sleep(0.1)
        raise UserError(f"the Prefect server did not come up in {START_TIMEOUT_S:g} s: {self.log}")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def environment(self) -> Mapping[str, str]:
        """What every process that talks to this server needs."""
        return for_runs(self._environment)

    @property
    def database(self) -> Path:
        """Its SQLite file; there is none where another database is configured."""
        return self._home / "prefect" / "prefect.db"

    def port_taken(self) -> str | None:
        """Who listens there is not our server, and would be taken for it. None where it is free."""
        try:
            _bindable(self.address.host, self.address.port)
        except OSError as error:
            return f"port {self.address.port} cannot be used ({error.strerror})"
        return None

    async def fault(self, timeout_s: float) -> Fault | None:
        """Why the server is of no use though its process lives; None where it answers well. Asked for
        a run that there is not, since its own health check does not read its database."""
        url = f"{self.address.api}/flow_runs/{uuid.UUID(int=0)}"
        word = self._environment.get("PREFECT_API_AUTH_STRING", "")
        name, _, password = word.partition(":")
        auth = httpx.BasicAuth(name, password) if word else None
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=timeout_s, auth=auth) as client:
                reply = await client.get(url)
        except httpx.HTTPError as error:
            return Fault(False, f"no answer ({type(error).__name__})")
        if reply.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
            return Fault(True, "HTTP 500")
        return Fault(False, f"HTTP {reply.status_code}") if reply.is_server_error else None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def secure(folder: Path) -> None:
    """Ours alone: the server keeps its database in here."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
