"""What a vendor says of its rate, in every spelling met so far. Absence is normal.

X-Rate-Limit-Limit/-Remaining/-Reset      MaintainX; Reset in seconds from now
X-RateLimit-Limit/-Remaining/-Reset       most others; Reset in seconds or as an epoch
RateLimit-Limit/-Remaining/-Reset         the IETF's earlier drafts
RateLimit, RateLimit-Policy               its later ones: `"name";r=50;t=30`, `"name";q=100;w=60`
Retry-After                               seconds or an HTTP-date
`retry in 10 seconds`                     in the text of a 429
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from watchkeeper.vendor.reply import http_date

MAX_WAIT_S = 300.0
EPOCH_FROM = 1e9
EPOCH_MS_FROM = 1e11
LONGEST_TEXT = 4096
PREFIXES = ("x-rate-limit", "x-ratelimit", "ratelimit")

_NUMBER = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\s*(?:[,;].*)?", re.ASCII | re.DOTALL)
_PARAMETER = re.compile(r"\b(r|t|q|limit|remaining|reset)\s*=\s*([0-9]{1,15})\b", re.ASCII)
_RETRY_TEXT = re.compile(
    r"(?:retry|try\s+again)\s+(?:in|after)\s+([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*"
    r"(ms|milliseconds?|seconds?|secs?|s|minutes?|mins?|m)?\b",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RateSignal:
    """Calls allowed and left; seconds until they are whole again; seconds we are asked to wait.

    None: not said, or not in a way that can be believed. Seconds lie in [0, `MAX_WAIT_S`].
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    wait_s: float | None = None


def rate_signal(headers: Mapping[str, str], at: datetime, body: bytes = b"") -> RateSignal:
    """Read a reply's signals; `at` is now, by the vendor's clock where it is known.

    `body` is that of a 429 only. Total: whatever the vendor sends, a signal comes out.
    """
    structured = _structured(headers)
    limit = _first(headers, "limit", structured.get("limit"))
    remaining = _first(headers, "remaining", structured.get("remaining"))
    reset = _seconds(_first(headers, "reset", structured.get("reset")), at)
    wait = _retry_after(headers.get("retry-after", ""), at)
    return RateSignal(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_s=reset,
        wait_s=_retry_text(body) if wait is None else wait,
    )


def _first(headers: Mapping[str, str], field: str, otherwise: float | None) -> float | None:
    spelt = (_number(headers.get(f"{prefix}-{field}", "")) for prefix in PREFIXES)
    return next((number for number in spelt if number is not None), otherwise)


def _number(text: str) -> float | None:
    """The first number of `100`, `29.5` or `100, 100;w=60`; a sign makes it none."""
    found = _NUMBER.fullmatch(text[:LONGEST_TEXT])
    return float(found[1]) if found else None


def _structured(headers: Mapping[str, str]) -> dict[str, float]:
    """The policy with the fewest calls left, of those that RateLimit lists."""
    told = _items(headers.get("ratelimit", ""))
    if any("limit" in item for item in told.values()):
        return {name: value for item in told.values() for name, value in item.items()}
    policies = _items(headers.get("ratelimit-policy", ""))
    tightest = min(
        told,
        key=lambda name: told[name].get("remaining", math.inf),
        default=next(iter(policies), ""),
    )
    return {**policies.get(tightest, {}), **told.get(tightest, {})}


def _items(text: str) -> dict[str, dict[str, float]]:
    items = (item.strip() for item in text[:LONGEST_TEXT].split(","))
    return {item.partition(";")[0]: _parameters(item) for item in items if item}


def _parameters(item: str) -> dict[str, float]:
    names = {"r": "remaining", "t": "reset", "q": "limit"}
    return {names.get(name, name): float(value) for name, value in _PARAMETER.findall(item)}


def _seconds(value: float | None, at: datetime) -> float | None:
    if value is None:
        return None
    if value > EPOCH_MS_FROM:
        return _clamped(value / 1000 - at.timestamp())
    return _clamped(value - at.timestamp() if value > EPOCH_FROM else value)


def _retry_after(text: str, at: datetime) -> float | None:
    if (delta := _number(text)) is not None:
        return _seconds(delta, at)
    date = http_date(text[:64]) if text else None
    return None if date is None else _clamped((date - at).total_seconds())


def _retry_text(body: bytes) -> float | None:
    found = _RETRY_TEXT.search(body[:LONGEST_TEXT].decode("utf-8", "replace"))
    if found is None:
        return None
    unit = (found[2] or "s").lower()
    scale = 0.001 if unit.startswith(("ms", "mil")) else 60.0 if unit.startswith("m") else 1.0
    return _clamped(float(found[1]) * scale)


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_WAIT_S)
