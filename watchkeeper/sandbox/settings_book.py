"""The settings as they are now, and the file that keeps them over a restart where there is one."""

import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from watchkeeper.sandbox.settings import Settings, patched


class SettingsBook:
    """`path`: a JSON object of settings. What somebody else writes there counts as soon as it can be
    read and understood; raises ValueError where it cannot at the start.
    """

    def __init__(self, keys_held: int = 1, path: Path | None = None) -> None:
        self.keys_held, self.path = keys_held, path
        self._settings = Settings()
        self._seen: tuple[int, int] | None = None
        self._lock = threading.RLock()
        if (mark := self._mark()) is not None:
            self._read(mark)

    @property
    def now(self) -> Settings:
        with self._lock:
            mark = self._mark()
            if mark is not None and mark != self._seen:
                self._reread(mark)
            return self._settings

    def shown(self) -> dict[str, Any]:
        return asdict(self.now)

    def patch(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Raises UnknownSetting, ValueError, and has changed nothing then."""
        with self._lock:
            self._settings = patched(self.now, raw, self.keys_held)
            if self.path is not None:
                replace_file(self.path, asdict(self._settings))
                self._seen = self._mark()
            return asdict(self._settings)

    def _mark(self) -> tuple[int, int] | None:
        """Another one means that the file is another."""
        try:
            found = self.path.stat() if self.path else None
        except FileNotFoundError:
            return None
        return (found.st_mtime_ns, found.st_ino) if found else None

    def _read(self, mark: tuple[int, int]) -> None:
        assert self.path is not None
        self._seen = mark
        self._settings = patched(
            Settings(), dict(json.loads(self.path.read_text())), self.keys_held
        )

    def _reread(self, mark: tuple[int, int]) -> None:
        """What makes no sense is left aside, as by a service that must go on."""
        try:
            self._read(mark)
        except (ValueError, TypeError, OSError):
            return


def replace_file(path: Path, value: object) -> None:
    """Whole or not at all: the next life may read it at any moment."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(value))
    os.replace(beside, path)
