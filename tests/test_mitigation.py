"""What would be done about each cause, by the real runbook: effects, caps, the way back, the hash."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HOUR, changed, incident, job, lease, runbook, watched

from tasks.acting import PERFORMERS
from watchkeeper.mitigation.actions import (
    Action,
    CapRate,
    ChangeSettings,
    Escalate,
    PauseJobs,
    Restart,
    RotateKey,
    Scale,
    Wait,
)
from watchkeeper.mitigation.job import PAUSED, Job
from watchkeeper.mitigation.lease import LeaseKind, LeaseState, undone_job
from watchkeeper.mitigation.plan import Plan
from watchkeeper.mitigation.planning import BINDERS, plan
from watchkeeper.mitigation.world import World
from watchkeeper.plan_text import asked_text, needs, plan_fields, plan_text
from watchkeeper.runbook.acting import HttpSettings
from watchkeeper.runbook.explain import explain
from watchkeeper.runbook.load import load_runbook
from watchkeeper.runbook.mitigations import Mitigation

RUNBOOKS = Path(__file__).parent.parent / "runbooks"

JOBS = (
    job("asset-sync"),
    job("report-generator"),
    job("workorder-sync", "critical"),
)
ROTATE = RotateKey(credential="maintainx-api-key", consumers=("integration",))
ALL = PauseJobs(
    jobs=("asset-sync", "report-generator", "workorder-sync"), lease=4 * HOUR, missed_runs="skip"
)
DEFERRABLE = PauseJobs(jobs=("asset-sync", "report-generator"), lease=4 * HOUR, missed_runs="skip")
LEAKED = replace(ROTATE, order="revoke_first")
WAIT = Wait(good_looks=3, lease=4 * HOUR)
RESTART = Restart(consumers=("integration",))
SLOW_SERVICE = ChangeSettings(values=(("max_requests_per_s", "1"),), lease=HOUR)
HALF = CapRate(max_requests_per_s=0.833, lease=HOUR)
RETRY = ChangeSettings(values=(("max_retries", "3"), ("max_requests_per_s", "0.833")), lease=HOUR)
SCALE = Scale(replicas=(("integration", 4),), lease=4 * HOUR)
DNS = ChangeSettings(values=(("dns_cache_s", "300"),), lease=4 * HOUR)
ESCALATE = Escalate(why="Call the next person on the ladder")
CAP = CapRate(max_requests_per_s=1, lease=HOUR)


SETTINGS = HttpSettings(url="http://127.0.0.1:9/settings")
CALM = World(jobs=JOBS, replicas={"integration": 2}, settings={"model": "ear-3"})


def planned(cause: str, world: World | None = None, **more: object) -> Plan:
    chosen = watched(changed(**more), consumers=("integration",), settings=SETTINGS)
    return plan(incident(cause=cause), cause, chosen, world or CALM)


def by_name(name: str, jobs: tuple[Job, ...], **changes: object) -> tuple[Job, ...]:
    return tuple(replace(j, **changes) if j.name == name else j for j in jobs)  # type: ignore[arg-type]


TABLE = {
    "key_leaked": (ALL, LEAKED),
    "api_key_expired": (ALL, ROTATE),
    "key_expires_soon": (ROTATE,),
    "vendor_outage": (ALL, WAIT, ESCALATE),
    "rate_limit_exceeded": (CAP, SLOW_SERVICE, DEFERRABLE),
    "api_path_changed": (ESCALATE,),
    "network_issue": (DEFERRABLE, ESCALATE),
    "service_crash": (RESTART, ESCALATE),
    "intermittent_errors": (RETRY, HALF),
    "slow_vendor": (DEFERRABLE,),
    "key_missing": (ALL, ESCALATE),
    "vendor_auth_down": (ALL, ESCALATE),
    "key_lacks_scope": (ESCALATE,),
    "access_denied": (ALL, ESCALATE),
    "consumer_not_restarted": (ESCALATE,),
    "rate_limit_shared": (DEFERRABLE, ESCALATE),
    "rate_limit_near": (DEFERRABLE,),
    "dns_failure": (DEFERRABLE, ESCALATE),
    "tls_failure": (DEFERRABLE, ESCALATE),
    "vendor_hangs": (DEFERRABLE, ESCALATE),
    "gateway_fault": (ESCALATE,),
    "service_not_reached": (ESCALATE,),
    "slow_network": (DNS, DEFERRABLE),
    "answered_by_another": (ALL, ESCALATE),
    "api_contract_changed": (ESCALATE,),
    "record_gone": (),
    "vendor_maintenance": (ALL, WAIT),
    "service_unhealthy": (ESCALATE,),
    "slow_service": (SCALE, DEFERRABLE),
    "clock_wrong": (ESCALATE,),
    "sync_stalled": (ESCALATE,),
    "source_gone_quiet": (ESCALATE,),
    "watermark_in_future": (ESCALATE,),
    "occasional_failures": (),
}


@pytest.mark.parametrize(("cause", "actions"), TABLE.items(), ids=TABLE)
def test_each_cause_has_its_plan(cause: str, actions: tuple[object, ...]) -> None:
    """The runbook's row for a cause, bound to the jobs and consumers that there are."""
    made = planned(cause)
    assert tuple(a.action for a in made.actions) == actions
    assert made.refused == ()
    assert all(a.effects and a.calls and a.undo for a in made.actions)


def test_the_table_is_complete() -> None:
    """Every cause of the runbook is in the table above."""
    assert set(TABLE) == {rule.cause for rule in runbook().causes}


def test_a_cause_that_no_row_names_has_an_empty_plan() -> None:
    """Nothing is done about what is not known."""
    assert planned("nobody-knows").actions == ()
    assert plan(incident(), "", watched(), World(jobs=JOBS)).actions == ()


def test_a_fresh_installation_proposes() -> None:
    """Only calling people acts by itself; everything that changes something asks first."""
    for cause in TABLE:
        made = planned(cause)
        assert {type(a.action) for a in made.by_itself} <= {Escalate, Wait}
        assert all(not isinstance(a.action, Escalate | Wait) for a in made.to_approve)
        assert len(made.by_itself) + len(made.to_approve) == len(made.actions)


def test_a_job_that_a_person_paused_is_left_out() -> None:
    """What was paused before the incident is not ours to pause, and so not ours to resume."""
    world = World(jobs=by_name("asset-sync", JOBS, desired=PAUSED, changed_by="ann"))
    (*_, pause) = planned("rate_limit_exceeded", world).actions
    assert isinstance(pause.action, PauseJobs)
    assert pause.action.jobs == ("report-generator",)
    assert pause.left_out == ("asset-sync: already paused by ann",)


def test_nobody_is_asked_about_nothing() -> None:
    """When people paused every job already, the plan says so and waits for no answer."""
    idle = tuple(replace(j, desired=PAUSED, changed_by="ann") for j in JOBS)
    made = planned("slow_vendor", World(jobs=idle))
    assert [len(a.left_out) for a in made.actions] == [2]
    assert made.to_approve == made.by_itself == ()


def test_a_vendor_without_such_jobs_has_no_such_action() -> None:
    """An empty selection is no action, rather than an action on everything."""
    assert planned("slow_vendor", World(jobs=())).actions == ()


def test_a_cap_leaves_an_action_out_whole() -> None:
    """A plan over its cap is not trimmed in half: the action is left out, and the plan says why."""
    tight = runbook().caps.model_copy(update={"jobs_paused_per_incident": 2})
    made = planned("vendor_outage", caps=tight)
    assert [a.name for a in made.actions] == ["wait-for-vendor", "escalate"]
    assert made.refused == ("pause-all-jobs: would pause 3 jobs, the cap is 2",)
    fits = planned("rate_limit_exceeded", caps=tight)
    assert fits.refused == ()


def test_a_key_is_rotated_no_more_often_than_the_cap_allows() -> None:
    """A second rotation in a day is a person's decision."""
    made = planned("api_key_expired", World(jobs=JOBS, rotations_today=1))
    assert [a.name for a in made.actions] == ["pause-all-jobs"]
    assert made.refused == (
        "rotate-key: maintainx-api-key was rotated 1 times today, the cap is 1",
    )


def test_the_hash_stays_when_the_world_is_as_our_own_plan_made_it() -> None:
    """Planned again after its own pause, it is the same plan: nobody is asked twice."""
    before = planned("api_key_expired")
    ours = tuple(replace(j, desired=PAUSED, changed_by="INC-7", revision=1) for j in JOBS)
    after = planned("api_key_expired", World(jobs=ours, leases=tuple(lease(j.name) for j in JOBS)))
    assert after.hash == before.hash
    half = by_name("asset-sync", JOBS, desired=PAUSED, changed_by="INC-7", revision=1)
    assert (
        planned("api_key_expired", World(jobs=half, leases=(lease("asset-sync"),))).hash
        == before.hash
    )


CHANGES = {
    "a person pauses a job": lambda: planned(
        "api_key_expired", World(jobs=by_name("asset-sync", JOBS, desired=PAUSED, changed_by="ann"))
    ),
    "another cause": lambda: planned("vendor_outage"),
    "a job is gone": lambda: planned("api_key_expired", World(jobs=JOBS[:2])),
    "a cap": lambda: planned("api_key_expired", World(jobs=JOBS, rotations_today=1)),
    "a new round": lambda: plan(
        incident(round=2),
        "api_key_expired",
        watched(consumers=("integration",)),
        World(jobs=JOBS),
    ),
    "another incident": lambda: plan(
        incident(id=8), "api_key_expired", watched(consumers=("integration",)), World(jobs=JOBS)
    ),
    "another consumer": lambda: plan(
        incident(), "api_key_expired", watched(consumers=("other",)), World(jobs=JOBS)
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_hash_changes_with_the_world(change: object) -> None:
    """A yes to one plan is no yes to another."""
    assert callable(change)
    assert change().hash != planned("api_key_expired").hash


def test_the_hash_does_not_change_with_the_wording() -> None:
    """A better summary or a longer lease on paper is no other plan."""
    said = tuple(
        m.model_copy(update={"summary": f"{m.summary}.", "autonomy": "approve", "lease": HOUR})
        for m in runbook().mitigations
    )
    assert planned("api_key_expired", mitigations=said).hash == planned("api_key_expired").hash


def test_part_of_a_plan_keeps_what_it_was_made_of() -> None:
    """What is left of a plan is a plan of its own, with a hash of its own."""
    whole = planned("api_key_expired")
    part = whole.only(frozenset({"rotate-key"}))
    assert [a.name for a in part.actions] == ["rotate-key"]
    assert part.hash != whole.hash
    assert whole.only(frozenset(a.name for a in whole.actions)) == whole


def test_what_a_person_took_over_is_left_to_them() -> None:
    """After a take-over the plan is empty, and says who does it now."""
    left = planned("api_key_expired").left_to("ann")
    assert left.actions == ()
    assert left.refused == (
        "pause-all-jobs: ann has taken over",
        "rotate-key: ann has taken over",
    )


def test_a_plan_in_words_names_every_effect_call_and_way_back() -> None:
    """What a person says yes to is all there is, with the hash that their yes is for."""
    made = planned("api_key_expired")
    text = plan_text(made)
    assert text.startswith(f"Plan `{made.hash}` for maintainx@test, cause api\\_key\\_expired\n")
    for action in made.actions:
        assert f"**{action.name}** (propose)" in text
        assert all(f"- will {effect}" in text for effect in action.effects)
        assert all(call.split()[0] in text for call in action.calls)
    assert "restart integration" in text
    assert text.count("- way back: ") == 2
    assert needs(made) == ("a new key, offered with: watchkeeper key offer maintainx@test",)
    assert needs(planned("vendor_outage")) == ()


def test_the_plan_that_is_shown_has_the_ids_of_its_questions() -> None:
    """W18: what is done without asking has no id, and each question stands there in its own words,
    under the id that a yes is for. The id of the whole is shown only where nothing is asked."""
    by_itself = tuple(
        m.model_copy(update={"autonomy": "auto"}) if m.name == "pause-all-jobs" else m
        for m in runbook().mitigations
    )
    made = planned("api_key_expired", mitigations=by_itself)
    (question,) = made.questions
    text = plan_text(made)
    assert made.ids == (question.hash,)
    assert question.hash != made.hash
    assert made.hash not in text
    free, asked, rest = text.partition(asked_text(question))
    assert (asked, rest) == (asked_text(question), "")
    assert free.startswith("Done without asking for maintainx@test, cause api\\_key\\_expired\n")
    assert "**pause-all-jobs** (auto)" in free and "Plan" not in free

    two = replace(planned("api_key_expired"), wanted=frozenset({"rotate-key"}))
    assert len(set(two.ids)) == 2
    assert re.findall(r"^Plan `(.*?)`", plan_text(two), re.M) == list(two.ids)
    assert all(asked_text(question) in plan_text(two) for question in two.questions)
    assert [said["plan"] for said in plan_fields(two)["questions"]] == list(two.ids)

    nothing = made.only(frozenset({"pause-all-jobs"}))
    assert nothing.ids == (nothing.hash,)
    assert plan_text(nothing).startswith(f"Plan `{nothing.hash}` for")
    assert plan_fields(nothing)["plan"] == nothing.hash


def test_what_is_done_already_is_no_part_of_a_question() -> None:
    """W18: an action without an effect asks nothing, and stands apart from the questions."""
    jobs = tuple(replace(job, desired=PAUSED, changed_by="ann") for job in JOBS)
    made = planned("api_key_expired", World(jobs=jobs))
    (question,) = made.questions
    assert [a.name for a in question.actions] == ["rotate-key"]
    free, _, _ = plan_text(made).partition(asked_text(question))
    assert free.startswith("Nothing left to do for") and "**pause-all-jobs**" in free


def test_an_empty_plan_in_words_says_so() -> None:
    """A plan of nothing reads as one, and a refused one does not."""
    assert "Nothing: the runbook names no mitigation" in plan_text(planned("nobody-knows"))
    refused = plan_text(planned("api_key_expired").left_to("ann"))
    assert "Nothing" not in refused
    assert "- left out: rotate-key: ann has taken over" in refused


UNDO = [
    ("ours, untouched: back to what it was", {"desired": PAUSED, "revision": 1}, "running"),
    ("a person resumed it", {"desired": "running", "revision": 2}, None),
    ("a person paused it anew", {"desired": PAUSED, "revision": 2}, None),
    ("it is as it was already", {"desired": "running", "revision": 1}, None),
]


@pytest.mark.parametrize(("now", "expected"), [u[1:] for u in UNDO], ids=[u[0] for u in UNDO])
def test_only_what_this_incident_changed_is_changed_back(
    now: dict[str, object], expected: str | None
) -> None:
    """Whoever came after us has the last word."""
    assert undone_job(lease("asset-sync"), replace(job("asset-sync"), **now)) == expected  # type: ignore[arg-type]


def test_a_lease_tells_its_takings_apart() -> None:
    """One row serves every taking: only the very one that is still in force may be ended."""
    held = lease("asset-sync")
    assert held.same_taking(held)
    assert not replace(held, taken_at=held.taken_at + HOUR).same_taking(held)
    assert not replace(held, state=LeaseState.ENDED).same_taking(held)


@given(
    st.lists(st.sampled_from(["running", PAUSED]), min_size=3, max_size=3),
    st.sets(st.sampled_from([j.name for j in JOBS])),
    st.sampled_from(sorted(TABLE)),
)
def test_no_plan_ever_pauses_a_job_that_somebody_else_paused(
    desired: list[str], ours: set[str], cause: str
) -> None:
    """Whatever the world: each job that a plan pauses runs now, or was paused by this incident."""
    jobs = tuple(replace(j, desired=d) for j, d in zip(JOBS, desired, strict=True))
    world = World(jobs=jobs, leases=tuple(lease(name) for name in sorted(ours)))
    state = {j.name: j.desired for j in jobs}
    for action in planned(cause, world).actions:
        if isinstance(action.action, PauseJobs):
            assert all(state[name] != PAUSED or name in ours for name in action.action.jobs)


def test_a_rate_cap_is_no_pause() -> None:
    """Only a lease on the job makes a paused job ours."""
    world = World(
        jobs=by_name("asset-sync", JOBS, desired=PAUSED, changed_by="ann"),
        leases=(lease("asset-sync", LeaseKind.RATE_CAP),),
    )
    (action,) = planned("slow_vendor", world).actions
    assert isinstance(action.action, PauseJobs)
    assert action.action.jobs == ("report-generator",)


# --- what is offered ----------------------------------------------------------------------------

ROWS = {row.model_fields["action"].annotation: row for row in get_args(get_args(Mitigation)[0])}


def test_nothing_is_offered_that_nothing_carries_out() -> None:
    """W4: each action of the vocabulary has what binds it and what performs it, or is one that says
    "not available yet"; each kind of action has its performer."""
    actions = {get_args(annotation)[0]: row for annotation, row in ROWS.items()}
    assert {name for name, row in actions.items() if row.performed} == set(BINDERS)
    assert {name for name, row in actions.items() if not row.performed} == {
        "buffer_writes",
        "poll_instead",
    }
    assert set(PERFORMERS) == set(get_args(Action))


@pytest.mark.parametrize("vendor", ["maintainx", "twinmind"])
def test_no_cause_of_a_shipped_runbook_plans_what_does_nothing(vendor: str) -> None:
    """W4: a platform outage proposes no buffering: its row keeps the name, and `runbook check` says
    that it is not available yet."""
    shipped = load_runbook(RUNBOOKS / f"{vendor}.yaml")
    named = {name for rule in shipped.causes for name in rule.mitigations}
    planned = {m.name for rule in shipped.causes for m in shipped.mitigations_for(rule.cause)}
    undone = {m.name for m in shipped.mitigations if not m.performed}
    assert planned == named - undone
    if vendor == "maintainx":
        assert "buffer-writes" in undone & named
        (line,) = [
            x for x in explain(shipped).splitlines() if x.strip().startswith("vendor_outage")
        ]
        assert "buffer-writes [not available yet]" in line
