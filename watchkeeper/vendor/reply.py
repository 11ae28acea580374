"""What the vendor answered, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from watchkeeper.vendor import strict_json

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer of any status. Neither headers nor body hold the key that was sent.

    `headers`: names in lower case. `latency_s`: from sending to the last byte, the wait for our
    turn not counted. `at`: our clock when it was complete; `date`: the vendor's own, if it told.
    `encoded`: the coding of the body where it is one that we cannot undo; `mislabelled`: the one that
    is declared where the body is plain.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    latency_s: float
    at: datetime
    method: str = "GET"
    encoded: str | None = None
    mislabelled: str | None = None

    @property
    def date(self) -> datetime | None:
        return http_date(self.headers.get("date", ""))

    @property
    def age_s(self) -> float | None:
        """How old the copy is where a cache answered; None where none says so."""
        told = self.headers.get("age", "").strip()
        return float(told) if told.isdecimal() and len(told) < 12 else None

    @property
    def safe(self) -> bool:
        """The call changed nothing at the vendor, whatever came of it."""
        return self.method in SAFE_METHODS

    def json(self) -> Any:
        """The body's value. Raises BadBody where it is not strict JSON."""
        if self.encoded is not None:
            raise strict_json.BadBody(f"the body is compressed ({self.encoded}), which is not read")
        return strict_json.loads(self.body)


def http_date(text: str) -> datetime | None:
    """An HTTP-date as UTC, or None where it is not one."""
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
