"""Whether a drill passed: facts against what its scenario promises. Pure."""

from __future__ import annotations

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario
from deployments.drill.score.data import data
from deployments.drill.score.diagnosis import diagnosis
from deployments.drill.score.effects import effects
from deployments.drill.score.jobs import jobs
from deployments.drill.score.keys import keys
from deployments.drill.score.paper import paper
from deployments.drill.score.people import people
from deployments.drill.score.responders import responders


def failures(scenario: Scenario, facts: Facts) -> list[str]:
    """Every promise that was not kept, in words; empty when the drill passed."""
    if facts.incident is None:
        return ["no incident was opened"]
    if facts.incident["state"] != "closed":
        return [f"the incident did not close: {facts.incident['state']}"]
    judges = (diagnosis, people, jobs, data, keys, effects, responders, paper)
    return [said for judge in judges for said in judge(scenario, facts)]
