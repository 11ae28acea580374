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
    named = played(scenario.vendor).runbook.mitigations_for(scenario.cause)
    return tuple(mitigation.name for mitigation in named)


def _cap(facts: Facts) -> Iterator[str]:
    """Some requests, and no more than the cap allows in that time: a slow machine makes fewer."""
    seen = facts.under_cap
    if seen is None:
        yield "nothing was counted under the cap"
    elif not 0 < seen.count <= seen.most:
        yield (
            f"the simulator counted {seen.count} requests in {seen.seconds:.0f} s under the cap of "
            f"{seen.cap_per_s:g} a second, not 1 to {seen.most}"
        )
    if not facts.synced_while_capped:
        yield "the critical sync moved nothing while the cap was in force"
