"""Questions to people about one plan each: who may answer, how many must, and what it is then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME, T0, watched

from watchkeeper.errors import UserError
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import Action, CapRate, PauseJobs
from watchkeeper.mitigation.job import PAUSED
from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.performing import mitigating
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import Asking, question_text
from watchkeeper.store import approvals, incidents, jobs
from watchkeeper.store.approvals import APPROVE, DENY, EXPIRED, SUPERSEDED, WITHDRAWN, Approval


@pytest.fixture
def incident(any_watch: Watch) -> Incident:
    now = any_watch.now()
    with any_watch.store.write() as session:
        opened, _ = incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="-",
            severity=2,
            opened_by="health",
            started_at=now,
            now=now,
            reopen_since=now,
        )
        incidents.correct(
            session,
            opened.id,
            cause="rate_limit_exceeded",
            severity=2,
            by="ann",
            reason="-",
            now=now,
        )
        return incidents.get(session, opened.id)


CAP = CapRate(max_requests_per_s=1, lease=HOUR)


def act(name: str, action: Action = CAP, **changes: Any) -> PlannedAction:
    given = PlannedAction(
        name=name,
        action=action,
        target="-",
        summary="-",
        effects=(f"do {name}",),
        calls=("-",),
        undo="-",
        cost="-",
        risk="-",
        promise="-",
        autonomy="approve",
        approvals=1,
    )
    return replace(given, **changes)


def plan(*actions: PlannedAction) -> Plan:
    return Plan(
        integration=NAME, incident_id=1, round=1, cause="rate_limit_exceeded", actions=actions
    )


ONE, TWO = plan(act("slow")), plan(act("slow"), act("spread", approvals=2))


def ask(watch: Watch, asked: Plan = ONE, ttl: timedelta = HOUR) -> Approval:
    with watch.store.write() as session:
        return approvals.ask(session, asked, "text", ("a key",), watch.now(), ttl)


def answer(
    watch: Watch, decision: str = APPROVE, by: str = "ann", plan_hash: str | None = None
) -> Approval:
    with watch.store.write() as session:
        return approvals.answer(
            session, 1, decision, by=by, reason="seen", now=watch.now(), plan_hash=plan_hash
        )


def standing(watch: Watch) -> list[str]:
    with watch.store.read() as session:
        return [question.plan_hash for question in approvals.unanswered(session, 1)]


def told(watch: Watch) -> list[tuple[str, str]]:
    with watch.store.read() as session:
        return [(e.actor, e.text) for e in incidents.timeline(session, 1)]


def refused(watch: Watch, says: str, **given: Any) -> None:
    """Answering is refused, and changes nothing."""
    before = standing(watch)
    with pytest.raises(UserError, match=says):
        answer(watch, **given)
    assert standing(watch) == before


# --- one person, two people ---------------------------------------------------------------------


def test_a_question_names_its_plan_and_waits_for_one_yes(
    any_watch: Watch, incident: Incident
) -> None:
    """By its hash; asked again while it is unanswered it is the same question."""
    asked = ask(any_watch)
    assert (asked.plan_hash, asked.actions, asked.needs) == (ONE.hash, ("slow",), ("a key",))
    assert (asked.open, asked.waits, asked.wanted, asked.missing) == (True, True, 1, 1)
    assert ask(any_watch) == asked
    said = answer(any_watch)
    assert (said.decision, said.decided_by, said.missing) == (APPROVE, "ann", 0)
    assert said.votes == (
        {"by": "ann", "decision": APPROVE, "reason": "seen", "at": "2026-03-02T09:00:00Z"},
    )
    assert ask(any_watch).decision == APPROVE
    refused(any_watch, "INC-1 was answered already: approve by ann", by="bob")


def test_two_people_say_yes(any_watch: Watch, incident: Incident) -> None:
    """As many as the most careful of its actions wants, each a person of their own."""
    assert ask(any_watch, TWO).wanted == 2
    first = answer(any_watch)
    assert (first.open, first.missing) == (True, 1)
    for same in ("ann", "Ann", " ann "):
        refused(any_watch, "has answered INC-1 already: another person's yes is wanted", by=same)
    second = answer(any_watch, by="bob")
    assert (second.decision, second.decided_by) == (APPROVE, "ann, bob")


@pytest.mark.parametrize(("before", "by"), [((), "ann"), (("ann",), "bob"), (("ann",), "ann")])
def test_one_no_is_enough(
    any_watch: Watch, incident: Incident, before: tuple[str, ...], by: str
) -> None:
    """Of anybody, before or after a yes; and whoever said yes may think better of it."""
    ask(any_watch, TWO)
    for name in before:
        answer(any_watch, by=name)
    said = answer(any_watch, DENY, by)
    assert (said.decision, said.decided_by, said.open) == (DENY, by, False)
    refused(any_watch, f"answered already: deny by {by}", by="cid")
    assert ask(any_watch, TWO).decision == DENY


# --- which question is meant --------------------------------------------------------------------


def test_where_nothing_is_asked_nothing_is_answered(any_watch: Watch, incident: Incident) -> None:
    """A yes must not lie about and wait for a plan."""
    refused(any_watch, "INC-1 asks for no approval")


def test_of_two_open_questions_one_must_be_named(any_watch: Watch, incident: Incident) -> None:
    """By the first characters of its plan; the other one stays open."""
    ask(any_watch, ONE)
    ask(any_watch, TWO)
    refused(any_watch, "name the one that you mean, --plan")
    refused(any_watch, "does not ask about plan zzz; open: ", plan_hash="zzz")
    # Every plan begins so.
    refused(any_watch, "does not ask about plan", plan_hash="")
    said = answer(any_watch, plan_hash=ONE.hash[:6].upper())
    assert (said.plan_hash, said.decision) == (ONE.hash, APPROVE)
    assert standing(any_watch) == [TWO.hash]
    # One is left: it is meant.
    assert answer(any_watch, DENY).plan_hash == TWO.hash


def test_an_answered_one_is_not_meant_where_another_is_open(
    any_watch: Watch, incident: Incident, clock: Clock
) -> None:
    """Even if it was asked later."""
    ask(any_watch, ONE)
    clock.advance(MINUTE)
    ask(any_watch, TWO)
    answer(any_watch, DENY, plan_hash=TWO.hash)
    assert answer(any_watch).plan_hash == ONE.hash


# --- what ends a question without an answer -----------------------------------------------------


def test_a_question_runs_out(any_watch: Watch, incident: Incident, clock: Clock) -> None:
    """Silence is a no: a late yes is refused, before and after somebody has noticed."""
    ask(any_watch)
    clock.advance(HOUR)
    refused(any_watch, "ran out at 10:00:00Z: it counts as denied")
    with any_watch.store.write() as session:
        (late,) = approvals.overdue(session, clock.now())
        over = approvals.expire(session, late.id, clock.now())
        assert over is not None
    assert (over.decision, over.decided_by) == (EXPIRED, "nobody")
    assert ask(any_watch).decision == EXPIRED
    refused(any_watch, "answered already: expired by nobody")
    with any_watch.store.write() as session:
        assert approvals.overdue(session, clock.now()) == []


def test_only_what_is_over_runs_out(any_watch: Watch, incident: Incident, clock: Clock) -> None:
    """What was answered, and what has time left, stays."""
    ask(any_watch, ONE)
    answer(any_watch)
    ask(any_watch, TWO, 2 * HOUR)
    clock.advance(HOUR)
    with any_watch.store.write() as session:
        assert approvals.overdue(session, clock.now()) == []
    assert standing(any_watch) == [TWO.hash]


@pytest.mark.parametrize(
    ("end", "decision", "says"),
    [
        (
            lambda s, q, now: approvals.supersede(s, q, now),
            SUPERSEDED,
            "the world has changed since",
        ),
        (
            lambda s, q, now: approvals.withdraw(s, q, "well again", now),
            WITHDRAWN,
            "withdrawn by nobody",
        ),
    ],
    ids=["superseded", "withdrawn"],
)
def test_what_nobody_answered_is_asked_again(
    any_watch: Watch, incident: Incident, clock: Clock, end: Any, decision: str, says: str
) -> None:
    """It was no person's no. The votes of the first time do not count the second time."""
    first = ask(any_watch, TWO)
    answer(any_watch)
    with any_watch.store.write() as session:
        approvals.waits_in(session, first.id, "run-1")
        end(session, first.id, clock.now())
        found = approvals.latest(session, 1)
    assert found is not None
    assert (found.decision, found.decided_by) == (decision, "nobody")
    refused(any_watch, says, by="bob")
    clock.advance(MINUTE)
    again = ask(any_watch, TWO)
    assert (again.id, again.open, again.votes, again.missing) == (first.id, True, (), 2)
    assert (again.expires_at, again.flow_run_id) == (clock.now() + HOUR, None)
    assert answer(any_watch).missing == 1


def test_what_a_person_answered_is_not_ended_by_us(any_watch: Watch, incident: Incident) -> None:
    """Neither a yes nor a no."""
    question = ask(any_watch)
    answer(any_watch, DENY)
    with any_watch.store.write() as session:
        approvals.supersede(session, question.id, any_watch.now())
        approvals.withdraw(session, question.id, "-", any_watch.now())
        found = approvals.of_plan(session, ONE)
    assert found is not None
    assert (found.decision, found.decided_by) == (DENY, "ann")


# --- asking and answering, with the timeline ----------------------------------------------------


def asked_for(watch: Watch, waiting: Plan) -> Approval:
    return mitigating.ask(watch, watched(), waiting)


def test_a_question_is_told_once(any_watch: Watch, incident: Incident) -> None:
    """And runs out when the runbook says so."""
    for _ in range(2):
        question = asked_for(any_watch, TWO)
    assert question.expires_at == any_watch.now() + HOUR
    said = [text for _, text in told(any_watch) if "slow" in text]
    assert said == [f"asks for approval: slow, spread (plan {question.plan_hash})"]


def test_a_proposal_stands_while_the_incident_lasts(
    any_watch: Watch, incident: Incident, clock: Clock
) -> None:
    """Nothing waits for it, and no time is over."""
    proposed = plan(act("slow", autonomy="propose"))
    question = asked_for(any_watch, proposed)
    assert not question.waits
    assert told(any_watch)[-1] == ("watchkeeper", f"proposes: slow (plan {proposed.hash})")
    clock.advance(timedelta(days=90))
    with any_watch.store.write() as session:
        assert approvals.overdue(session, clock.now()) == []
    assert answer(any_watch).decision == APPROVE


def test_who_said_what_is_on_the_timeline(any_watch: Watch, incident: Incident) -> None:
    """With how many more are wanted, and whether two people are two by their names alone."""
    asked_for(any_watch, TWO)
    for by, reason in (("ann", "seen"), ("bob", "")):
        mitigating.record_answer(any_watch, incident, APPROVE, by, reason)
    by_name = " (two people by their names only: one account could have typed both)"
    assert told(any_watch)[-2:] == [
        ("ann", f"plan {TWO.hash}: approve (1 more wanted), seen"),
        ("bob", f"plan {TWO.hash}: approve{by_name}"),
    ]


def test_questions_are_taken_back(any_watch: Watch, incident: Incident) -> None:
    """All that are open, told once; where there is none nothing is told."""
    ask(any_watch, ONE)
    ask(any_watch, TWO)
    assert mitigating.withdraw_questions(any_watch, incident, "well again")
    assert standing(any_watch) == []
    before = told(any_watch)
    assert before[-1] == ("watchkeeper", "no answer is needed any more: well again")
    assert not mitigating.withdraw_questions(any_watch, incident, "well again")
    assert told(any_watch) == before


def pausing(watch: Watch, incident: Incident) -> Plan:
    """The real plan for `pause-deferrable`, as it is now."""
    wanted = frozenset({"pause-deferrable"})
    return asyncio.run(mitigating.plan_of(watch, watched(), incident, wanted))


def still_the_plan(watch: Watch, question: Approval) -> None:
    asyncio.run(mitigating.still_the_plan(watch, watched(), question))


def say(watch: Watch, job: str) -> None:
    with watch.store.write() as session:
        jobs.desire(session, NAME, job, PAUSED, by="ann", reason="-", now=watch.now())


def test_a_yes_is_to_the_plan_that_was_read(any_watch: Watch, incident: Incident) -> None:
    """Where the world has changed since, the new plan is asked about, and nothing is approved."""
    question = asked_for(any_watch, pausing(any_watch, incident))
    still_the_plan(any_watch, question)
    say(any_watch, "asset-sync")
    with pytest.raises(UserError, match=r"the world has changed since plan .* was not approved"):
        still_the_plan(any_watch, question)
    now = pausing(any_watch, incident)
    assert isinstance(now.actions[0].action, PauseJobs)
    assert now.actions[0].action.jobs == ("report-generator",)
    assert standing(any_watch) == [now.hash]
    refused(any_watch, "the world has changed since", plan_hash=question.plan_hash)
    assert answer(any_watch).plan_hash == now.hash


def test_where_nothing_is_left_to_do_nothing_is_asked(any_watch: Watch, incident: Incident) -> None:
    """A person did it all: there is no new question."""
    question = asked_for(any_watch, pausing(any_watch, incident))
    say(any_watch, "asset-sync")
    say(any_watch, "report-generator")
    with pytest.raises(UserError, match="the world has changed since plan"):
        still_the_plan(any_watch, question)
    assert standing(any_watch) == []


# --- which questions a plan asks ----------------------------------------------------------------


QUESTIONS = [
    ("what acts by itself asks nobody", plan(act("a", autonomy="auto")), [], 0, False),
    ("what is only told asks nobody", plan(act("a", autonomy="observe")), [], 0, False),
    ("nothing to do asks nobody", plan(act("a", effects=())), [], 0, False),
    ("a proposal waits for nobody", plan(act("a", autonomy="propose")), [("a",)], 1, False),
    (
        "one question, as careful as its most careful action",
        plan(act("a", autonomy="propose"), act("b", approvals=2), act("c", autonomy="auto")),
        [("a", "b")],
        2,
        True,
    ),
    ("nobody's yes is one at least", plan(act("a", approvals=0)), [("a",)], 1, True),
    (
        "each thing that was asked for by name is a question of its own",
        replace(plan(act("a"), act("b"), act("c")), wanted=frozenset({"b", "c"})),
        [("a",), ("b",), ("c",)],
        1,
        True,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("made", "groups", "people", "waits"), [q[1:] for q in QUESTIONS], ids=[q[0] for q in QUESTIONS]
)
def test_what_people_are_asked(
    made: Plan, groups: list[tuple[str, ...]], people: int, waits: bool
) -> None:
    """Once about all that the cause calls for; a yes to one question is no yes to another."""
    asked = made.questions
    assert [tuple(a.name for a in question.actions) for question in asked] == groups
    assert (made.approvals, made.waits) == (people, waits)
    assert len({question.hash for question in asked}) == len(groups)


# --- what the form shows ------------------------------------------------------------------------

ASKING = Asking(
    plan="Plan `abc`\n",
    until=T0 + HOUR,
    evidence="api_key_expired (likely): all refused <b>",
    key=None,
    offer="watchkeeper key offer maintainx@test",
)
SHOWN = [
    (ASKING, "**Answer until 2026-03-02 10:00:00 UTC** (1 h left). No answer counts as no."),
    (ASKING, r"**Evidence**: api\_key\_expired (likely): all refused \<b\>"),
    (ASKING, "**Key**: none was offered yet; first: `watchkeeper key offer maintainx@test`"),
    (replace(ASKING, key="11106eaf"), "**Key**: 11106eaf was offered"),
    (ASKING, "Plan `abc`"),
]


@pytest.mark.parametrize(("asking", "line"), SHOWN)
def test_the_form_shows_what_a_yes_rests_on(asking: Asking, line: str) -> None:
    """W3: until when and how long, the evidence in one line, whether the key is there, the plan."""
    assert line in question_text(asking, T0).split("\n")


def test_a_plan_that_needs_no_key_says_nothing_of_one() -> None:
    """Nor is time left told as less than none."""
    shown = question_text(replace(ASKING, offer=None), T0 + 2 * HOUR)
    assert "Key" not in shown
    assert "(0 s left)" in shown
