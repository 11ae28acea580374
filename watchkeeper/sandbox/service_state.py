"""What the service knows of its own calls, and what it tells of that: health, metrics, log."""

import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import Clock, iso
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.making import fraction
from watchkeeper.sandbox.prometheus_text import Metrics
from watchkeeper.sandbox.service_calls import Poll, verdict
from watchkeeper.sandbox.service_config import Operation, Setup
from watchkeeper.sandbox.service_faults import (
    OperationErrors,
    Queue,
    ServiceFault,
    Unhealthy,
    WrongKey,
    first,
)

VERSION = "1.0"
WORST_FIRST = ("unhealthy", "degraded", "healthy")
LIST_WORDS = {"healthy": "pass", "degraded": "warn", "unhealthy": "fail"}


class State:
    """`lasts`: the newest call of each operation; the counts are of this process's life."""

    def __init__(self, setup: Setup, key: str, clock: Clock) -> None:
        self.setup = setup
        self.clock = clock
        self.started: datetime = clock()
        self.boot_id = uuid.uuid4().hex
        self.lasts: dict[str, Poll] = {}
        self.counts: Counter[str] = Counter()
        self.faults: list[ServiceFault] = []
        self.metrics = Metrics()
        self._key = key
        self._turns = 0
        self._lock = threading.Lock()

    @property
    def key(self) -> str:
        wrong = first(self.faults, WrongKey)
        return wrong.key if wrong else self._key

    def did(self, operation: Operation, poll: Poll) -> None:
        """One turn of an operation, with the call that it made."""
        failed = self._fails(operation)
        with self._lock:
            self.lasts[operation.name] = poll
        self.called(operation, poll)
        well = poll.ok and not failed
        status = "success" if well else "error"
        self.metrics.count(operation.metric, operation=operation.name, status=status)
        self.metrics.observe(operation.duration, poll.latency_ms / 1000)
        if poll.ok and failed:
            self._failed("OPERATION_FAILED", operation)

    def called(self, operation: Operation, poll: Poll) -> None:
        names = self.setup.names
        with self._lock:
            self.counts[poll.outcome] += 1
        self.metrics.count(
            names.requests,
            method="GET",
            endpoint=operation.label,
            status=poll.outcome,
            consumer=operation.consumer,
        )
        self.metrics.observe(names.latency, poll.latency_ms / 1000, endpoint=operation.label)
        if poll.remaining is not None:
            self.metrics.gauge(names.remaining, poll.remaining)
        if not poll.ok:
            self._failed(poll.error_type, operation)

    def _failed(self, kind: str, operation: Operation) -> None:
        self.metrics.count(self.setup.names.errors, error_type=kind, operation=operation.name)
        if self.setup.log_file is not None:
            facts = {"time": iso(self.clock()), "kind": kind, "consumer": operation.consumer}
            with self._lock, self.setup.log_file.open("a") as log:
                log.write(self.setup.log_line.format(**facts) + "\n")

    def _fails(self, operation: Operation) -> bool:
        with self._lock:
            self._turns += 1
            draw = fraction(self.boot_id, self._turns)
        found = (f for f in self.faults if isinstance(f, OperationErrors))
        return any(f.operation == operation.name and draw < f.share for f in found)

    def metrics_text(self) -> str:
        queue = first(self.faults, Queue)
        self.metrics.gauge(self.setup.names.queue, queue.length if queue else 0)
        return self.metrics.text()

    def status(self) -> str:
        if first(self.faults, Unhealthy) or not self.lasts:
            return "unhealthy"
        return min((verdict(poll) for poll in self.lasts.values()), key=WORST_FIRST.index)

    def health(self) -> dict[str, Any]:
        return health(
            self.setup,
            self.status(),
            worst(self.lasts),
            {
                "timestamp": iso(self.clock()),
                "keyFingerprint": fingerprint(self.key),
                "startedAt": iso(self.started),
                "bootId": self.boot_id,
                "version": VERSION,
            },
        )

    def stats(self) -> dict[str, Any]:
        ok = self.counts["200"]
        failed = sum(self.counts.values()) - ok
        return {"ok": ok, "failed": failed, "by_status": dict(self.counts), "bootId": self.boot_id}


def worst(lasts: Mapping[str, Poll]) -> Poll:
    polls = sorted(lasts.values(), key=lambda p: (WORST_FIRST.index(verdict(p)), -p.latency_ms))
    return polls[0] if polls else Poll("none", 0)


def health(setup: Setup, status: str, poll: Poll, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The body of /health, in whichever of the two shapes of checks."""
    name, vendor = f"{setup.vendor}_api", verdict(poll)
    if setup.health == "mapping":
        checks: Any = {name: {"status": poll.ok, "latencyMs": poll.latency_ms}}
    else:
        message = {} if poll.ok else {"message": poll.error_type}
        one = {"name": name, "status": LIST_WORDS[vendor], "latencyMs": poll.latency_ms}
        checks = [{**one, **message}]
    return {"status": status, "checks": checks, **facts}
