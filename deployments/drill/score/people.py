"""Whether people were called when they were to be, once, in time, and told when it was over."""

from __future__ import annotations

from collections.abc import Iterator

from deployments.drill.facts import Facts
from deployments.drill.scenario import Scenario
from watchkeeper.incident import Milestone

# From the incident's row to the pager's acceptance: of what a health check opens, and of what a
# person opens, which the next sweep sees.
PAGE_WITHIN_S = 2.0
PAGE_AFTER_SWEEP_S = 8.0


def people(scenario: Scenario, facts: Facts) -> Iterator[str]:
    return _pages(facts) if scenario.pages else _silence(facts)


def _pages(facts: Facts) -> Iterator[str]:
    alerts = facts.pages.get("incidents", {})
    if not alerts:
        yield "nobody was paged"
        return
    if any(one["state"] != "resolved" for one in alerts.values()):
        yield "a page was left unresolved"
    if any(one["alerts"] != 1 for one in alerts.values()):
        yield "a page was opened more than once at the pager"
    within_s = PAGE_WITHIN_S if facts.opened_by == "health" else PAGE_AFTER_SWEEP_S
    paged, opened = facts.milestones.get("paged"), facts.opened_at
    if paged and opened and (late_s := (paged - opened).total_seconds()) > within_s:
        yield f"the page went out {late_s:.1f} s after the incident's row"


def _silence(facts: Facts) -> Iterator[str]:
    """Told of this incident, nobody may be woken: neither by our word nor by the pager's."""
    if alerts := facts.pages.get("incidents", {}):
        yield f"{len(alerts)} pages went out, and nobody was to be woken"
    if Milestone.PAGED in facts.milestones:
        yield "the timeline tells of a page, and nobody was to be woken"
