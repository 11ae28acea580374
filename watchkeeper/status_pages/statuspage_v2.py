"""Atlassian's Statuspage, and all that speak its API, as incident.io does: `/api/v2/summary.json`,
or `status.json`, `components.json`, `incidents/unresolved.json` alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from watchkeeper.evidence import Outcome
from watchkeeper.status_pages import (
    Component,
    Incident,
    Maintenance,
    Page,
    Served,
    body_of,
    instant,
    mapping,
    mappings,
    overall,
    plain,
)

PATH = "/api/v2/summary.json"
STATES = {
    "operational": Outcome.OK,
    "degraded_performance": Outcome.DEGRADED,
    "partial_outage": Outcome.DEGRADED,
    "major_outage": Outcome.DOWN,
    "full_outage": Outcome.DOWN,
    "under_maintenance": Outcome.DEGRADED,
}
_INDICATORS = {
    "none": Outcome.OK,
    "minor": Outcome.DEGRADED,
    "major": Outcome.DOWN,
    "critical": Outcome.DOWN,
    "maintenance": Outcome.DEGRADED,
}
# What an open incident's own impact says; `none` is open all the same.
_IMPACTS = {**_INDICATORS, "none": Outcome.DEGRADED}
OPEN = frozenset({"investigating", "identified", "monitoring"})
CLOSED = frozenset({"resolved", "postmortem", "completed"})


def read(served: Served, component: str | None, now: datetime) -> Page:
    body = body_of(served, "components", "incidents", "scheduled_maintenances")
    whole = None
    if "status" in body:
        indicator = str(mapping(body["status"]).get("indicator"))
        known = _INDICATORS.get(indicator, Outcome.UNKNOWN)
        whole = overall(known, indicator, indicator == "maintenance")
    listed = tuple(_components(body["components"])) if body.get("components") else None
    return Page(
        components=listed,
        overall=whole,
        incidents=tuple(_incidents(body.get("incidents"), now)),
        maintenances=tuple(_maintenances(body.get("scheduled_maintenances"))),
    )


def _components(listed: object) -> Iterator[Component]:
    """A group stands for all that is in it, and gives them its name before their own."""
    rows = list(mappings(listed))
    groups = {str(r.get("id")): plain(r.get("name")) for r in rows if r.get("group") is True}
    for row in rows:
        name, group = plain(row.get("name")), str(row.get("group_id"))
        names, ids = {name}, {str(row.get("id"))}
        if group in groups:
            names |= {groups[group], f"{groups[group]} / {name}"}
            ids.add(group)
        word = str(row.get("status"))
        yield Component(
            names=frozenset(names),
            ids=frozenset(ids),
            outcome=STATES.get(word, Outcome.UNKNOWN),
            word=word,
            maintenance=word == "under_maintenance",
            changed_at=instant(row.get("updated_at")),
        )


def _incidents(listed: object, now: datetime) -> Iterator[Incident]:
    for row in mappings(listed):
        status, resolved = str(row.get("status")), instant(row.get("resolved_at"))
        if status in CLOSED or (resolved is not None and resolved <= now):
            continue
        impact = str(row.get("impact"))
        outcome = _IMPACTS.get(impact, Outcome.DEGRADED) if status in OPEN else Outcome.UNKNOWN
        if status == "monitoring":
            outcome = Outcome.DEGRADED
        ids, names = _touched(row)
        yield Incident(f"{row.get('name')} ({status}, impact {impact})", outcome, ids, names)


def _maintenances(listed: object) -> Iterator[Maintenance]:
    for row in mappings(listed):
        status = str(row.get("status"))
        ids, names = _touched(row)
        since = instant(row.get("scheduled_for"))
        began = instant(row.get("started_at")) if status in ("in_progress", "verifying") else None
        yield Maintenance(
            headline=str(row.get("name")),
            since=min((at for at in (since, began) if at is not None), default=None),
            until=instant(row.get("scheduled_until")),
            ids=ids,
            names=names,
            closed=status in CLOSED or instant(row.get("resolved_at")) is not None,
        )


def _touched(row: dict[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The components that it names, or that its updates do."""
    rows = list(mappings(row.get("components")))
    for update in mappings(row.get("incident_updates")) if not rows else ():
        rows.extend(mappings(update.get("affected_components")))
    ids = (r.get("id") or r.get("code") for r in rows)
    return frozenset(str(i) for i in ids if i), frozenset(
        plain(r["name"]) for r in rows if r.get("name")
    )
