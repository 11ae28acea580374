"""What a vendor says of its rate, in every spelling met so far. Absence is normal.

Headers are read by what their names are made of, since every vendor spells them its own way:

*ratelimit*-limit|-remaining|-reset   `X-Rate-Limit-Reset`, `X-RateLimit-Remaining-Requests`,
                                      `X-HubSpot-RateLimit-Daily-Remaining`, `RateLimit-ResetTime`
RateLimit, RateLimit-Policy           the IETF's drafts: `"name";r=50;t=30`, `"name";q=100;w=60`
*-Api-Call-Limit, Sforce-Limit-Info   used of allowed: `40/40`, `api-usage=18/5000`
Retry-After, Retry-After-Ms           seconds, a date, or milliseconds
`{"retry_after": 64.57}`              a member of the body of a refusal, at any depth
`retry in 10 seconds`                 a sentence of that body

A reset is seconds from now, `6m0s`, an epoch in s or ms, an ISO date or an HTTP-date: told apart by
what it is, not by whose header it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from watchkeeper.vendor.reply import http_date
from watchkeeper.vendor.strict_json import BadBody, loads

MAX_WAIT_S = 300.0
EPOCH_FROM = 1e9
EPOCH_MS_FROM = 1e11
EPOCH_US_FROM = 1e14
LONGEST_TEXT = 4096
LARGEST_BODY = 64 * 1024
LONGEST_DATE = 64
MOST_MEMBERS = 400
# Of the windows that a vendor names beside each other, with none nearer its end than another.
PREFIXES = ("x-rate-limit", "x-ratelimit", "ratelimit")

_NUMBER = re.compile(r"\s*([0-9]{1,16}(?:\.[0-9]{1,9})?)\s*(?:[,;].*)?", re.ASCII | re.DOTALL)
_PARAMETER = re.compile(
    r"\b(r|t|q|limit|remaining|reset)\s*=\s*([0-9]{1,15}(?:\.[0-9]{1,9})?)\b", re.ASCII
)
_USED_OF = re.compile(r"(?:[\w-]{1,40}=)?([0-9]{1,12})\s*/\s*([0-9]{1,12})", re.ASCII)
_UNITS = (
    (re.compile(r"milli|ms"), 0.001),
    (re.compile(r"m(?:in|$)"), 60.0),
    (re.compile(r"h"), 3600.0),
    (re.compile(r"d"), 86400.0),
    (re.compile(r"s|"), 1.0),
)
_UNIT = (
    r"(?:milliseconds?|millis|msecs?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)"
    r"(?![a-z])"
)
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_SPAN = rf"{_AMOUNT}\s*{_UNIT}"
_PIECE = re.compile(rf"({_AMOUNT})\s*({_UNIT})", re.ASCII | re.IGNORECASE)
_DURATION = re.compile(
    rf"\s*{_SPAN}(?:(?:\s*,)?\s*(?:and\s+)?{_SPAN}){{0,4}}\s*", re.ASCII | re.IGNORECASE
)
_WAIT_TEXT = re.compile(
    r"\b(?:re-?try|(?:try|available|requests?)(?:\s+(?:again|requests?))?|wait|resets?|reset)"
    r"\s+(?:again\s+)?(?:(in|after|within|for)\s+)?"
    r"(?:(?:at\s+least|about|approximately|another|the\s+next)\s+)?"
    rf"({_AMOUNT})(?![\d:-]|\.\d)\s*({_UNIT})?"
    rf"((?:\s*(?:and\s+)?{_SPAN}){{0,3}})",
    re.ASCII | re.IGNORECASE,
)
_DATE_TEXT = re.compile(
    r"\b(?:re-?try|again|wait|available|resets?)\b[^.0-9]{0,40}"
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?)",
    re.ASCII | re.IGNORECASE,
)
# Members of a refusal's body, without case, `_` and `-`.
_IN_SECONDS = frozenset(
    [
        "retryafter",
        "retryafterseconds",
        "retryafterinseconds",
        "retryaftersecs",
        "retryafters",
        "retryin",
        "retryinseconds",
        "retrydelay",
        "retrydelayseconds",
        "waitseconds",
        "waittime",
        "waitfor",
        "resetafter",
        "resetin",
        "resetinseconds",
        "secondsuntilreset",
        "secondstowait",
        "backoff",
        "backoffseconds",
    ]
)
_IN_MS = frozenset(
    (
        *("retryafterms", "retryaftermillis", "retryaftermilliseconds", "retryinms"),
        *("retrydelayms", "waitms", "resetinms", "msbeforenext"),
    )
)
_AS_DATE = frozenset(["retryat", "retryafterdate", "nextretryat", "resetat", "resettime", "reset"])


@dataclass(frozen=True, slots=True)
class RateSignal:
    """Calls allowed and left; seconds until they are whole again; seconds we are asked to wait.

    None: not said, or not in a way that can be believed. Seconds lie in [0, `MAX_WAIT_S`].
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    wait_s: float | None = None


@dataclass(slots=True)
class _Window:
    """One budget of those that the headers name."""

    told: dict[str, float] = field(default_factory=dict)

    @property
    def left(self) -> float:
        return self.told.get("remaining", math.inf)


def rate_signal(headers: Mapping[str, str], at: datetime, body: bytes = b"") -> RateSignal:
    """Read a reply's signals; `at` is now, by the vendor's clock where it is known.

    `headers`: names in lower case. `body` is that of a refusal only. Total: whatever the vendor
    sends, a signal comes out.
    """
    told = _tightest(headers, at)
    wait = _retry_after(headers, at)
    limit, remaining = told.get("limit"), told.get("remaining")
    return RateSignal(
        limit=None if limit is None else int(limit),
        remaining=None if remaining is None else int(remaining),
        reset_s=told.get("reset"),
        wait_s=_in_body(body, at) if wait is None else wait,
    )


def _tightest(headers: Mapping[str, str], at: datetime) -> dict[str, float]:
    """Of the windows that the headers name, the one with the fewest calls left."""
    windows: dict[str, _Window] = {}
    for name in sorted(headers, key=_order):
        for window, role, value in _named(name, headers[name], at):
            windows.setdefault(window, _Window()).told.setdefault(role, value)
    structured = _structured(headers)
    if structured:
        windows["structured"] = _Window(_within(structured))
    return min(windows.values(), key=lambda window: window.left, default=_Window()).told


def _within(told: dict[str, float]) -> dict[str, float]:
    reset = {"reset": _clamped(told["reset"])} if "reset" in told else {}
    return {**told, **reset}


def _order(name: str) -> tuple[int, str]:
    ranks = (n for n, prefix in enumerate(PREFIXES) if name.startswith(f"{prefix}-"))
    return next(ranks, len(PREFIXES)), name


def _named(name: str, text: str, at: datetime) -> Iterator[tuple[str, str, float]]:
    """(window, `limit`, `remaining` or `reset`, value) of one header."""
    flat = name.replace("-", "").replace("_", "")
    if flat.endswith(("calllimit", "limitinfo")) and (used := _USED_OF.search(text[:LONGEST_TEXT])):
        yield flat, "limit", float(used[2])
        yield flat, "remaining", max(float(used[2]) - float(used[1]), 0.0)
        return
    about = next((word for word in ("ratelimit", "quota") if word in flat), None)
    if about is None:
        return
    rest = flat.partition(about)[2]
    for word, role in (("remaining", "remaining"), ("left", "remaining"), ("reset", "reset")):
        if word in rest:
            value = _until(text, at) if role == "reset" else _number(text)
            # `Reset-After` and `ResetTime` are of the same window as `Remaining`.
            window = re.sub(rf"{word}(?:after|time|at|in)?", "", rest)
            if value is not None:
                yield window, role, value
            return
    limited, number = _limited(rest), _number(text)
    if limited is not None and number is not None:
        yield limited, "limit", number


# `X-HubSpot-RateLimit-Daily: 250000` is a limit; `-Interval-Milliseconds`, `-Used` are none.
_SPANS = ("second", "secondly", "minute", "hour", "hourly", "day", "daily", "month", "monthly")


def _limited(rest: str) -> str | None:
    if rest.startswith("limit") or rest.endswith("limit"):
        return rest.removeprefix("limit") if rest.startswith("limit") else rest[: -len("limit")]
    if rest == "max":
        return ""
    return rest if rest in _SPANS else None


def _number(text: str) -> float | None:
    """The first number of `100`, `29.5` or `100, 100;w=60`; a sign makes it none."""
    found = _NUMBER.fullmatch(text[:LONGEST_TEXT])
    return float(found[1]) if found else None


def _structured(headers: Mapping[str, str]) -> dict[str, float]:
    """The policy with the fewest calls left, of those that RateLimit lists."""
    told = _items(_ending(headers, "ratelimit"))
    if any("limit" in item for item in told.values()):
        return {name: value for item in told.values() for name, value in item.items()}
    policies = _items(_ending(headers, "ratelimit-policy"))
    tightest = min(
        told,
        key=lambda name: told[name].get("remaining", math.inf),
        default=next(iter(policies), ""),
    )
    return {**policies.get(tightest, {}), **told.get(tightest, {})}


def _ending(headers: Mapping[str, str], end: str) -> str:
    """By its own name, or behind a prefix such as `beta-`."""
    if end in headers:
        return headers[end]
    return next((text for name, text in headers.items() if name.endswith(f"-{end}")), "")


def _items(text: str) -> dict[str, dict[str, float]]:
    items = (item.strip() for item in text[:LONGEST_TEXT].split(","))
    return {item.partition(";")[0]: _parameters(item) for item in items if item}


def _parameters(item: str) -> dict[str, float]:
    names = {"r": "remaining", "t": "reset", "q": "limit"}
    return {names.get(name, name): float(value) for name, value in _PARAMETER.findall(item)}


# --- how long ---------------------------------------------------------------------------------------


def _until(text: str, at: datetime) -> float | None:
    """Seconds from now, whichever way the moment is written."""
    if (number := _number(text)) is not None:
        return _seconds(number, at)
    short = text[:LONGEST_DATE].strip()
    if (span := _duration(short)) is not None:
        return _clamped(span)
    moment = _moment(short)
    return None if moment is None else _clamped((moment - at).total_seconds())


def _seconds(value: float, at: datetime) -> float:
    for start, scale in ((EPOCH_US_FROM, 1e6), (EPOCH_MS_FROM, 1e3), (EPOCH_FROM, 1.0)):
        if value > start:
            return _clamped(value / scale - at.timestamp())
    return _clamped(value)


def _moment(text: str) -> datetime | None:
    """An ISO date, with or without its zone (UTC then), or an HTTP-date."""
    try:
        iso = re.sub(r"\s?(?:UTC|GMT)$", "Z", text) if text[:4].isdecimal() else text
        found = datetime.fromisoformat(iso)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return http_date(text) if text else None


def _duration(text: str) -> float | None:
    """`6m0s`, `120ms`, `60 seconds`."""
    return _added(text) if _DURATION.fullmatch(text) else None


def _added(text: str) -> float:
    return sum(float(n) * _scale(unit) for n, unit in _PIECE.findall(text))


def _scale(unit: str) -> float:
    lowered = (unit or "s").lower()
    return next(scale for known, scale in _UNITS if known.match(lowered))


def _retry_after(headers: Mapping[str, str], at: datetime) -> float | None:
    found = {name.replace("-", "").replace("_", ""): text for name, text in headers.items()}
    for end, scale in (("retryafter", 1.0), ("retryafterseconds", 1.0), ("retryafterms", 0.001)):
        told = [text for name, text in found.items() if name.endswith(end)]
        waits = [w for text in told if (w := _wait(text, at, scale)) is not None]
        if waits:
            return max(waits)
    return None


def _wait(text: str, at: datetime, scale: float) -> float | None:
    if scale != 1.0:
        number = _number(text)
        return None if number is None else _clamped(number * scale)
    # Given twice, the longer one is meant too.
    several = [_until(part, at) for part in text[:LONGEST_TEXT].split(",")[:8] if _number(part)]
    return max((s for s in several if s is not None), default=None) or _until(text, at)


def _in_body(body: bytes, at: datetime) -> float | None:
    if not body:
        return None
    waits = _members(body, at)
    return _in_text(body, at) if waits is None else waits


def _members(body: bytes, at: datetime) -> float | None:
    try:
        value = loads(body, LARGEST_BODY)
    except BadBody:
        return None
    dates = None
    for name, told in _walked(value):
        if name in _IN_MS and (number := _plain(told)) is not None:
            return _clamped(number / 1000)
        if name in _IN_SECONDS and (wait := _until(str(told), at)) is not None:
            return wait
        if name in _AS_DATE and dates is None and isinstance(told, str | int | float):
            dates = _until(str(told), at)
    return dates


def _plain(told: Any) -> float | None:
    return _number(str(told)) if isinstance(told, str | int | float) else None


def _walked(value: Any) -> Iterator[tuple[str, Any]]:
    """Every member of the body, the outermost first, their names without case and marks."""
    level, left = [value], MOST_MEMBERS
    while level and left > 0:
        deeper: list[Any] = []
        for node in level:
            if isinstance(node, list):
                deeper += node[:left]
            elif isinstance(node, dict):
                for name, told in list(node.items())[:left]:
                    yield re.sub(r"[-_ ]", "", str(name)).lower(), told
                    deeper.append(told)
        left -= len(deeper)
        level = deeper


def _in_text(body: bytes, at: datetime) -> float | None:
    text = body[:LONGEST_TEXT].decode("utf-8", "replace")
    found = _WAIT_TEXT.search(text)
    # A number alone is a wait only behind `in` or `after`: not in "retry 3 times".
    if found is not None and (found[1] or found[3]):
        return _clamped(float(found[2]) * _scale(found[3] or "s") + _added(found[4] or ""))
    date = _DATE_TEXT.search(text)
    moment = _moment(date[1].strip()) if date else None
    return None if moment is None else _clamped((moment - at).total_seconds())


def _clamped(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_WAIT_S)
