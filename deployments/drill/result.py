"""A drill's facts and verdict as one object of plain JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario
from watchkeeper.incident import Milestone


def _page_after_s(facts: Facts) -> float | None:
    """Seconds from the incident's row to the pager's acceptance."""
    paged = facts.milestones.get("paged")
    if paged is None or facts.opened_at is None:
        return None
    return round((paged - facts.opened_at).total_seconds(), 3)


def result(
    scenario: Scenario, facts: Facts, waited: dict[str, float], wrong: list[str], took_s: float
) -> dict[str, Any]:
    """One object of `drill --json`."""
    incident = facts.incident or {}
    counted = {
        what: sum(found[what] for found in facts.data.values())
        for what in ("expected", "present", "missing", "duplicates", "stale", "touched_since")
    }
    alerts = facts.pages.get("incidents", {})
    return {
        "scenario": scenario.name,
        "passed": not wrong,
        "integration": scenario.integration,
        "took_s": round(took_s, 1),
        "cause": {
            "expected": scenario.cause,
            "found": incident.get("cause"),
            "verdict": incident.get("verdict"),
            "verdicts": list(facts.verdicts),
        },
        "severity": {"expected": scenario.severity, "found": incident.get("severity")},
        "milestones": {
            m.value: facts.milestones[m.value].isoformat() if m.value in facts.milestones else None
            for m in Milestone
        },
        "waits": waited,
        "data": counted | {"buffered": 0, "replayed": 0, "parked": 0},
        "under_cap": asdict(facts.under_cap) if facts.under_cap else None,
        "jobs_left_paused": sorted(
            n
            for n, state in facts.job_states.items()
            if state == "paused" and n != scenario.paused_by_person
        ),
        "jobs_left_as_a_person_set_them": [scenario.paused_by_person]
        if scenario.paused_by_person and facts.job_states.get(scenario.paused_by_person) == "paused"
        else [],
        "leases_left": facts.leases_left,
        "held": list(facts.held),
        "effects": [
            {"says": one.says, "kept": not one.wrong(facts.outside)} for one in scenario.expects
        ],
        "pages": {
            "alerts": sum(one["alerts"] for one in alerts.values()),
            "resolved": sum(one["state"] == "resolved" for one in alerts.values()),
        },
        "responders": facts.responders,
        "restarts": facts.restarts,
        "old_key_alive": facts.first_key in facts.active_keys if scenario.rotates else None,
        "page_after_s": _page_after_s(facts),
        "off_loopback": list(facts.off_loopback),
        "key_found_in": list(facts.leaks),
        "report": facts.report,
        "failures": wrong,
    }
