"""Instants as the vendor writes them: UTC, millisecond precision, a trailing Z."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]

MILLISECOND = timedelta(milliseconds=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """Fixed width, so that texts sort as the instants do."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant(text: str) -> datetime:
    """Parse ISO 8601; an offset is required. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"no UTC offset in {text!r}")
    return at.astimezone(UTC)


def whole_ms(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def ceil_ms(at: datetime) -> datetime:
    floor = whole_ms(at)
    return floor if floor == at else floor + MILLISECOND
