"""Where a service's log lines are read from; what is looked for in them is the runbook's affair."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from watchkeeper.harmless import uncoloured
from watchkeeper.local_command import Unreadable

LARGEST = 1024 * 1024
_ENDS = re.compile(r"\r\n|\n|\r")


class Silent(Unreadable):
    """It can be read, and has nothing of the time that was asked for: no zero, but not known."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a time, the oldest first. `cut`: there were more of that time before them.

    `undated`: lines that may be of that time, or older. `why`: why that is not known.
    """

    lines: tuple[str, ...]
    cut: bool = False
    undated: tuple[str, ...] = ()
    why: str = ""


class LogSource(Protocol):
    async def lines(self, now: datetime, within: timedelta) -> Lines:
        """Those since `within` ago, as far as can be told, and no more than the last 1 MiB.

        Raises Unreadable: a log that cannot be read, or has gone silent, is not an empty one.
        """
        ...


def lines_of(text: bytes, cut: bool) -> Lines:
    """Its lines without colours and blank ones. Of a text that was cut the first may be half a
    line, and is left out.

    UTF-8, UTF-16 where a mark or its zeros tell of it; a line that is neither is Latin-1. Zeros, as
    a file that was truncated under its writer begins with, are no characters.
    """
    if wide := _wide(text):
        whole = text.decode(wide, errors="replace").lstrip("\ufeff")
        split = _ENDS.split(whole)
    else:
        raw = text.removeprefix(codecs.BOM_UTF8).replace(b"\0", b"").replace(b"\r\n", b"\n")
        split = [_decoded(line) for line in raw.replace(b"\r", b"\n").split(b"\n")]
    split = split[1:] if cut else split
    return Lines(tuple(uncoloured(line) for line in split if line.strip()), cut)


def _decoded(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1")


def _wide(text: bytes) -> str | None:
    """The codec of UTF-16 text, by its mark or by every second byte being zero."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = text[:512]
    for first, codec in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros, others = head[first::2], head[1 - first :: 2]
        if (
            len(zeros) > 8
            and zeros.count(0) > 0.8 * len(zeros)
            and others.count(0) < len(others) / 8
        ):
            return codec
    return None
