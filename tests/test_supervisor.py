"""`up` against whatever Prefect does: the sweep goes on, pages, and Prefect is brought back."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from conftest import NAME, Clock
from making import opened
from pager_lab import Far, running_pager, with_pager
from up_lab import Up, alive, running_up, until

from deployments.prefect_database import set_aside
from watchkeeper.backoff import Backoff
from watchkeeper.performing.own_alarms import follow_troubles
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import troubles
from watchkeeper.store.integrity import damage, identity
from watchkeeper.trouble import Condition, TroubleKind

AWAY = TroubleKind.PREFECT_AWAY


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with running_pager(tmp_path_factory.mktemp("pager")) as found:
        yield found


# --- decisions ----------------------------------------------------------------------------------


def test_pauses_grow_to_a_cap_and_are_spread() -> None:
    """W6: a server that cannot start is tried each minute for ever, never in a tight loop."""
    backoff = Backoff(first_s=1, cap_s=60, jitter=0.3)
    assert [backoff.pause_s(n, 0.0) for n in (0, 1, 2, 3, 7, 10_000)] == [1, 1, 2, 4, 60, 60]
    assert backoff.pause_s(7, 0.999) == pytest.approx(42, abs=0.1)


def followed(watch: Watch, seen: list[Condition]) -> list[str]:
    return asyncio.run(follow_troubles(watch, seen))


def condition(since: datetime, after: timedelta = timedelta(0)) -> Condition:
    return Condition(kind=AWAY, text="port 4200 is in use", since=since, page_after=after)


def test_a_trouble_is_paged_once_at_its_time_and_resolved_when_over(
    watch: Watch, clock: Clock, far: Far, tmp_path: Path
) -> None:
    """W6: through the ledger, under one dedup key for this home; each time it comes again it is an
    alert again."""
    with_pager(tmp_path, far)
    seen = condition(watch.now(), timedelta(minutes=5))
    assert followed(watch, [seen]) == []
    assert far.of(tmp_path, AWAY) is None
    clock.advance(timedelta(minutes=5))
    assert followed(watch, [seen]) == ["paged: the watch runs without Prefect"]
    assert followed(watch, [seen]) == []
    alert = far.of(tmp_path, AWAY)
    assert alert is not None and (alert["state"], alert["triggers"]) == ("triggered", 1)
    assert followed(watch, []) == ["over: the watch runs without Prefect"]
    alert = far.of(tmp_path, AWAY)
    assert alert is not None and (alert["state"], alert["resolves"]) == ("resolved", 1)
    followed(watch, [condition(watch.now())])
    alert = far.of(tmp_path, AWAY)
    assert alert is not None and (alert["state"], alert["alerts"]) == ("triggered", 2)
    with watch.store.read() as session:
        (now,) = troubles.open_now(session)
        assert [t.id for t in troubles.recent(session)] == [2, 1]
    assert now.paged_at is not None
    followed(watch, [])


def test_a_trouble_without_a_pager_is_recorded_and_said(watch: Watch) -> None:
    """Each time: nobody was paged is never written as a page."""
    for _ in range(2):
        (said,) = followed(watch, [condition(watch.now())])
        assert (
            said
            == "nobody was paged about this: the watch runs without Prefect (no channel is set)"
        )
    with watch.store.read() as session:
        (open_one,) = troubles.open_now(session)
    assert open_one.paged_at is None
    assert open_one.text == "port 4200 is in use"


# --- Prefect's database -------------------------------------------------------------------------


def made(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO runs (text) VALUES (?)", [("x" * 500,)] * 2000)
        connection.commit()
    return path


def overwrite(path: Path) -> None:
    """Pages in the middle become noise, as a bad disk makes them."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 20))


def test_damage_is_seen_and_a_good_file_is_left_alone(tmp_path: Path) -> None:
    """W6: overwritten pages, a file that is no database; but not a missing, empty or busy one."""
    good, torn, alien = (made(tmp_path / n) for n in ("good.db", "torn.db", "alien.db"))
    overwrite(torn)
    alien.write_bytes(b"not a database at all " * 500)
    (tmp_path / "empty.db").touch()
    assert damage(good) is None
    assert damage(torn) is not None
    assert damage(alien) is not None
    assert damage(tmp_path / "empty.db") is None
    assert damage(tmp_path / "missing.db") is None
    with closing(sqlite3.connect(good)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        assert damage(good) is None


def test_a_damaged_file_is_renamed_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    """Never deleted: somebody may still want its logs."""
    path = made(tmp_path / "prefect.db")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).write_bytes(b"left over")
    before = identity(path)
    aside = set_aside(path, datetime(2026, 3, 2, 9, tzinfo=UTC))
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "prefect.db.damaged-20260302T090000Z",
        "prefect.db.damaged-20260302T090000Z-shm",
        "prefect.db.damaged-20260302T090000Z-wal",
    ]
    assert identity(aside) == before
    assert identity(path) is None


# --- the whole ----------------------------------------------------------------------------------


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
