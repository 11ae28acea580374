"""Better Stack: JSON:API, `/index.json`. Resources by name, and reports of incidents and maintenance."""

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

PATH = "/index.json"
STATES = {
    "operational": Outcome.OK,
    "degraded": Outcome.DEGRADED,
    "downtime": Outcome.DOWN,
    "maintenance": Outcome.DEGRADED,
}


def read(served: Served, component: str | None, now: datetime) -> Page:
    body = body_of(served, "included")
    items = [(item, mapping(item.get("attributes"))) for item in mappings(body.get("included"))]
    state = mapping(mapping(body.get("data")).get("attributes")).get("aggregate_state")
    return Page(
        components=tuple(_resources(items)),
        overall=None if state is None else _whole(str(state)),
        incidents=tuple(_incidents(items, now)),
        maintenances=tuple(_maintenances(items)),
    )


_Items = list[tuple[dict[str, Any], dict[str, Any]]]


def _whole(state: str) -> Component:
    return overall(STATES.get(state, Outcome.UNKNOWN), state, state == "maintenance")


def _resources(items: _Items) -> Iterator[Component]:
    sections = {
        str(item.get("id")): plain(facts.get("name"))
        for item, facts in items
        if item.get("type") == "status_page_section"
    }
    for item, facts in items:
        if item.get("type", "status_page_resource") != "status_page_resource":
            continue
        name, section = plain(facts.get("public_name")), str(facts.get("status_page_section_id"))
        names = {name}
        if section in sections:
            names |= {sections[section], f"{sections[section]} / {name}"}
        word = str(facts.get("status"))
        outcome = STATES.get(word, Outcome.UNKNOWN)
        ids = frozenset({str(item.get("id"))})
        yield Component(frozenset(names), ids, outcome, word, word == "maintenance")


def _incidents(items: _Items, now: datetime) -> Iterator[Incident]:
    """One for each resource that a report still touches, as bad as it says of it."""
    for facts in _reports(items, maintenance=False):
        since, until = instant(facts.get("starts_at")), instant(facts.get("ends_at"))
        if (since is not None and since > now) or (until is not None and until <= now):
            continue
        whole, title = str(facts.get("aggregate_state")), str(facts.get("title"))
        touched = list(mappings(facts.get("affected_resources")))
        if whole == "resolved":
            continue
        if not touched:
            yield Incident(f"{title} ({whole})", _bad(whole))
        for one in touched:
            word = str(one.get("status") or whole)
            if word != "resolved":
                ids = frozenset({str(one.get("status_page_resource_id"))})
                yield Incident(f"{title} ({word})", _bad(word), ids)


def _bad(word: str) -> Outcome:
    """An open report on what is said to be operational is open all the same."""
    outcome = STATES.get(word, Outcome.UNKNOWN)
    return Outcome.DEGRADED if outcome is Outcome.OK else outcome


def _maintenances(items: _Items) -> Iterator[Maintenance]:
    for facts in _reports(items, maintenance=True):
        touched = mappings(facts.get("affected_resources"))
        yield Maintenance(
            headline=str(facts.get("title")),
            since=instant(facts.get("starts_at")),
            until=instant(facts.get("ends_at")),
            ids=frozenset(str(one.get("status_page_resource_id")) for one in touched),
            closed=facts.get("aggregate_state") == "resolved",
        )


def _reports(items: _Items, *, maintenance: bool) -> Iterator[dict[str, Any]]:
    for item, facts in items:
        planned = facts.get("report_type") == "maintenance"
        if item.get("type") == "status_report" and planned is maintenance:
            yield facts
