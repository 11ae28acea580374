"""Which jobs were paused, and whether each was given back as it was."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.played import played
from deployments.drill.scenario import Scenario


def jobs(scenario: Scenario, facts: Facts) -> Iterator[str]:
    if facts.jobs_paused_in_incident != scenario.pauses:
        yield f"paused {sorted(facts.jobs_paused_in_incident)}, not {sorted(scenario.pauses)}"
    for job in sorted(played(scenario.vendor).jobs):
        expected = "paused" if job == scenario.paused_by_person else "running"
        if (left := facts.job_states.get(job)) != expected:
            yield f"job {job} was left {left}, before it was {expected}"
    if facts.leases_left:
        yield f"{facts.leases_left} leases were left"
