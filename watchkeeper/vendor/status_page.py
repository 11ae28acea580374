"""What a vendor's status page says of one component. Anything odd means unknown, never down.

betterstack     `included` of `data`: resources by name, reports of maintenance (Better Stack JSON:API)
statuspage_v2   `components` by name, `scheduled_maintenances`, or the page's overall `status`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from watchkeeper.evidence import Outcome
from watchkeeper.harmless import harmless
from watchkeeper.runbook.api import StatusPage

MOST_ITEMS = 500
LONGEST_WORD = 40
_STATES = {
    "operational": Outcome.OK,
    "degraded": Outcome.DEGRADED,
    "degraded_performance": Outcome.DEGRADED,
    "partial_outage": Outcome.DEGRADED,
    "downtime": Outcome.DOWN,
    "major_outage": Outcome.DOWN,
    "maintenance": Outcome.DEGRADED,
    "under_maintenance": Outcome.DEGRADED,
}
_INDICATORS = {
    "none": Outcome.OK,
    "minor": Outcome.DEGRADED,
    "major": Outcome.DOWN,
    "critical": Outcome.DOWN,
    "maintenance": Outcome.DEGRADED,
}
_MAINTENANCE = frozenset({"maintenance", "under_maintenance"})


@dataclass(frozen=True, slots=True)
class Told:
    """The page's word on the component, and whether it has announced maintenance for now."""

    outcome: Outcome
    said: str
    maintenance: bool = False


def read_status(page: StatusPage, body: object, now: datetime) -> Told:
    """Total: whatever the page serves."""
    if not isinstance(body, dict):
        return Told(Outcome.UNKNOWN, "the page cannot be read")
    if page.kind == "betterstack":
        return _better_stack(page, body, now)
    return _statuspage(page, body, now)


def _better_stack(page: StatusPage, body: dict[str, Any], now: datetime) -> Told:
    items = list(_mappings(body.get("included")))
    resources = [
        i for i in items if i.get("type", "status_page_resource") == "status_page_resource"
    ]
    for item in resources:
        facts = _mapping(item.get("attributes"))
        if facts.get("public_name") == page.component:
            told = _state(page, facts.get("status"))
            reports = [i for i in items if i.get("type") == "status_report"]
            return _with_maintenance(told, _reported(reports, str(item.get("id")), now))
    return Told(Outcome.UNKNOWN, f"the page does not name {page.component}")


def _reported(reports: list[dict[str, Any]], resource: str, now: datetime) -> bool:
    for report in reports:
        facts = _mapping(report.get("attributes"))
        touched = list(_mappings(facts.get("affected_resources")))
        ids = {str(t.get("status_page_resource_id")) for t in touched}
        if facts.get("report_type") != "maintenance" or (ids and resource not in ids):
            continue
        if _holds(facts.get("starts_at"), facts.get("ends_at"), now):
            return True
    return False


def _statuspage(page: StatusPage, body: dict[str, Any], now: datetime) -> Told:
    planned = any(
        m.get("status") in ("in_progress", "verifying")
        or (
            m.get("status") == "scheduled"
            and _holds(m.get("scheduled_for"), m.get("scheduled_until"), now)
        )
        for m in _mappings(body.get("scheduled_maintenances"))
        if _concerns(m, page.component)
    )
    for component in _mappings(body.get("components")):
        if page.component is not None and component.get("name") == page.component:
            return _with_maintenance(_state(page, component.get("status")), planned)
    if page.component is None:
        indicator = str(_mapping(body.get("status")).get("indicator"))
        outcome = _INDICATORS.get(indicator, Outcome.UNKNOWN)
        told = Told(
            outcome, f"overall: {harmless(indicator, LONGEST_WORD)}", indicator in _MAINTENANCE
        )
        return _with_maintenance(told, planned)
    return Told(Outcome.UNKNOWN, f"the page does not name {page.component}")


def _concerns(maintenance: dict[str, Any], component: str | None) -> bool:
    named = {str(c.get("name")) for c in _mappings(maintenance.get("components"))}
    return component is None or not named or component in named


def _state(page: StatusPage, state: object) -> Told:
    word = str(state)
    outcome = _STATES.get(word, Outcome.UNKNOWN)
    return Told(outcome, f"{page.component}: {harmless(word, LONGEST_WORD)}", word in _MAINTENANCE)


def _with_maintenance(told: Told, planned: bool) -> Told:
    if not (planned or told.maintenance):
        return told
    outcome = Outcome.DEGRADED if told.outcome is Outcome.OK else told.outcome
    return Told(outcome, f"maintenance announced; {told.said}", True)


def _holds(since: object, until: object, now: datetime) -> bool:
    begin, end = _instant(since), _instant(until)
    return begin is not None and begin <= now and (end is None or now < end)


def _instant(text: object) -> datetime | None:
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    listed = value[:MOST_ITEMS] if isinstance(value, list) else []
    return (item for item in listed if isinstance(item, dict))
