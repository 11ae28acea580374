"""A log file's last part, and that of the one before it where it was just rotated."""

from __future__ import annotations

import asyncio
import codecs
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from watchkeeper.local_command import DEADLINE_S, Unreadable
from watchkeeper.logs import LARGEST, Lines, Silent, lines_of
from watchkeeper.logs.ages import Clock, Sorted, sort
from watchkeeper.logs.rotated import Rotated, newest_rotated

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class FileLog:
    """`named` is its path as integrations.yaml has it, for people. `zone`: of times without one;
    `host`: this machine's, where it is not to be asked."""

    path: Path
    named: str
    largest: int = LARGEST
    zone: tzinfo | None = None
    host: tzinfo | None = None

    async def lines(self, now: datetime, within: timedelta) -> Lines:
        try:
            async with asyncio.timeout(DEADLINE_S):
                return await asyncio.to_thread(self._read, now, now - within)
        except TimeoutError:
            raise Unreadable(f"{self.named} cannot be read in {DEADLINE_S:g} s") from None

    def _read(self, now: datetime, since: datetime) -> Lines:
        try:
            written, read = self._tail(self.path)
            before = None if read.cut else newest_rotated(self.path, since)
            lines, last, cut = read.lines, written, read.cut
            if before is not None and not before.packed:
                aside, older = self._tail(before.path)
                lines, cut = (*older.lines, *lines), older.cut
                last = written if read.lines else aside
        except OSError as error:
            raise Unreadable(f"{self.named} cannot be read: {error.strerror}") from None
        clock = Clock(now, since, last, self.zone, self.host)
        found = sort(lines, clock) if last >= since else Sorted(old=len(lines))
        if not found.recent and not found.undated:
            raise Silent(self._silent(lines, found, written, before))
        # The time asked for may begin before the first line that was read.
        return Lines(found.recent, cut and not found.old, found.undated, found.why)

    def _silent(
        self, lines: tuple[str, ...], found: Sorted, written: datetime, before: Rotated | None
    ) -> str:
        if before is not None and before.packed:
            return (
                f"{self.named} was rotated at {_z(before.written)}, and what was before is packed"
            )
        if not lines:
            return f"{self.named} is empty since {_z(written)}: that tells nothing"
        return f"{self.named} is silent: its last line is of {_z(found.last or written)}"

    def _tail(self, path: Path) -> tuple[datetime, Lines]:
        """When it was last written, and its end. A pipe or a device would keep us waiting."""
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise Unreadable(f"{self.named} is not a file")
            mark = file.read(2)
            mark = mark if mark in _MARKS else b""
            begin = max(0, status.st_size - self.largest)
            # Of two bytes for a character none is halved.
            begin += begin % 2 if mark else 0
            file.seek(begin)
            text = file.read(self.largest)
        text = mark + text if begin else text
        return datetime.fromtimestamp(status.st_mtime, UTC), lines_of(text, begin > 0)


def _z(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
