"""A runbook's numbers off two scrapes of one `/metrics` page. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from watchkeeper.evidence import TOTAL
from watchkeeper.metrics import MOST_CONSUMERS, Number, Scrape, consumer_name, growth
from watchkeeper.runbook.signals import Metric, Volume


@dataclass(frozen=True)
class PageMetrics:
    """A source. Without an earlier scrape it has gauges and ages alone."""

    before: Scrape | None
    after: Scrape

    async def number(self, rule: Metric) -> Number:
        return number(rule, self.before, self.after)

    async def volumes(self, volume: Volume, window_s: float) -> dict[str, Number]:
        return volumes(volume, self.before, self.after, window_s)


def wanted(rules: Iterable[Metric], volume: Volume | None) -> frozenset[str]:
    """The names of all series that the rules read."""
    names = {growth.BEGAN.name}
    for rule in rules:
        names |= {base_name(rule), series_name(rule)}
        if rule.kind == "share":
            names.add(rule.of or rule.metric)
    return frozenset(names | ({volume.metric} if volume else set()))


def base_name(rule: Metric) -> str:
    """A histogram may be called by its own name or by that of its buckets."""
    return rule.metric.removesuffix("_bucket") if rule.kind == "quantile" else rule.metric


def series_name(rule: Metric) -> str:
    return f"{base_name(rule)}_bucket" if rule.kind == "quantile" else rule.metric


def number(rule: Metric, before: Scrape | None, after: Scrape) -> Number:
    """What the rule asks for; no value where a series is missing or too little was counted."""
    if lost := _lost(series_name(rule), rule.where, before, after):
        return lost
    if rule.kind == "gauge":
        return _gauge(rule, after)
    if rule.kind == "age":
        return _age(rule, after)
    if before is None or (elapsed_s := _elapsed_s(before, after)) <= 0:
        return Number(None, "no earlier scrape to count from")
    part = growth.broken(before, after, series_name(rule), rule.where)
    if rule.kind == "quantile":
        return replace(_quantile(rule, before, after, elapsed_s), part=part)
    grown = growth.total(before, after, rule.metric, rule.where)
    if rule.kind == "share":
        part = part or growth.broken(before, after, rule.of or rule.metric, rule.of_where)
        return replace(_share(rule, grown, before, after, elapsed_s), part=part)
    value = grown if rule.kind == "increase" else growth.rate(grown, elapsed_s)
    return Number(value, _over(elapsed_s), part=part)


def _lost(
    name: str, where: Mapping[str, str], before: Scrape | None, after: Scrape
) -> Number | None:
    """Why a series is not to be had, or None where it is. One that was there and is no more is told:
    that a page answers without it is no zero."""
    if name in after.stale:
        return Number(None, f"{name[:80]} is on the page with a time that is long past", "stale")
    if before is not None and before.of(name, where) and not after.of(name, where):
        return Number(None, f"{name[:80]} was there at {before.at:%H:%M}Z, and is gone", "vanished")
    if not after.knows(name):
        return Number(None, f"the page has no {name[:80]}", "missing")
    return None


def volumes(
    volume: Volume, before: Scrape | None, after: Scrape, window_s: float
) -> dict[str, Number]:
    """Requests in a window, by consumer (the largest `MOST_CONSUMERS`), and `total`."""
    if lost := _lost(volume.metric, volume.where, before, after):
        return {TOTAL: lost}
    if before is None or (elapsed_s := _elapsed_s(before, after)) <= 0:
        return {TOTAL: Number(None, "no earlier scrape to count from")}
    grown = growth.grown(before, after, volume.metric, volume.where)
    named = growth.by_label(grown, volume.by) if volume.by else {}
    largest = sorted(named.items(), key=lambda pair: -pair[1])[:MOST_CONSUMERS]
    counted = [*((consumer_name(name), count) for name, count in largest)]
    counted.append((TOTAL, sum(grown.values(), 0.0)))
    times, part = window_s / elapsed_s, growth.broken(before, after, volume.metric, volume.where)
    return {name: Number(count * times, _over(elapsed_s), part=part) for name, count in counted}


def _gauge(rule: Metric, after: Scrape) -> Number:
    found = after.of(rule.metric, rule.where)
    if not found:
        return Number(None, "no series has the labels asked for")
    # What is no number may be too much, where the others are not.
    unread = sum(value != value for value in found.values())
    part = f"{unread} of {len(found)} series are no number" if 0 < unread < len(found) else ""
    return Number(growth.gauge(found.values(), rule.below), part=part)


def _age(rule: Metric, after: Scrape) -> Number:
    """A time of 0 is one that has not come yet."""
    found = [value for value in after.of(rule.metric, rule.where).values() if value > 0]
    if not found:
        return Number(None, "no series tells a time")
    then = growth.gauge(found, below=not rule.below)
    return Number(after.at.timestamp() - then)


def _share(rule: Metric, grown: float, before: Scrape, after: Scrape, elapsed_s: float) -> Number:
    name = rule.of or rule.metric
    if lost := _lost(name, rule.of_where, before, after):
        return lost
    whole = growth.total(before, after, name, rule.of_where)
    if whole < rule.least:
        return Number(None, f"{whole:g} {_over(elapsed_s)}: too few to judge by")
    return Number(growth.share(grown, whole), f"{grown:g} of {whole:g} {_over(elapsed_s)}")


def _quantile(rule: Metric, before: Scrape, after: Scrape, elapsed_s: float) -> Number:
    found = growth.buckets(before, after, base_name(rule), rule.where)
    count = growth.observed(found)
    if not found or count < rule.least:
        return Number(None, f"{count if found else 0:g} {_over(elapsed_s)}: too few to judge by")
    return Number(growth.quantile(rule.quantile, found), f"{count:g} {_over(elapsed_s)}")


def _elapsed_s(before: Scrape, after: Scrape) -> float:
    return (after.at - before.at).total_seconds()


def _over(elapsed_s: float) -> str:
    return f"in {elapsed_s:.0f} s"
