"""What a runbook wants measured of our own service: its metrics by name, and the errors in its logs.

Where they are read is the company's affair: `metrics` and `logs` of the service in integrations.yaml.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Name

MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$", max_length=200)]
Labels = dict[str, str]


class Metric(Frozen):
    """One number out of Prometheus metrics, and where it is too much.

    `kind`: `gauge` is the value as it stands (the largest of those that match); `increase` is a
    counter's growth between two scrapes; `rate` is that growth a second; `share` is the growth of
    `metric` in that of `of` (0 to 1); `quantile` is read from a histogram's growth. A counter that
    has started again counts from zero.

    `bound`: beyond it the signal is down; beyond `warn` it is degraded. `below` turns both round:
    too little is too much. `least` is the growth of `of` (of the histogram's count for a quantile)
    under which nothing is concluded.
    """

    name: Name
    kind: Literal["gauge", "increase", "rate", "share", "quantile"]
    metric: MetricName
    where: Labels = Field(default_factory=dict)
    of: MetricName | None = None
    of_where: Labels = Field(default_factory=dict)
    quantile: float = Field(default=0.95, gt=0, lt=1)
    bound: float
    warn: float | None = None
    below: bool = False
    least: float = Field(default=1, ge=0)
    unit: str = ""


class Volume(Frozen):
    """The requests that a service of ours sends to the vendor: a counter, and the label that tells
    its consumers apart."""

    metric: MetricName
    where: Labels = Field(default_factory=dict)
    by: str | None = None


class Log(Frozen):
    """Lines of our service's log to look for, over the last `within`.

    `pattern` is a regular expression without regard to case; `kind_pattern` has one group, which is
    what the found lines are counted by (without it, by their last word). `consumer_pattern`, too:
    whose request a line was about. At `bound` found lines the signal is down.
    """

    name: Name
    pattern: str = "error"
    kind_pattern: str | None = None
    consumer_pattern: str | None = None
    within: Duration = Field(default="10 min", validate_default=True)
    bound: int = Field(default=1, ge=1)
