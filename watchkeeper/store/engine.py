"""The door to the database: one engine, a read and a write transaction."""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    IntegrityError,
    NoSuchModuleError,
    OperationalError,
)
from sqlmodel import Session

from watchkeeper.errors import StoreBroken, StoreUnusable, Transient, UserError
from watchkeeper.store.schema import HEAD, ensure_schema, revision_of

BUSY_TIMEOUT_MS = 15_000
_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}


class Store:
    """A database whose schema is ours. Transactions are short; values, not rows, leave them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writer = engine.execution_options(watchkeeper_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with _retryable(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction; on SQLite it takes the write lock at once, so that what it read stays
        true until it commits. Raises Transient where another process was first or nobody answers:
        nothing was written."""
        with (
            _retryable(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @property
    def file(self) -> Path | None:
        """The SQLite file; None where the database is on a server."""
        name = self.engine.url.database
        return Path(name) if name and self.engine.dialect.name == "sqlite" else None

    def reconnect(self) -> None:
        """Forget every connection: the next one opens whatever file is there now. Raises StoreBroken
        where that is not a database of ours; it is not made one."""
        self.engine.dispose()
        with _retryable():
            revision = revision_of(self.engine)
        if revision != HEAD:
            raise StoreBroken(f"the database has schema {revision}, and not {HEAD}")

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _retryable() -> Iterator[None]:
    """The database's own errors as ours, so that one lost race or lock ends no sweep."""
    try:
        yield
    except IntegrityError:
        raise Transient("the database: another process wrote the same row first") from None
    except DatabaseError as error:
        if is_broken(error):
            raise StoreBroken(f"the database cannot be used: {_first_line(error)}") from None
        if isinstance(error, OperationalError):
            raise Transient(f"the database did not answer: {_first_line(error)}") from None
        raise


# What another try does not mend. Extended codes begin with these: SQLITE_IOERR_WRITE.
_BROKEN = ("CORRUPT", "NOTADB", "READONLY", "IOERR", "FULL", "CANTOPEN", "PERM")


def is_broken(error: DatabaseError) -> bool:
    """Whether SQLite says that the file itself cannot be used, rather than that it is busy."""
    name = getattr(error.orig, "sqlite_errorname", None) or ""
    return name.startswith(tuple(f"SQLITE_{code}" for code in _BROKEN))


def open_store(url: str) -> Store:
    """Connect, bring the schema up to date, and refuse one that is newer than this program.

    Raises UserError naming the database without its password.
    """
    engine = _engine(url)
    try:
        ensure_schema(engine)
    except DatabaseError as error:
        engine.dispose()
        # A password may stand in the query, too.
        shown = make_url(url).set(query={}).render_as_string(hide_password=True)
        kind = StoreUnusable if is_broken(error) else UserError
        raise kind(
            f"database {shown} cannot be used: {_first_line(error)}; {_remedy(error)}"
        ) from None
    except UserError:
        engine.dispose()
        raise
    return Store(engine)


def _remedy(error: DatabaseError) -> str:
    if is_broken(error):
        return "free its disk, give its owner the right to write, or put a backup in its place"
    return "check WATCHKEEPER_DATABASE_URL"


def _first_line(error: DatabaseError) -> str:
    return next(iter(str(error.orig).strip().splitlines()), type(error).__name__)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        kind = parsed.get_backend_name()
        if kind not in _DRIVERS:
            raise UserError(f"database kind {kind!r} is not known; sqlite:/// or postgresql://")
        # Whatever driver is named: one copied from Prefect's settings is for asyncio, and not ours.
        parsed = parsed.set(drivername=_DRIVERS[kind])
        if parsed.get_backend_name() == "postgresql":
            return create_engine(parsed, pool_pre_ping=True, pool_size=5)
        _prepare_file(parsed.database)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        raise UserError(
            "WATCHKEEPER_DATABASE_URL is not a database URL; sqlite:///FILE or postgresql://HOST/NAME"
        ) from None
    _tune_sqlite(engine)
    return engine


def _prepare_file(name: str | None) -> None:
    if not name or name == ":memory:":
        raise UserError("an in-memory database forgets its incidents; give sqlite:///FILE")
    path = Path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _make_file(path)
    except OSError as error:
        raise UserError(f"database file {path} cannot be made: {error.strerror}") from None


def _make_file(path: Path) -> None:
    """A new database appears at once and in WAL mode: two who switch it at the same moment lock each
    other out, whatever their timeout."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with closing(sqlite3.connect(draft)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connect(dbapi_connection: Any, _record: Any) -> None:
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get("watchkeeper_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
