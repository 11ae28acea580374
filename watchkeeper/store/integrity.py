"""Whether a SQLite file can still be trusted, asked of SQLite itself."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

# SQLite's own check reads the whole file; beyond this it is not known, and nothing is set aside.
CHECK_WITHIN_S = 30.0
BUSY_S = 1.0
_STEPS = 10_000
_DAMAGED = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


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


def is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except OSError:
        return False


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
        logger.warning("%s could not be checked: %s", path.name, error)
        return None
    # The first line of a list of faults is its heading.
    return None if first == "ok" else str(first).splitlines()[-1]
