"""Signs of life to the outside: who waits for them raises the alarm when everything here is dead."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Clock
from making import T0

from deployments.systemd import taken_from
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError
from watchkeeper.heartbeat import Part, Result
from watchkeeper.performing.dead_mans_switch import (
    DeadMansSwitch,
    alerts_body,
    alerts_url,
    check_reference,
)
from watchkeeper.performing.watch import Watch
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings
from watchkeeper.store import heartbeats
from watchkeeper.trouble import Condition, TroubleKind

SECRET_PATH = "ping/5c0ffee5-beef-4bad-8000-secret"


@dataclass(frozen=True)
class Waiting:
    """The stand-in that waits for signs of life."""

    url: str

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/_sim/state", trust_env=False).json()
        return found

    def answers(self, status: int) -> None:
        httpx.put(f"{self.url}/_sim/answer", json={"status": status}, trust_env=False)


@contextmanager
def waiting(folder: Path, timeout_s: float = 60) -> Iterator[Waiting]:
    with Processes(folder) as processes:
        started = processes.start(["dead_man", "--timeout-s", str(timeout_s)])
        yield Waiting(started["url"])


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Waiting]:
    with waiting(tmp_path / "outside") as found:
        yield found


def watched(watch: Watch, address: str, form: str = "healthchecks") -> Watch:
    """The same watch with a switch whose address is kept in a file."""
    keys = open_rotatable("file:address.json", watch.secrets_base)
    keys.promote(keys.offer(Secret(address)))
    more = {"heartbeat": "file:address.json", "heartbeat_form": form}
    return Watch(Settings(**{**watch.settings.model_dump(), **more}), watch.store, watch.now)


def pinged(watch: Watch, *, fresh: bool = True, unwell: tuple[Condition, ...] = ()) -> None:
    async def once() -> None:
        switch = DeadMansSwitch(watch)
        switch.ping(fresh=fresh, unwell=unwell)
        await switch.sent()

    asyncio.run(once())


def recorded(watch: Watch) -> tuple[Result, str]:
    with watch.store.read() as session:
        found = heartbeats.last(session, Part.DEAD_MAN)
    assert found is not None
    return found.result, found.detail


UNWELL = (Condition(kind=TroubleKind.PREFECT_AWAY, text="port 4200 is in use", since=T0),)


def test_a_sign_of_life_and_a_word_when_unwell(watch: Watch, outside: Waiting) -> None:
    """healthchecks.io's form: POST to the address, and to /fail below it with the reason."""
    on = watched(watch, f"{outside.url}/{SECRET_PATH}")
    pinged(on)
    assert recorded(on) == (Result.WELL, "HTTP 200")
    pinged(on, unwell=UNWELL)
    state = outside.state()
    assert (state["signs"], state["fails"]) == (1, 1)
    assert state["bodies"] == ["well", "the watch runs without Prefect (port 4200 is in use)"]
    assert state["alarm"] == "it says that it is unwell"


def test_an_alert_that_always_fires(watch: Watch, outside: Waiting) -> None:
    """Alertmanager's form: it ends in the near future, so that it resolves when nothing comes."""
    on = watched(watch, outside.url, "alertmanager")
    pinged(on, unwell=UNWELL)
    assert recorded(on) == (Result.WELL, "HTTP 200")
    assert outside.state()["alerts"] == {
        "WatchkeeperWatchdog": "the watch is alive",
        "WatchkeeperUnwell": "the watch runs without Prefect (port 4200 is in use)",
    }


def test_the_shape_of_the_alert(settings: Settings, clock: Clock) -> None:
    """One alert while well; its end is some sweeps ahead."""
    assert alerts_url("http://am:9093/") == alerts_url("http://am:9093/api/v2/alerts")
    (alert,) = json.loads(alerts_body(settings, clock.now(), ()))
    assert alert["labels"]["alertname"] == "WatchkeeperWatchdog"
    assert datetime.fromisoformat(alert["endsAt"]) == clock.now() + timedelta(minutes=2)


def test_nothing_is_sent_without_fresh_checks(watch: Watch, outside: Waiting) -> None:
    """A supervisor whose checks stand still must not look alive to the outside."""
    on = watched(watch, f"{outside.url}/{SECRET_PATH}")
    pinged(on, fresh=False)
    assert outside.state()["signs"] == 0
    assert recorded(on) == (Result.FAILED, "not sent: the checks are not fresh")


def test_a_failure_is_recorded_without_the_address(
    watch: Watch, outside: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    """The address is a secret: it stands in no record, no log and no error."""
    on = watched(watch, f"{outside.url}/{SECRET_PATH}")
    outside.answers(503)
    pinged(on)
    assert recorded(on) == (Result.FAILED, "HTTP 503")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    on = watched(watch, f"http://127.0.0.1:{port}/{SECRET_PATH}")
    pinged(on)
    assert recorded(on) == (Result.FAILED, "no answer (ConnectError)")
    on = watched(watch, f"ftp://example.org/{SECRET_PATH}")
    pinged(on)
    assert recorded(on)[0] is Result.FAILED
    assert "secret" not in caplog.text


def test_a_reference_that_is_none_is_refused_at_the_start(watch: Watch) -> None:
    """A URL in the setting itself would be printed by the next `env`."""
    bad = Settings(**{**watch.settings.model_dump(), "heartbeat": "https://hc-ping.com/x"})
    with pytest.raises(UserError, match="WATCHKEEPER_HEARTBEAT"):
        check_reference(Watch(bad, watch.store, watch.now))


# --- systemd ------------------------------------------------------------------------------------


def told(sock: socket.socket) -> str:
    return sock.recv(4096).decode()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(tmp_path: Path, abstract: bool) -> None:
    """Ready, alive, stopping, over its socket; and none of our children inherits it."""
    name = f"@watchkeeper-{os.getpid()}-{tmp_path.name}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{name[1:]}" if abstract else name)
        sock.settimeout(5)
        environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000", "PATH": "/bin"}
        systemd = taken_from(environment)
        assert environment == {"PATH": "/bin"}
        systemd.ready()
        systemd.alive("watching")
        systemd.stopping()
        assert [told(sock) for _ in range(3)] == [
            "READY=1",
            "WATCHDOG=1\nSTATUS=watching",
            "STOPPING=1",
        ]


def test_without_systemd_nothing_is_said(tmp_path: Path) -> None:
    """Nor where its socket is gone, nor a watchdog of another process."""
    taken_from({}).ready()
    taken_from({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    other = taken_from({"NOTIFY_SOCKET": "x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"})
    assert not other.watchdog
