"""The kill switch: a row or a file, whichever says stop; what cannot be read says stop.

The file is made with the home and renamed when it is needed, so that a full disk keeps nobody from
halting. It has room for who halted and why: that is written in place and takes no new block.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from watchkeeper.errors import Transient
from watchkeeper.harmless import harmless
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import SwitchRow

HALT = "halt"
# Bytes kept for who, why and when, a line each.
ROOM, NOTED = 1024, 3
log = logging.getLogger(__name__)


def halted(store: Store, halt_file: Path) -> str | None:
    """Why automation must not act, or None where it may."""
    try:
        said = halt_file_says(halt_file)
        if said is not None:
            return said
        with store.read() as session:
            return halt_row_says(session)
    except (SQLAlchemyError, Transient):
        log.info("the kill switch cannot be read", exc_info=True)
        return "the kill switch cannot be read"


def halt_file_says(halt_file: Path) -> str | None:
    """Anything at its place halts, a link that leads nowhere too; so does a place that cannot be
    looked at."""
    try:
        if not _there(halt_file):
            return None
    except OSError:
        log.info("the halt file cannot be looked at", exc_info=True)
        return "the kill switch cannot be read"
    return _noted(halt_file) or f"the file {halt_file.name} is there"


def halt_row_says(session: Session) -> str | None:
    row = session.get(SwitchRow, HALT)
    return f"{row.changed_by}: {row.reason}" if row is not None and row.on else None


def set_halt(session: Session, on: bool, *, by: str, reason: str, now: datetime) -> None:
    row = session.get(SwitchRow, HALT) or SwitchRow(
        name=HALT, on=on, changed_by=by, reason=reason, changed_at=now
    )
    row.on, row.changed_by, row.reason, row.changed_at = on, by, reason, now
    session.add(row)


def keep_ready(halt_file: Path) -> None:
    """Make the file that halting renames, unless it is there in one of its two places."""
    ready = _ready(halt_file)
    try:
        if not _there(halt_file) and not _there(ready):
            _make(ready)
    except OSError:
        # Halting still has the row, and tries to make the file then.
        log.info("the file that halting renames cannot be made", exc_info=True)


def raise_file(halt_file: Path, *, by: str, reason: str, now: datetime) -> None:
    """Halt by the file. Raises OSError where nothing can be put at its place."""
    if not _there(halt_file):
        halt_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            os.rename(_ready(halt_file), halt_file)
        except FileNotFoundError:
            os.close(os.open(halt_file, os.O_CREAT | os.O_WRONLY, 0o600))
    _note(halt_file, (by[:60], reason[:160], now.isoformat()))


def lower_file(halt_file: Path) -> None:
    """Undo it, and keep the file for the next time. Raises OSError where it stays."""
    try:
        if halt_file.is_file() and not halt_file.is_symlink():
            _note(halt_file, ())
            os.rename(halt_file, _ready(halt_file))
        elif halt_file.is_dir() and not halt_file.is_symlink():
            halt_file.rmdir()
        else:
            halt_file.unlink()
    except FileNotFoundError:
        return


def _there(path: Path) -> bool:
    """Not following a link. Raises OSError where only "there is none" would be an answer."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def _ready(halt_file: Path) -> Path:
    return halt_file.with_name(f"{halt_file.name}.off")


def _make(path: Path) -> None:
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        os.write(file, b" " * ROOM)
        os.fsync(file)
    finally:
        os.close(file)


def _note(path: Path, note: tuple[str, ...]) -> None:
    """Over the bytes that are there: on a full disk these still can be written."""
    text = "\n".join(" ".join(part.split()) for part in note)
    try:
        file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            os.write(file, text.encode(errors="replace").ljust(ROOM))
            os.fsync(file)
        finally:
            os.close(file)
    except OSError:
        # The file halts by being there. Who and why is told by the row.
        log.info("who halted cannot be noted in %s", path, exc_info=True)


def _noted(path: Path) -> str:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            note = os.read(file, ROOM).decode(errors="replace").strip().split("\n")
        finally:
            os.close(file)
    except OSError:
        # Anybody may have put anything there: it halts, and says no more.
        return ""
    return harmless(f"{note[0]}: {note[1]}") if len(note) == NOTED else ""
