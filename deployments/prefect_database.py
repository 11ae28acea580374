"""Prefect's SQLite file in our home: seen damaged, set aside, never deleted.

Our database is the truth: with a new file Prefect forgets its runs and their logs, and nothing of ours.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

logger = logging.getLogger(__name__)

# SQLite's own check reads the whole file; beyond this it is not known, and nothing is set aside.
CHECK_WITHIN_S = 30.0
BUSY_S = 1.0
_STEPS = 10_000
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
_COMPANIONS = ("", "-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """Which file lies at a path: another one of the same name is not the same database."""

    device: int
    inode: int


def identity(path: Path) -> FileIdentity | None:
    """None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return FileIdentity(found.st_dev, found.st_ino)


def damage(path: Path, within_s: float = CHECK_WITHIN_S) -> str | None:
    """What is wrong with the file, in words; None where nothing is, where it is not there yet, and
    where that could not be found out in time. To be called in a thread."""
    if not path.exists():
        return None
    if path.stat().st_size == 0:
        return None
    until = time.monotonic() + within_s
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_S)) as connection:
            connection.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
            (first, *_) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        # Extended codes begin with the plain one: SQLITE_CORRUPT_INDEX.
        name = "_".join((getattr(error, "sqlite_errorname", None) or "").split("_")[:2])
        if name in _DAMAGED:
            return str(error)
        logger.warning("Prefect's database could not be checked: %s", error)
        return None
    # The first line of a list of faults is its heading.
    return None if first == "ok" else str(first).splitlines()[-1]


def set_aside(path: Path, now: datetime) -> Path:
    """Rename the file and what belongs to it; the file's new path. Raises OSError. No server may
    have it open."""
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for suffix in _COMPANIONS:
        part = path.with_name(path.name + suffix)
        if part.exists():
            os.replace(part, aside.with_name(aside.name + suffix))
    return aside
