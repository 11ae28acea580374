"""Instatus: `/summary.json` for the whole, `/v2/components.json` (or v3) for a component."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from watchkeeper.evidence import Outcome
from watchkeeper.status_pages import (
    Component,
    Incident,
    Maintenance,
    Page,
    Served,
    Unreadable,
    body_of,
    instant,
    mapping,
    mappings,
    overall,
    plain,
)

PATH = "/v2/components.json"
STATES = {
    "OPERATIONAL": Outcome.OK,
    "DEGRADEDPERFORMANCE": Outcome.DEGRADED,
    "PARTIALOUTAGE": Outcome.DEGRADED,
    "MINOROUTAGE": Outcome.DEGRADED,
    "MAJOROUTAGE": Outcome.DOWN,
    "UNDERMAINTENANCE": Outcome.DEGRADED,
}
_WHOLE = {"UP": Outcome.OK, "HASISSUES": Outcome.DEGRADED, "UNDERMAINTENANCE": Outcome.DEGRADED}
_OPEN = frozenset({"INVESTIGATING", "IDENTIFIED", "MONITORING"})
_MOST_MINUTES = 60 * 24 * 366


def read(served: Served, component: str | None, now: datetime) -> Page:
    body = body_of(served, "components", "activeIncidents", "activeMaintenances")
    whole = mapping(body.get("page")).get("status")
    if whole is None and "components" not in body:
        raise Unreadable("the page is neither a summary nor components of Instatus")
    rows = list(_rows(body.get("components"), None))
    nested = [(one, row) for row, _ in rows for one in mappings(row.get("activeIncidents"))]
    planned = [(one, row) for row, _ in rows for one in mappings(row.get("activeMaintenances"))]
    of_page = [(one, None) for one in mappings(body.get("activeIncidents"))]
    on_page = [(one, None) for one in mappings(body.get("activeMaintenances"))]
    return Page(
        components=tuple(_component(*row) for row in rows) if "components" in body else None,
        overall=None if whole is None else _overall(str(whole)),
        incidents=tuple(_incidents([*of_page, *nested])),
        maintenances=tuple(_maintenance(*one) for one in [*on_page, *planned]),
    )


_Row = dict[str, Any]


def _overall(word: str) -> Component:
    return overall(_WHOLE.get(word, Outcome.UNKNOWN), word, word == "UNDERMAINTENANCE")


def _rows(listed: object, group: str | None) -> Iterator[tuple[_Row, str | None]]:
    """Each component with the name of its group, which v2 nests and v3 names."""
    for row in mappings(listed):
        own = mapping(row.get("group")).get("name")
        yield row, group if own is None else plain(own)
        for child in mappings(row.get("children")):
            yield child, plain(row.get("name"))


def _component(row: _Row, group: str | None) -> Component:
    name, word = plain(row.get("name")), str(row.get("status"))
    names = {name} | ({group, f"{group} / {name}"} if group else set())
    outcome = STATES.get(word, Outcome.UNKNOWN)
    ids = frozenset({str(row.get("id"))})
    return Component(frozenset(names), ids, outcome, word, word == "UNDERMAINTENANCE")


def _incidents(listed: list[tuple[_Row, _Row | None]]) -> Iterator[Incident]:
    for row, owner in listed:
        status, impact = str(row.get("status")), str(row.get("impact"))
        if status in ("RESOLVED", "COMPLETED"):
            continue
        outcome = STATES.get(impact, Outcome.DEGRADED)
        if outcome is Outcome.OK or status == "MONITORING":
            outcome = Outcome.DEGRADED
        ids, names = _touched(row, owner)
        headline = f"{row.get('name')} ({status}, {impact})"
        yield Incident(headline, outcome if status in _OPEN else Outcome.UNKNOWN, ids, names)


def _maintenance(row: _Row, owner: _Row | None) -> Maintenance:
    since = instant(row.get("start"))
    ids, names = _touched(row, owner)
    return Maintenance(
        headline=str(row.get("name")),
        since=since,
        until=None if since is None else _until(since, row.get("duration")),
        ids=ids,
        names=names,
        closed=row.get("status") == "COMPLETED",
    )


def _until(since: datetime, minutes: object) -> datetime | None:
    """Instatus tells a length in minutes, as a number or as text."""
    try:
        length = float(str(minutes))
        return since + timedelta(minutes=length) if 0 < length <= _MOST_MINUTES else None
    except (ValueError, OverflowError):
        return None


def _touched(row: _Row, owner: _Row | None) -> tuple[frozenset[str], frozenset[str]]:
    rows = [owner] if owner is not None else list(mappings(row.get("components")))
    ids = frozenset(str(r["id"]) for r in rows if r.get("id"))
    return ids, frozenset(plain(r["name"]) for r in rows if r.get("name"))
