"""incident.io's widget API, `/api/v1/summary`: what is open, and no list of components. Its pages
speak `statuspage_v2` as well, with components."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from watchkeeper.evidence import Outcome
from watchkeeper.status_pages import (
    Incident,
    Maintenance,
    Page,
    Served,
    Unreadable,
    body_of,
    instant,
    mappings,
    overall,
    plain,
)
from watchkeeper.status_pages.statuspage_v2 import CLOSED, OPEN, STATES

PATH = "/api/v1/summary"
_LISTS = ("ongoing_incidents", "in_progress_maintenances", "scheduled_maintenances")


def read(served: Served, component: str | None, now: datetime) -> Page:
    body = body_of(served, *_LISTS)
    if any(not isinstance(body.get(name), list) for name in _LISTS[:2]):
        raise Unreadable("the page is no summary of incident.io's")
    planned = [*mappings(body[_LISTS[1]]), *mappings(body.get(_LISTS[2]))]
    return Page(
        overall=overall(Outcome.OK, "no open incident"),
        incidents=tuple(_incidents(body[_LISTS[0]])),
        maintenances=tuple(map(_maintenance, planned)),
        lists_the_affected=True,
    )


def _incidents(listed: object) -> Iterator[Incident]:
    """One for each component that it touches, as bad as it says of it."""
    for row in mappings(listed):
        status = str(row.get("status"))
        if status in CLOSED:
            continue
        touched = list(mappings(row.get("affected_components")))
        for one in touched or [{}]:
            impact = str(one.get("current_status") or row.get("current_worst_impact"))
            outcome = STATES.get(impact, Outcome.DEGRADED)
            outcome = Outcome.DEGRADED if outcome is Outcome.OK else outcome
            if status != "investigating" and status != "identified":
                outcome = Outcome.DEGRADED if status in OPEN else Outcome.UNKNOWN
            headline = f"{row.get('name')} ({status}, {impact})"
            yield Incident(headline, outcome, names=_names([one]))


def _maintenance(row: dict[str, Any]) -> Maintenance:
    return Maintenance(
        headline=str(row.get("name")),
        since=instant(row.get("started_at") or row.get("starts_at")),
        until=instant(row.get("scheduled_end_at") or row.get("ends_at")),
        names=_names(mappings(row.get("affected_components"))),
        closed=str(row.get("status")).removeprefix("maintenance_") in ("complete", "completed"),
    )


def _names(rows: Any) -> frozenset[str]:
    names = set()
    for row in rows:
        if row.get("name"):
            names.add(plain(row["name"]))
            if row.get("group_name"):
                names |= {plain(row["group_name"]), plain(f"{row['group_name']} / {row['name']}")}
    return frozenset(names)
