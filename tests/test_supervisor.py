"""`up` against whatever Prefect does: the sweep goes on, pages, and Prefect is brought back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import Clock
from pager_lab import Far, running_pager, with_pager
from up_lab import overwrite

from deployments.prefect_database import set_aside
from watchkeeper.backoff import Backoff
from watchkeeper.performing.own_alarms import follow_troubles
from watchkeeper.performing.watch import Watch
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
