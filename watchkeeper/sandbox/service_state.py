"""What the service knows of itself and its calls, and what it tells of that."""

import threading
import uuid
from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

from watchkeeper.sandbox.clock import Clock, iso
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.load import Flow, Load, flow_of, wait_s
from watchkeeper.sandbox.making import fraction
from watchkeeper.sandbox.prometheus_text import Metrics
from watchkeeper.sandbox.service_calls import Poll
from watchkeeper.sandbox.service_config import Operation, Setup
from watchkeeper.sandbox.service_counts import LOAD, Counts
from watchkeeper.sandbox.service_faults import (
    MetricLost,
    OperationErrors,
    Overloaded,
    Queue,
    ServiceFault,
    Unhealthy,
    WrongKey,
    first,
)
from watchkeeper.sandbox.service_health import health, status_of, worst
from watchkeeper.sandbox.settings_book import SettingsBook

VERSION = "1.0"


class State:
    """`lasts`: the newest call of each operation; the counts are of this process's life."""

    def __init__(
        self,
        setup: Setup,
        key: str,
        clock: Clock,
        more_keys: Sequence[str] = (),
        book: SettingsBook | None = None,
    ) -> None:
        self.setup, self.clock = setup, clock
        self.started: datetime = clock()
        self.boot_id = uuid.uuid4().hex
        self.lasts: dict[str, Poll] = {}
        self.faults: list[ServiceFault] = []
        self.metrics = Metrics()
        self.counts = Counts(setup.names, self.metrics)
        self.keys = (key, *more_keys)
        self.book = book or SettingsBook(len(self.keys))
        self.load, self.replicas = Load(), 1
        self._turns, self._next = count(1), count()
        self._lock = threading.Lock()

    # --- what it goes by -------------------------------------------------------------------------

    @property
    def key(self) -> str:
        return self.spread[0]

    @property
    def spread(self) -> tuple[str, ...]:
        """The keys that its calls are made with, in turn."""
        wrong = first(self.faults, WrongKey)
        return (wrong.key,) if wrong else self.keys[: self.book.now.keys or 1]

    def next_key(self) -> str:
        keys = self.spread
        return keys[next(self._next) % len(keys)]

    @property
    def flow(self) -> Flow:
        fault = first(self.faults, Overloaded)
        return flow_of(fault, self.book.now.intake_per_s, self.replicas)

    def waiting(self) -> float:
        """How much of what comes from outside waits now."""
        waiting, refused = self.load.look(self.flow)
        if refused:
            self.counts.refuse(LOAD, "normal", "intake", refused)
        return waiting

    def wait_s(self) -> float:
        return wait_s(self.waiting(), self.flow)

    # --- what it did -----------------------------------------------------------------------------

    def did(self, operation: Operation, poll: Poll, waited_s: float = 0.0) -> None:
        """One turn of an operation, with the last call that it made."""
        failed = self._fails(operation)
        with self._lock:
            self.lasts[operation.name] = poll
        self.called(operation, poll)
        self.counts.turned(operation, poll.ok and not failed, waited_s + poll.latency_ms / 1000)
        if poll.ok and failed:
            self._failed("OPERATION_FAILED", operation)

    def called(self, operation: Operation, poll: Poll) -> None:
        self.counts.called(operation, poll)
        if not poll.ok:
            self._failed(poll.error_type, operation)

    def retries(self, operation: Operation, poll: Poll) -> None:
        """A call failed that is made once more: no error until it is given up."""
        self.counts.called(operation, poll)
        self.counts.retry(operation)

    def refused(self, operation: Operation, reason: str) -> None:
        self.counts.refuse(operation.name, operation.criticality, reason)

    def forget(self, operation: Operation) -> None:
        """What is not done any more says nothing of its health."""
        with self._lock:
            self.lasts.pop(operation.name, None)

    def _failed(self, kind: str, operation: Operation) -> None:
        self.metrics.count(self.setup.names.errors, error_type=kind, operation=operation.name)
        if self.setup.log_file is not None:
            facts = {"time": iso(self.clock()), "kind": kind, "consumer": operation.consumer}
            with self._lock, self.setup.log_file.open("a") as log:
                log.write(self.setup.log_line.format(**facts) + "\n")

    def _fails(self, operation: Operation) -> bool:
        draw = fraction(self.boot_id, next(self._turns))
        found = (f for f in self.faults if isinstance(f, OperationErrors))
        return any(f.operation == operation.name and draw < f.share for f in found)

    # --- what it tells ---------------------------------------------------------------------------

    def queue(self) -> int:
        said = first(self.faults, Queue)
        return round(self.waiting()) + (said.length if said else 0)

    def metrics_text(self) -> str:
        self.metrics.gauge(self.setup.names.queue, self.queue())
        self.metrics.gauge(self.setup.names.replicas, self.replicas)
        lines = self.metrics.text().splitlines(keepends=True)
        for fault in (f for f in self.faults if isinstance(f, MetricLost)):
            lines = [kept for line in lines if (kept := _without(line, fault))]
        return "".join(lines)

    def health(self) -> dict[str, Any]:
        with self._lock:
            lasts = dict(self.lasts)
        sick = first(self.faults, Unhealthy) is not None
        status = "unhealthy" if sick else status_of(lasts, bool(self.book.now.refuse))
        facts = {
            "timestamp": iso(self.clock()),
            "keyFingerprint": fingerprint(self.key),
            "startedAt": iso(self.started),
            "bootId": self.boot_id,
            "version": VERSION,
        }
        return health(self.setup, status, worst(lasts), facts)

    def stats(self) -> dict[str, Any]:
        return {
            "queue": self.queue(),
            **self.counts.shown(),
            "replicas": self.replicas,
            "keys": [fingerprint(key) for key in self.spread],
            "settings": self.book.shown(),
            "bootId": self.boot_id,
        }


def _without(line: str, fault: MetricLost) -> str:
    """The line of the metrics page as the fault leaves it: empty where it takes it away."""
    name = line.removeprefix("# TYPE ").split("{")[0].split(" ")[0].strip()
    stems = {fault.metric, *(f"{fault.metric}_{end}" for end in ("bucket", "count", "sum"))}
    if name not in stems:
        return line
    if fault.value is None:
        return ""
    return line if line.startswith("#") else f"{line.rpartition(' ')[0]} {fault.value}\n"
