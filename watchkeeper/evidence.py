"""What probes saw, as values. Everything that is decided later is decided from these alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


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


# What is asked over HTTP; the other kinds are measured or looked up.
ASKED = frozenset({Kind.ENDPOINT, Kind.CONTRAST, Kind.STATUS_PAGE, Kind.SERVICE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All readings of one look at one integration."""

    integration: str
    at: datetime
    readings: tuple[Reading, ...]
    slow: timedelta = timedelta(seconds=5)

    @property
    def endpoints(self) -> tuple[Reading, ...]:
        return self.of(Kind.ENDPOINT)

    @property
    def service(self) -> Reading | None:
        return next(iter(self.of(Kind.SERVICE)), None)

    @property
    def status_page(self) -> Reading | None:
        return next(iter(self.of(Kind.STATUS_PAGE)), None)

    def of(self, kind: Kind) -> tuple[Reading, ...]:
        return tuple(sorted((r for r in self.readings if r.kind is kind), key=lambda r: r.probe))

    def one(self, kind: Kind, probe: str) -> Reading | None:
        return next((r for r in self.of(kind) if r.probe == probe), None)

    def contrast(self, varies: str) -> Reading | None:
        return self.one(Kind.CONTRAST, varies)

    def contrasts(self, varies: str) -> tuple[Reading, ...]:
        return tuple(r for r in self.of(Kind.CONTRAST) if r.probe == varies)
