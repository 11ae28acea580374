"""Places where a drill may kill this process with SIGKILL, as a crash would.

A failpoint is armed by a file of its name in the folder that `arm` was given, and fires once: the
file is gone before the process is. Nothing is armed unless the settings say so, and only a drill
does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Armed:
    folder: Path | None = None
    end: Callable[[], object] = staticmethod(kill)


def arm(folder: Path | None, end: Callable[[], object] = kill) -> None:
    """Look for failpoints in this folder; None disarms all of them. `end`: what a death is, for a
    test that outlives it."""
    _Armed.folder, _Armed.end = folder, staticmethod(end)


def failpoint(name: str) -> None:
    """Die here, if a drill asked for it."""
    if _Armed.folder is None:
        return
    try:
        (_Armed.folder / name).unlink()
    except FileNotFoundError:
        return
    _Armed.end()
