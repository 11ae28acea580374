"""Our own database damaged under us: people are called without it, and it is written back."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from conftest import Clock
from pager_lab import Far, running_pager, with_pager
from up_lab import WATCHKEEPER

from watchkeeper.effects import PAGE_TRIGGER, EffectState
from watchkeeper.performing.ledger import OwnBehalf
from watchkeeper.performing.own_alarms import alarm_target, follow_troubles
from watchkeeper.performing.store_guard import LOOKS, REPEAT, StoreGuard
from watchkeeper.performing.watch import Watch
from watchkeeper.settings import Settings
from watchkeeper.store import effects, troubles
from watchkeeper.store.engine import open_store
from watchkeeper.trouble import TroubleKind

BROKEN = TroubleKind.DATABASE_BROKEN
SWEEP = timedelta(seconds=15)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    with running_pager(tmp_path_factory.mktemp("pager")) as found:
        yield found


@dataclass
class Guarded:
    """The guard as the sweep calls it, by a still clock."""

    watch: Watch
    clock: Clock
    guard: StoreGuard

    @property
    def path(self) -> Path:
        found = self.watch.store.file
        assert found is not None
        return found

    def sweep(self) -> list[str]:
        """One round: what it says."""
        self.clock.advance(SWEEP)

        async def once() -> list[str]:
            broken = await self.guard.look()
            return [*await self.guard.alarm(), *([broken] if broken else [])]

        return asyncio.run(once())


@pytest.fixture
def guarded(watch: Watch, clock: Clock, far: Far, tmp_path: Path) -> Guarded:
    with_pager(tmp_path, far)
    made = Guarded(watch, clock, StoreGuard(watch, lambda: clock.at.timestamp()))
    assert made.sweep() == []
    return made


def settled(path: Path) -> None:
    """All of it in the one file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def overwritten(path: Path) -> None:
    settled(path)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(path.stat().st_size - 4096))


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, whoever wrote it " * 400)


def replaced(path: Path) -> None:
    other = path.with_name("other.db")
    other.write_bytes(b"neither is this " * 1000)
    os.replace(other, path)


def deleted(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


DAMAGE = [overwritten, no_database, replaced, deleted, emptied]


@pytest.mark.parametrize("damage", DAMAGE)
def test_people_are_called_without_the_database(
    guarded: Guarded, damage: Callable[[Path], None], far: Far
) -> None:
    """Bytes overwritten, no database any more, another file, none, an empty one: a page under the
    home's fixed key, once, and again after half an hour at the soonest."""
    copy = guarded.path.with_name("copy.db")
    settled(guarded.path)
    shutil.copyfile(guarded.path, copy)
    damage(guarded.path)
    said = [guarded.sweep() for _ in range(6)]
    home = guarded.watch.settings.home
    alert = far.of(home, BROKEN)
    assert alert is not None and (alert["state"], alert["triggers"]) == ("triggered", 1), said
    assert sum("paged: the watch itself is broken" in line for some in said for line in some) == 1
    guarded.clock.advance(REPEAT)
    guarded.sweep()
    alert = far.of(home, BROKEN)
    assert alert is not None and alert["triggers"] == 2
    for suffix in ("-wal", "-shm"):
        guarded.path.with_name(guarded.path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(copy, guarded.path)
    assert guarded.sweep() == []
    written_back(guarded)


def written_back(guarded: Guarded) -> None:
    """The page stands in the record and the ledger, with the time at which it went out."""
    with guarded.watch.store.read() as session:
        (trouble, *_) = troubles.recent(session)
        effect = OwnBehalf().effect(
            PAGE_TRIGGER, alarm_target(trouble, "pagerduty file:routing.json")
        )
        assert effects.state_of(session, effect) is EffectState.DONE
        assert troubles.open_now(session) == ()
    assert trouble.kind is BROKEN
    assert trouble.paged_at is not None and trouble.paged_at < guarded.clock.now()
    assert trouble.since < trouble.paged_at


@contextmanager
def full_disk() -> Iterator[None]:
    """Not another byte goes into any file of this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_has_room_again_ends_the_alarm(guarded: Guarded, far: Far) -> None:
    """Reading works on a full disk, writing does not: it is paged, and resolved through the ledger
    as soon as a write succeeds."""
    with full_disk():
        said = [guarded.sweep() for _ in range(LOOKS)]
    assert "paged: the watch itself is broken" in said[-1][0], said
    home = guarded.watch.settings.home
    alert = far.of(home, BROKEN)
    assert alert is not None and alert["state"] == "triggered"
    assert guarded.sweep() == []
    asyncio.run(follow_troubles(guarded.watch, []))
    alert = far.of(home, BROKEN)
    assert alert is not None and (alert["state"], alert["resolves"]) == ("resolved", 1)
    written_back(guarded)


@contextmanager
def another_account() -> Iterator[None]:
    """Root writes whatever the mode says; any other account does not need this."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_that_may_not_be_written_is_broken(
    far: Far, clock: Clock, migrated_sqlite: Path
) -> None:
    """chmod by a well-meaning script: it can be read, and is no record any more."""
    home = Path(tempfile.mkdtemp(prefix="watchkeeper-ro-"))
    try:
        home.chmod(0o755)
        path = home / "watchkeeper.db"
        shutil.copyfile(migrated_sqlite, path)
        settings = Settings(home=home, integrations=with_pager(home, far))
        store = open_store(f"sqlite:///{path}")
        guarded = Guarded(watch := Watch(settings, store, clock.now), clock, StoreGuard(watch))
        assert guarded.sweep() == []
        store.engine.dispose()
        path.chmod(0o444)
        with another_account():
            said = [guarded.sweep() for _ in range(LOOKS)]
        assert "readonly" in said[-1][-1] or "unable to open" in said[-1][-1], said
        path.chmod(0o600)
        assert guarded.sweep() == []
        store.close()
    finally:
        shutil.rmtree(home)


def test_one_bad_look_calls_nobody(guarded: Guarded, far: Far) -> None:
    """A backup that is put in place is seen as a missing file for a moment."""
    aside = guarded.path.with_name("aside.db")
    os.replace(guarded.path, aside)
    guarded.sweep()
    os.replace(aside, guarded.path)
    assert guarded.sweep() == []
    assert far.of(guarded.watch.settings.home, BROKEN) is None


def test_a_lost_record_stays_an_alert_until_a_person_resolves_it(
    guarded: Guarded, far: Far, migrated_sqlite: Path
) -> None:
    """Deleted, and made anew by some command: it can be used, and what it held is gone."""
    for part in guarded.path.parent.glob("watchkeeper.db*"):
        part.unlink()
    for _ in range(LOOKS):
        guarded.sweep()
    shutil.copyfile(migrated_sqlite, guarded.path)
    assert [guarded.sweep(), guarded.sweep()] == [[], []]
    asyncio.run(follow_troubles(guarded.watch, []))
    alert = far.of(guarded.watch.settings.home, BROKEN)
    assert alert is not None and (alert["state"], alert["resolves"]) == ("triggered", 0)


def test_a_busy_database_is_not_broken(guarded: Guarded) -> None:
    """Another process's long transaction is waited for."""
    with closing(sqlite3.connect(guarded.path, isolation_level=None)) as other:
        guarded.watch.store.engine.dispose()
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM incidents").fetchone()
        assert guarded.sweep() == []


# --- commands and `up` --------------------------------------------------------------------------


def command(home: Path, integrations: Path, *words: str) -> tuple[int, str]:
    ours = {"WATCHKEEPER_HOME": str(home), "WATCHKEEPER_INTEGRATIONS": str(integrations)}
    done = subprocess.run(
        [WATCHKEEPER, *words],
        env={**os.environ, **ours, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("damage", [overwritten, no_database])
def test_status_says_it_in_one_line(
    tmp_path: Path, far: Far, damage: Callable[[Path], None]
) -> None:
    """Exit 1 or 2, what is wrong and what to do; no traceback."""
    path, home = with_pager(tmp_path, far), tmp_path / "home"
    home.mkdir()
    open_store(f"sqlite:///{home / 'watchkeeper.db'}").close()
    damage(home / "watchkeeper.db")
    code, said = command(home, path, "status")
    assert code in (1, 2)
    assert len(said.splitlines()) == 1, said
    assert "database" in said
