"""Work that comes faster than it is done: how much of it waits, and how long that takes."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.sandbox.service_faults import Overloaded, from_json, to_json
from watchkeeper.sandbox.settings_book import replace_file

MOST = 1_000_000.0


@dataclass(frozen=True, slots=True)
class Flow:
    """Items a second: what comes, what of it is taken in, and what can be done."""

    work: float = 0.0
    taken: float = 0.0
    served: float = 0.0
    slowest_s: float = 0.0


STILL = Flow()


def flow_of(fault: Overloaded | None, intake_per_s: float | None, replicas: int) -> Flow:
    if fault is None:
        return STILL
    taken = fault.work_per_s if intake_per_s is None else min(fault.work_per_s, intake_per_s)
    served = fault.capacity_per_s * replicas
    return Flow(fault.work_per_s, taken, served, fault.slowest_s)


class Load:
    """The queue runs on between two looks as it ran at the first of them."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.monotonic = monotonic
        self._flow, self._at = STILL, monotonic()
        self._waiting = self._refused = 0.0
        self._lock = threading.Lock()

    def begin(self, waiting: float) -> None:
        with self._lock:
            self._waiting, self._flow, self._at = waiting, STILL, self.monotonic()

    def look(self, flow: Flow) -> tuple[float, int]:
        """How many wait, and how many have been turned away since the last look."""
        with self._lock:
            now, was = self.monotonic(), self._flow
            for_s, self._at, self._flow = now - self._at, now, flow
            grown = self._waiting + (was.taken - was.served) * for_s
            self._waiting = 0.0 if flow is STILL else min(max(grown, 0.0), MOST)
            refused = self._refused + (was.work - was.taken) * for_s
            self._refused = refused % 1
            return self._waiting, int(refused)


def wait_s(waiting: float, flow: Flow) -> float:
    """How long an item waits that comes now."""
    return min(waiting / flow.served, flow.slowest_s) if flow.served else 0.0


def recall(path: Path | None) -> Overloaded | None:
    """The load comes from outside: a restart does not end it where it was written down."""
    if path is None or not path.exists():
        return None
    found = from_json(json.loads(path.read_text()), [])
    return found if isinstance(found, Overloaded) else None


def remember(path: Path | None, fault: Overloaded | None) -> None:
    if path is not None and fault is not None:
        replace_file(path, to_json(fault))
    elif path is not None:
        path.unlink(missing_ok=True)
