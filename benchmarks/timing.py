"""Repeated measurements and the table that shows them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

TIMES = 7


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, in seconds, against the bounds it is held to: all in seconds, too.

    `goal`: what we want; `floor`: what is promised. Neither: told for comparison only.
    """

    what: str
    took_s: tuple[float, ...]
    goal_s: float | None = None
    floor_s: float | None = None

    @property
    def median_s(self) -> float:
        return median(self.took_s)

    @property
    def missed(self) -> bool:
        return self.floor_s is not None and self.median_s > self.floor_s

    @property
    def verdict(self) -> str:
        if self.goal_s is None:
            return ""
        if self.missed:
            return "FLOOR MISSED"
        return "goal" if self.median_s <= self.goal_s else "floor"


async def repeated(
    action: Callable[[], Awaitable[object]], times: int = TIMES
) -> tuple[float, ...]:
    """How long each turn took, after one that does not count."""
    await action()
    return tuple([await _timed(action) for _ in range(times)])


async def _timed(action: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await action()
    return time.perf_counter() - began


def show(title: str, rows: list[Row], unit_s: float) -> None:
    """`x`: the median as a multiple of `unit_s`, the slowest probe."""
    table = Table(title=title, title_justify="left")
    for name in ("", "median", "spread", "x", "goal", "floor", ""):
        table.add_column(name, justify="left" if not name else "right")
    for row in rows:
        told = (_ms(row.goal_s), _ms(row.floor_s), row.verdict)
        spread = f"{_ms(min(row.took_s))} - {_ms(max(row.took_s))}"
        table.add_row(row.what, _ms(row.median_s), spread, f"{row.median_s / unit_s:.2f}", *told)
    Console(width=140).print(table)


def _ms(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"
