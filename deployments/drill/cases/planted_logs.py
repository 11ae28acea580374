"""Logs as our service, or another one like it, leaves them: what each loggers' lines look like."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

# Writes `path` as it would stand at `now`, and gives what `service.logs` says besides.
Plant = Callable[[Path, datetime], dict[str, Any]]
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def _write(path: Path, lines: list[str], at: datetime) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    os.utime(path, (at.timestamp(), at.timestamp()))


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _pino(level: int, at: datetime, **more: Any) -> str:
    return json.dumps({"level": level, "time": round(at.timestamp() * 1000), **more})


def tokyo(path: Path, now: datetime) -> dict[str, Any]:
    """An error one minute old, in the stated zone's time."""
    local = now - MINUTE + timedelta(hours=9)
    _write(path, [f"{local:%Y-%m-%d %H:%M:%S},000 ERROR sync failed"], now)
    return {"timezone": "Asia/Tokyo"}


def pino_old(path: Path, now: datetime) -> dict[str, Any]:
    """An error 26 hours old, and a good line of now."""
    then = now - timedelta(hours=26)
    _write(path, [_pino(50, then, msg="error"), _pino(30, now - MINUTE, msg="ok")], now)
    return {}


def pino_error(path: Path, now: datetime) -> dict[str, Any]:
    """Level 50, and no word of it."""
    _write(path, [_pino(30, now - MINUTE, msg="ok"), _pino(50, now - MINUTE, msg="boom")], now)
    return {}


def syslog_old(path: Path, now: datetime) -> dict[str, Any]:
    """Of yesterday, without a year; and one of now."""
    then, lately = now - timedelta(hours=26), now - MINUTE
    lines = [f"{at:%b} {at.day:2} {at:%H:%M:%S} host sync[7]: {what}"
             for at, what in ((then, "error x"), (lately, "done"))]  # fmt: skip
    _write(path, lines, now)
    return {"timezone": "UTC"}


def far_word(path: Path, now: datetime) -> dict[str, Any]:
    """The error word behind 2,600 characters."""
    line = {"time": _iso(now - MINUTE), "payload": "x " * 1400, "what": "an error"}
    _write(path, [json.dumps(line)], now)
    return {}


def empty(path: Path, now: datetime) -> dict[str, Any]:
    _write(path, [], now)
    return {}


def rotated(path: Path, now: datetime) -> dict[str, Any]:
    """Empty now; the part put aside a minute ago ends with an error."""
    _write(path, [], now)
    aside = path.with_name(f"{path.name}.1")
    _write(aside, [f"{_iso(now - 2 * MINUTE)} ERROR sync failed"], now - MINUTE)
    return {}


def silent(path: Path, now: datetime) -> dict[str, Any]:
    then = now - timedelta(hours=3)
    _write(path, [f"{_iso(then)} INFO sync done"], then)
    return {}


def undated(path: Path, now: datetime) -> dict[str, Any]:
    """An error of which nothing tells the age."""
    _write(path, ["sync failed: error", "sync done"], now)
    return {}


def _dying(path: Path, now: datetime, says: str, times: int) -> dict[str, Any]:
    """It starts, and is ended so many times; the last start is a minute old."""
    lines = []
    for turn in range(times, 0, -1):
        lines.append(f"{_iso(now - (4 * turn + 2) * MINUTE)} INFO worker is up")
        lines.append(f"{_iso(now - 4 * turn * MINUTE)} {says}")
    _write(path, [*lines, f"{_iso(now - MINUTE)} INFO worker is up"], now)
    return {}


def killed_again(path: Path, now: datetime) -> dict[str, Any]:
    return _dying(path, now, "kernel: oom-kill: task=sync, pid=812", 4)


def killed_once(path: Path, now: datetime) -> dict[str, Any]:
    return _dying(path, now, "kernel: oom-kill: task=sync, pid=812", 1)


def panics(path: Path, now: datetime) -> dict[str, Any]:
    return _dying(path, now, "panic: runtime: index out of range [3]", 5)


PLANTED_LOGS: Mapping[str, Plant] = {
    plant.__name__: plant
    for plant in (
        *(tokyo, pino_old, pino_error, syslog_old, far_word),
        *(empty, rotated, silent, undated),
        *(killed_again, killed_once, panics),
    )
}
