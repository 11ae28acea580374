"""Where a service's log lines are read from; what is looked for in them is the runbook's affair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watchkeeper.harmless import uncoloured

LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a time, the oldest first. `cut`: there were more before them."""

    lines: tuple[str, ...]
    cut: bool = False


class LogSource(Protocol):
    async def lines(self, now: datetime, within: timedelta) -> Lines:
        """Those since `within` ago, as far as can be told, and no more than the last 1 MiB.

        Raises Unreadable: a log that cannot be read is not an empty one.
        """
        ...


def lines_of(text: bytes, cut: bool) -> Lines:
    """Its lines without colours and blank ones. Of a text that was cut the first may be half a
    line, and is left out."""
    whole = text.partition(b"\n")[2] if cut else text
    split = (line.rstrip("\r") for line in whole.decode(errors="replace").split("\n"))
    return Lines(tuple(uncoloured(line) for line in split if line.strip()), cut)
