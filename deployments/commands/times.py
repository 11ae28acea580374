"""Times as people type them: an instant with its zone, or how long ago, or for how long."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchkeeper.errors import UserError
from watchkeeper.runbook.durations import parse_duration


def before(text: str, option: str, now: datetime) -> datetime:
    """`2h` is two hours before `now`; else an instant. Raises UserError."""
    length = _length(text)
    return instant(text, option) if length is None else now - length


def after(text: str, option: str, start: datetime) -> datetime:
    """`2h` is two hours after `start`; else an instant. Raises UserError."""
    length = _length(text)
    return instant(text, option) if length is None else start + length


def _length(text: str) -> timedelta | None:
    try:
        parsed = parse_duration(text)
    except ValueError:
        return None
    return parsed if isinstance(parsed, timedelta) else None


def instant(text: str, option: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} {text!r} is no time: 2026-01-31T09:00:00Z, or 2h") from None
    if at.tzinfo is None:
        raise UserError(f"{option} {text!r} needs its zone: {text}Z for UTC")
    return at
