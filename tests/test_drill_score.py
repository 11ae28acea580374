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
from deployments.drill.cases.every import CASES
from deployments.drill.coverage import NO_DRILL, Covered, coverage, says
from deployments.drill.drill import Drill, TooSlow
from deployments.drill.expects import Outside
from deployments.drill.facts import Facts, UnderCap
from deployments.drill.played import played
from deployments.drill.prefect_view import Start
from deployments.drill.result import result
from deployments.drill.scenario import Duties, Scenario
from deployments.drill.scenarios import SCENARIOS, scenario_named
from deployments.drill.score import failures
from deployments.drill.score.people import PAGE_AFTER_SWEEP_S, PAGE_WITHIN_S
from deployments.drill.timing import waits
from deployments.drill.world import World
from watchkeeper.errors import UserError
from watchkeeper.heartbeat import Part
from watchkeeper.incident import Milestone
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import heartbeats, incidents
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
# Named by a row, and carried out by nothing in this version.
NOT_YET = frozenset({"buffer-writes", "poll-instead"})
UNPAGED = {name: at for name, at in MILESTONES.items() if name != "paged"}
ALL_JOBS = played("maintainx").jobs
# What the stand-ins show where a scenario expects something of them.
KEYS, NEW_KEY = {"initial": "active"}, {"initial": "revoked", "made by ada": "active"}
RESTARTED = [{"came": "restarted"}]


def at(*names: str) -> dict[str, str]:
    """Events, a second after each other."""
    return {name: f"{T0 + n * SECOND:%FT%TZ}" for n, name in enumerate(names)}


def stats(ok: int, **more: Any) -> dict[str, Any]:
    return {"stats": {"ok": ok, "failed": 0, **more}}


def setting(**values: Any) -> dict[str, Any]:
    return {"settings": values}


LEAKED = {"refused_at": "2026-07-01T09:01:00Z", "good_for_s": 60.0, "audited_by": "ada"}
SLOWED, FREE = {"max_requests_per_s": 1.0}, {"max_requests_per_s": None}
CALM = {"count": 15, "seconds": 15.0, "by_key": {"initial": 15}}
FEW = {"count": 8, "seconds": 8.0, "by_key": {"initial": 8}}
STRICT = {"refuse": "deferrable", **SLOWED}
LOOSE = {"refuse": None, **FREE}
REFUSED = {"total": 90, "by_criticality": {"deferrable": 90}, "by_reason": {"refuse": 90}}
KEPT_DNS = Outside(
    before=setting(dns_cache_s=None) | stats(9, lookups=9),
    early=stats(20, lookups=20),
    lasting=setting(dns_cache_s=300.0) | stats(24, lookups=20),
    after=setting(dns_cache_s=None) | stats(60, lookups=60),
)
USED_BOTH = {"failed": 0, "by_key": {"initial": 20, "made by ada": 9}}
SHOWN: dict[str, Outside] = {
    "rate-limited": Outside(
        before=setting(**FREE) | {"calls": CALM},
        lasting=setting(**SLOWED) | {"calls": FEW},
        after=setting(**FREE) | {"requests": {"throttled": 0}},
    ),
    "vendor-outage": Outside(lasting={"pages": 2}),
    "intermittent-errors": Outside(
        before=setting(max_retries=None, **FREE),
        early=stats(9, retried=2),
        lasting=setting(max_retries=3, max_requests_per_s=2.0)
        | stats(9, retried=8)
        | {"calls": {"count": 16, "seconds": 8.0}},
        after=setting(max_retries=None, **FREE),
    ),
    "leaked-key": Outside(
        before={"keys": KEYS, "store": {"current": "initial"}, "unit": {"restarts": 0}},
        lasting={"keys": NEW_KEY, "store": {"current": "made by ada"}},
        after={
            "keys": NEW_KEY,
            "store": {"current": "made by ada", "previous": "initial"},
            "unit": {"restarts": 1},
            "service": {"status": "healthy"},
            "leak": [LEAKED],
            "events": at(
                *("initial last accepted", "initial revoked", "initial first refused"),
                *("made by ada first accepted", "made by ada current", "restart asked"),
                "made by ada first used by the service",
            ),
        },
    ),
    "key-overlap": Outside(
        before={"keys": KEYS, "store": {"current": "initial"}, "unit": {"restarts": 0}},
        lasting={"keys": KEYS, "store": {"current": "made by ada"}, "unit": {"restarts": 1}},
        after={
            "keys": NEW_KEY,
            "store": {"current": "made by ada"},
            "unit": {"restarts": 1},
            "since_fault": USED_BOTH,
            "events": at(
                *("made by ada first accepted", "made by ada current", "restart asked"),
                *("initial last used by the service", "made by ada first used by the service"),
                *("initial last accepted", "initial revoked", "initial first refused"),
            ),
        },
    ),
    "half-failed-restart": Outside(
        before={"keys": KEYS},
        lasting={
            "keys": KEYS,
            "store": {"current": "made by ada"},
            "calls": {"by_key": {"initial": 9}},
            "pages": 2,
        },
        after={
            "keys": NEW_KEY,
            "store": {"current": "made by ada"},
            "since_fault": USED_BOTH,
            "events": at(
                *("made by ada current", "restart asked", "made by ada first used by the service"),
                *("initial last accepted", "initial revoked", "initial first refused"),
            ),
        },
    ),
    "slow-network": KEPT_DNS,
    "service-crash": Outside(
        before={"service": {"status": "healthy"}, "unit": {"restarts": 0, "running": True}},
        lasting={"unit": {"restarts": 1, "running": True, "history": RESTARTED}},
        after={
            "service": {"status": "healthy"},
            "unit": {"restarts": 1, "running": True, "history": RESTARTED},
        },
    ),
    "tm-expired-key": Outside(
        before={
            "keys": KEYS,
            "store": {"current": "initial"},
            "service": {"status": "healthy"},
            "unit": {"restarts": 0},
        },
        lasting={"keys": {"initial": "expired", "made by ada": "active"}},
        after={
            "keys": {"initial": "expired", "made by ada": "active"},
            "store": {"current": "made by ada", "previous": "initial"},
            "service": {"status": "healthy"},
            "unit": {"restarts": 1},
        },
    ),
    "tm-overloaded": Outside(
        before=setting(intake_per_s=None) | stats(9, replicas=1) | {"unit": {"replicas": 1}},
        lasting=setting(intake_per_s=5.0)
        | stats(12, replicas=2, queue=0, refused={"by_reason": {"intake": 2400}})
        | {"unit": {"replicas": 2}},
        after=setting(intake_per_s=None)
        | stats(60, replicas=1, queue=0)
        | {"unit": {"replicas": 1}},
    ),
    "tm-slow-model": Outside(
        before=setting(model=None) | stats(9) | {"requests": {"by_model": {"ear-3": 15}}},
        early=stats(12, by_model={"ear-3": 12}),
        lasting=setting(model="ear-2")
        | stats(15, by_model={"ear-3": 12, "ear-2": 3})
        | {"requests": {"by_model": {"ear-2": 3}}},
        after=setting(model=None) | stats(60) | {"requests": {"by_model": {"ear-3": 9}}},
    ),
    "tm-slow-network": KEPT_DNS,
    "tm-rate-limited": Outside(
        before=setting(**LOOSE, keys=None) | stats(9),
        lasting=setting(**STRICT, keys=None) | stats(12, refused=REFUSED) | {"calls": FEW},
        after=setting(**LOOSE, keys=None) | stats(60) | {"requests": {"throttled": 0}},
    ),
    "tm-spread-keys": Outside(
        before=setting(**LOOSE, keys=None) | stats(9) | {"calls": CALM},
        lasting=setting(**STRICT, keys=2)
        | stats(12, refused=REFUSED)
        | {"calls": {"count": 8, "seconds": 8.0, "by_key": {"initial": 4, "spare": 4}}},
        after=setting(**LOOSE, keys=None)
        | stats(60)
        | {"calls": CALM, "requests": {"throttled": 0}},
    ),
}


def carried_out(scenario: Scenario) -> tuple[str, ...]:
    rule = played(scenario.vendor).runbook.cause(scenario.cause)
    assert rule is not None
    done = tuple(n for n in rule.mitigations if n not in NOT_YET)
    return done if scenario.does is None else scenario.does


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
        opened_by=min(scenario.opened_by),
        job_states={
            job: "paused" if job == scenario.paused_by_person else "running"
            for job in played(scenario.vendor).jobs
        },
        done=carried_out(scenario),
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
        consumers={"integration-service": NEW},
        under_cap=UnderCap(count=9, seconds=9.0, cap_per_s=1.0),
        synced_while_capped=12,
        held=scenario.holds,
        outside=SHOWN.get(scenario.name, Outside()),
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
TWINMIND = "tm-expired-key"
RATE, OUTAGE = "rate-limited", "vendor-outage"
LEAK, LIMITED = "leaked-key", "tm-rate-limited"
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
    (KEY, {"consumers": {"a": NEW, "b": OLD}}, "1 of 2 consumers proven on the new key"),
    (KEY, {"consumers": {}}, "0 of 0 consumers proven on the new key"),
    (KEY, {"key_tested_at": T0 + 2 * SECOND}, "not tested before it became current"),
    (KEY, {"key_tested_at": None}, "not tested before it became current"),
    (KEY, {"key_promoted_at": None}, "not tested before it became current"),
    (KEY, {"report": None}, "no report file was written"),
    (KEY, {"artifact": None}, "no report is in the Prefect UI"),
    (KEY, {"off_loopback": ("203.0.113.7:443 by process curl",)}, "loopback: 203.0.113.7:443"),
    (KEY, {"leaks": ("prefect/prefect.db",)}, "a key value was found in prefect/prefect.db"),
    (TWINMIND, {"held": ()}, "held while it lasted: (), not ('paused_job',)"),
    (TWINMIND, {"job_states": {}}, "job transcript-sync was left None, before it was running"),
    (TWINMIND, {"outside": Outside()}, "keys initial before: None, not 'active'"),
    (TWINMIND, {"outside": Outside()}, "up by 1 from before to after, and nothing was counted"),
    (KILLED, {"killed": False}, "the failpoint was not met"),
    (KILLED, {"responders": 1}, "the sweep started no second responder"),
    (
        RATE,
        {"under_cap": UnderCap(count=22, seconds=9, cap_per_s=1)},
        "22 requests in 9 s under the",
    ),
    (RATE, {"under_cap": UnderCap(count=0, seconds=9, cap_per_s=1)}, "0 requests in 9 s under the"),
    (RATE, {"under_cap": None}, "nothing was counted under the cap"),
    (RATE, {"held": ("rate_cap",)}, "held while it lasted: ('rate_cap',), not ('paused_job'"),
    (KEY, {"done": ("rotate-key", "pause-all-jobs")}, "carried out: ('rotate-key', 'pause-all"),
    (LIMITED, {"done": ("slow-service",)}, "carried out: ('slow-service',), not ('refuse"),
    (LEAK, {"outside": Outside()}, "made by ada current never happened"),
    (RATE, {"synced_while_capped": 0}, "the critical sync moved nothing while the cap"),
    (RATE, {"job_states": {}}, "report-generator was left None, before it was running"),
    (OUTAGE, {"data": {"workorders": {**WHOLE, "touched_since": 99}}}, "only 99 records changed"),
    (OUTAGE, {"key_promoted_at": T0}, "a key was made current, and ours was good"),
    (OUTAGE, {"held": ()}, "held while it lasted: (), not"),
    (OUTAGE, {"milestones": UNPAGED}, "no milestone paged"),
    (ERRORS, {"held": ()}, "held while it lasted: (), not ('rate_cap', 'setting'"),
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
    # The name that keys are looked up by.
    givens = {"first_key"}
    touched = {name for _, fault, _ in FAULTS for name in fault}
    assert {f.name for f in fields(Facts)} - touched == givens


def test_only_what_a_scenario_promises_is_asked_of_it() -> None:
    """An outage rotates no key, caps nothing and kills nobody: facts about these count for
    nothing there."""
    strange = {"keys": [], "service_key": None, "restarts": 5, "under_cap": None}
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


# --- what a person begins ----------------------------------------------------------------------

TOLD = replace(
    SCENARIOS[OUTAGE], faults=(), told=(("incident", "open", "{integration}", "--reason", "seen"),)
)
BOTH = replace(TOLD, faults=SCENARIOS[OUTAGE].faults)
UNSTARTED = {name: at for name, at in MILESTONES.items() if name != "started"}
LATE = MILESTONES["paged"] - (PAGE_AFTER_SWEEP_S - 1) * SECOND


def test_what_a_person_tells_is_opened_by_a_person() -> None:
    """Where nothing is broken no health check can have been first; where something is, either."""
    assert failures(TOLD, replace(passing(TOLD), opened_by="ada")) == []
    said = failures(TOLD, replace(passing(TOLD), opened_by="health"))
    assert said == ["opened by health, not by ada"]
    for opener in ("ada", "health"):
        assert failures(BOTH, replace(passing(BOTH), opened_by=opener)) == []
    ben = replace(TOLD, people=(Duties(name="ben"),))
    assert failures(ben, replace(passing(ben), opened_by="ben")) == []


def test_nobody_saw_the_last_good_answer_before_what_a_person_tells() -> None:
    facts = replace(passing(TOLD), milestones=UNSTARTED)
    assert failures(TOLD, facts) == []
    assert failures(SCENARIOS[OUTAGE], replace(facts, opened_by="health")) == [
        "no milestone started"
    ]


def test_what_a_person_opens_is_paged_by_the_next_sweep() -> None:
    """A health check pages by itself; a sweep has its interval."""
    facts = replace(passing(TOLD), opened_at=LATE)
    assert failures(TOLD, facts) == []
    assert failures(BOTH, replace(facts, opened_by="health"))


def test_other_leases_than_pauses_and_caps_are_given_by_name() -> None:
    """In any order; and they are judged even where the repair ends it all."""
    scenario = replace(SCENARIOS[KEY], held=("setting", "paused_job"))
    assert scenario.holds == ("paused_job", "setting")
    assert failures(scenario, replace(passing(scenario), held=("paused_job",)))
    assert failures(SCENARIOS[KEY], replace(passing(SCENARIOS[KEY]), held=())) == []


# --- where the time went ------------------------------------------------------------------------


@pytest.fixture
def drill(watch: Watch, tmp_path: Path) -> Drill:
    """A drill that is over, of which only the notes and the record are left."""
    nowhere = dict.fromkeys(
        (
            *("vendor", "base_url", "status_page", "page_url"),
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
    """Each cause that calls for more than people, and can be planted, is seen through with one
    vendor or the other."""
    assert [one.cause for one in ALL if one.reason == NO_DRILL] == []


@pytest.mark.parametrize(
    ("vendor", "cause", "reason"),
    [
        ("maintainx", "vendor_outage", ""),
        ("maintainx", "slow_vendor", ""),
        ("maintainx", "service_crash", ""),
        ("maintainx", "occasional_failures", "nothing to do"),
        ("maintainx", "dns_failure", "no fault for it"),
        ("twinmind", "vendor_outage", "drilled with another vendor"),
        ("twinmind", "api_key_expired", ""),
        ("twinmind", "service_crash", "drilled with another vendor"),
        ("maintainx", "key_leaked", ""),
        ("twinmind", "key_expires_soon", "drilled with another vendor"),
        ("twinmind", "slow_network", ""),
        ("twinmind", "transcriptions_failing", "people only"),
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
    drilled = {(s.vendor, s.cause) for s in SCENARIOS.values()}
    assert f"end to end: {len(drilled)} of {len(ALL)}" in lines[0]
    assert any("only diagnosed, people only: maintainx: api_path_changed" in li for li in lines)


@pytest.mark.parametrize(("lag_s", "too_slow"), [(29.0, False), (31.0, True)])
def test_a_wait_in_vain_is_the_machines_fault_only_beyond_the_bound(
    drill: Drill, watch: Watch, lag_s: float, too_slow: bool
) -> None:
    """W22: a drill says that this machine is too slow only where it waited in vain and the measured lag
    is beyond the stated bound; what came in time is judged as ever."""
    with watch.store.write() as session:
        heartbeats.beat(session, Part.LAG, watch.now(), every=None, value=lag_s, detail="measured")
    assert drill.wait("what is there", 1.0, lambda: True)
    if not too_slow:
        assert not drill.wait("what never comes", 0.01, lambda: False)
        return
    with pytest.raises(TooSlow, match=f"too slow: lag p95 {lag_s:.1f} s, more than 30 s"):
        drill.wait("what never comes", 0.01, lambda: False)
