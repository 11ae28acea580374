"""Who opened the incident, what was found, and when each thing happened."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario
from watchkeeper.incident import Milestone


def diagnosis(scenario: Scenario, facts: Facts) -> Iterator[str]:
    incident = facts.incident or {}
    if facts.opened_by not in scenario.opened_by:
        yield f"opened by {facts.opened_by}, not {_detected(scenario)}"
    if incident["cause"] != scenario.cause:
        yield f"cause {incident['cause']}, expected {scenario.cause}"
    if incident["severity"] != scenario.severity:
        yield f"severity {incident['severity']}, expected {scenario.severity}"
    seen = tuple(v for i, v in enumerate(facts.verdicts) if i == 0 or facts.verdicts[i - 1] != v)
    if seen[-len(scenario.verdicts) :] != scenario.verdicts:
        yield f"verdicts {seen}, expected {scenario.verdicts}"
    yield from (f"no milestone {m}" for m in _due(scenario) if m.value not in facts.milestones)
    order = list(facts.milestones.values())
    if order != sorted(order):
        yield f"milestones out of order: {list(facts.milestones)}"


def _detected(scenario: Scenario) -> str:
    if scenario.opened_by == {"health"}:
        return "detected by health"
    return f"by {' or '.join(sorted(scenario.opened_by))}"


def _due(scenario: Scenario) -> list[Milestone]:
    """Nobody saw the last good answer before what a person tells of."""
    left_out = set() if scenario.pages else {Milestone.PAGED}
    left_out |= {Milestone.STARTED} if scenario.told else set()
    return [m for m in Milestone if m not in left_out]
