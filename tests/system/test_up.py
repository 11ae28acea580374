"""`up` as a process of its own against whatever happens to it: servers killed, disks full, signals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import INTEGRATIONS, NAME, store_key
from harness import wait_until
from making import opened
from pager_lab import Far, running_pager, with_pager
from test_dead_man import SECRET_PATH, recorded, told, waiting
from test_store_guard import command
from up_lab import Up, alive, overwrite, running_up, until

from watchkeeper.heartbeat import Result
from watchkeeper.performing.store_guard import note_file
from watchkeeper.performing.watch import open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import troubles
from watchkeeper.trouble import TroubleKind

AWAY, BROKEN = TroubleKind.PREFECT_AWAY, TroubleKind.DATABASE_BROKEN
NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
DISK = 'mount -t tmpfs -o size=40m tmpfs "$0" && mkdir "$0/home" && exec "$@"'


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with running_pager(tmp_path_factory.mktemp("pager")) as found:
        yield found


def shown(up: Up) -> tuple[str, int]:
    """The API's address and its port, from up.json."""
    api = json.loads((up.home / "up.json").read_text())["api"]
    return api, httpx.URL(api).port or 0


def test_up_outlives_its_server_its_database_and_its_runner(tmp_path: Path, far: Far) -> None:
    """W6: the server is killed, its port taken, its database damaged, then its runner killed. The
    sweep pages all the while, people hear that Prefect is away, and it comes back each time."""
    path, home = with_pager(tmp_path, far), tmp_path / "home"
    watch = open_watch(Settings(home=home, integrations=path))
    with running_up(home, path, {"WATCHKEEPER_PREFECT_AWAY_S": "1"}) as up:
        up.says("ready:")
        database = home / "prefect" / "prefect.db"
        _, port = shown(up)
        os.kill(up.child("deployments.prefect_server"), signal.SIGKILL)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            until(lambda: _bound(taken, port), "the port is ours to take")
            taken.listen()
            overwrite(database)
            up.says(f"port {port} cannot be used")
            up.says("paged: the watch runs without Prefect")
            incident = opened(watch)
            until(
                lambda: any(f"/{NAME}/{incident.id}/" in key for key in far.alerts()),
                "the sweep pages for an incident without Prefect",
            )
            alert = far.of(home, AWAY)
            assert alert is not None and alert["state"] == "triggered"
        up.says("ready:")
        up.says("over: the watch runs without Prefect")
        assert len(list(database.parent.glob("prefect.db.damaged-*"))) >= 1
        alert = far.of(home, AWAY)
        assert alert is not None and alert["state"] == "resolved"
        os.kill(up.child("deployments.serving"), signal.SIGKILL)
        up.says("the runner ended (signal 9)")
        up.says("ready:")
        children = up.children()
        assert len(children) == 2
        assert up.end(signal.SIGHUP) == 0
        assert alive(children) == []
        assert not (home / "up.json").exists()
    watch.store.close()


def _bound(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def no_prefect(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Prefect cannot be imported, by any process."""
    folder = tmp_path_factory.mktemp("broken") / "prefect"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise ImportError('a broken installation')\n")
    return {"PYTHONPATH": str(folder.parent)}


def test_up_watches_without_any_prefect(
    tmp_path: Path, far: Far, no_prefect: dict[str, str]
) -> None:
    """W6: not even an installation that cannot be imported ends the sweep: it pages, and says so."""
    path, home = with_pager(tmp_path, far), tmp_path / "home"
    watch = open_watch(Settings(home=home, integrations=path))
    incident = opened(watch)
    with running_up(home, path, {**no_prefect, "WATCHKEEPER_PREFECT_AWAY_S": "1"}) as up:
        up.says("Prefect is not running: the Prefect server ended at its start")
        up.says("paged: the watch runs without Prefect")
        until(
            lambda: any(f"/{NAME}/{incident.id}/" in key for key in far.alerts()),
            "the sweep pages for the incident",
        )
        with watch.store.read() as session:
            (trouble,) = troubles.open_now(session)
        assert trouble.kind is AWAY
        assert "ended at its start" in trouble.text
        assert "Traceback" in (home / "watchkeeper.log").read_text()
        assert up.end(signal.SIGINT) == 0
    watch.store.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_before_the_runner_is_there(
    tmp_path: Path, far: Far, number: signal.Signals
) -> None:
    """At once after its first line, while the server is still starting: exit 0, nothing is left."""
    path, home = with_pager(tmp_path, far), tmp_path / "home"
    with running_up(home, path) as up:
        up.says("the Prefect server starts")
        children = up.children()
        assert up.end(number) == 0
        assert alive(children) == []
        assert not (home / "up.json").exists()


def test_up_calls_people_before_it_refuses(tmp_path: Path, far: Far) -> None:
    """A damaged database at the start, with nobody at the terminal: paged once over restarts, one
    line, exit 2."""
    path, home = with_pager(tmp_path, far), tmp_path / "home"
    home.mkdir()
    (home / "watchkeeper.db").write_bytes(b"no database " * 500)
    code, said = command(home, path, "up")
    assert code == 2
    assert len(said.splitlines()) == 1, said
    assert "paged: the watch itself is broken" in said
    assert note_file(home).exists()
    assert "people were called about this at" in command(home, path, "up")[1]
    alert = far.of(home, BROKEN)
    assert alert is not None and alert["triggers"] == 1


def mounts() -> bool:
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_up_on_a_full_disk(tmp_path: Path, far: Far) -> None:
    """The home's disk fills up and gets room again: paged, and resolved. Where nothing can be mounted
    `test_a_disk_that_has_room_again_ends_the_alarm` alone stands for it."""
    if not mounts():
        return
    path, disk = with_pager(tmp_path, far), tmp_path / "disk"
    disk.mkdir()
    home = disk / "home"
    within = [*NAMESPACE, "sh", "-c", DISK, str(disk)]
    broken = tmp_path / "broken" / "prefect"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('left out')\n")
    with running_up(home, path, {"PYTHONPATH": str(broken.parent)}, within) as up:
        up.says("Prefect is not running")
        inside = Path(f"/proc/{up.process.pid}/root{disk}")
        with (inside / "fill").open("wb", buffering=0) as fill:
            until(lambda: not _written(fill.fileno()), "the disk is full")
        up.says("paged: the watch itself is broken")
        alert = far.of(home, BROKEN)
        assert alert is not None and alert["state"] == "triggered"
        (inside / "fill").unlink()
        until(lambda: (far.of(home, BROKEN) or {})["state"] == "resolved", "it is over")
        assert up.end(signal.SIGTERM) == 0


def _written(descriptor: int) -> bool:
    try:
        return os.write(descriptor, bytes(65536)) > 0
    except OSError:
        return False


def test_when_everything_is_killed_the_alarm_is_raised(tmp_path: Path) -> None:
    """SIGKILL of supervisor, server and runs. Only somebody outside can tell, and does."""
    store_key(tmp_path)
    path, home = tmp_path / "integrations.yaml", tmp_path / "home"
    path.write_text(INTEGRATIONS, encoding="utf-8")
    with waiting(tmp_path / "outside", timeout_s=30) as far:
        notify = tmp_path / "notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(str(notify))
            sock.settimeout(120)
            more = {
                "WATCHKEEPER_HEARTBEAT": "env:PING_URL",
                "PING_URL": f"{far.url}/{SECRET_PATH}",
                "WATCHKEEPER_HEALTH_INTERVAL_S": "5",
                "NOTIFY_SOCKET": str(notify),
                "WATCHDOG_USEC": "30000000",
            }
            with running_up(home, path, more) as up:
                assert told(sock) == "READY=1"
                assert told(sock).startswith("WATCHDOG=1\nSTATUS=")
                up.says("ready:")
                wait_until(lambda: far.state()["signs"] > 2, 150, "signs of life come")
                children = up.children()
                for pid in (up.process.pid, *children):
                    os.kill(pid, signal.SIGKILL)
                up.process.wait(30)
                wait_until(
                    lambda: far.state()["alarm"] == "no sign of life for 30 s",
                    90,
                    "the alarm is raised",
                )
                wait_until(lambda: not alive(children), 30, "nothing is left")
                said = up.log.read_text() + (home / "watchkeeper.log").read_text()
    assert "secret" not in said
    watch = open_watch(Settings(home=home, integrations=path))
    assert recorded(watch) == (Result.WELL, "HTTP 200")
    watch.store.close()
