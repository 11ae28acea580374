"""What probes saw, as values. Everything that is decided later is decided from these alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from watchkeeper.answer import Answer, Speaker


class Kind(StrEnum):
    """What was asked. The probe names of each kind are those listed beside it."""

    ENDPOINT = "endpoint"  # the runbook's probes, by name
    CONTRAST = "contrast"  # what was varied: no_key, other_key, second_key, made_up_key, again...
    STATUS_PAGE = "status_page"  # status_page
    SERVICE = "service"  # service, and service/NAME for a further health URL
    NETWORK = "network"  # dns, tcp, tls, http, proxy of the vendor's host; control
    RATE = "rate"  # rate: calls left (value) of those allowed (bound), as the vendor tells
    VOLUME = "volume"  # a consumer's requests in the budget's window; total
    METRIC = "metric"  # the runbook's metrics, by name
    LOG = "log"  # the runbook's logs, by name
    RUNTIME = "runtime"  # pods, unit, disk of our service
    CLOCK = "clock"  # vendor, status_page: that clock minus ours, in seconds
    KEY = "key"  # store, service: is a key there, and is it the same
    DATA = "data"  # a resource, by name: is what we hold as new as it must be
    CHANGE = "change"  # what was changed of late: deploy, key, config
    HISTORY = "history"  # an endpoint, by name: how many of the last checks failed


class Outcome(StrEnum):
    """How one answer is judged by itself."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One probe's answer. A probe that failed is a reading too: its failure is its result."""

    probe: str
    kind: Kind
    target: str
    at: datetime
    outcome: Outcome
    latency_s: float
    # HTTP status, or None where no answer came.
    status: int | None = None
    # Why it is not well, in a word of a closed set, such as `timeout`, `html` or `oom`.
    fault: str | None = None
    detail: str = ""
    critical: bool = True
    # The wait that the vendor asked for, already clamped.
    wait_s: float | None = None
    # The vendor's clock minus ours, from its Date header.
    skew_s: float | None = None
    # What was measured and where it is called too much (for RATE: of how many), in `unit`.
    value: float | None = None
    bound: float | None = None
    unit: str = ""
    # Answers of the same signature are the same answer: status, kind of body and its digest.
    signature: str = ""
    # The endpoint that a contrast varies.
    of: str = ""
    # What the answer is by all of it, and who gave it; None: to be read from the status alone.
    answer: Answer | None = None
    speaker: Speaker | None = None

    def __hash__(self) -> int:
        """Of what tells readings of one look apart: a diagnosis asks for it thousands of times."""
        return hash((self.probe, self.of, self.target, self.latency_s))

    @property
    def answered(self) -> bool:
        return self.status is not None

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.OK

    def says(self) -> str:
        """`/workorders answered 401 in 0.12 s`, for people."""
        tail = f": {self.detail}" if self.detail else ""
        if self.kind not in ASKED:
            return f"{self.target}{tail or f': {self.outcome}'}"
        what = f"answered {self.status}" if self.answered else f"gave no answer ({self.fault})"
        return f"{self.target} {what} in {self.latency_s:.2f} s{tail}"


# Of VOLUME: all consumers together.
TOTAL = "total"

# The fault of a status page that has announced maintenance for now.
MAINTENANCE = "maintenance"

# The shared budget had no turn for it: the vendor was not asked.
NO_TURN = "no_turn"

# Told of minutes or hours before the look.
BEFORE_NOW = frozenset({Kind.DATA, Kind.HISTORY, Kind.METRIC, Kind.LOG, Kind.VOLUME, Kind.CHANGE})

# What is asked over HTTP; the other kinds are measured or looked up.
ASKED = frozenset({Kind.ENDPOINT, Kind.CONTRAST, Kind.STATUS_PAGE, Kind.SERVICE})


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All readings of one look at one integration."""

    integration: str
    at: datetime
    readings: tuple[Reading, ...]
    # What the runbook says of the vendor, and reading an answer needs.
    slow: timedelta = timedelta(seconds=5)
    tells_missing_key: bool = False
    # Something of ours, such as a gateway, stands between us and the vendor's own address.
    behind_gateway: bool = False

    @cached_property
    def endpoints(self) -> tuple[Reading, ...]:
        """Those that were asked: one that got no turn of ours says nothing of the vendor."""
        return tuple(r for r in self.of(Kind.ENDPOINT) if r.outcome is not Outcome.UNKNOWN)

    @property
    def service(self) -> Reading | None:
        return next(iter(self.of(Kind.SERVICE)), None)

    @property
    def status_page(self) -> Reading | None:
        return next(iter(self.of(Kind.STATUS_PAGE)), None)

    def of(self, kind: Kind) -> tuple[Reading, ...]:
        """In an order that does not depend on which answered first."""
        return self._by_kind.get(kind, ())

    @cached_property
    def _by_kind(self) -> Mapping[Kind, tuple[Reading, ...]]:
        found: dict[Kind, list[Reading]] = {}
        for reading in self.readings:
            found.setdefault(reading.kind, []).append(reading)
        return {kind: _in_order(readings) for kind, readings in found.items()}

    @cached_property
    def worked_out(self) -> dict[object, Any]:
        """For those who read it: what many signs ask for is worked out once. Part of no comparison."""
        return {}

    def of_now(self) -> Evidence:
        """Without what is told of the time before this look: a repair is judged by what is so now."""
        kept = tuple(r for r in self.readings if r.kind not in BEFORE_NOW)
        return replace(self, readings=kept)

    def one(self, kind: Kind, probe: str) -> Reading | None:
        return next((r for r in self.of(kind) if r.probe == probe), None)

    def contrast(self, varies: str) -> Reading | None:
        """None, too, where it got no turn in our budget."""
        found = self.one(Kind.CONTRAST, varies)
        return None if found is None or found.fault == NO_TURN else found

    def contrasts(self, varies: str) -> tuple[Reading, ...]:
        return tuple(r for r in self.of(Kind.CONTRAST) if r.probe == varies and r.fault != NO_TURN)


def _in_order(readings: Iterable[Reading]) -> tuple[Reading, ...]:
    """By name; all that there is to say of them decides between two of the same name alone."""
    named = [(_name(r), r) for r in readings]
    alike = Counter(name for name, _ in named)
    named.sort(key=lambda pair: (pair[0], repr(pair[1]) if alike[pair[0]] > 1 else ""))
    return tuple(reading for _, reading in named)


def _name(reading: Reading) -> tuple[str, ...]:
    return (reading.probe, reading.of, reading.target, str(reading.status))
