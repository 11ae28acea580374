"""A drill that lies would be worse than none: each promise, once broken, is told by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from making import T0
from sqlmodel import Session

from deployments.drill.collect import result, waits
from deployments.drill.prefect_view import Start
from deployments.drill.run import Drill
from deployments.drill.scenarios import ALL_JOBS, SCENARIOS, Scenario, scenario_named
from deployments.drill.score import PAGE_WITHIN_S, Facts, failures
from deployments.drill.world import OVERLAY, World, running_world, sealed
from watchkeeper.errors import UserError
from watchkeeper.incident import Milestone
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.load import watch as watch_over
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import incidents
from watchkeeper.store.tables import ApprovalRow

SECOND = timedelta(seconds=1)
WHOLE = {
    "expected": 100,
    "present": 100,
    "missing": 0,
    "duplicates": 0,
    "stale": 0,
    "touched_since": 150,
}
OLD, NEW = "0ld0key0", "0new0key"
ONE_ALERT = {"state": "resolved", "alerts": 1}
MILESTONES = {m.value: T0 + n * SECOND for n, m in enumerate(Milestone)}


def passing(scenario: Scenario) -> Facts:
    """What a drill sees when every promise of the scenario is kept."""
    return Facts(
        incident={
            "id": 1,
            "state": "closed",
            "cause": scenario.cause,
            "verdict": scenario.verdicts[-1],
            "severity": scenario.severity,
        },
        verdicts=scenario.verdicts,
        milestones=MILESTONES,
        opened_at=MILESTONES["detected"],
        opened_by="health",
        job_states={
            job: "paused" if job == scenario.paused_by_person else "running" for job in ALL_JOBS
        },
        jobs_paused_in_incident=scenario.pauses,
        pages={"incidents": {"first": ONE_ALERT}},
        data={"workorders": WHOLE, "assets": WHOLE},
        first_key=OLD,
        keys=[
            {"fingerprint": OLD, "state": "revoked"},
            {"fingerprint": NEW, "state": "active"},
        ],
        service_key=NEW,
        restarts=1,
        key_tested_at=T0,
        key_promoted_at=T0 + SECOND,
        consumers=1,
        consumers_proven=1,
        requests_per_s={"before": 8.0, "during": 1.0},
        synced_while_capped=12,
        held_under_cap=("paused_job", "paused_job", "rate_cap"),
        killed=scenario.kill is not None,
        responders=2 if scenario.kill else 1,
        report="reports/incident-1.md",
        artifact="incident-1",
    )


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_a_kept_promise_is_no_failure(scenario: Scenario) -> None:
    """Each scenario can be passed."""
    assert failures(scenario, passing(scenario)) == []


KEY, KILLED = "expired-key", "expired-key-killed-after-effect"
RATE, OUTAGE = "rate-limited", "vendor-outage"


def incident(**changes: Any) -> dict[str, Any]:
    """The incident of the expired key, but for what is given."""
    return {"incident": {**(passing(SCENARIOS[KEY]).incident or {}), **changes}}


def data(**changes: int) -> dict[str, Any]:
    return {"data": {"workorders": {**WHOLE, **changes}, "assets": WHOLE}}


def paged(**changes: Any) -> dict[str, Any]:
    return {"pages": {"incidents": {"first": ONE_ALERT, "second": {**ONE_ALERT, **changes}}}}


def left(**changes: str) -> dict[str, Any]:
    states = {job.replace("-", "_"): "running" for job in ALL_JOBS}
    states |= {"report_generator": "paused"} | changes
    return {"job_states": {name.replace("_", "-"): state for name, state in states.items()}}


# Scenario, the one fact that is wrong, and the words in which it must be told.
FAULTS: list[tuple[str, dict[str, Any], str]] = [
    (KEY, {"incident": None}, "no incident was opened"),
    (KEY, incident(state="settling"), "did not close: settling"),
    (KEY, {"opened_by": "ada"}, "opened by ada, not detected by health"),
    (KEY, incident(cause="vendor_outage"), "cause vendor_outage, expected api_key_expired"),
    (KEY, incident(cause=None), "cause None, expected api_key_expired"),
    (KEY, incident(severity=2), "severity 2, expected 1"),
    (KEY, {"verdicts": ("confirmed",)}, "verdicts ('confirmed',), expected"),
    (KEY, {"verdicts": ("likely", "confirmed", "likely")}, "expected ('likely', 'confirmed')"),
    (KEY, {"verdicts": ()}, "verdicts (), expected"),
    (
        KEY,
        {"milestones": MILESTONES | {"mitigated": T0 + 60 * SECOND}},
        "milestones out of order",
    ),
    (KEY, {"pages": {"incidents": {}}}, "nobody was paged"),
    (KEY, {"pages": {}}, "nobody was paged"),
    (KEY, paged(state="triggered"), "a page was left unresolved"),
    (KEY, paged(alerts=2), "opened more than once"),
    (KEY, {"opened_at": MILESTONES["paged"] - (PAGE_WITHIN_S + 1) * SECOND}, "3.0 s after"),
    (KEY, {"jobs_paused_in_incident": ALL_JOBS}, "paused ['asset-sync', 'report-generator'"),
    (KEY, {"jobs_paused_in_incident": frozenset()}, "paused [], not ['asset-sync'"),
    (KEY, left(asset_sync="paused"), "job asset-sync was left paused, before it was running"),
    (KEY, left(report_generator="running"), "report-generator was left running, before it was"),
    (KEY, {"job_states": {}}, "job asset-sync was left None"),
    (KEY, {"leases_left": 2}, "2 leases were left"),
    (KEY, data(missing=3), "workorders: 3 missing"),
    (KEY, data(duplicates=1), "workorders: 1 duplicates"),
    (KEY, data(stale=7), "workorders: 7 stale"),
    (KEY, {"data": {"workorders": {**WHOLE, "touched_since": 199}}}, "only 199 records changed"),
    (KEY, {"data": {}}, "only 0 records changed"),
    (
        KEY,
        {"keys": [{"fingerprint": f, "state": "active"} for f in (OLD, NEW)]},
        "the old key is still alive",
    ),
    (KEY, {"service_key": OLD}, "does not run on a key that the vendor accepts"),
    (KEY, {"service_key": None}, "does not run on a key that the vendor accepts"),
    (KEY, {"restarts": 2}, "restarted 2 times, not once"),
    (KEY, {"restarts": 0}, "restarted 0 times, not once"),
    (KEY, {"consumers_proven": 0}, "0 of 1 consumers proven on the new key"),
    (KEY, {"key_tested_at": T0 + 2 * SECOND}, "not tested before it became current"),
    (KEY, {"key_tested_at": None}, "not tested before it became current"),
    (KEY, {"key_promoted_at": None}, "not tested before it became current"),
    (KEY, {"report": None}, "no report file was written"),
    (KEY, {"artifact": None}, "no report is in the Prefect UI"),
    (KEY, {"off_loopback": ("203.0.113.7:443 by process curl",)}, "loopback: 203.0.113.7:443"),
    (KEY, {"leaks": ("prefect/prefect.db",)}, "a key value was found in prefect/prefect.db"),
    (KILLED, {"killed": False}, "the failpoint was not met"),
    (KILLED, {"responders": 1}, "the sweep started no second responder"),
    (RATE, {"requests_per_s": {"before": 8.0, "during": 4.0}}, "4.0 requests/s under the cap"),
    (RATE, {"requests_per_s": {"before": 8.0, "during": 0.0}}, "0.0 requests/s under the cap"),
    (RATE, {"requests_per_s": {}}, "0.0 requests/s under the cap, 0.0 before"),
    (RATE, {"held_under_cap": ("rate_cap",)}, "held while the critical sync went on"),
    (RATE, {"synced_while_capped": 0}, "the critical sync moved nothing while the cap"),
    (RATE, {"job_states": {}}, "report-generator was left None, before it was running"),
    (OUTAGE, {"data": {"workorders": {**WHOLE, "touched_since": 99}}}, "only 99 records changed"),
]


@pytest.mark.parametrize(
    ("name", "fault", "told"), FAULTS, ids=[f"{name}: {told}" for name, _, told in FAULTS]
)
def test_each_broken_promise_is_told(name: str, fault: Mapping[str, Any], told: str) -> None:
    """One wrong fact in a drill that went well otherwise is a failure, in words that name it."""
    said = failures(SCENARIOS[name], replace(passing(SCENARIOS[name]), **fault))
    assert any(told in line for line in said), said


def test_every_fact_is_judged() -> None:
    """A fact that no planted fault touches would be gathered for nothing."""
    # The number that the proven ones are compared with, and the name that keys are looked up by.
    givens = {"consumers", "first_key"}
    touched = {name for _, fault, _ in FAULTS for name in fault}
    assert {f.name for f in fields(Facts)} - touched == givens


def test_only_what_a_scenario_promises_is_asked_of_it() -> None:
    """An outage rotates no key, caps nothing and kills nobody: facts about these count for
    nothing there."""
    strange = {"keys": [], "service_key": None, "restarts": 5, "requests_per_s": {}}
    facts = replace(passing(SCENARIOS[OUTAGE]), **strange)
    assert failures(SCENARIOS[OUTAGE], facts) == []


def test_several_faults_are_all_told() -> None:
    """The first broken promise hides none of the others."""
    facts = replace(passing(SCENARIOS[KEY]), leases_left=1, report=None, restarts=2)
    assert len(failures(SCENARIOS[KEY], facts)) == 3


def test_a_scenario_that_is_not_known() -> None:
    """The answer names the ones there are."""
    with pytest.raises(UserError, match="'expired' is no scenario: expired-key, "):
        scenario_named("expired")
    assert scenario_named(KEY) is SCENARIOS[KEY]


# --- where the time went ------------------------------------------------------------------------


@pytest.fixture
def drill(watch: Watch, tmp_path: Path) -> Drill:
    """A drill that is over, of which only the notes and the record are left."""
    nowhere = dict.fromkeys(("vendor", "api", "status_page", "service", "unit", "pager"), "")
    processes = Processes(tmp_path)
    world = World(home=tmp_path, pager_ca=tmp_path / "ca.pem", processes=processes, **nowhere)
    return Drill(SCENARIOS[KEY], world, watch, lambda _: None, began=0.0, marks={"fault": T0})


def answered(session: Session, watch: Watch, after_s: float) -> None:
    found, _ = incidents.open_or_join(
        session,
        integration="maintainx@test",
        diagnosis_summary="refused",
        severity=1,
        opened_by="health",
        started_at=T0,
        now=watch.now(),
        reopen_since=watch.now(),
    )
    question = ApprovalRow(
        incident_id=found.id,
        plan_hash="abc",
        plan_text="rotate",
        requested_at=T0,
        expires_at=T0 + timedelta(hours=1),
        decided_at=T0 + after_s * SECOND,
        decision="approve",
    )
    session.add(question)


def start(flow: str, due_s: float, running_s: float) -> Start:
    return Start(flow, T0 + due_s * SECOND, T0 + running_s * SECOND)


HEALTH = start("health", 4, 6)
EARLIER = start("health", -8, -6)
AFTERWARDS = start("respond", 90, 95)
CLOCKS: list[tuple[str, list[Start], float, float]] = [
    ("one responder", [HEALTH, start("respond", 8, 11)], 5.0, 4.0),
    ("a second responder", [HEALTH, start("respond", 8, 11), start("respond", 30, 32)], 7.0, 4.0),
    ("what came before or after", [EARLIER, HEALTH, AFTERWARDS], 2.0, 4.0),
    ("a health run on its way as the fault came", [start("health", -1, 1)], 2.0, 0.0),
    ("no start was seen", [], 0.0, 0.0),
]


@pytest.mark.parametrize(
    ("starts", "lag_s", "clock_s"), [row[1:] for row in CLOCKS], ids=[row[0] for row in CLOCKS]
)
def test_waits_add_up(
    drill: Drill, watch: Watch, starts: list[Start], lag_s: float, clock_s: float
) -> None:
    """Schedule, start lag, person and our own part are all of the time from fault to close."""
    with watch.store.write() as session:
        answered(session, watch, after_s=12)
    drill.notes["starts"] = starts
    times = {"closed": T0 + 60 * SECOND}
    found = waits(drill, Facts(incident={}, opened_at=T0 + 7 * SECOND, milestones=times))
    assert (found["total"], found["person"]) == (60.0, 12.0)
    assert (found["prefect_start"], found["scheduler"]) == (lag_s, clock_s)
    parts = ("ours", "prefect_start", "scheduler", "person")
    assert sum(found[part] for part in parts) == pytest.approx(found["total"])


def test_an_incident_that_never_closed_has_no_waits(drill: Drill) -> None:
    """A time without an end is not made up."""
    assert waits(drill, Facts(incident={})) == {}


def test_the_result_of_a_failed_drill_can_be_printed(drill: Drill) -> None:
    """Whoever reads `drill --json` finds the same keys when nothing was seen at all."""
    lost = result(drill, Facts(incident=None), ["no incident was opened"], 12.34)
    kept = result(drill, passing(SCENARIOS[KEY]), [], 12.34)
    assert lost.keys() == kept.keys()
    assert (lost["passed"], kept["passed"]) == (False, True)
    assert (lost["failures"], lost["took_s"]) == (["no incident was opened"], 12.3)
    assert (kept["old_key_alive"], kept["jobs_left_paused"]) == (False, [])
    assert kept["jobs_left_as_a_person_set_them"] == ["report-generator"]
    assert set(kept["milestones"]) == {m.value for m in Milestone}


# --- a world of its own -------------------------------------------------------------------------

LIVE = {
    "WATCHKEEPER_DATABASE_URL": "postgresql://live",
    "WATCHKEEPER_NOT_KNOWN_YET": "1",
    "PREFECT_API_URL": "https://live",
    "PREFECT_API_KEY": "pnu_live",
    "PD_API_KEY": "live",
    "PAGERDUTY_ROUTING_KEY": "live",
    "SLACK_BOT_TOKEN": "xoxb-live",
    "AWS_PROFILE": "live",
    "GOOGLE_APPLICATION_CREDENTIALS": "live.json",
    "HTTPS_PROXY": "http://proxy:3128",
    "http_proxy": "http://proxy:3128",
    "ALL_PROXY": "socks5://proxy",
    "NO_proxy": "*",
}
OURS = {"PATH": "/usr/bin", "HOME": "/root", "LANG": "C.UTF-8", "MY_WATCHKEEPER_NOTE": "kept"}


@pytest.mark.parametrize("name", LIVE)
def test_live_settings_do_not_get_in(name: str) -> None:
    """Neither settings and keys of the company nor its proxies reach a process of a drill."""
    assert sealed({name: LIVE[name]} | OURS) == OURS


def test_a_scenario_is_laid_over_the_drills_own_overlay(tmp_path: Path) -> None:
    """A scenario changes what it names and leaves the rest of the overlay, and of the runbook, as
    it is; the world has a folder that nobody else reads."""
    scenario, before = SCENARIOS[RATE], repr(OVERLAY)
    with running_world(tmp_path / "world", scenario.overrides) as world:
        runbook = watch_over("maintainx@sandbox", world.integrations).runbook
        environment = world.environment()
    users, orders = runbook.resource("users"), runbook.resource("workorders")
    assert (users.page_size, users.list_lag) == (1, 3 * SECOND)
    assert (orders.page_size, orders.list_lag) == (100, 3 * SECOND)
    soaks = {rule.cause: rule.soak for rule in runbook.causes}
    assert soaks["rate_limit_exceeded"] == 30 * SECOND
    assert soaks["api_key_expired"] == 2 * SECOND
    assert runbook.verification.interval == 3 * SECOND
    assert runbook.verification.give_up_after == 60 * SECOND
    assert repr(OVERLAY) == before
    assert world.home.stat().st_mode & 0o777 == 0o700
    assert environment["WATCHKEEPER_HOME"] == str(world.home)
    assert environment["WATCHKEEPER_PORT"] == "0"
