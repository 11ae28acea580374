"""A runbook's rules as PromQL, meaning what `watchkeeper.metrics.page` computes. Pure.

A counter that exists, but has no series with the labels asked for, has grown by 0: hence `or 0 *`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from watchkeeper.metrics import MOST_CONSUMERS, Unreadable
from watchkeeper.metrics.page import base_name
from watchkeeper.runbook.signals import Metric, Volume
from watchkeeper.runbook.telemetry import PrometheusServer

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def metric_query(rule: Metric, server: PrometheusServer) -> str:
    """An expression of one value, of none where nothing can be said.

    Raises Unreadable where a label's name is none that PromQL knows.
    """
    if rule.kind == "gauge":
        chosen = _selector(rule.metric, server.where, rule.where)
        return f"{'min' if rule.below else 'max'}({chosen})"
    if rule.kind == "age":
        chosen = _selector(rule.metric, server.where, rule.where)
        return f"time() - {'max' if rule.below else 'min'}({chosen} > 0)"
    if rule.kind == "quantile":
        return _quantile(rule, server)
    if rule.kind == "share":
        part = _growth(rule.metric, rule.where, server)
        whole = _growth(rule.of or rule.metric, rule.of_where, server)
        return f"({part}) / (({whole}) >= {_number(rule.least)})"
    return _growth(rule.metric, rule.where, server, "rate" if rule.kind == "rate" else "increase")


def age_query(name: str, server: PrometheusServer) -> str:
    """How old the newest sample of a series is, in seconds; no value where it has none any more."""
    return f"time() - max(timestamp({_selector(name, server.where)}))"


def up_query(server: PrometheusServer) -> str | None:
    """0 where one of the targets cannot be scraped; None where the targets are not told apart."""
    return f"min({_selector('up', server.where)})" if server.where else None


def volume_queries(
    volume: Volume, server: PrometheusServer, window_s: float
) -> tuple[str, str | None]:
    """Requests in a window: of all consumers, and of each where a label tells them apart."""
    times = _number(window_s)
    total = f"({_growth(volume.metric, volume.where, server, 'rate')}) * {times}"
    if volume.by is None:
        return total, None
    chosen = f"{_selector(volume.metric, server.where, volume.where)}[{server.range}]"
    each = f"sum by ({_label(volume.by)}) (rate({chosen})) * {times}"
    return total, f"topk({MOST_CONSUMERS}, {each})"


def _growth(
    name: str, where: Mapping[str, str], server: PrometheusServer, function: str = "increase"
) -> str:
    chosen = f"sum({function}({_selector(name, server.where, where)}[{server.range}]))"
    if not where:
        return chosen
    return f"{chosen} or 0 * sum({function}({_selector(name, server.where)}[{server.range}]))"


def _quantile(rule: Metric, server: PrometheusServer) -> str:
    name = f"{base_name(rule)}_bucket"
    chosen = f"{_selector(name, server.where, rule.where)}[{server.range}]"
    count = f"{_selector(name, server.where, rule.where, {'le': '+Inf'})}[{server.range}]"
    enough = f"sum(increase({count})) >= {_number(rule.least)}"
    by_bound = f"sum by (le) (increase({chosen}))"
    return f"histogram_quantile({_number(rule.quantile)}, {by_bound}) and ({enough})"


def _selector(name: str, *wheres: Mapping[str, str]) -> str:
    pairs = [
        f'{_label(label)}="{value.translate(_ESCAPES)}"'
        for where in wheres
        for label, value in sorted(where.items())
    ]
    return f"{name}{{{','.join(pairs)}}}"


def _label(name: str) -> str:
    if not _LABEL.fullmatch(name):
        raise Unreadable(f"{name[:40]!a} is not a label's name")
    return name


def _number(value: float) -> str:
    return repr(float(value))
