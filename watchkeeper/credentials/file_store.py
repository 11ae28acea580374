"""`file:PATH`: keys in one JSON file that only its owner can read, with the stages of a rotation.

Readers see the old file or the new one, never half of one; writers queue behind a lock file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fcntl import LOCK_EX, flock
from pathlib import Path

from watchkeeper.credentials import file_format, versions
from watchkeeper.credentials.protocols import Stage, StoredKey, Version
from watchkeeper.credentials.secret import Secret
from watchkeeper.credentials.versions import Stages
from watchkeeper.errors import UserError
from watchkeeper.vendor.strict_json import BadBody, loads

OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class FileStore:
    """A RotatableStore; see there for what each call does."""

    path: Path
    reference: str
    now: Callable[[], datetime]

    def read(self, stage: Stage = "current") -> Secret | None:
        held = self._load().at(stage)
        return held.secret if held else None

    def versions(self) -> list[Version]:
        return self._load().versions()

    def stored(self) -> StoredKey:
        """Raises UserError, too, where two readers could take different keys from the file."""
        text = self._text()
        stages = file_format.parse(text, self.reference)
        try:
            loads(text)
        except BadBody as error:
            raise UserError(f"{self.reference}: {error}; restore it") from None
        return stages.stored(self.reference)

    def offer(self, secret: Secret, replace: bool = False) -> str:
        self._change(
            lambda stages: versions.offered(stages, secret, replace, self.now(), self.reference)
        )
        return secret.fingerprint

    def promote(self, fingerprint: str) -> None:
        self._change(
            lambda stages: versions.promoted(stages, fingerprint, self.now(), self.reference)
        )

    def withdraw(self) -> None:
        self._change(versions.withdrawn)

    def rollback(self) -> None:
        self._change(lambda stages: versions.rolled_back(stages, self.now(), self.reference))

    def _load(self) -> Stages:
        return file_format.parse(self._text(), self.reference)

    def _text(self) -> bytes:
        text = self._read_text()
        if text is None:
            raise versions.missing(self.reference)
        return text

    def _change(self, move: Callable[[Stages], Stages]) -> None:
        with self._lock():
            text = self._read_text()
            before = Stages() if text is None else file_format.parse(text, self.reference)
            after = move(before)
            if after != before:
                self._write(file_format.dump(after))

    def _read_text(self) -> bytes | None:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if mode & OTHERS:
                    raise UserError(f"{self.reference} can be read by others: chmod 600 it")
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.reference} cannot be read: {error.strerror}") from None

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self._beside(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UserError(f"{self.reference} cannot be locked: {error.strerror}") from None
        try:
            flock(lock, LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, text: bytes) -> None:
        """Durable before it returns. A temporary file of a killed writer is thrown away first."""
        fresh = self._beside(".new")
        try:
            fresh.unlink(missing_ok=True)
            _write_synced(fresh, text)
            os.replace(fresh, self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise UserError(f"{self.reference} cannot be written: {error.strerror}") from None

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(f".{self.path.name}{ending}")


def _write_synced(path: Path, text: bytes) -> None:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
