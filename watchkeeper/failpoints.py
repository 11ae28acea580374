"""Places where a drill may kill this process with SIGKILL, as a crash would.

A failpoint is armed by a file of its name in the folder that `arm` was given, and fires once: the
file is gone before the process is. Nothing is armed unless the settings say so, and only a drill
does.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path


class _Armed:
    folder: Path | None = None


def arm(folder: Path | None) -> None:
    """Look for failpoints in this folder; None disarms all of them."""
    _Armed.folder = folder


def failpoint(name: str) -> None:
    """Die here, if a drill asked for it."""
    if _Armed.folder is None:
        return
    try:
        (_Armed.folder / name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
