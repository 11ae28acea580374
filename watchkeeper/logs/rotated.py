"""The part of a log that its rotation has put aside."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

MOST_SIBLINGS = 10_000
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
# `.1`, `-20260302`, `-20260302-0900`, `.2026-03-02`, `.2026-03-02_09`: with an ending of their own.
_MARK = re.compile(r"[-._](?:\d{1,3}|\d{4}-?\d\d-?\d\d(?:[-_T.]?\d{2,6}|-\d{10})?)")


@dataclass(frozen=True, slots=True)
class Rotated:
    path: Path
    written: datetime
    packed: bool


def newest_rotated(path: Path, since: datetime) -> Rotated | None:
    """The sibling that was put aside last, if it was written at or after `since`."""
    found: list[Rotated] = []
    for number, sibling in enumerate(path.parent.iterdir()):
        if number >= MOST_SIBLINGS:
            break
        if not is_sibling(path.name, sibling.name):
            continue
        status = sibling.lstat()
        written = datetime.fromtimestamp(status.st_mtime, UTC)
        if stat.S_ISREG(status.st_mode) and written >= since:
            found.append(Rotated(sibling, written, sibling.suffix in _PACKED))
    return max(found, key=lambda one: (one.written, not one.packed), default=None)


def is_sibling(name: str, other: str) -> bool:
    """`sync.log.1`, `sync.log-20260302.gz`, `sync-2026-03-02.log` of `sync.log`."""
    for ending in _PACKED:
        other = other.removesuffix(ending)
    stem, dot, suffix = name.rpartition(".")
    if other.startswith(name):
        mark = other[len(name) :]
    elif dot and other.startswith(stem) and other.endswith(dot + suffix):
        mark = other[len(stem) : len(other) - len(dot + suffix)]
    else:
        return False
    return _MARK.fullmatch(mark) is not None
