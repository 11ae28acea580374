"""What a page says of one component: its own word, the open incidents that concern it, and the
maintenance that is going on. The worst of them counts, and what is odd is never well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.evidence import Outcome
from watchkeeper.harmless import harmless
from watchkeeper.status_pages import Component, Incident, Maintenance, Page, plain

LONGEST_WORD, LONGEST_HEADLINE = 40, 70
# A maintenance whose end is not said, and a component that was set so by hand, are believed for so
# long: a page that somebody forgot must not keep people asleep.
OPEN_END = timedelta(hours=24)
_RANK = {Outcome.OK: 0, Outcome.UNKNOWN: 1, Outcome.DEGRADED: 2, Outcome.DOWN: 3}


@dataclass(frozen=True, slots=True)
class Told:
    """The page's word on the component, and whether it has announced maintenance for now."""

    outcome: Outcome
    said: str
    maintenance: bool = False


def judge(page: Page, component: str | None, now: datetime) -> Told:
    """Total, but for the page's own fault: whatever it lists."""
    ours = _ours(page, component)
    if isinstance(ours, str):
        return Told(Outcome.UNKNOWN, ours)
    ids = frozenset(i for one in ours for i in one.ids)
    names = frozenset(n for one in ours for n in one.names) | (
        {plain(component)} if component else frozenset()
    )
    # Without a component everything on the page is ours.
    every = component is None
    incidents = [i for i in page.incidents if every or _concerns(i, ids, names)]
    planned = [m for m in page.maintenances if every or _concerns(m, ids, names)]
    current = [m for m in planned if going_on(m, now)]
    own = max(ours, key=lambda one: _RANK[one.outcome])
    outcome, said = _own(own, component, bool(planned), bool(current), now)
    announced = bool(current) or (own.maintenance and outcome is Outcome.DEGRADED)
    worst = max(incidents, key=lambda i: _RANK[_weight(i, own)], default=None)
    if worst is not None:
        said = f"{said}; incident: {harmless(worst.headline, LONGEST_HEADLINE)}"
        outcome = max(outcome, _weight(worst, own), key=lambda o: _RANK[o])
    if not announced:
        return Told(outcome, said)
    outcome = Outcome.DEGRADED if outcome is Outcome.OK else outcome
    # An open incident is more than the maintenance.
    return Told(outcome, f"maintenance announced; {said}", maintenance=worst is None)


def going_on(one: Maintenance, now: datetime) -> bool:
    """Between its own start and end, whatever its status says."""
    if one.closed or one.since is None or one.since > now:
        return False
    return now < (one.until or one.since + OPEN_END)


def _ours(page: Page, component: str | None) -> list[Component] | str:
    """The lines that are about the component, or why there are none."""
    if component is None:
        if page.overall is not None:
            return [page.overall]
        return list(page.components or ()) or "the page has no word on the whole"
    if page.components is not None:
        wanted = plain(component)
        return [c for c in page.components if wanted in c.names] or (
            f"the page does not name {component}"
        )
    if page.lists_the_affected and page.overall is not None:
        return [page.overall]
    return f"the page lists no components, {component} neither"


def _concerns(one: Incident | Maintenance, ids: frozenset[str], names: frozenset[str]) -> bool:
    if not one.ids and not one.names:
        return True
    return bool(one.ids & ids or one.names & names)


def _own(
    own: Component, component: str | None, planned: bool, current: bool, now: datetime
) -> tuple[Outcome, str]:
    said = f"{component or 'overall'}: {harmless(own.word, LONGEST_WORD)}"
    if not own.maintenance or current:
        return own.outcome, said
    if planned:
        return Outcome.UNKNOWN, f"{said}, and no maintenance of it is on now"
    if own.changed_at is not None and now - own.changed_at > OPEN_END:
        return Outcome.UNKNOWN, f"{said} since {own.changed_at:%Y-%m-%d}"
    return own.outcome, said


def _weight(incident: Incident, own: Component) -> Outcome:
    """A component that is not well by its own word knows better how bad it is."""
    if own.outcome in (Outcome.DEGRADED, Outcome.DOWN) and incident.outcome is Outcome.DOWN:
        return Outcome.DEGRADED
    return incident.outcome


def worst_of(outcomes: Iterable[Outcome]) -> Outcome:
    return max(outcomes, key=lambda o: _RANK[o], default=Outcome.UNKNOWN)
