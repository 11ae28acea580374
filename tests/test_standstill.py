"""Prefect's server on SQLite does not stand still: docs/decisions/0002-prefect-3.9.md, last point.

What is asked needs no clock: does a connection that waits for the lock get it, once its holder commits,
or is it refused because the holder could not go on?
"""

from __future__ import annotations

import asyncio
import gc
import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

BUSY_MS = 3_000
POLL_S = 0.01
# So often in a row a thread is seen in one call before it counts as waiting there.
SEEN = 20
INSERT = "INSERT INTO t VALUES (1)"


@pytest.fixture(autouse=True)
def collecting_on_request() -> Iterator[None]:
    """Garbage is collected where the test says, not somewhere before."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def engine_for(path: Path) -> AsyncEngine:
    """Set up as Prefect does, with one connection that is used again and again."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}", pool_size=1, max_overflow=0)

    @event.listens_for(engine.sync_engine, "connect")
    def as_prefect_does(connection, _record) -> None:  # type: ignore[no-untyped-def]
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        cursor.close()

    return engine


async def refused_after_reading(waiter: AsyncEngine, holder: AsyncEngine) -> None:
    """Read, then write what another has changed meanwhile: "database is locked", at once."""
    async with waiter.connect() as connection:
        await connection.exec_driver_sql("BEGIN DEFERRED")
        await connection.exec_driver_sql("SELECT * FROM t")
        async with holder.connect() as other:
            await written(other)
        try:
            await connection.exec_driver_sql(INSERT)
        except OperationalError:
            await connection.exec_driver_sql("ROLLBACK")
            return
    raise AssertionError("it was not refused")


async def written(connection: AsyncConnection) -> None:
    await connection.exec_driver_sql("BEGIN IMMEDIATE")
    await connection.exec_driver_sql(INSERT)
    await connection.exec_driver_sql("COMMIT")


async def gets_the_lock(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        try:
            await written(connection)
        except OperationalError:
            return False
        return True


def idle(thread: int) -> bool:
    """A connection's thread waits for its next call in a queue."""
    frame = sys._current_frames()[thread]
    return "tx.get" in linecache.getline(frame.f_code.co_filename, frame.f_lineno)


async def waits(thread: int) -> None:
    seen = 0
    while seen < SEEN:
        seen = 0 if idle(thread) else seen + 1
        await asyncio.sleep(POLL_S)


async def meeting(folder: Path, between: Callable[[int], object]) -> bool:
    """Whether the waiter gets the lock, where `between` is done in the loop's own thread while one
    connection holds it and another waits for it."""
    holder, waiter = engine_for(folder / "db"), engine_for(folder / "db")
    try:
        async with holder.connect() as connection:
            await connection.exec_driver_sql("CREATE TABLE t (x INTEGER)")
        before = {thread.ident for thread in threading.enumerate()}
        async with waiter.connect():
            pass
        (thread,) = {thread.ident for thread in threading.enumerate()} - before
        assert thread is not None
        await refused_after_reading(waiter, holder)
        async with holder.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            await connection.exec_driver_sql(INSERT)
            asked = asyncio.create_task(gets_the_lock(waiter))
            await waits(thread)
            between(thread)
            await connection.exec_driver_sql("COMMIT")
        return await asked
    finally:
        await holder.dispose()
        await waiter.dispose()


def collect(_thread: int) -> None:
    gc.collect()


def stand_still(thread: int) -> None:
    """The loop goes on only once the waiter has given up: what a mutex of its connection does."""
    while not idle(thread):
        time.sleep(POLL_S)


def test_a_refused_write_makes_nobody_stand_still(tmp_path: Path) -> None:
    """What is left of a refused statement is freed while its connection waits for the lock: with
    SQLAlchemy 2.0 on Python 3.11 the loop waits for that connection, and its holder for the loop."""
    assert asyncio.run(meeting(tmp_path, collect))


def test_a_loop_that_stands_still_is_seen(tmp_path: Path) -> None:
    """The planted fault: the waiter is refused, since the holder cannot commit."""
    assert not asyncio.run(meeting(tmp_path, stand_still))
