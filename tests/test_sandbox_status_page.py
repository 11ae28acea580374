"""What a vendor declares on its status page, in either kind of page, and how a page itself breaks."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from watchkeeper.sandbox.plain import Ask, Reply
from watchkeeper.sandbox.process import Processes
from watchkeeper.sandbox.status_page import COMPONENTS, HUNG_S, StatusPage

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KINDS = ("betterstack", "statuspage_v2")


def test_the_status_page_is_json_under_an_html_label() -> None:
    page = StatusPage(lambda: datetime(2026, 11, 22, tzinfo=UTC))
    told = Ask("PUT", "/_sim/status", {}, b'{"REST API": "downtime"}')
    reply = page.app(told)
    assert reply is not None
    assert reply.status == 200
    shown = page.app(Ask("GET", "/en/index.json", {}))
    assert shown is not None
    assert shown.content_type.startswith("text/html")
    document = json.loads(shown.body)
    assert document["data"]["attributes"]["aggregate_state"] == "downtime"
    resources = [i["attributes"] for i in document["included"] if i["type"].endswith("resource")]
    assert {r["public_name"]: r["status"] for r in resources} == {
        **dict.fromkeys(COMPONENTS, "operational"),
        "REST API": "downtime",
    }
    moved = page.app(Ask("GET", "/api/v2/summary.json", {}))
    assert moved is not None
    assert moved.status == 302
    wrong = page.app(Ask("PUT", "/_sim/status", {}, b'{"REST API": "fine"}'))
    assert wrong is not None
    assert wrong.status == 400


def page_of(kind: str, told: dict[str, Any] | None = None) -> StatusPage:
    page = StatusPage(lambda: NOON, kind, components=("API", "App"), company="Odd")
    assert told is None or put(page, told).status == 200
    return page


def put(page: StatusPage, told: dict[str, Any]) -> Reply:
    return page.app(Ask("PUT", "/_sim/status", {}, json.dumps(told).encode()))


def got(page: StatusPage, path: str | None = None) -> Any:
    return json.loads(page.app(Ask("GET", path or page.path, {})).body)


def planned(starts: datetime, ends: datetime | None, **more: Any) -> dict[str, Any]:
    window = {"starts_at": starts.isoformat(), "ends_at": ends and ends.isoformat()}
    return {"maintenance": {"component": "API", **window, **more}}


@pytest.mark.parametrize(
    ("state", "indicator", "incidents"),
    [
        ("operational", "none", 0),
        ("under_maintenance", "maintenance", 0),
        ("degraded_performance", "minor", 1),
        ("partial_outage", "major", 1),
        ("major_outage", "critical", 1),
    ],
)
def test_a_statuspage_tells_of_components_and_of_all(
    state: str, indicator: str, incidents: int
) -> None:
    page = page_of("statuspage_v2", {"API": state})
    summary = got(page)
    assert {c["name"]: c["status"] for c in summary["components"]} == {
        "API": state,
        "App": "operational",
    }
    assert summary["status"]["indicator"] == indicator
    assert len(summary["incidents"]) == incidents
    assert got(page, "/api/v2/status.json")["status"] == summary["status"]
    assert "components" not in got(page, "/api/v2/status.json")
    assert summary["page"]["name"] == "Odd"


@pytest.mark.parametrize(
    ("told", "status", "component"),
    [
        (planned(NOON - HOUR, NOON + HOUR), ["in_progress"], "under_maintenance"),
        (planned(NOON + HOUR, NOON + 2 * HOUR), ["scheduled"], "operational"),
        (planned(NOON - 2 * HOUR, NOON - HOUR), [], "operational"),
        (planned(NOON - HOUR, NOON, state="verifying"), ["verifying"], "operational"),
        (planned(NOON - HOUR, None), ["in_progress"], "under_maintenance"),
        ({"maintenance": None}, [], "operational"),
    ],
)
def test_a_statuspage_announces_maintenance(
    told: dict[str, Any], status: list[str], component: str
) -> None:
    summary = got(page_of("statuspage_v2", told))
    assert [m["status"] for m in summary["scheduled_maintenances"]] == status
    assert summary["components"][0]["status"] == component
    for one in summary["scheduled_maintenances"]:
        assert [c["name"] for c in one["components"]] == ["API"]
        assert one["scheduled_for"] == told["maintenance"]["starts_at"].replace("+00:00", ".000Z")


@pytest.mark.parametrize(
    ("starts", "shown"), [(NOON - HOUR, "maintenance"), (NOON + HOUR, "operational")]
)
def test_better_stack_reports_maintenance(starts: datetime, shown: str) -> None:
    included = got(page_of("betterstack", planned(starts, starts + 2 * HOUR)))["included"]
    (report,) = [i["attributes"] for i in included if i["type"] == "status_report"]
    (api,) = [i for i in included if i["attributes"].get("public_name") == "API"]
    assert api["attributes"]["status"] == shown
    assert report["report_type"] == "maintenance"
    assert datetime.fromisoformat(report["starts_at"]) == starts
    assert report["affected_resources"][0]["status_page_resource_id"] == api["id"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_worse_than_maintenance_stays(kind: str) -> None:
    bad = "downtime" if kind == "betterstack" else "major_outage"
    page = page_of(kind, {"API": bad, **planned(NOON - HOUR, None)})
    assert f'"{bad}"' in json.dumps(got(page))


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_breaks_and_mends(kind: str) -> None:
    page = page_of(kind, {"broken": "html"})
    html = page.app(Ask("GET", page.path, {}))
    assert (html.status, html.body[:9]) == (200, b"<!doctype")
    put(page, {"broken": "500"})
    assert page.app(Ask("GET", page.path, {})).status == 500
    put(page, {"broken": "hang"})
    assert page.app(Ask("GET", page.path, {})).delay_s == HUNG_S
    put(page, {"broken": "other_company"})
    text = json.dumps(got(page))
    assert "Somebody Else" in text
    assert '"API"' not in text
    put(page, {"broken": None})
    assert '"API"' in json.dumps(got(page))


@pytest.mark.parametrize(
    "told",
    [
        {"API": "sideways"},
        {"Cats": "operational"},
        {"broken": "badly"},
        {"incident": {"name": "x", "component": "Cats"}},
        {"incident": {"name": "x", "status": "odd"}},
        {"incident": {"title": "x"}},
        {"twins": {"Cats": "operational"}},
        {"maintenance": {"component": "API"}},
        planned(NOON, None, component="Cats"),
        planned(NOON, None, state="sideways"),
        {"maintenance": 3},
        {"maintenance": {"component": "API", "starts_at": "noon"}},
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_means_nothing_is_refused(kind: str, told: dict[str, Any]) -> None:
    page = page_of(kind)
    assert put(page, told).status == 400
    assert page.declared() == {
        "API": "operational",
        "App": "operational",
        "maintenance": None,
        "incident": None,
        "twins": {},
        "broken": None,
    }


def test_a_page_of_ones_own_making(tmp_path: Any) -> None:
    options = [
        "--kind",
        "statuspage_v2",
        "--path",
        "/other/status.json",
        "--components",
        "A B",
        "C",
    ]
    with Processes(tmp_path) as processes:
        url = processes.start(["status_page", *options])["url"]
        assert httpx.get(f"{url}/other/status.json").json()["status"]["indicator"] == "none"
        summary = httpx.get(f"{url}/api/v2/summary.json").json()
        assert [c["name"] for c in summary["components"]] == ["A B", "C"]
        assert httpx.get(f"{url}/_sim/status").json()["C"] == "operational"
