"""Whether everything of ours is on a good key, and the old one dead; or none was touched at all."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario


def keys(scenario: Scenario, facts: Facts) -> Iterator[str]:
    return _rotation(facts) if scenario.rotates else _left_alone(facts)


def _rotation(facts: Facts) -> Iterator[str]:
    active = facts.active_keys
    if facts.first_key in active:
        yield "the old key is still alive"
    if facts.service_key not in active:
        yield "the service does not run on a key that the vendor accepts"
    if facts.restarts != 1:
        yield f"the service was restarted {facts.restarts} times, not once"
    proven = [name for name, shown in facts.consumers.items() if shown in active]
    if len(proven) != len(facts.consumers) or not proven:
        yield f"{len(proven)} of {len(facts.consumers)} consumers proven on the new key"
    tested, promoted = facts.key_tested_at, facts.key_promoted_at
    if tested is None or promoted is None or tested > promoted:
        yield "the new key was not tested before it became current"


def _left_alone(facts: Facts) -> Iterator[str]:
    if facts.key_promoted_at is not None:
        yield "a key was made current, and ours was good"
