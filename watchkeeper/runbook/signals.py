"""What a runbook wants measured of our own service: its metrics by name, and the errors in its logs.

Where they are read is the company's affair: `metrics` and `logs` of the service in integrations.yaml.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Name

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
Labels = dict[str, str]


# Kinds that one look at a page tells.
STILL = frozenset({"gauge", "age"})


class Metric(Frozen):
    """One number out of Prometheus metrics, and where it is too much.

    Growth is that between two scrapes, or over `range` of a Prometheus server. A counter that has
    started again counts from zero. Of a gauge's series the largest counts (`below`: the smallest), of
    times the oldest (`below`: the newest).
    """

    name: Name
    """What signs call it, as in `metric:queue`; used once."""
    kind: Literal["gauge", "age", "increase", "rate", "share", "quantile"]
    """A `gauge`'s value, the `age` in seconds of the Unix time that one holds, a counter's growth
    (`increase`) or that a second (`rate`), its `share` in that of another (`of`), or a `quantile` of a
    histogram's growth. A share is 0 to 1."""
    metric: MetricName
    """Name of the series, such as `api_errors_total`; a histogram's with or without `_bucket`."""
    where: Labels = Field(default_factory=dict)
    """Labels that its series must have, such as `{status: error}`; all of them where left out."""
    of: MetricName | None = None
    """The counter that a share is of, such as `api_requests_total`; for kind share alone."""
    of_where: Labels = Field(default_factory=dict)
    """Labels that the series of `of` must have; all of them where left out."""
    quantile: float = Field(default=0.95, gt=0, lt=1)
    """Which quantile, between 0 and 1; for kind quantile alone."""
    bound: float
    """Beyond it the signal is down; in the number's own unit, such as `0.5` for half as a share."""
    warn: float | None = None
    """Beyond it the signal is degraded; where left out, it is well up to the bound."""
    below: bool = False
    """Turns `bound` and `warn` round: too little is too much."""
    least: float = Field(default=1, ge=0)
    """Growth of `of` (of a histogram's count for a quantile) below which nothing is concluded."""
    unit: str = ""
    """What the number counts, for people, such as `s` or `jobs`."""


class Volume(Frozen):
    """The requests that a service of ours sends to the vendor: a counter, and the label that tells
    its consumers apart."""

    metric: MetricName
    """The counter of requests, such as `api_requests_total`."""
    where: Labels = Field(default_factory=dict)
    """Labels that its series must have, such as `{vendor: acme}`; all of them where left out."""
    by: str | None = None
    """Label that tells consumers apart, such as `consumer`; without it only their sum is known."""


class Log(Frozen):
    """Lines of our service's log to look for."""

    name: Name
    """What signs call it, as in `log:errors`; used once."""
    pattern: str = "error"
    """Regular expression that a line must hold, in capitals or not, such as `error|timeout`."""
    kind_pattern: str | None = None
    """Regular expression with one group, which the found lines are counted by; without it, by their
    last word."""
    consumer_pattern: str | None = None
    """Regular expression with one group: whose request a line was about. Without it nobody's."""
    within: Duration = Field(default="10 min", validate_default=True)
    """How far back lines are read, such as `10 min`; a command of yours decides that by itself."""
    bound: int = Field(default=1, ge=1)
    """At so many found lines the signal is down."""
