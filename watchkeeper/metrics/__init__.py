"""What our own services count of themselves, off a `/metrics` page or from a Prometheus server.

Both sources give the same numbers for a runbook's rules; what a number means is judged in
`watchkeeper.metrics.judging`. What cannot be had is a number without a value, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from watchkeeper.errors import Permanent
from watchkeeper.evidence import TOTAL
from watchkeeper.runbook.signals import Metric, Volume

Labels = tuple[tuple[str, str], ...]
# More consumers than this are not told apart: the label counts something else.
MOST_CONSUMERS = 20


class Unreadable(Permanent):
    """What came is not metrics. Its text quotes nothing; `fault` is a reading's fault."""

    def __init__(self, message: str, fault: str | None = None) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: `labels` are sorted by name."""

    name: str
    labels: Labels = ()

    def label(self, name: str) -> str:
        """Empty where the series has no such label, as in PromQL."""
        return next((value for given, value in self.labels if given == name), "")

    def matches(self, where: Mapping[str, str]) -> bool:
        return all(self.label(name) == value for name, value in where.items())

    def without(self, label: str) -> Series:
        return Series(self.name, tuple(pair for pair in self.labels if pair[0] != label))


@dataclass(frozen=True)
class Scrape:
    """The series of one page at one time; `declared`: names it has a TYPE or HELP line for; `stale`:
    names of series whose own time on the page is long past, and which are left out."""

    at: datetime
    samples: Mapping[Series, float]
    declared: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()

    def of(self, name: str, where: Mapping[str, str]) -> dict[Series, float]:
        found = self.samples.items()
        return {s: value for s, value in found if s.name == name and s.matches(where)}

    def knows(self, name: str) -> bool:
        """A counter that is declared and has no series yet has counted nothing: it is known."""
        return name in self.declared or any(series.name == name for series in self.samples)


@dataclass(frozen=True, slots=True)
class Number:
    """A value, or None where it could not be had. `said`: over what it was measured, or why not.

    `part`: why it is that of a part alone, such as what was counted since a restart; it may be too
    much by itself, and is never little enough.
    """

    value: float | None
    said: str = ""
    fault: str | None = None
    part: str = ""


class MetricsSource(Protocol):
    """Where numbers come from. Nothing that the far side does raises."""

    async def number(self, rule: Metric) -> Number: ...

    async def volumes(self, volume: Volume, window_s: float) -> dict[str, Number]:
        """Requests in a window of that length: by consumer, and `total` of all of them."""
        ...


@dataclass(frozen=True, slots=True)
class Silent:
    """A source that could not be read: every number of it is missing for the same reason."""

    why: Number

    async def number(self, rule: Metric) -> Number:
        return self.why

    async def volumes(self, volume: Volume, window_s: float) -> dict[str, Number]:
        return {TOTAL: self.why}


def consumer_name(label: str) -> str:
    """A consumer as people may be shown it, never mistaken for the sum of all."""
    shown = "".join(c if c.isprintable() else "?" for c in label[:60])
    return f"{TOTAL} (a consumer)" if shown == TOTAL else shown or "unnamed"
