"""Whether the sink holds what the vendor holds, and whether that proves anything."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario


def data(scenario: Scenario, facts: Facts) -> Iterator[str]:
    if not facts.data:
        yield "nothing was judged"
    for resource, found in facts.data.items():
        for what in ("missing", "duplicates", "stale"):
            if count := found[what]:
                yield f"{resource}: {count} {what}"
    touched = sum(found["touched_since"] for found in facts.data.values())
    if touched < scenario.touched_at_least:
        yield f"only {touched} records changed in the outage: too few to prove anything"
