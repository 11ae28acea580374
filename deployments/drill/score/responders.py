"""Whether another responder took over from one that was killed."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario


def responders(scenario: Scenario, facts: Facts) -> Iterator[str]:
    if not scenario.kill:
        return
    if not facts.killed:
        yield "the responder was never killed: the failpoint was not met"
    if facts.responders < 2:
        yield "the sweep started no second responder"
