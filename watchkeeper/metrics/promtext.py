"""Prometheus text format 0.0.4, read with bounds: the series that are asked for, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client.parser import text_string_to_metric_families

from watchkeeper.metrics import Scrape, Series, Unreadable

LARGEST = 4 * 1024 * 1024
# A line's time to read grows with the square of its length.
LONGEST_LINE = 4 * 1024
MOST_SAMPLES = 20_000
# A sample that tells a time of its own counts for so long, as with Prometheus.
STALE_S = 300.0
MOST_LINES = 200_000

_DECLARING = re.compile(r"#[ \t]*(?:TYPE|HELP)[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)")
_SAMPLE = re.compile(
    r"""(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*
        (?:\{.*\} | [ \t](?P<value>[-+0-9.a-zA-Z]+))
        | \{ (?P<quoted>"(?:[^"\\]|\\.)*") [ \t]* [,}]""",
    re.VERBOSE,
)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def read(body: bytes, wanted: frozenset[str], at: datetime) -> Scrape:
    """The series of a page whose names are wanted.

    Raises Unreadable on more than `LARGEST` bytes, `MOST_LINES` lines or `MOST_SAMPLES` wanted
    series, a line that is no sample, or a wanted one that is broken or given twice.
    """
    lines = _lines(body)
    declared = {found[1] for line in lines if (found := _DECLARING.match(line))}
    asked = [line for line in lines if _name(line) in wanted]
    if len(asked) > MOST_SAMPLES:
        raise Unreadable(f"the page has more than {MOST_SAMPLES} series of what is asked for")
    samples: dict[Series, float] = {}
    stale: set[str] = set()
    for series, value, told_s in _parsed(asked):
        if told_s is not None and at.timestamp() - told_s > STALE_S:
            stale.add(series.name)
            continue
        if series in samples or series.name not in wanted:
            raise Unreadable(f"the page gives a series of {series.name[:80]!r} twice or broken")
        samples[series] = value
    return Scrape(at, samples, frozenset(declared & wanted), frozenset(stale))


def canonical(series: Series) -> str:
    """`name{a="1",b="2"}`: the one text of a series, which `named` reads back."""
    labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in series.labels)
    return f"{series.name}{{{labels}}}"


def named(texts: Iterable[str]) -> list[Series]:
    """The series of canonical texts. Raises Unreadable where one is not."""
    return [series for series, _, _ in _parsed([f"{text} 0" for text in texts])]


def _lines(body: bytes) -> list[str]:
    if len(body) > LARGEST:
        raise Unreadable("the page is larger than we read", "too_large")
    if body.count(b"\n") > MOST_LINES:
        raise Unreadable(f"the page has more than {MOST_LINES} lines", "too_large")
    if body.lstrip()[:1] == b"<":
        raise Unreadable("the page is HTML, not metrics", "html")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("the page is not UTF-8") from None
    return [line for raw in text.split("\n") if (line := raw.strip(" \t\r"))]


def _name(line: str) -> str:
    """The name of a sample's line, empty for a comment. Series that are not wanted are looked at
    no closer than this."""
    if line.startswith("#"):
        return ""
    found = _SAMPLE.match(line) if len(line) <= LONGEST_LINE else None
    if found is None or (found["value"] is not None and not _is_number(found["value"])):
        raise Unreadable("the page is not in Prometheus' text format")
    return found["name"] or ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parsed(lines: list[str]) -> Iterator[tuple[Series, float, float | None]]:
    """Each series with its value and its own time, in seconds since 1970, where it tells one.

    Without their TYPE lines samples keep the names that the page gives them: the parser would call
    the counter `requests` `requests_total`.
    """
    try:
        for family in text_string_to_metric_families("\n".join(lines)):
            for sample in family.samples:
                labels = tuple(sorted(sample.labels.items()))
                told_s = None if sample.timestamp is None else float(sample.timestamp)
                yield Series(sample.name, labels), float(sample.value), told_s
    except (ValueError, ArithmeticError, LookupError):
        # Its errors quote the line.
        raise Unreadable("the page has a line that cannot be read") from None
