"""An incident's life: which state may follow which, and how people name one."""

from __future__ import annotations

from itertools import product

import pytest
from making import incident

from watchkeeper.errors import UserError
from watchkeeper.incident import LIVE, NEXT, Milestone, State, check_move, parse_id

FORWARD = {
    (State.OPEN, State.TRIAGED),
    (State.TRIAGED, State.MITIGATED),
    (State.MITIGATED, State.RESOLVED),
    (State.RESOLVED, State.SETTLING),
    (State.SETTLING, State.CLOSED),
}
BACK = {(state, State.OPEN) for state in State if state is not State.OPEN}
# A person has a plan carried out that was left standing.
PLANNED_AGAIN = {(State.MITIGATED, State.TRIAGED)}


@pytest.mark.parametrize(("old", "new"), list(product(State, State)))
def test_each_move_is_allowed_or_refused(old: State, new: State) -> None:
    """One step forward, back to the start where a repair did not hold, or back to the plan: nothing
    else."""
    if (old, new) in FORWARD | BACK | PLANNED_AGAIN:
        check_move(incident(state=old), new)
        return
    with pytest.raises(UserError, match=f"INC-7 is {old}: it can become .*, not {new}"):
        check_move(incident(state=old), new)


def test_the_states_are_in_the_order_of_the_chain() -> None:
    """`has_reached` counts on it."""
    assert set(NEXT) == set(State)
    assert [(a, b) in FORWARD for a, b in zip(State, list(State)[1:], strict=False)] == [True] * 5
    resolved = incident(state=State.RESOLVED)
    assert [resolved.has_reached(s) for s in State] == [True, True, True, True, False, False]


def test_every_state_but_closed_has_work_to_do() -> None:
    """Only a closed incident is left alone."""
    assert [s for s in State if incident(state=s).is_open] == list(LIVE)
    assert set(State) - set(LIVE) == {State.CLOSED}


def test_the_milestones_are_in_the_order_in_which_they_can_happen() -> None:
    """The timeline is checked against it."""
    said = "started detected paged diagnosed mitigated verified resolved closed"
    assert [m.value for m in Milestone] == said.split()


@pytest.mark.parametrize("text", ["17", "INC-17", " inc-17 ", "Inc-17", "017"])
def test_an_incident_by_its_number(text: str) -> None:
    """People type it in many ways."""
    assert parse_id(text) == 17


@pytest.mark.parametrize(
    "text", ["", "INC-", "seventeen", "-1", "1.5", "²", "٣", "INC-INC-1", "9" * 30, "1; DROP"]
)
def test_what_is_no_incident_is_told_as_such(text: str) -> None:
    """Anything else is a person's mistake, told in one line, never a traceback."""
    with pytest.raises(UserError, match="is not an incident: give its number, such as INC-17"):
        parse_id(text)


def test_a_title_names_the_incident_and_the_integration() -> None:
    """What a page, a report and a run are called."""
    assert incident().title == "INC-7 maintainx@test"
