"""A runbook's numbers from a Prometheus server's query API: one query each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from watchkeeper.evidence import TOTAL
from watchkeeper.harmless import harmless
from watchkeeper.metrics import Number, Unreadable, consumer_name
from watchkeeper.metrics.fetch import Fetch, Page, fault_told
from watchkeeper.metrics.page import series_name
from watchkeeper.metrics.promql import age_query, metric_query, up_query, volume_queries
from watchkeeper.runbook.signals import STILL, Metric, Volume
from watchkeeper.runbook.telemetry import PrometheusServer
from watchkeeper.vendor.strict_json import BadBody, loads

Vector = list[tuple[dict[str, str], float]]
NOTHING = Number(None, "the server has no such series, or too little was counted")


# A newest sample that is older than this is what a series was, and not what it is.
STALE_S = 180.0
NOT_SCRAPED = "up is 0: Prometheus cannot scrape all of it"


@dataclass(frozen=True)
class ServerMetrics:
    """A source. Its rates are those of the server over `range`. One is made for each look: whether
    the targets are up is asked once."""

    server: PrometheusServer
    fetch: Fetch
    _up: list[asyncio.Task[bool]] = field(default_factory=list, compare=False, repr=False)

    async def number(self, rule: Metric) -> Number:
        try:
            names = {series_name(rule), *([rule.of] if rule.of else [])}
            found, lost, part = await asyncio.gather(
                self._asked(metric_query(rule, self.server)), self._lost(names), self._part()
            )
        except Unreadable as error:
            return Number(None, str(error), error.fault)
        if lost is not None or len(found) != 1:
            return replace(lost or NOTHING, said=_and(lost or NOTHING, part))
        said = "" if rule.kind in STILL else self._over
        return Number(found[0][1], said, part=part)

    async def volumes(self, volume: Volume, window_s: float) -> dict[str, Number]:
        try:
            total, each = volume_queries(volume, self.server, window_s)
            asked = [self._asked(query) for query in (each, total) if query is not None]
            (*named, whole), lost, part = await asyncio.gather(
                asyncio.gather(*asked), self._lost({volume.metric}), self._part()
            )
        except Unreadable as error:
            return {TOTAL: Number(None, str(error), error.fault)}
        if lost is not None or len(whole) != 1:
            return {TOTAL: replace(lost or NOTHING, said=_and(lost or NOTHING, part))}
        counted = {
            consumer_name(labels.get(volume.by or "", "")): Number(value, self._over, part=part)
            for found in named
            for labels, value in sorted(found, key=lambda one: -one[1])
        }
        return {**counted, TOTAL: Number(whole[0][1], self._over, part=part)}

    async def _lost(self, names: Iterable[str]) -> Number | None:
        """Why what the server still answers is of the past: a rate outlives its series by `range`."""
        for name in sorted(names):
            found = await self._asked(age_query(name, self.server))
            if not found:
                return Number(None, f"the server has no sample of {name[:80]} now", "vanished")
            if not found[0][1] <= STALE_S:
                said = f"the newest sample of {name[:80]} is {found[0][1]:.0f} s old"
                return Number(None, said, "stale")
        return None

    async def _part(self) -> str:
        """Why the numbers are those of a part alone; empty where they are whole, or not known."""
        if not self._up:
            self._up.append(asyncio.create_task(self._all_up()))
        return "" if await asyncio.shield(self._up[0]) else NOT_SCRAPED

    async def _all_up(self) -> bool:
        query = up_query(self.server)
        found = [] if query is None else await self._asked(query)
        return not found or found[0][1] > 0

    @property
    def _over(self) -> str:
        return f"over {self.server.range}"

    async def _asked(self, query: str) -> Vector:
        url = f"{self.server.url.rstrip('/')}/api/v1/query"
        return vector(await self.fetch(url, accept="application/json", query=query))


def _and(lost: Number, part: str) -> str:
    return f"{part}; {lost.said}" if part else lost.said


def vector(page: Page) -> Vector:
    """The labels and values of an instant vector. Raises Unreadable; its text quotes nothing but
    the server's word for the kind of error."""
    if page.fault is not None:
        raise Unreadable(f"the Prometheus server gave {fault_told(page)}", page.fault)
    body = _answer(page)
    data = body.get("data")
    if not isinstance(data, dict) or data.get("resultType") != "vector":
        raise Unreadable("the Prometheus server's answer is no instant vector", "wrong_value")
    result = data.get("result")
    try:
        return [_sample(one) for one in result] if isinstance(result, list) else _no_vector()
    except (KeyError, TypeError, ValueError):
        return _no_vector()


def _answer(page: Page) -> dict[str, Any]:
    """What a server says of a bad query comes as JSON, too, with a status of 400 or more."""
    try:
        body = loads(page.body)
    except BadBody:
        body = None
    said = body.get("status") if isinstance(body, dict) else None
    if page.status == 200 and said == "success":
        return dict(body)
    if said == "error":
        kind = str(body.get("errorType", "")) if isinstance(body, dict) else ""
        word = kind if kind.isidentifier() and kind.isascii() else "unknown"
        shown = harmless(word, 40)
        raise Unreadable(f"the Prometheus server answered {page.status}: {shown}", "error_body")
    fault = "not_json" if body is None and page.status == 200 else None
    raise Unreadable(f"the Prometheus server answered {page.status}, no query result", fault)


def _sample(one: Any) -> tuple[dict[str, str], float]:
    _at, value = one["value"]
    if not isinstance(value, str) or not isinstance(one["metric"], dict):
        raise TypeError
    return {str(name): str(label) for name, label in one["metric"].items()}, float(value)


def _no_vector() -> Vector:
    raise Unreadable("the Prometheus server's answer is no instant vector", "wrong_value")
