"""What the integration service is set up with: whose API it calls, and what it tells of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the service does at each turn, with one call, on behalf of a consumer.

    `metric`: the counter of its successes and errors; `duration`: the histogram of how long it
    took; null for none. `endpoint`: what its calls are labelled with, where that is not `path`.
    """

    name: str = "poll"
    path: str = "/workorders?limit=1"
    consumer: str = "integration-service"
    metric: str | None = None
    duration: str | None = None
    endpoint: str | None = None

    @property
    def label(self) -> str:
        return self.endpoint or self.path.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics' names; null: the service does not have it."""

    requests: str | None = None
    errors: str | None = None
    latency: str | None = None
    queue: str | None = None
    remaining: str | None = None


def usual_names(vendor: str) -> dict[str, str]:
    word = vendor.replace("-", "_")
    return {
        "requests": f"{word}_api_requests_total",
        "errors": f"{word}_errors_total",
        "latency": f"{word}_api_latency_seconds",
        "queue": f"{word}_queue_length",
        "remaining": f"{word}_rate_limit_remaining",
    }


@dataclass(frozen=True, slots=True)
class Setup:
    """`health`: the shape of its checks, a mapping by name or a list. `log_file` gets a `log_line`
    for each call that failed."""

    vendor: str
    names: Names
    header: str = "Authorization"
    scheme: str = "Bearer"
    health: Literal["mapping", "list"] = "mapping"
    operations: tuple[Operation, ...] = field(default_factory=lambda: (Operation(),))
    log_file: Path | None = None
    log_line: str = "ERROR {time} {kind} {consumer}"

    def key_header(self, key: str) -> dict[str, str]:
        return {self.header: f"{self.scheme} {key}".strip()}


def parse(raw: Mapping[str, Any]) -> Setup:
    """Raises ValueError, TypeError on what means nothing here. `metrics` replaces usual names."""
    given = dict(raw)
    vendor = str(given.pop("vendor", "maintainx"))
    names = Names(**{**usual_names(vendor), **given.pop("metrics", {})})
    if "operations" in given:
        given["operations"] = tuple(Operation(**one) for one in given["operations"])
    if given.get("log_file"):
        given["log_file"] = Path(given["log_file"])
    unknown = given.keys() - {f.name for f in fields(Setup)}
    if unknown or given.get("health") not in (None, "mapping", "list"):
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown)) or 'health'}")
    return Setup(vendor, names, **given)


def load(path: Path | None) -> Setup:
    return parse(json.loads(path.read_text()) if path else {})
