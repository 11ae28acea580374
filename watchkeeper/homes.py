"""The folder that state lives in, made before anything is put there."""

from __future__ import annotations

import os
from pathlib import Path

from watchkeeper.errors import UserError


def make_home(home: Path) -> Path:
    """The folder, closed to others where it is new. Raises UserError where it cannot be one."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        at = "" if error.filename in (None, str(home)) else f" at {error.filename}"
        raise UserError(
            f"{_shown(home)} cannot be made a folder{at} ({error.strerror}): "
            "set WATCHKEEPER_HOME to one that may be written"
        ) from None
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(
            f"{_shown(home)} may not be read and written by this account: "
            "set WATCHKEEPER_HOME to one that may"
        )
    return home


def _shown(home: Path) -> str:
    text = "".join(c if c.isprintable() else "?" for c in str(home))
    return text if len(text) <= 200 else f"{text[:200]}…"
