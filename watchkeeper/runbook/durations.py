"""Durations as people write them in a runbook: `15s`, `5 min`, `1h30m`, `2d`."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS_S = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}
_LONGEST = timedelta(days=3650)
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|sec|s|min|m|hours|hour|h|days|day|d)\s*")


def parse_duration(value: object) -> object:
    """A timedelta from text such as `1h30m`; other values are handed on for the caller to judge.

    A bare number is refused: a runbook's clock has its unit written beside it.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool | int | float):
        raise ValueError("a duration needs its unit, such as 15s, 5 min or 1h30m")
    if not isinstance(value, str):
        return value
    seconds, end = 0.0, 0
    for part in _PART.finditer(value):
        if part.start() != end:
            break
        seconds += float(part[1]) * _UNITS_S[part[2]]
        end = part.end()
    if end == 0 or end != len(value):
        if value == "next business day":
            return value
        raise ValueError("a duration reads like 15s, 5 min, 1h30m or 2d")
    if not seconds <= _LONGEST.total_seconds():
        raise ValueError("a duration is at most 3650 days")
    return timedelta(seconds=seconds)


def words(duration: timedelta) -> str:
    """`1 h 30 min`, as a person would say it; below a minute in seconds."""
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{round(seconds, 1):g} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(part for part in parts if part) or "0 min"
