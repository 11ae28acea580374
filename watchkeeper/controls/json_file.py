"""One JSON file, replaced as a whole: readers see the old one or the new one, never half of one.

It keeps its mode, its owner, and the order and the layout of what is in it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

from watchkeeper.controls.values import Shown, parsed
from watchkeeper.errors import Permanent, Transient

MAX_BYTES = 1024 * 1024
_INDENT = re.compile(rb"\{\s*\n([ \t]+)\"")


class Busy(Transient):
    """Another writer has the lock; it needs milliseconds."""


@dataclass(frozen=True, slots=True)
class JsonFile:
    """All calls block; what they raise names the file as `where`."""

    path: Path
    where: str

    def load(self) -> Shown:
        """Raises Permanent where it is not there, cannot be read, or is no JSON object."""
        return parsed(self._read()[0], self.where)

    def change(self, decide: Callable[[Shown], Shown]) -> tuple[Shown, Shown]:
        """What was there, and the members that `decide` made of it and that are there now.

        Raises Busy where another writer is at it, or Permanent, with the file as it was.
        """
        with self._lock():
            text, found = self._read()
            before = parsed(text, self.where)
            members = decide(before)
            after = _dumped(before | members, text)
            if after != text:
                self._replace(after, found)
        return before, members

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with self._opened_lock() as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                raise Busy(f"settings {self.where}: another writer is at it") from None
            yield

    @contextmanager
    def _opened_lock(self) -> Iterator[int]:
        try:
            flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
            lock = os.open(self._beside(".lock"), flags, 0o600)
        except OSError as error:
            raise self._refused("locked", error) from None
        try:
            yield lock
        finally:
            os.close(lock)

    def _read(self) -> tuple[bytes, os.stat_result]:
        try:
            # A pipe in its place would be waited for without end.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise Permanent(f"settings {self.where}: this is no file")
                text = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise self._refused("read", error) from None
        if len(text) > MAX_BYTES:
            raise Permanent(f"settings {self.where}: it is larger than {MAX_BYTES} bytes")
        return text, found

    def _replace(self, text: bytes, found: os.stat_result) -> None:
        """Durable before it returns. A draft of a killed writer is thrown away first."""
        path, draft = self.path.resolve(), self._beside(".new")
        try:
            draft.unlink(missing_ok=True)
            _write_synced(draft, text, found)
            os.replace(draft, path)
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise self._refused("written", error) from None

    def _beside(self, ending: str) -> Path:
        """Next to the file itself, not to a link to it."""
        path = self.path.resolve()
        return path.with_name(f".{path.name}{ending}")

    def _refused(self, done: str, error: OSError) -> Permanent:
        return Permanent(f"settings {self.where}: it cannot be {done}: {error.strerror}")


def _dumped(value: Shown, before: bytes) -> bytes:
    found = _INDENT.match(before.lstrip())
    indent = found[1].decode() if found else None
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    end = b"\n" if before.endswith(b"\n") else b""
    try:
        return text.encode() + end
    except UnicodeEncodeError:
        # Half of a surrogate pair can only be written as an escape.
        return json.dumps(value, indent=indent).encode() + end


def _write_synced(path: Path, text: bytes, like: os.stat_result) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
            # The service must still be able to read it.
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
