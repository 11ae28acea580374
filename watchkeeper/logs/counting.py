"""Counting what a runbook looks for in foreign lines. No I/O here."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from watchkeeper.harmless import harmless, masked
from watchkeeper.runbook.signals import Log

LONGEST_LINE = 2000
LONGEST_KIND = 40
MOST_KINDS = 5

Counts = tuple[tuple[str, int], ...]
_WORD_CHARACTERS = string.ascii_letters + string.digits + "_-"
_AROUND_WORDS = "\"'.,;:!()[]{}"


@dataclass(frozen=True, slots=True)
class LogCount:
    """How many lines were found, of which kinds, and whose they were: most common first."""

    found: int
    kinds: Counts = ()
    consumers: Counts = ()


def count(lines: Sequence[str], rule: Log) -> LogCount:
    """What the rule finds in the lines. Raises re.error where a pattern of it is none."""
    wanted = re.compile(rule.pattern, re.IGNORECASE)
    found = [line for line in map(_bounded, lines) if wanted.search(line)]
    # A pattern could cut a key in two and show its half: what is shown is looked for once the
    # keys are masked.
    shown = [masked(line) for line in found]
    return LogCount(
        len(found),
        _most(_kind(line, rule.kind_pattern) for line in shown),
        _most(_group(line, rule.consumer_pattern) for line in shown),
    )


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
    found = re.search(pattern, line, re.IGNORECASE) if pattern else None
    return found[1] if found and found.re.groups else None


def _most(words: Iterable[str | None]) -> Counts:
    shown: Counter[str] = Counter()
    for word, times in Counter(word for word in words if word).items():
        shown[harmless(word, LONGEST_KIND)] += times
    return tuple(shown.most_common(MOST_KINDS))
