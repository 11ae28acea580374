"""Each action as a step of its round: begun once, done or failed, and what a person says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME, opened

from watchkeeper.errors import Permanent, StaleFence, UserError
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.actions import CapRate
from watchkeeper.mitigation.plan import Plan, PlannedAction
from watchkeeper.mitigation.world import Step, StepState
from watchkeeper.performing import mitigating, recovering, stepping
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import begin_again, lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.store import approvals, incidents, locks, steps
from watchkeeper.store.approvals import SUPERSEDED, Approval

WANTED, BEGUN, DONE = StepState.WANTED, StepState.BEGUN, StepState.DONE
FAILED, SKIPPED = StepState.FAILED, StepState.SKIPPED


def act(name: str) -> PlannedAction:
    return PlannedAction(
        name=name,
        action=CapRate(max_requests_per_s=1, lease=HOUR),
        target="-",
        summary="-",
        effects=("-",),
        calls=("-",),
        undo="-",
        cost="-",
        risk="-",
        promise="-",
        autonomy="propose",
        approvals=1,
    )


CAP, OTHER = act("half-rate"), act("slow-service")


@pytest.fixture
def incident(any_watch: Watch) -> Incident:
    """Triaged: its plan is being carried out."""
    found = opened(any_watch)
    with any_watch.store.write() as session:
        return incidents.move(session, found.id, State.TRIAGED, any_watch.now())


@pytest.fixture
def duty(any_watch: Watch, incident: Incident) -> Duty:
    with any_watch.store.write() as session:
        name = lock_name(incident.id)
        fence = locks.acquire(session, name, "me", any_watch.now(), timedelta(hours=9))
    assert fence is not None
    return Duty(incident.id, incident.round, name, fence)


def moved(watch: Watch, incident: Incident, *states: State) -> Incident:
    with watch.store.write() as session:
        for state in states:
            incident = incidents.move(session, incident.id, state, watch.now())
    return incident


def now(watch: Watch, incident: Incident) -> Incident:
    with watch.store.read() as session:
        return incidents.get(session, incident.id)


def shown(watch: Watch, incident: Incident) -> dict[str, StepState]:
    with watch.store.read() as session:
        return {step.name: step.state for step in steps.of_round(session, incident)}


def told(watch: Watch, incident: Incident) -> list[tuple[str, str]]:
    with watch.store.read() as session:
        return [(e.actor, e.text) for e in incidents.timeline(session, incident.id)]


def asked(watch: Watch, incident: Incident, *actions: PlannedAction) -> Approval:
    plan = Plan(
        integration=NAME, incident_id=incident.id, round=incident.round, cause="-", actions=actions
    )
    with watch.store.write() as session:
        return approvals.ask(session, plan, "-", (), watch.now(), HOUR)


# --- begun, done, failed ------------------------------------------------------------------------


def test_a_step_is_begun_until_it_is_done(any_watch: Watch, incident: Incident, duty: Duty) -> None:
    """Whoever comes after a death begins it again; what is done is not begun again."""
    assert stepping.begin(any_watch, duty, CAP)
    assert shown(any_watch, incident) == {"half-rate": BEGUN}
    assert stepping.begin(any_watch, duty, CAP)
    stepping.done(any_watch, duty, CAP)
    assert shown(any_watch, incident) == {"half-rate": DONE}
    assert not stepping.begin(any_watch, duty, CAP)
    assert stepping.begin(any_watch, duty, OTHER)
    assert shown(any_watch, incident) == {"half-rate": DONE, "slow-service": BEGUN}


def test_a_failed_step_tells_why_and_may_be_begun_again(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """On the timeline, with what it means for the others."""
    stepping.begin(any_watch, duty, CAP)
    stepping.failed(any_watch, duty, CAP, "the service says 500")
    said = "half-rate failed, and automation stops: the service says 500"
    assert told(any_watch, incident)[-1] == ("watchkeeper", said)
    with any_watch.store.read() as session:
        (step,) = steps.of_round(session, incident)
    assert step == Step("half-rate", FAILED, "watchkeeper", "the service says 500", entries=1)
    assert stepping.begin(any_watch, duty, CAP)
    assert shown(any_watch, incident) == {"half-rate": BEGUN}


def test_who_was_replaced_begins_nothing(any_watch: Watch, incident: Incident, duty: Duty) -> None:
    """Another responder has this incident: its steps are no longer ours."""
    with any_watch.store.write() as session:
        locks.revoke(session, duty.lock, any_watch.now())
    with pytest.raises(StaleFence):
        stepping.begin(any_watch, duty, CAP)
    assert shown(any_watch, incident) == {}


@pytest.mark.parametrize(
    ("states", "move"),
    [
        ((), lambda on, duty, incident: mitigating.mitigated(on, duty, incident, "-")),
        (
            (State.MITIGATED, State.RESOLVED),
            lambda on, duty, incident: recovering.begin_settling(on, duty, incident),
        ),
        (
            (State.MITIGATED, State.RESOLVED, State.SETTLING),
            lambda on, duty, incident: recovering.close(on, duty, incident),
        ),
    ],
    ids=["mitigated", "settling", "closed"],
)
def test_who_was_replaced_moves_no_incident_on(
    any_watch: Watch,
    incident: Incident,
    duty: Duty,
    states: tuple[State, ...],
    move: Callable[[Watch, Duty, Incident], object],
) -> None:
    """A person had a step tried again: what the old run saw is of a world that is gone."""
    stands = moved(any_watch, incident, *states)
    with any_watch.store.write() as session:
        locks.revoke(session, duty.lock, any_watch.now())
    with pytest.raises(StaleFence):
        move(any_watch, duty, stands)
    assert now(any_watch, incident).state is stands.state


def test_a_step_in_which_processes_die_is_not_begun_for_ever(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """It may be what kills them. The kill switch kills nobody, and a person may have it tried anew."""
    for _ in range(9):
        assert stepping.begin(any_watch, duty, CAP)
        stepping.held_back(any_watch, duty, CAP)
    for _ in range(stepping.MOST_ENTRIES):
        assert stepping.begin(any_watch, duty, CAP)
    with pytest.raises(Permanent, match="begun 3 times, and never came to an end"):
        stepping.begin(any_watch, duty, CAP)
    stepping.retry(any_watch, incident, CAP.name, "ada", "the host is well again")
    again = stepping.begin(any_watch, duty, CAP)
    assert again is not None and again.tries == 1


def test_each_round_has_its_own_steps(any_watch: Watch, incident: Incident, duty: Duty) -> None:
    """After a relapse everything is planned, and done, anew."""
    stepping.begin(any_watch, duty, CAP)
    stepping.done(any_watch, duty, CAP)
    with any_watch.store.write() as session:
        again = begin_again(session, incident.id, any_watch.now())
    assert shown(any_watch, again) == {}
    assert stepping.begin(any_watch, Duty.unfenced(again), CAP)
    assert shown(any_watch, incident) == {"half-rate": DONE}


def test_the_actions_of_the_last_hour_are_counted(
    any_watch: Watch, incident: Incident, duty: Duty, clock: Clock
) -> None:
    """Of every round; what was skipped was never begun."""
    stepping.begin(any_watch, duty, CAP)
    clock.advance(40 * MINUTE)
    stepping.begin(any_watch, duty, OTHER)
    stepping.skip(any_watch, incident, "scale-up", "ann", "no need")

    def count() -> int:
        with any_watch.store.read() as session:
            return steps.begun_since(session, incident.id, clock.now() - HOUR)

    assert count() == 2
    clock.advance(30 * MINUTE)
    # Begun again or done, it counts from when it was begun first.
    stepping.begin(any_watch, duty, CAP)
    assert count() == 1
    clock.advance(HOUR)
    assert count() == 0


# --- skipped, tried again, asked for ------------------------------------------------------------


def test_a_skipped_step_is_not_begun(any_watch: Watch, incident: Incident, duty: Duty) -> None:
    """Whatever had come of it before: a person's word is the last one, and has a name."""
    stepping.skip(any_watch, incident, "half-rate", "ann", "a demo is on")
    assert not stepping.begin(any_watch, duty, CAP)
    assert told(any_watch, incident)[-1] == ("ann", "skips half-rate: a demo is on")
    stepping.begin(any_watch, duty, OTHER)
    stepping.failed(any_watch, duty, OTHER, "-")
    stepping.skip(any_watch, incident, "slow-service", "ann", "it is not needed")
    assert set(shown(any_watch, incident).values()) == {SKIPPED}


def test_a_retried_step_is_wanted_once_more(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """After a failure, a skip, or when it is done: by a person's word, and counted as another try."""
    stepping.begin(any_watch, duty, CAP)
    stepping.failed(any_watch, duty, CAP, "-")
    stepping.skip(any_watch, incident, "slow-service", "ann", "-")
    for name in ("half-rate", "slow-service"):
        stepping.retry(any_watch, incident, name, "bob", "mended by hand")
    with any_watch.store.read() as session:
        found = steps.of_round(session, incident)
    assert found == tuple(
        Step(name, WANTED, "bob", "mended by hand", 1) for name in ("half-rate", "slow-service")
    )
    assert told(any_watch, incident)[-1] == ("bob", "tries slow-service again: mended by hand")
    assert stepping.begin(any_watch, duty, CAP)
    stepping.done(any_watch, duty, CAP)
    assert not stepping.begin(any_watch, duty, CAP)
    stepping.retry(any_watch, incident, "half-rate", "bob", "once more")
    with any_watch.store.read() as session:
        assert steps.of_round(session, incident)[0].tries == 2
    assert stepping.begin(any_watch, duty, CAP)


def test_what_was_never_begun_cannot_be_retried(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """The names that can are told."""
    says = "INC-1 has not begun 'half-rate' in this round; begun or skipped: none"
    with pytest.raises(UserError, match=says):
        stepping.retry(any_watch, incident, "half-rate", "ann", "-")
    stepping.begin(any_watch, duty, OTHER)
    with pytest.raises(UserError, match=r"begun or skipped: slow-service$"):
        stepping.retry(any_watch, incident, "half-rate", "ann", "-")


def test_a_person_asks_for_a_mitigation_by_name(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """Once; and it may be begun then."""
    stepping.want(any_watch, incident, "half-rate", "ann", "it is too much")
    assert shown(any_watch, incident) == {"half-rate": WANTED}
    assert told(any_watch, incident)[-1] == ("ann", "asks for half-rate: it is too much")
    assert stepping.begin(any_watch, duty, CAP)


@pytest.mark.parametrize("before", [FAILED, SKIPPED])
def test_what_failed_or_was_skipped_can_be_asked_for(
    any_watch: Watch, incident: Incident, duty: Duty, before: StepState
) -> None:
    """The newer word counts."""
    stepping.begin(any_watch, duty, CAP)
    if before is FAILED:
        stepping.failed(any_watch, duty, CAP, "-")
    else:
        stepping.skip(any_watch, incident, "half-rate", "ann", "-")
    stepping.want(any_watch, incident, "half-rate", "bob", "now it may")
    assert shown(any_watch, incident) == {"half-rate": WANTED}


def test_what_is_done_or_under_way_is_not_begun_again_by_asking(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """Nothing is written, and nothing is told."""
    for finish in (None, stepping.done):
        stepping.begin(any_watch, duty, CAP)
        if finish is not None:
            finish(any_watch, duty, CAP)
        before = (shown(any_watch, incident), told(any_watch, incident))
        stepping.want(any_watch, incident, "half-rate", "ann", "-")
        assert (shown(any_watch, incident), told(any_watch, incident)) == before


@pytest.mark.parametrize("state", [State.RESOLVED, State.SETTLING, State.CLOSED])
def test_when_the_harm_is_over_nothing_is_asked_for_or_retried(
    any_watch: Watch, incident: Incident, duty: Duty, state: State
) -> None:
    """No responder would do it: it is not promised."""
    stepping.begin(any_watch, duty, CAP)
    over = replace(incident, state=state)
    for say in (stepping.want, stepping.retry):
        with pytest.raises(UserError, match=f"INC-1 is {state}: there is no harm left to stop"):
            say(any_watch, over, "half-rate", "ann", "-")
    assert shown(any_watch, incident) == {"half-rate": BEGUN}


# --- what it means for the plan -----------------------------------------------------------------


@pytest.mark.parametrize("say", [stepping.skip, stepping.retry])
def test_what_was_asked_about_with_it_is_another_plan_now(
    any_watch: Watch, incident: Incident, duty: Duty, say: object
) -> None:
    """A yes to the whole is no yes to a part: it is asked anew. Other questions stay."""
    assert callable(say)
    both, other = asked(any_watch, incident, CAP, OTHER), asked(any_watch, incident, OTHER)
    stepping.begin(any_watch, duty, CAP)
    say(any_watch, incident, "half-rate", "ann", "-")
    with any_watch.store.read() as session:
        assert [q.id for q in approvals.unanswered(session, incident.id)] == [other.id]
    assert asked(any_watch, incident, CAP, OTHER).id == both.id


def test_an_answered_question_stays_answered(
    any_watch: Watch, incident: Incident, duty: Duty
) -> None:
    """What people said is not unsaid by a skip."""
    question = asked(any_watch, incident, CAP)
    with any_watch.store.write() as session:
        approvals.answer(session, incident.id, "deny", by="bob", reason="-", now=any_watch.now())
    stepping.skip(any_watch, incident, "half-rate", "ann", "-")
    again = asked(any_watch, incident, CAP)
    assert (again.id, again.decision) == (question.id, "deny")
    assert again.decision != SUPERSEDED


SAYS = {
    "skip": lambda w, i: stepping.skip(w, i, "half-rate", "ann", "-"),
    "retry": lambda w, i: stepping.retry(w, i, "half-rate", "ann", "-"),
    "plan again": stepping.plan_again,
}


@pytest.mark.parametrize("say", SAYS.values(), ids=SAYS)
def test_a_plan_that_was_left_standing_is_made_again(
    any_watch: Watch, incident: Incident, duty: Duty, say: object
) -> None:
    """Back to where plans are made, and whoever watched for recovery has no say any more."""
    assert callable(say)
    stepping.begin(any_watch, duty, CAP)
    say(any_watch, moved(any_watch, incident, State.MITIGATED))
    assert now(any_watch, incident).state is State.TRIAGED
    assert now(any_watch, incident).round == incident.round
    with pytest.raises(StaleFence), any_watch.store.write() as session:
        duty.check(session)


@pytest.mark.parametrize("say", SAYS.values(), ids=SAYS)
def test_a_run_that_makes_or_carries_out_its_plan_goes_on(
    any_watch: Watch, incident: Incident, duty: Duty, say: object
) -> None:
    """It reads each step before it begins it: no need to fence it off."""
    assert callable(say)
    stepping.begin(any_watch, duty, CAP)
    say(any_watch, incident)
    assert now(any_watch, incident).state is State.TRIAGED
    with any_watch.store.write() as session:
        duty.check(session)
