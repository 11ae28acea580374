"""Prefect's SQLite file in our home: a damaged one is set aside, never deleted.

Our database is the truth: with a new file Prefect forgets its runs and their logs, and nothing of ours.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

_COMPANIONS = ("", "-wal", "-shm", "-journal")


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
