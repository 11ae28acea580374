"""What probes saw, as values. Everything that is decided later is decided from these alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What was asked."""

    ENDPOINT = "endpoint"
    CONTRAST = "contrast"
    STATUS_PAGE = "status_page"
    SERVICE = "service"


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
    # Why no usable answer came: a kind of the guarded client's closed set, such as `timeout`.
    fault: str | None = None
    detail: str = ""
    critical: bool = True
    # The wait that the vendor asked for, already clamped.
    wait_s: float | None = None
    # The vendor's clock minus ours, from its Date header.
    skew_s: float | None = None

    @property
    def answered(self) -> bool:
        return self.status is not None

    @property
    def succeeded(self) -> bool:
        return self.outcome is Outcome.OK

    def says(self) -> str:
        """`/workorders answered 401 in 0.12 s`, for people."""
        what = f"answered {self.status}" if self.answered else f"gave no answer ({self.fault})"
        tail = f": {self.detail}" if self.detail else ""
        return f"{self.target} {what} in {self.latency_s:.2f} s{tail}"


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

    def contrast(self, varies: str) -> Reading | None:
        return next((r for r in self.of(Kind.CONTRAST) if r.probe == varies), None)
