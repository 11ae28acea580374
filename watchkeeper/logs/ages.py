"""How old a log file's lines are, by the time that they begin with. No I/O here."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo

# `2026-03-02T09:00:00Z ...`, `[2026-03-02 09:00:00,123] ...`, `{"time":"2026-03-02T09:00:00+01:00"`.
_STAMP = re.compile(
    r"\W{0,8}(?:(?:time|timestamp|ts)\W{1,5})?"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)\s?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)


def stamp_of(line: str, zone: tzinfo | None = None) -> datetime | None:
    """The time that a line begins with, or None. Without a zone of its own it is told in `zone`
    (None: this machine's)."""
    found = _STAMP.match(line)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(f"{found[1].replace(',', '.')}{(found[2] or '').upper()}")
    except ValueError:
        return None
    if at.tzinfo is not None:
        return at
    return at.astimezone() if zone is None else at.replace(tzinfo=zone)


def recent(lines: tuple[str, ...], since: datetime, zone: tzinfo | None = None) -> tuple[str, ...]:
    """Those that are not known to be older. A file grows at its end: a line without a time, as of
    a traceback, is older too where an older one follows."""
    stamps = [stamp_of(line, zone) for line in lines]
    last_old = max((i for i, at in enumerate(stamps) if at and at < since), default=-1)
    return tuple(
        line
        for i, (line, at) in enumerate(zip(lines, stamps, strict=True))
        if (i > last_old if at is None else at >= since)
    )
