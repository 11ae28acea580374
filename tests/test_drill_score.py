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

from deployments.drill.cases.case import Case
from deployments.drill.cases.table import CASES
from deployments.drill.coverage import NO_DRILL, Covered, coverage, says
from deployments.drill.drill import Drill
from deployments.drill.entry import OVERLAY, watch_only
from deployments.drill.far_side import FarSide
from deployments.drill.prefect_view import Start
from deployments.drill.result import result
from deployments.drill.scenarios import ALL_JOBS, SCENARIOS, Scenario, scenario_named
from deployments.drill.score import PAGE_WITHIN_S, Facts, failures
from deployments.drill.timing import waits
from deployments.drill.world import Setup, World, first_key, running_world, sealed
from watchkeeper.errors import UserError
from watchkeeper.incident import Milestone
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook, named_integrations
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
UNPAGED = {name: at for name, at in MILESTONES.items() if name != "paged"}


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
        milestones=MILESTONES if scenario.pages else UNPAGED,
        opened_at=MILESTONES["detected"],
        opened_by="health",
        job_states={
            job: "paused" if job == scenario.paused_by_person else "running" for job in ALL_JOBS
        },
        jobs_paused_in_incident=scenario.pauses,
        pages={"incidents": {"first": ONE_ALERT} if scenario.pages else {}},
        data={"workorders": WHOLE, "assets": WHOLE},
        first_key=OLD,
        keys=[
            {"fingerprint": OLD, "state": "revoked"},
            {"fingerprint": NEW, "state": "active"},
        ],
        service_key=NEW,
        restarts=1,
        key_tested_at=T0,
        key_promoted_at=T0 + SECOND if scenario.rotates else None,
        consumers=1,
        consumers_proven=1,
        requests_per_s={"before": 8.0, "during": 1.0},
        synced_while_capped=12,
        held=scenario.holds,
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
SLOW, ERRORS = "slow-vendor", "intermittent-errors"


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
    (RATE, {"held": ("rate_cap",)}, "held while it lasted: ('rate_cap',), not ('paused_job'"),
    (RATE, {"synced_while_capped": 0}, "the critical sync moved nothing while the cap"),
    (RATE, {"job_states": {}}, "report-generator was left None, before it was running"),
    (OUTAGE, {"data": {"workorders": {**WHOLE, "touched_since": 99}}}, "only 99 records changed"),
    (OUTAGE, {"key_promoted_at": T0}, "a key was made current, and ours was good"),
    (OUTAGE, {"held": ()}, "held while it lasted: (), not"),
    (OUTAGE, {"milestones": UNPAGED}, "no milestone paged"),
    (ERRORS, {"held": ()}, "held while it lasted: (), not ('rate_cap',)"),
    (SLOW, {"pages": {"incidents": {"first": ONE_ALERT}}}, "1 pages went out, and nobody was"),
    (SLOW, {"milestones": MILESTONES}, "the timeline tells of a page"),
    (SLOW, {"milestones": {**UNPAGED, "verified": T0}}, "milestones out of order"),
    (SLOW, {"milestones": {"started": T0}}, "no milestone detected"),
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
    nowhere = dict.fromkeys(
        (
            *("vendor", "base_url", "status_page", "page_url", "control_url"),
            *("service", "unit", "pager"),
        ),
        "",
    )
    world = World(
        home=tmp_path,
        folder=tmp_path / "worlds" / KEY,
        integration=SCENARIOS[KEY].integration,
        pager_ca=tmp_path / "ca.pem",
        processes=Processes(tmp_path),
        **nowhere,
    )
    return Drill(SCENARIOS[KEY], world, watch, lambda _: None, began=0.0, marks={"fault": T0})


def answered(session: Session, watch: Watch, after_s: float, integration: str) -> None:
    found, _ = incidents.open_or_join(
        session,
        integration=integration,
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
        answered(session, watch, after_s=12, integration=SCENARIOS[KEY].integration)
        # Another scenario's, in the same database.
        answered(session, watch, after_s=500, integration=SCENARIOS[KILLED].integration)
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


def test_the_result_of_a_failed_drill_can_be_printed() -> None:
    """Whoever reads `drill --json` finds the same keys when nothing was seen at all."""
    lost = result(SCENARIOS[KEY], Facts(incident=None), {}, ["no incident was opened"], 12.34)
    kept = result(SCENARIOS[KEY], passing(SCENARIOS[KEY]), {"total": 9.0}, [], 12.34)
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
    folder, setup = tmp_path / "home" / "worlds" / RATE, Setup(overrides=scenario.overrides)
    with running_world(tmp_path / "home", folder, scenario.integration, setup) as world:
        watched = watch_over("maintainx@rate-limited", world.integrations)
        environment = world.environment()
    runbook, entry = watched.runbook, watched.integration
    users, orders = runbook.resource("users"), runbook.resource("workorders")
    assert (users.page_size, users.list_lag) == (1, 3 * SECOND)
    assert (orders.page_size, orders.list_lag) == (100, 3 * SECOND)
    soaks = {rule.cause: rule.soak for rule in runbook.causes}
    assert soaks["rate_limit_exceeded"] == 40 * SECOND
    assert soaks["api_key_expired"] == 2 * SECOND
    assert runbook.verification.interval == 3 * SECOND
    assert runbook.verification.give_up_after == 60 * SECOND
    assert repr(OVERLAY) == before
    assert entry.credential.reference == "file:worlds/rate-limited/secrets/maintainx.json"
    assert (world.home / "worlds/rate-limited/secrets/maintainx.json").exists()
    assert {place.stat().st_mode & 0o777 for place in (world.home, folder)} == {0o700}
    assert environment["WATCHKEEPER_HOME"] == str(world.home)
    assert environment["WATCHKEEPER_PORT"] == "0"


def test_a_world_stands_behind_wires_and_holds_a_second_key_where_it_is_to(tmp_path: Path) -> None:
    """Every way out of ours leads over a wire that can fail; the far side is asked beside it, and
    the vendor lets the second key in. Keys are other ones than in any other world."""
    folder, setup = tmp_path / "worlds" / "network-down", Setup(second_key=True, wired=True)
    with running_world(tmp_path, folder, "maintainx@network-down", setup) as world:
        entry = watch_over(world.integration, world.integrations).integration
        made = FarSide(world).keys()
    assert entry.base_url == world.base_url
    assert not world.base_url.startswith(world.vendor)
    assert entry.status_page_url == entry.control_url == world.page_url != world.status_page
    assert len(world.wires) == 2
    assert entry.credential.second is not None
    assert first_key(world.integration) != first_key("maintainx@sandbox")
    assert [key["state"] for key in made] == ["active", "active"]


def test_only_one_integration_is_watched_at_a_time(tmp_path: Path) -> None:
    """The file is whole at any time, and names nobody once it is emptied."""
    path = tmp_path / "integrations.yaml"
    watch_only(path, {"maintainx@a": {"runbook": "maintainx"}})
    assert named_integrations(path) == ("maintainx@a",)
    watch_only(path, {})
    assert named_integrations(path) == ()
    assert list(tmp_path.iterdir()) == [path]


def test_every_scenario_has_an_integration_of_its_own() -> None:
    """State, gaps, jobs and caps of two scenarios never mix."""
    assert len({scenario.integration for scenario in SCENARIOS.values()}) == len(SCENARIOS)
    assert SCENARIOS[KEY].integration == "maintainx@expired-key"


# --- what is rehearsed, and what is only diagnosed ----------------------------------------------

RUNBOOKS = [load_runbook(path) for path in sorted(SHIPPED_RUNBOOKS.glob("*.yaml"))]
# A row that only an integration of one's own can meet, and why.
UNSEEN = {
    ("maintainx", "record_gone"): "asks for a probe of one record, which only overrides name",
    ("twinmind", "slow_transcription"): "no stand-in is slow in one operation only",
}
ALL = coverage(RUNBOOKS, SCENARIOS.values(), CASES.values())
BY_NAME = {(one.vendor, one.cause): one for one in ALL}


def test_every_cause_of_the_shipped_runbooks_is_covered() -> None:
    """By a drill, or at least by a case of the diagnosis: a row that nobody ever saw is a guess."""
    assert {(one.vendor, one.cause) for one in ALL if one.by_nothing} == UNSEEN.keys()
    assert len(ALL) == sum(len(runbook.causes) for runbook in RUNBOOKS)


def test_what_a_drill_could_rehearse_it_rehearses() -> None:
    """Each cause of the drills' vendor that calls for more than people, and can be planted."""
    assert [one.cause for one in ALL if one.reason == NO_DRILL] == []


@pytest.mark.parametrize(
    ("vendor", "cause", "reason"),
    [
        ("maintainx", "vendor_outage", ""),
        ("maintainx", "slow_vendor", ""),
        ("maintainx", "service_crash", "people only"),
        ("maintainx", "occasional_failures", "nothing to do"),
        ("maintainx", "dns_failure", "no fault for it"),
        ("twinmind", "vendor_outage", "other vendor"),
        ("twinmind", "service_crash", "people only"),
    ],
)
def test_why_a_cause_is_only_diagnosed(vendor: str, cause: str, reason: str) -> None:
    assert BY_NAME[vendor, cause].reason == reason
    assert BY_NAME[vendor, cause].end_to_end is (reason == "")


def test_a_cause_without_its_drill_or_its_cases_is_told() -> None:
    """Take the drill away, and it is only diagnosed; take the cases too, and it is by nothing."""
    maintainx = [runbook for runbook in RUNBOOKS if runbook.vendor == "maintainx"]

    def without(cases: list[Case]) -> Covered:
        found = coverage(maintainx, [], cases)
        return next(one for one in found if one.cause == "vendor_outage")

    assert without(list(CASES.values())).reason == NO_DRILL
    assert without([]).by_nothing
    lines = list(says(coverage(maintainx, [], [])))
    assert lines[0].startswith(f"end to end: 0 of {len(maintainx[0].causes)} causes")
    assert any(line.startswith("covered by nothing: ") for line in lines)


def test_the_whole_is_told_in_a_few_lines() -> None:
    lines = list(says(ALL))
    assert f"end to end: {len({s.cause for s in SCENARIOS.values()})} of {len(ALL)}" in lines[0]
    assert any("only diagnosed, people only: maintainx: api_path_changed" in li for li in lines)
