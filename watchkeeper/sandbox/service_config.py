"""What the integration service is set up with: whose API it calls, and what it tells of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

CRITICALITIES = ("critical", "normal", "deferrable")
USUAL_CONSUMER = "integration-service"
USUAL_MODEL = "ear-3"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the service does at each turn, with one call, on behalf of a consumer.

    `metric`: the counter of its successes and errors; `duration`: the histogram of how long it
    took; null for none. `endpoint`: what its calls are labelled with, where that is not `path`.
    `body`: what a POST sends, and a `model` with it. `per_turn`: how often at each turn.
    """

    name: str = "poll"
    path: str = "/workorders?limit=1"
    consumer: str = USUAL_CONSUMER
    method: Literal["GET", "POST"] = "GET"
    body: Mapping[str, Any] = field(default_factory=dict)
    criticality: str = "normal"
    per_turn: int = 1
    metric: str | None = None
    duration: str | None = None
    endpoint: str | None = None

    def __post_init__(self) -> None:
        if self.method not in ("GET", "POST") or self.criticality not in CRITICALITIES:
            raise ValueError(f"{self.name}: a GET or a POST, {', '.join(CRITICALITIES)}")
        if self.per_turn < 1 or (self.body and self.method == "GET"):
            raise ValueError(f"{self.name}: once a turn at least, and a body only for a POST")

    @property
    def label(self) -> str:
        return self.endpoint or self.path.partition("?")[0]

    def sent(self, model: str | None) -> dict[str, Any] | None:
        """The JSON that goes with it, asking for `model`; none with a GET."""
        if self.method == "GET":
            return None
        asked = model or self.body.get("model") or USUAL_MODEL
        return {**self.body, "model": asked}

    def agent(self, product: str) -> str:
        """`service/1.0`, `service/1.0 (web)`, `service/1.0 (web; deferrable)`."""
        usual = self.criticality == "normal"
        if usual and self.consumer == USUAL_CONSUMER:
            return product
        return f"{product} ({self.consumer}{'' if usual else f'; {self.criticality}'})"


@dataclass(frozen=True, slots=True)
class Names:
    """The metrics' names; null: the service does not have it."""

    requests: str | None = None
    errors: str | None = None
    latency: str | None = None
    queue: str | None = None
    remaining: str | None = None
    refused: str | None = None
    retries: str | None = None
    lookups: str | None = None
    calls: str | None = None
    replicas: str | None = None
    last_success: str | None = None


def usual_names(vendor: str) -> dict[str, str]:
    word = vendor.replace("-", "_")
    return {
        "requests": f"{word}_api_requests_total",
        "errors": f"{word}_errors_total",
        "latency": f"{word}_api_latency_seconds",
        "queue": f"{word}_queue_length",
        "remaining": f"{word}_rate_limit_remaining",
        "refused": f"{word}_refused_total",
        "retries": f"{word}_retries_total",
        "lookups": f"{word}_dns_lookups_total",
        "calls": f"{word}_calls_total",
        "replicas": f"{word}_replicas",
        "last_success": f"{word}_last_success_timestamp_seconds",
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
