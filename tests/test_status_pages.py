"""A vendor's status page: open incidents count, maintenance counts between its own start and end, and
what is odd is never well. The samples are our own, in the hosts' formats."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from pydantic.fields import FieldInfo

from deployments.drill.shape import PAGE_WORDS
from watchkeeper.evidence import MAINTENANCE, Outcome
from watchkeeper.fetching import Fetched
from watchkeeper.maintenance import is_announced, muted
from watchkeeper.performing.status_probe import status_reading
from watchkeeper.runbook.api import StatusPage
from watchkeeper.sandbox.status_page import KINDS as PLAYED
from watchkeeper.status_pages import Served
from watchkeeper.status_pages.judging import Told
from watchkeeper.status_pages.reading import KINDS, read_status

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OK, UNKNOWN, DEGRADED, DOWN = Outcome.OK, Outcome.UNKNOWN, Outcome.DEGRADED, Outcome.DOWN


def z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def told(kind: str, body: Any, component: str | None = "API", now: datetime = T0) -> Told:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    value = None if isinstance(body, bytes) else body
    return read_status(kind, Served(raw, value), component, now)


def test_each_kind_is_known_everywhere() -> None:
    """The runbook's schema, the readers, the simulator and the rehearsals name the same kinds."""
    field: FieldInfo = StatusPage.model_fields["kind"]
    assert set(get_args(field.annotation)) == KINDS.keys() == PLAYED.keys() == PAGE_WORDS.keys()


# --- statuspage_v2 --------------------------------------------------------------------------------


def component(name: str, status: str = "operational", **more: Any) -> dict[str, Any]:
    return {"id": f"id-{name}-{status}", "name": name, "status": status, "group_id": None, **more}


def incident(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"name": "Elevated errors", "status": "investigating", "impact": "minor"}
    return {**usual, "resolved_at": None, "components": list(components), **more}


def planned(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {
        "name": "Database upgrade",
        "status": "in_progress",
        "scheduled_for": z(T0 - HOUR),
        "scheduled_until": z(T0 + HOUR),
    }
    return {**usual, "components": list(components), **more}


API, WEB = component("API"), component("Website")
GROUP = component("Europe", id="g1", group=True)
IN_GROUP = component("API", group_id="g1")


def summary(*components: dict[str, Any], indicator: str = "none", **more: Any) -> dict[str, Any]:
    page = {"id": "p", "name": "Acme", "updated_at": "2025-06-01T00:00:00Z"}
    return {
        "page": page,
        "status": {"indicator": indicator, "description": ""},
        "components": list(components or (API, WEB)),
        **more,
    }


STATUSPAGE: list[tuple[dict[str, Any], str | None, Outcome, str]] = [
    (summary(), "API", OK, "API: operational"),
    (summary(), " api ", OK, " api : operational"),
    (summary(), "Search", UNKNOWN, "the page does not name Search"),
    (summary(), None, OK, "overall: none"),
    (summary(indicator="odd"), None, UNKNOWN, "overall: odd"),
    (summary(component("API", "sideways")), "API", UNKNOWN, "API: sideways"),
    ({"page": {}, "status": {"indicator": "none"}}, "API", UNKNOWN, "the page lists no components"),
    ({"page": {}}, None, UNKNOWN, "the page has no word on the whole"),
    (summary(components={}), "API", UNKNOWN, "the page's components cannot be read"),
    (summary(incidents="none"), "API", UNKNOWN, "the page's incidents cannot be read"),
    # D15: an incident is open, though the indicator is still none.
    (summary(incidents=[incident()]), None, DEGRADED, "overall: none; incident: Elevated errors"),
    (summary(incidents=[incident()]), "API", DEGRADED, "API: operational; incident: Elevated"),
    (summary(incidents=[incident(API)]), "API", DEGRADED, "API: operational; incident: Elevated"),
    (summary(incidents=[incident(WEB)]), "API", OK, "API: operational"),
    (summary(incidents=[incident(WEB)]), None, DEGRADED, "overall: none; incident"),
    (summary(incidents=[incident(API, impact="none")]), "API", DEGRADED, ""),
    (summary(incidents=[incident(API, impact="major")]), "API", DOWN, ""),
    (summary(incidents=[incident(API, impact="critical")]), "API", DOWN, ""),
    (summary(incidents=[incident(API, impact="odd")]), "API", DEGRADED, ""),
    (summary(incidents=[incident(API, status="identified")]), "API", DEGRADED, ""),
    (
        summary(incidents=[incident(API, status="monitoring", impact="critical")]),
        "API",
        DEGRADED,
        "",
    ),
    (summary(incidents=[incident(API, status="odd")]), "API", UNKNOWN, "API: operational; incid"),
    (summary(incidents=[incident(API, status="resolved")]), "API", OK, ""),
    (summary(incidents=[incident(API, status="postmortem")]), "API", OK, ""),
    (summary(incidents=[incident(API, resolved_at=z(T0 - HOUR))]), "API", OK, ""),
    # The component's own word is the finer one.
    (
        summary(component("API", "partial_outage"), incidents=[incident(impact="critical")]),
        "API",
        DEGRADED,
        "",
    ),
    (
        summary(
            incidents=[
                incident(
                    incident_updates=[{"affected_components": [{"code": "x", "name": "Website"}]}]
                )
            ]
        ),
        "API",
        OK,
        "",
    ),
    # D15: two components of one name: the worst.
    (summary(API, component("API", "major_outage")), "API", DOWN, "API: major_outage"),
    (summary(component("API", "major_outage"), API), "API", DOWN, "API: major_outage"),
    (summary(API, component("API", "odd")), "API", UNKNOWN, "API: odd"),
    # Groups.
    (summary(GROUP, IN_GROUP), "Europe", OK, ""),
    (
        summary(GROUP, component("API", "major_outage", group_id="g1"), API),
        "europe / api",
        DOWN,
        "",
    ),
    (summary(GROUP, component("API", "partial_outage", group_id="g1")), "Europe", DEGRADED, ""),
    (summary(GROUP, IN_GROUP, incidents=[incident(GROUP)]), "API", DEGRADED, ""),
]


@pytest.mark.parametrize(("body", "name", "outcome", "said"), STATUSPAGE)
def test_statuspage(body: dict[str, Any], name: str | None, outcome: Outcome, said: str) -> None:
    """D15: the component's own word, and the open incidents that name it, or name none."""
    found = told("statuspage_v2", body, name)
    assert (found.outcome, found.maintenance) == (outcome, False)
    assert found.said.startswith(said)


MAINTAINED = component("API", "under_maintenance")
WINDOWS: list[tuple[dict[str, Any], Outcome, bool]] = [
    (planned(API), DEGRADED, True),
    (planned(), DEGRADED, True),
    (planned(WEB), OK, False),
    (planned(API, status="scheduled"), DEGRADED, True),
    (planned(API, status="verifying"), DEGRADED, True),
    # D2: over by its own end, whatever its status says.
    (planned(API, scheduled_for=z(T0 - 32 * DAY), scheduled_until=z(T0 - 31 * DAY)), OK, False),
    (planned(API, scheduled_until=z(T0)), OK, False),
    (planned(API, scheduled_until=z(T0 + timedelta(seconds=1))), DEGRADED, True),
    (planned(API, status="scheduled", scheduled_for=z(T0 + HOUR)), OK, False),
    # Ended early.
    (planned(API, status="completed"), OK, False),
    (planned(API, resolved_at=z(T0 - timedelta(minutes=5))), OK, False),
    # Begun early, by its own word.
    (planned(API, scheduled_for=z(T0 + HOUR), started_at=z(T0 - HOUR)), DEGRADED, True),
    # Without an end: believed for a day.
    (planned(API, scheduled_until=None), DEGRADED, True),
    (planned(API, scheduled_for=z(T0 - 2 * DAY), scheduled_until=None), OK, False),
    (planned(API, scheduled_for="soon"), OK, False),
]


@pytest.mark.parametrize(("one", "outcome", "announced"), WINDOWS)
def test_maintenance_counts_between_its_own_start_and_end(
    one: dict[str, Any], outcome: Outcome, announced: bool
) -> None:
    """D2: and for its component alone."""
    found = told("statuspage_v2", summary(scheduled_maintenances=[one]))
    assert (found.outcome, found.maintenance) == (outcome, announced)


def test_a_component_under_maintenance_that_is_over_is_unknown() -> None:
    """D2: it explains nothing, and is not well either; without any window it is believed a day."""
    over = planned(MAINTAINED, scheduled_until=z(T0 - DAY))
    stale = told("statuspage_v2", summary(MAINTAINED, scheduled_maintenances=[over]))
    assert (stale.outcome, stale.maintenance) == (UNKNOWN, False)
    on = told("statuspage_v2", summary(MAINTAINED, scheduled_maintenances=[planned(MAINTAINED)]))
    assert (on.outcome, on.maintenance) == (DEGRADED, True)
    alone = told("statuspage_v2", summary(MAINTAINED))
    assert (alone.outcome, alone.maintenance) == (DEGRADED, True)
    old = component("API", "under_maintenance", updated_at=z(T0 - 40 * DAY))
    forgotten = told("statuspage_v2", summary(old))
    assert (forgotten.outcome, forgotten.maintenance) == (UNKNOWN, False)


def test_an_open_incident_is_more_than_the_maintenance() -> None:
    """D2: people are called."""
    body = summary(scheduled_maintenances=[planned(API)], incidents=[incident(API)])
    found = told("statuspage_v2", body)
    assert (found.outcome, found.maintenance) == (DEGRADED, False)
    assert "Elevated errors" in found.said


PAGE = {"kind": "statuspage_v2", "url": "https://a.example", "path": "/", "component": "API"}


def reading(body: Any, status: int = 200, **more: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    page = StatusPage.model_validate({**PAGE, **more})
    return status_reading(page, Fetched(status, raw, None, None, 0.1), T0)


def test_people_are_called_for_a_maintenance_that_is_long_over() -> None:
    """D2: in progress by its status, over for a month: nobody is kept asleep by it."""
    stale = planned(API, scheduled_for=z(T0 - 32 * DAY), scheduled_until=z(T0 - 31 * DAY))
    found = reading(summary(scheduled_maintenances=[stale]))
    assert (found.outcome, found.fault) == (OK, None)
    assert muted((), is_announced(found), T0) is None
    now = reading(summary(scheduled_maintenances=[planned(API)]))
    assert (now.outcome, now.fault) == (DEGRADED, MAINTENANCE)
    assert muted((), is_announced(now), T0) is not None


def test_a_sentence_announces_nothing() -> None:
    """D2: what is announced is a field: a component may be called what it will."""
    named = reading(summary(component("maintenance announced; API")), component="maintenance "
                    "announced; API")  # fmt: skip
    assert named.detail.startswith("maintenance")
    assert not is_announced(named)


ODD = [
    (b"<!doctype html><html></html>", 200, "not_json"),
    (b'{"page": {}, "page": {}}', 200, "not_json"),
    (b"[]", 200, None),
    (b"", 200, "not_json"),
    (json.dumps(summary()).encode(), 503, None),
    (json.dumps(summary()).encode(), 302, None),
]


@pytest.mark.parametrize(("body", "status", "fault"), ODD)
def test_what_is_no_page_is_unknown(body: bytes, status: int, fault: str | None) -> None:
    """D15: a page of another kind, a broken one, or an error is never well."""
    found = reading(body, status)
    assert (found.outcome, found.fault) == (UNKNOWN, fault)


# --- betterstack ----------------------------------------------------------------------------------


def resource(number: int, name: str, status: str, **more: Any) -> dict[str, Any]:
    facts = {"public_name": name, "status": status, **more}
    return {"id": str(number), "type": "status_page_resource", "attributes": facts}


def report(*touched: tuple[int, str], **more: Any) -> dict[str, Any]:
    usual = {
        "title": "Queue is late",
        "report_type": "manual",
        "starts_at": z(T0 - HOUR),
        "ends_at": None,
        "aggregate_state": "degraded",
        "affected_resources": [
            {"status_page_resource_id": str(n), "status": state} for n, state in touched
        ],
    }
    return {"id": "9", "type": "status_report", "attributes": {**usual, **more}}


def better(*included: dict[str, Any], state: str = "operational") -> dict[str, Any]:
    return {"data": {"attributes": {"aggregate_state": state}}, "included": list(included)}


OURS = resource(1, "API", "operational", status_page_section_id=7)
SECTION = {"id": "7", "type": "status_page_section", "attributes": {"name": "Europe"}}
BETTER: list[tuple[dict[str, Any], str | None, Outcome, bool]] = [
    (better(OURS), "API", OK, False),
    (better(OURS), None, OK, False),
    (better(OURS, state="downtime"), None, DOWN, False),
    (better(OURS, state="odd"), None, UNKNOWN, False),
    (better(OURS), "Search", UNKNOWN, False),
    (better(), "API", UNKNOWN, False),
    (better(resource(1, "API", "not_monitored")), "API", UNKNOWN, False),
    (better(OURS, resource(2, "API", "downtime")), "API", DOWN, False),
    (better(SECTION, OURS), "Europe / API", OK, False),
    (better(OURS, report()), "API", DEGRADED, False),
    (better(OURS, report((1, "downtime"))), "API", DOWN, False),
    (better(OURS, report((2, "downtime"))), "API", OK, False),
    (better(OURS, report((1, "resolved"), (2, "downtime"))), "API", OK, False),
    (better(OURS, report((1, "odd"))), "API", UNKNOWN, False),
    (better(OURS, report((1, "degraded"), ends_at=z(T0))), "API", OK, False),
    (better(OURS, report(aggregate_state="resolved")), "API", OK, False),
    (better(OURS, report((1, "degraded"), starts_at=z(T0 + HOUR))), "API", OK, False),
    (
        better(OURS, report((1, "maintenance"), report_type="maintenance", ends_at=z(T0 + HOUR))),
        "API",
        DEGRADED,
        True,
    ),
    (
        better(
            resource(1, "API", "maintenance"),
            report((1, "maintenance"), report_type="maintenance", ends_at=z(T0 - HOUR)),
        ),
        "API",
        UNKNOWN,
        False,
    ),
    (
        better(OURS, report((2, "maintenance"), report_type="maintenance")),
        "API",
        OK,
        False,
    ),
    (
        better(OURS, report((1, "x"), report_type="maintenance", starts_at=z(T0 - 30 * DAY))),
        "API",
        OK,
        False,
    ),
    ({"data": {}, "included": {}}, "API", UNKNOWN, False),
]


@pytest.mark.parametrize(("body", "name", "outcome", "announced"), BETTER)
def test_better_stack(
    body: dict[str, Any], name: str | None, outcome: Outcome, announced: bool
) -> None:
    """D2, D15: reports are incidents or maintenance, each of its time and its resources."""
    found = told("betterstack", body, name)
    assert (found.outcome, found.maintenance) == (outcome, announced)


# --- incident.io ----------------------------------------------------------------------------------


def widget(*incidents: dict[str, Any], on: Any = (), later: Any = ()) -> dict[str, Any]:
    return {
        "page_title": "Acme",
        "ongoing_incidents": list(incidents),
        "in_progress_maintenances": list(on),
        "scheduled_maintenances": list(later),
    }


def ongoing(*touched: dict[str, Any], **more: Any) -> dict[str, Any]:
    usual = {"name": "Errors", "status": "identified", "current_worst_impact": "partial_outage"}
    return {**usual, "affected_components": list(touched), **more}


MINE = {"id": "1", "name": "API", "group_name": "Europe", "current_status": "full_outage"}
IN_PROGRESS = {
    "name": "Upgrade",
    "status": "maintenance_in_progress",
    "started_at": z(T0 - HOUR),
    "scheduled_end_at": z(T0 + HOUR),
    "affected_components": [{"name": "API"}],
}
INCIDENT_IO: list[tuple[Any, str | None, Outcome, bool]] = [
    (widget(), "API", OK, False),
    (widget(), None, OK, False),
    (widget(ongoing()), "API", DEGRADED, False),
    (widget(ongoing(current_worst_impact="full_outage")), "API", DOWN, False),
    (widget(ongoing(MINE)), "API", DOWN, False),
    (widget(ongoing(MINE)), "Europe / API", DOWN, False),
    (widget(ongoing(MINE, status="monitoring")), "API", DEGRADED, False),
    (widget(ongoing(MINE, status="odd")), "API", UNKNOWN, False),
    (widget(ongoing({"name": "Website"})), "API", OK, False),
    (widget(on=[IN_PROGRESS]), "API", DEGRADED, True),
    (widget(on=[{**IN_PROGRESS, "scheduled_end_at": z(T0 - DAY)}]), "API", OK, False),
    (widget(on=[{**IN_PROGRESS, "affected_components": [{"name": "Web"}]}]), "API", OK, False),
    (
        widget(later=[{"name": "x", "starts_at": z(T0 + HOUR), "ends_at": z(T0 + DAY)}]),
        "API",
        OK,
        False,
    ),
    ({"page_title": "Acme"}, "API", UNKNOWN, False),
    ({"ongoing_incidents": []}, "API", UNKNOWN, False),
    (widget() | {"ongoing_incidents": "none"}, "API", UNKNOWN, False),
    (summary(), "API", UNKNOWN, False),
]


@pytest.mark.parametrize(("body", "name", "outcome", "announced"), INCIDENT_IO)
def test_incident_io(body: Any, name: str | None, outcome: Outcome, announced: bool) -> None:
    """D15: its widget lists what is open; what is no such list is unknown."""
    found = told("incident_io", body, name)
    assert (found.outcome, found.maintenance) == (outcome, announced)


# --- instatus -------------------------------------------------------------------------------------


def components(*rows: dict[str, Any]) -> dict[str, Any]:
    return {"components": list(rows)}


def line(name: str, status: str = "OPERATIONAL", **more: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "status": status, **more}


ACTIVE = {"name": "Errors", "status": "INVESTIGATING", "impact": "MAJOROUTAGE"}
UPGRADE = {"name": "Upgrade", "start": z(T0 - HOUR), "status": "INPROGRESS", "duration": "120"}
INSTATUS: list[tuple[Any, str | None, Outcome, bool]] = [
    ({"page": {"status": "UP"}}, None, OK, False),
    ({"page": {"status": "HASISSUES"}}, None, DEGRADED, False),
    ({"page": {"status": "ODD"}}, None, UNKNOWN, False),
    ({"page": {"status": "UP"}}, "API", UNKNOWN, False),
    ({"page": {"status": "UP"}, "activeIncidents": [ACTIVE]}, None, DOWN, False),
    ({"page": {"status": "UP"}, "activeMaintenances": [UPGRADE]}, None, DEGRADED, True),
    (
        {"page": {"status": "UP"}, "activeMaintenances": [{**UPGRADE, "duration": 30}]},
        None,
        OK,
        False,
    ),
    (components(line("API")), "API", OK, False),
    (components(line("API", "MAJOROUTAGE")), "API", DOWN, False),
    (components(line("API", "SIDEWAYS")), "API", UNKNOWN, False),
    (components(line("API"), line("API", "PARTIALOUTAGE")), "API", DEGRADED, False),
    (components(line("API", activeIncidents=[ACTIVE])), "API", DOWN, False),
    (components(line("API"), line("Web", activeIncidents=[ACTIVE])), "API", OK, False),
    (components(line("API", group={"name": "Europe"})), "Europe / API", OK, False),
    (components(line("Europe", children=[line("API", "MINOROUTAGE")])), "API", DEGRADED, False),
    (components(line("Web")), "API", UNKNOWN, False),
    ({"hello": 1}, "API", UNKNOWN, False),
    ({"components": {}}, "API", UNKNOWN, False),
]


@pytest.mark.parametrize(("body", "name", "outcome", "announced"), INSTATUS)
def test_instatus(body: Any, name: str | None, outcome: Outcome, announced: bool) -> None:
    """D15: the summary for the whole, the list of components for one."""
    found = told("instatus", body, name)
    assert (found.outcome, found.maintenance) == (outcome, announced)


# --- feeds ----------------------------------------------------------------------------------------


def item(title: str, text: str, at: datetime) -> str:
    date = at.strftime("%a, %d %b %Y %H:%M:%S +0000")
    return (
        f"<item><title>{title}</title><description>{text}</description>"
        f"<pubDate>{date}</pubDate><guid>{title}</guid></item>"
    )


def update(*states: str, text: str = "We look into it.") -> str:
    return "".join(f"&lt;p&gt;&lt;strong&gt;{s}&lt;/strong&gt; - {text}&lt;/p&gt;" for s in states)


def rss(*items: str) -> bytes:
    channel = f"<title>Acme</title>{''.join(items)}"
    return f'<?xml version="1.0"?><rss version="2.0"><channel>{channel}</channel></rss>'.encode()


ATOM = f"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Acme</title>
<entry><id>1</id><title>Errors in the API</title><updated>{z(T0)}</updated>
<content type="html">{update("Identified", "Investigating")}</content></entry></feed>""".encode()
RESOLVED = update("Resolved", "Monitoring", "Investigating")
BOMB = b"""<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<rss><channel><item><title>&b;</title></item></channel></rss>"""
FEEDS: list[tuple[bytes, str | None, Outcome]] = [
    (rss(item("Errors", RESOLVED, T0 - DAY)), None, OK),
    (rss(item("[RESOLVED] Errors", "It is over", T0 - DAY)), None, OK),
    (rss(item("Errors", update("Investigating"), T0)), None, DEGRADED),
    (rss(item("Errors in the API", update("Monitoring", "Identified"), T0)), "API", DEGRADED),
    # Whom it concerns is not said in a way that can be read.
    (rss(item("Errors", update("Investigating"), T0)), "API", UNKNOWN),
    # Neither open nor resolved, of these days.
    (rss(item("Errors", "Something is slow", T0 - DAY)), None, UNKNOWN),
    (rss(item("Errors", RESOLVED, T0), item("Old", "slow", T0 - 30 * DAY)), None, OK),
    (rss(item("Errors", RESOLVED, T0), item("New", "slow", T0 - DAY)), None, UNKNOWN),
    (rss(item("Old", "slow", T0 - 30 * DAY)), None, UNKNOWN),
    # Several items about one thing: the newest counts.
    (
        rss(item("Errors", update("Investigating"), T0 - HOUR), item("Errors", RESOLVED, T0)),
        None,
        OK,
    ),
    # A maintenance that is on: its end is not said.
    (rss(item("Upgrade", update("In progress", "Scheduled"), T0)), None, UNKNOWN),
    (rss(item("Upgrade", update("Scheduled"), T0 + DAY)), None, OK),
    (rss(), None, UNKNOWN),
    (ATOM, "API", DEGRADED),
    (b"<html><body>Status</body></html>", None, UNKNOWN),
    (b"not xml", None, UNKNOWN),
    (b"", None, UNKNOWN),
    (b'{"a": 1}', None, UNKNOWN),
    (BOMB, None, UNKNOWN),
    (b"<rss>" + b"<a>" * 100, None, UNKNOWN),
    (b"<rss>" + b"<a/>" * 60_000 + b"</rss>", None, UNKNOWN),
]


@pytest.mark.parametrize(("body", "name", "outcome"), FEEDS)
def test_feeds(body: bytes, name: str | None, outcome: Outcome) -> None:
    """D15: only what an item states counts; a DTD, an entity or too much of it is not read."""
    found = told("feed", body, name)
    assert (found.outcome, found.maintenance) == (outcome, False)


def test_a_feed_is_read_over_the_wire_though_it_is_no_json() -> None:
    """D15: and its headline is in the detail."""
    found = reading(ATOM, kind="feed")
    assert (found.outcome, found.fault) == (DEGRADED, None)
    assert "Errors in the API (identified)" in found.detail
