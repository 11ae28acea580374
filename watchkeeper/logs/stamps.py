"""The time that a log line tells of itself, in the spellings of common loggers. Pure.

    2026-03-02T09:00:00Z, 2026-03-02 09:00:00,123, 2026/03/02 09:00:00   ISO, Python, nginx, Go
    {"time": 1772348400000, ...}, {"ts": "2026-..."}, ts=1772348400.1    pino, zap, slog, logfmt
    Mar  2 09:00:00, <34>1 2026-03-02T09:00:00Z                            syslog, RFC 5424
    E0302 09:00:00.000000, [02/Mar/2026:09:00:00 +0000]                    klog, Apache and nginx access
    [Mon Mar 02 09:00:00.123 2026], 02 Mar 2026 09:00:00.123               Apache error, Redis, log4j
    __REALTIME_TIMESTAMP=1772348400000000, 1772348400.123                  journal export, squid

A time within a line is not the line's: it is looked for at its beginning, but for what always stands
in brackets or under a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from watchkeeper.vendor.strict_json import BadBody, loads

# Of a longer line the beginning is searched for a time.
LONGEST_JSON = 256 * 1024
_HEAD = 400

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
        1,
    )
}
_MONTH = r"(?P<mon>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}"
_CLOCK = r"(?P<clock>\d{1,2}:\d\d:\d\d(?:[.,]\d{1,9})?)"
_ZONE = r"\s?(?P<zone>Z|UTC|GMT|[+-]\d\d:?\d\d)?"
# What loggers put before it: a priority, a container's name, a level.
_BEFORE = (
    r"\W{0,8}(?:<\d{1,3}>(?:\d\s)?)?(?:[\w.-]{1,60}\s+\|\s+)?"
    r"(?:(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERROR|ERR|FATAL|CRIT(?:ICAL)?|SEVERE|ALERT|EMERG)"
    r"\W{1,6})?(?:(?:time|timestamp|ts)\W{1,5})?"
)


def _head(pattern: str) -> re.Pattern[str]:
    return re.compile(_BEFORE + pattern, re.IGNORECASE)


_ISO = _head(
    rf"(?P<year>\d{{4}})(?P<sep>[-/])(?P<month>\d\d)(?P=sep)(?P<day>\d\d)[T ]{_CLOCK}{_ZONE}"
)
_DAY_FIRST = _head(
    rf"(?:\d+:[A-Z] )?(?P<day>\d{{1,2}})[ /-]{_MONTH}[ /-](?P<year>\d{{4}})[ :]{_CLOCK}{_ZONE}"
)
_MONTH_FIRST = _head(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{{0,6}},?\s+)?{_MONTH}\s+(?P<day>\d{{1,2}})"
    rf"(?:,?\s+(?P<early>\d{{4}}))?\s+{_CLOCK}(?:\s+(?P<half>[AP]M))?(?:{_ZONE})"
    rf"(?:\s+(?P<year>(?:19|20)\d\d)\b)?"
)
_KLOG = re.compile(rf"[EWIF](?P<year>\d{{4}})?(?P<month>\d\d)(?P<day>\d\d) {_CLOCK}(?P<zone>)")
_ACCESS = re.compile(
    rf"\[(?P<day>\d\d)/{_MONTH}/(?P<year>\d{{4}}):{_CLOCK}{_ZONE}\]", re.IGNORECASE
)
_EPOCH = re.compile(r"\W{0,3}(\d{10}(?:\.\d{1,9})?|\d{13}|\d{16}|\d{19})(?=[\s\],|]|$)")
_JOURNAL = re.compile(r"__REALTIME_TIMESTAMP=(\d{16})$")
_NAMES = (
    *(
        "time",
        "timestamp",
        "@timestamp",
        "ts",
        "__REALTIME_TIMESTAMP",
        "datetime",
        "date",
        "asctime",
    ),
    *("eventTime", "event_time", "t", "@t", "Timestamp", "TimeStamp"),
)
_NAMED = "|".join(map(re.escape, _NAMES))
_IN_JSON = re.compile(
    rf'"(?:{_NAMED})"\s*:\s*(?:"(?P<text>[^"]{{1,60}})"|(?P<number>\d[\d.]{{0,24}}))'
)
_LOGFMT = re.compile(r'(?:^|\s)(?:time|timestamp|ts|t)=(?:"([^"]{1,60})"|(\S{1,60}))')
_LONGEST_AGO = timedelta(days=20 * 366)


def stamp_of(line: str, now: datetime) -> datetime | None:
    """The time that a line tells of itself, or None: aware, or without a zone where it names none.
    A year that it leaves out is the latest that is not ahead of `now` by a day."""
    for at in _read(line, now):
        if at is not None:
            return at
    return None


def _read(line: str, now: datetime) -> Iterator[datetime | None]:
    head = line[:_HEAD]
    opens = head.lstrip()[:1] == "{"
    if opens:
        yield _of_json(line, now)
    if found := _JOURNAL.match(head.strip()):
        yield _epoch(found[1], now)
    for pattern in (_ISO, _KLOG, _DAY_FIRST, _MONTH_FIRST):
        if found := pattern.match(head):
            yield _instant(found, now)
    if found := _ACCESS.search(head):
        yield _instant(found, now)
    if found := _EPOCH.match(head):
        yield _epoch(found[1], now)
    if not opens and (found := _LOGFMT.search(head)):
        yield _value(found[1] or found[2], now)


def json_of(line: str) -> dict[str, Any] | None:
    """The object that a line is, where it is one."""
    if line.lstrip()[:1] != "{" or len(line) > LONGEST_JSON:
        return None
    try:
        value = loads(line.encode(errors="replace"))
    except BadBody:
        return None
    return value if isinstance(value, dict) else None


def _of_json(line: str, now: datetime) -> datetime | None:
    value = json_of(line)
    if value is not None:
        told = (_value(value[name], now) for name in _NAMES if name in value)
        return next((at for at in told if at is not None), None)
    # Half an object, of a line that was cut.
    found = _IN_JSON.search(line[:LONGEST_JSON])
    return _value(found["text"] or found["number"], now) if found else None


def _value(value: object, now: datetime) -> datetime | None:
    if isinstance(value, dict):
        # Google's: {"seconds": ..., "nanos": ...}.
        value = value.get("seconds")
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _epoch(repr(value), now)
    text = str(value)[:60]
    if re.fullmatch(r"\d{10,19}(\.\d{1,9})?", text):
        return _epoch(text, now)
    for pattern in (_ISO, _DAY_FIRST, _MONTH_FIRST):
        if found := pattern.match(text):
            return _instant(found, now)
    return None


def _epoch(text: str, now: datetime) -> datetime | None:
    """Seconds, milli-, micro- or nanoseconds since 1970, told apart by their size. A number that
    would be no time of these years counts something else."""
    try:
        number = float(text)
        for scale in (1, 1e3, 1e6, 1e9):
            if 1e8 < number / scale < 1e10:
                at = datetime.fromtimestamp(number / scale, UTC)
                return at if now - _LONGEST_AGO <= at <= now + timedelta(days=2) else None
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _instant(found: re.Match[str], now: datetime) -> datetime | None:
    parts = found.groupdict()
    month = _MONTHS[parts["mon"].lower()[:3]] if parts.get("mon") else int(parts["month"])
    year = parts.get("year") or parts.get("early")
    years = [int(year)] if year else [now.year + 1, now.year, now.year - 1]
    for one in years:
        at = _made(one, month, parts)
        if at is not None and (year or _as_utc(at) <= now + timedelta(days=1)):
            return at
    return None


def _made(year: int, month: int, parts: dict[str, str | None]) -> datetime | None:
    clock = (parts["clock"] or "").replace(",", ".")
    hour, minute, second = clock.split(":")
    whole, _, fraction = second.partition(".")
    hours = int(hour)
    if half := parts.get("half"):
        hours = hours % 12 + (12 if half.upper() == "PM" else 0)
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    try:
        day, told = int(parts["day"] or 0), (hours, int(minute), int(whole), micros)
        at = datetime(year, month, day, *told, tzinfo=UTC)
        zone = (parts.get("zone") or "").upper()
        if not zone:
            return at.replace(tzinfo=None)
        if zone in ("Z", "UTC", "GMT"):
            return at
        return datetime.fromisoformat(f"{at.replace(tzinfo=None).isoformat()}{zone}")
    except (ValueError, OverflowError):
        return None


def _as_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
