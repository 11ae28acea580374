"""What was in force while it lasted, and what the stand-ins showed of it."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.played import played
from deployments.drill.scenario import Scenario


def effects(scenario: Scenario, facts: Facts) -> Iterator[str]:
    judged = scenario.cleared_after_s is not None or scenario.held is not None
    if judged and facts.held != scenario.holds:
        yield f"held while it lasted: {facts.held}, not {scenario.holds}"
    due = scenario.does if scenario.does is not None else _called_for(scenario)
    if facts.done != due:
        yield f"carried out: {facts.done}, not {due}"
    if scenario.goes_on:
        yield from _cap(facts)
    for expected in scenario.expects:
        yield from expected.wrong(facts.outside)


def _called_for(scenario: Scenario) -> tuple[str, ...]:
    """What the shipped runbook's row names, in its order."""
    rule = played(scenario.vendor).runbook.cause(scenario.cause)
    return rule.mitigations if rule else ()


def _cap(facts: Facts) -> Iterator[str]:
    rates = facts.requests_per_s
    before, during = rates.get("before", 0.0), rates.get("during", 0.0)
    if not 0 < during < before / 2:
        yield f"the simulator saw {during:.1f} requests/s under the cap, {before:.1f} before"
    if not facts.synced_while_capped:
        yield "the critical sync moved nothing while the cap was in force"
