"""How grave a JSON line is by its own level, and which levels a pattern is about. Pure."""

from __future__ import annotations

import re
from typing import Any

from watchkeeper.logs.stamps import json_of

_LEVELS = {
    **dict.fromkeys(("trace", "verbose"), 10),
    "debug": 20,
    **dict.fromkeys(("info", "information", "notice"), 30),
    **dict.fromkeys(("warn", "warning", "wrn"), 40),
    **dict.fromkeys(("error", "err", "eror", "severe"), 50),
    **dict.fromkeys(("fatal", "critical", "crit", "panic", "dpanic", "alert", "emerg"), 60),
    "emergency": 60,
}
_NAMES = ("level", "severity", "lvl", "levelname", "log.level", "@level", "@l", "loglevel", "Level")
# Of syslog, as the journal has it: 0 is the worst.
_PRIORITIES = (60, 60, 60, 50, 40, 30, 30, 20)
_CUT = re.compile(r'"(?:level|severity|lvl|levelname)"\s*:\s*"?(\w{1,12})')


def level_of(line: str) -> int | None:
    """10 (trace) to 60 (fatal), by the member of a JSON line that tells it; None for other lines."""
    if line.lstrip()[:1] != "{":
        return None
    value = json_of(line)
    if value is None:
        found = _CUT.search(line[:4000])
        return _level(found[1]) if found else None
    for name in _NAMES:
        if name in value and (level := _level(value[name])) is not None:
            return level
    nested = value.get("log")
    if isinstance(nested, dict) and (level := _level(nested.get("level"))) is not None:
        return level
    priority = str(value.get("PRIORITY", ""))
    return _PRIORITIES[int(priority)] if re.fullmatch("[0-7]", priority) else None


def _level(value: Any) -> int | None:
    """A word, such as `ERROR` and slog's `ERROR+2`, or a number as pino and bunyan have them."""
    text = re.split(r"[+\-]", str(value).strip().lower())[0]
    if text.isascii() and text.isdigit() and len(text) <= 3:
        number = int(text)
        return number if 10 <= number <= 100 else None
    return _LEVELS.get(text)


def asked_level(pattern: str) -> int | None:
    """The mildest level that a pattern is about, where it names levels and nothing else."""
    words = [word.strip("()^$ ").removeprefix(r"\b").removesuffix(r"\b").lower()
             for word in pattern.split("|")]  # fmt: skip
    levels = [_LEVELS.get(word) for word in words]
    return (
        min((level for level in levels if level is not None), default=None) if all(levels) else None
    )
