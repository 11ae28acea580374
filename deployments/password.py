"""The password of Prefect's API, made at the first start of `up` and kept in the home.

Whoever can write to that API can run code as the account that runs `up`, so it is asked for on
loopback as well. The file holds one line, `name:password`, as Prefect's settings want it.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from watchkeeper.errors import UserError

NAME = "watchkeeper"
_LINE = re.compile(r"[A-Za-z0-9._-]+:[!-~]{16,200}")


def password_file(home: Path) -> Path:
    return home / "prefect-auth"


def stored_password(home: Path) -> str | None:
    """`name:password`; None where the file is missing, unreadable or damaged, or others may have
    read it. An empty file is no empty password."""
    path = password_file(home)
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(file)
        ours = found.st_uid == os.geteuid() and not found.st_mode & 0o077
        if not stat.S_ISREG(found.st_mode) or not ours:
            return None
        line = os.read(file, 1024).decode("latin-1").strip()
    finally:
        os.close(file)
    return line if _LINE.fullmatch(line) else None


def kept_password(home: Path) -> str:
    """The stored one; a new one where there is none that can be trusted.

    Raises UserError where the file cannot be written.
    """
    return stored_password(home) or _made(password_file(home))


def _made(path: Path) -> str:
    line = f"{NAME}:{secrets.token_urlsafe(24)}"
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        draft.unlink(missing_ok=True)
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(file, "w", encoding="ascii") as opened:
            opened.write(f"{line}\n")
            opened.flush()
            os.fsync(file)
        # Complete or not at all: a crash in between leaves no half password behind.
        draft.replace(path)
    except OSError as error:
        raise UserError(
            f"{path}: the password of the Prefect server cannot be written ({error.strerror}): "
            "make room, or make the folder writable for this account"
        ) from None
    finally:
        draft.unlink(missing_ok=True)
    return line
