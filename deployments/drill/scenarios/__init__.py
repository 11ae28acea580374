"""The rehearsed incidents: which fault, what should come of it, and who is killed on the way."""

from __future__ import annotations

from deployments.drill.scenario import Scenario
from deployments.drill.scenarios.keys import EXPIRED_KEY, KEYS
from deployments.drill.scenarios.rates import RATES
from deployments.drill.scenarios.twinmind import TWINMIND
from deployments.drill.scenarios.vendor import NETWORK, OURS, VENDOR
from watchkeeper.errors import UserError

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (*EXPIRED_KEY, *RATES, *VENDOR, *KEYS, *NETWORK, *OURS, *TWINMIND)
}


def scenario_named(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UserError(f"{name!r} is no scenario: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
