"""What the service has done in this life, counted for /stats and as metrics."""

import threading
import time
from collections import Counter
from typing import Any

from watchkeeper.sandbox.prometheus_text import Metrics
from watchkeeper.sandbox.service_calls import WELL, Poll
from watchkeeper.sandbox.service_config import Names, Operation

LOAD = "load"


class Counts:
    """Of calls by their outcome, model and key; of turns; of work turned away; of look-ups."""

    def __init__(self, names: Names, metrics: Metrics) -> None:
        self.names, self.metrics = names, metrics
        self.by_status: Counter[str] = Counter()
        self.by_model: Counter[str] = Counter()
        self.by_key: Counter[str] = Counter()
        self.turns: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str]] = Counter()
        self.retried = self.lookups = 0
        self._lock = threading.Lock()

    def called(self, operation: Operation, poll: Poll) -> None:
        with self._lock:
            self.by_status[poll.outcome] += 1
            self.by_key[poll.key] += 1
            if poll.model:
                self.by_model[poll.model] += 1
        names, metrics = self.names, self.metrics
        metrics.count(
            names.requests,
            method=operation.method,
            endpoint=operation.label,
            status=poll.outcome,
            consumer=operation.consumer,
        )
        metrics.count(
            names.calls, model=poll.model, key=poll.key, criticality=operation.criticality
        )
        metrics.observe(names.latency, poll.latency_ms / 1000, endpoint=operation.label)
        if poll.outcome in WELL:
            metrics.gauge(names.last_success, time.time())
        if poll.remaining is not None:
            metrics.gauge(names.remaining, poll.remaining)

    def turned(self, operation: Operation, well: bool, took_s: float) -> None:
        status = "success" if well else "error"
        with self._lock:
            self.turns[status] += 1
        self.metrics.count(operation.metric, operation=operation.name, status=status)
        self.metrics.observe(operation.duration, took_s)

    def refuse(self, operation: str, criticality: str, reason: str, items: int = 1) -> None:
        with self._lock:
            self.refused[criticality, reason] += items
        labels = {"operation": operation, "criticality": criticality, "reason": reason}
        self.metrics.add(self.names.refused, items, **labels)

    def retry(self, operation: Operation) -> None:
        with self._lock:
            self.retried += 1
        self.metrics.count(self.names.retries, operation=operation.name)

    def look_up(self) -> None:
        with self._lock:
            self.lookups += 1
        self.metrics.count(self.names.lookups)

    def shown(self) -> dict[str, Any]:
        with self._lock:
            ok = sum(self.by_status[status] for status in WELL)
            return {
                "ok": ok,
                "failed": self.by_status.total() - ok,
                "by_status": dict(self.by_status),
                "by_model": dict(self.by_model),
                "by_key": dict(self.by_key),
                "turns": dict(self.turns),
                "refused": self._turned_away(),
                "retried": self.retried,
                "lookups": self.lookups,
            }

    def _turned_away(self) -> dict[str, Any]:
        by_criticality: Counter[str] = Counter()
        by_reason: Counter[str] = Counter()
        for (criticality, reason), items in self.refused.items():
            by_criticality[criticality] += items
            by_reason[reason] += items
        return {
            "total": self.refused.total(),
            "by_criticality": dict(by_criticality),
            "by_reason": dict(by_reason),
        }
