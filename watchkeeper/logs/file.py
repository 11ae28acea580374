"""A log file's last part."""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from watchkeeper.local_command import DEADLINE_S, Unreadable
from watchkeeper.logs import LARGEST, Lines, lines_of
from watchkeeper.logs.ages import recent


@dataclass(frozen=True, slots=True)
class FileLog:
    """`named` is its path as integrations.yaml has it, for people."""

    path: Path
    named: str
    largest: int = LARGEST

    async def lines(self, now: datetime, within: timedelta) -> Lines:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.to_thread(self._read, now - within)
        except TimeoutError:
            raise Unreadable(f"{self.named} cannot be read in {DEADLINE_S:g} s") from None

    def _read(self, since: datetime) -> Lines:
        try:
            written, read = self._tail()
        except OSError as error:
            raise Unreadable(f"{self.named} cannot be read: {error.strerror}") from None
        if written < since:
            return Lines(())
        return Lines(recent(read.lines, since), read.cut)

    def _tail(self) -> tuple[datetime, Lines]:
        """When it was last written, and its end. A pipe or a device would keep us waiting."""
        with open(self.path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{self.named} is not a file")
            begin = max(0, status.st_size - self.largest)
            file.seek(begin)
            text = file.read(self.largest)
        return datetime.fromtimestamp(status.st_mtime, UTC), lines_of(text, begin > 0)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
