"""How much counters grew between two scrapes. Pure; a number that cannot be is NaN, never an error.

A counter that fell has started again, and its growth is all that it counts. So is that of a series
that was not there before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import inf, isinf, nan

from watchkeeper.metrics import Scrape, Series

Where = Mapping[str, str]
# Upper bound and growth, by rising bound.
Buckets = Sequence[tuple[float, float]]
# The one series by which a page tells that its process is another one.
BEGAN = Series("process_start_time_seconds")
# The same process may tell its start a little differently when the host's clock is set.
_SAME_START_S = 2.0


def started_again(before: Scrape, after: Scrape) -> bool:
    """Every counter began at zero, even one that has by now passed what it was."""
    then, now = before.samples.get(BEGAN), after.samples.get(BEGAN)
    return then is not None and now is not None and now - then > _SAME_START_S


def broken(before: Scrape, after: Scrape, name: str, where: Where) -> str:
    """Why the growth of the matching series is that of a part alone: `started again`, or `in part
    gone`; empty where it is whole."""
    earlier, later = before.of(name, where), after.of(name, where)
    if not earlier:
        return ""
    fell = any(later[series] < value for series, value in earlier.items() if series in later)
    if fell or started_again(before, after):
        return f"{name[:80]} started again"
    return f"{name[:80]} is in part gone" if earlier.keys() - later.keys() else ""


def grown(before: Scrape, after: Scrape, name: str, where: Where) -> dict[Series, float]:
    """The growth of each matching series of a counter."""
    earlier = {} if started_again(before, after) else before.samples
    later = after.of(name, where)
    return {series: _growth(earlier.get(series, 0.0), value) for series, value in later.items()}


def total(before: Scrape, after: Scrape, name: str, where: Where) -> float:
    """The growth of all matching series together; 0 where none matches."""
    return sum(grown(before, after, name, where).values(), 0.0)


def share(part: float, whole: float) -> float:
    """NaN where nothing grew."""
    return part / whole if whole else nan


def rate(growth: float, elapsed_s: float) -> float:
    """A second. NaN where no time has passed."""
    return growth / elapsed_s if elapsed_s > 0 else nan


def gauge(values: Iterable[float], below: bool = False) -> float:
    """The largest of them (`below`: the smallest). What is not a number says nothing beside one
    that is; NaN where there is none."""
    told = [value for value in values if value == value]
    return (min if below else max)(told, default=nan)


def buckets(before: Scrape, after: Scrape, name: str, where: Where) -> Buckets:
    """The growth of a histogram's buckets, summed over its series by their bound `le`.

    A histogram starts again as a whole: one bucket that fell tells it of all of them.
    """
    earlier = {} if started_again(before, after) else before.samples
    children: dict[Series, dict[Series, float]] = {}
    for series, value in after.of(f"{name}_bucket", where).items():
        children.setdefault(series.without("le"), {})[series] = value
    summed: dict[float, float] = {}
    for child in children.values():
        fell = any(value < earlier.get(series, 0.0) for series, value in child.items())
        for series, value in child.items():
            growth = _growth(0.0 if fell else earlier.get(series, 0.0), value)
            bound = _bound(series)
            summed[bound] = summed.get(bound, 0.0) + growth
    return sorted(summed.items())


def quantile(q: float, found: Buckets) -> float:
    """As Prometheus' `histogram_quantile` does: linear within a bucket, the first of which begins
    at 0; in the last bucket the highest finite bound; NaN where nothing was observed."""
    rising = _never_falling(found)
    if len(rising) < 2 or not isinf(rising[-1][0]) or not rising[-1][1] > 0:
        return nan
    rank = q * rising[-1][1]
    at = next(i for i, (_, count) in enumerate(rising) if count >= rank)
    if at == len(rising) - 1:
        return rising[-2][0]
    end, count = rising[at]
    if at == 0 and end <= 0:
        return end
    start, less = rising[at - 1] if at else (0.0, 0.0)
    return start + (end - start) * ((rank - less) / (count - less))


def observed(found: Buckets) -> float:
    """How many observations a histogram grew by: its last bucket has all of them."""
    return found[-1][1] if found and isinf(found[-1][0]) else nan


def _growth(earlier: float, later: float) -> float:
    growth = later if later < earlier else later - earlier
    # What can fall below zero is no counter.
    return growth if growth >= 0 else nan


def _bound(series: Series) -> float:
    try:
        return float(series.label("le"))
    except ValueError:
        return nan


def _never_falling(found: Buckets) -> list[tuple[float, float]]:
    """A scrape is not taken in an instant: a higher bucket may have counted less. A bound or count
    that is no number makes the whole unusable."""
    if any(bound != bound or bound == -inf or not 0 <= count < inf for bound, count in found):
        return []
    most, rising = 0.0, []
    for bound, count in found:
        most = max(most, count)
        rising.append((bound, most))
    return rising


def by_label(growth: Mapping[Series, float], label: str) -> dict[str, float]:
    """Growth summed by the values of a label; empty for those without it."""
    ordered = sorted((series.label(label), value) for series, value in growth.items())
    return {key: sum(v for _, v in same) for key, same in groupby(ordered, key=lambda p: p[0])}
