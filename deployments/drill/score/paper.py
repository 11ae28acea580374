"""What is left to read, and what must not be there."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario


def paper(_scenario: Scenario, facts: Facts) -> Iterator[str]:
    if facts.report is None:
        yield "no report file was written"
    if facts.artifact is None:
        yield "no report is in the Prefect UI"
    if facts.off_loopback:
        yield f"connections off loopback: {', '.join(facts.off_loopback)}"
    for where in facts.leaks:
        yield f"a key value was found in {where}"
