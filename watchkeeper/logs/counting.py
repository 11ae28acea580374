"""Counting what a runbook looks for in foreign lines. No I/O here."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchkeeper.harmless import harmless, masked
from watchkeeper.logs.levels import asked_level, level_of
from watchkeeper.runbook.signals import Log

# A pattern's time may grow with the square of what it sees: it sees a long line part by part.
PART, OVERLAP = 2000, 400
LONGEST_LINE = 64 * 1024
LONGEST_KIND = 40
MOST_KINDS = 5

Counts = tuple[tuple[str, int], ...]
_WORD_CHARACTERS = string.ascii_letters + string.digits + "_-"
_AROUND_WORDS = "\"'.,;:!()[]{}"


@dataclass(frozen=True, slots=True)
class LogCount:
    """How many lines were found, of which kinds, and whose they were: most common first. `halved`:
    how many lines are longer than `LONGEST_LINE`, and were not looked at to their end."""

    found: int
    kinds: Counts = ()
    consumers: Counts = ()
    halved: int = 0


def count(lines: Sequence[str], rule: Log) -> LogCount:
    """What the rule finds in the lines. Raises re.error where a pattern of it is none.

    Where the pattern names levels alone, such as `error` or `error|fatal`, a JSON line that tells its
    level is judged by that: `"no errors"` at level info is no error, and level 50 is one.
    """
    wanted, least = re.compile(rule.pattern, re.IGNORECASE), asked_level(rule.pattern)
    found = [line for line in map(_bounded, lines) if _is_wanted(line, wanted, least)]
    # A pattern could cut a key in two and show its half: what is shown is looked for once the
    # keys are masked.
    shown = [masked(line) for line in found]
    return LogCount(
        len(found),
        _most(_kind(line, rule.kind_pattern) for line in shown),
        _most(_group(line, rule.consumer_pattern) for line in shown),
        sum(len(line) > LONGEST_LINE for line in lines),
    )


def _is_wanted(line: str, wanted: re.Pattern[str], least: int | None) -> bool:
    level = None if least is None else level_of(line)
    if least is not None and level is not None:
        return level >= least
    return _search(wanted, line) is not None


def _search(wanted: re.Pattern[str], line: str) -> re.Match[str] | None:
    """The first match, within one part of a long line."""
    begin = 0
    while True:
        end = begin + PART
        # `$` is the end of the line alone, so that the last part goes to it.
        found = wanted.search(line, begin, end if end < len(line) else len(line))
        if found is not None or end >= len(line):
            return found
        begin = end - OVERLAP


def _bounded(line: str) -> str:
    """Cut before any pattern sees it, and never in the middle of a word."""
    if len(line) <= LONGEST_LINE:
        return line
    return line[:LONGEST_LINE].rstrip(_WORD_CHARACTERS)


def _kind(line: str, pattern: str | None) -> str | None:
    """Without a pattern its last word, freed of the brackets and stops around it."""
    if pattern:
        return _group(line, pattern)
    last = next(iter(line.split()[-1:]), "")
    return last.strip(_AROUND_WORDS) or last


def _group(line: str, pattern: str | None) -> str | None:
    found = _search(re.compile(pattern, re.IGNORECASE), line) if pattern else None
    return found[1] if found and found.re.groups else None


def _most(words: Iterable[str | None]) -> Counts:
    shown: Counter[str] = Counter()
    for word, times in Counter(word for word in words if word).items():
        shown[harmless(word, LONGEST_KIND)] += times
    return tuple(shown.most_common(MOST_KINDS))
