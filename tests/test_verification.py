"""Whether a repair holds: good looks in a row, and answers that are what was asked for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import T0, runbook, seen

from watchkeeper.diagnosis import diagnose
from watchkeeper.runbook.policy import Verification
from watchkeeper.verification import Flow, Look, good_in_a_row, recovered

RULE = Verification(probes_in_a_row=3)
GOOD = Look(T0, diagnose(seen(200), runbook()))
BAD = Look(T0, diagnose(seen(401), runbook()))
ODD = Look(T0, diagnose(seen({"users": 403}), runbook()))
MOVES = Flow("workorders", True, 3, T0, "workorders: 3 rows on the first page")
STILL = Flow("workorders", True, 0, None, "workorders: 0 rows on the first page, nothing new yet")
BROKEN = Flow("assets", False, 0, None, "assets: the answer has no 'assets'")

LOOKS = [
    ("none yet", (), 0, False),
    ("too few", (GOOD, GOOD), 2, False),
    ("enough", (GOOD, GOOD, GOOD), 3, True),
    ("bad before", (BAD, BAD, GOOD, GOOD, GOOD), 3, True),
    ("broken in between", (GOOD, GOOD, BAD, GOOD), 1, False),
    ("bad at last", (GOOD, GOOD, GOOD, BAD), 0, False),
    ("unexplained is not well", (GOOD, GOOD, ODD), 0, False),
]


@pytest.mark.parametrize(
    ("looks", "good", "holds"), [r[1:] for r in LOOKS], ids=[r[0] for r in LOOKS]
)
def test_good_looks_in_a_row(looks: tuple[Look, ...], good: int, holds: bool) -> None:
    """The latest looks count, and one bad one begins the count anew."""
    assert good_in_a_row(looks) == good
    verdict = recovered(looks, (), RULE)
    assert verdict.holds is holds
    assert verdict.reasons[0] == f"{good} of 3 good looks in a row"


def test_a_bad_look_says_what_it_saw() -> None:
    """Whoever waits is told what is still wrong."""
    assert recovered((BAD,), (), RULE).reasons[1] == BAD.diagnosis.because


FLOWS = [
    ((MOVES,), True),
    ((STILL,), True),
    ((MOVES, BROKEN), False),
    ((BROKEN,), False),
]


@pytest.mark.parametrize(("flows", "holds"), FLOWS)
def test_data_must_answer_as_asked(flows: tuple[Flow, ...], holds: bool) -> None:
    """A well-formed page without rows may be a quiet hour; an error body is never a zero."""
    verdict = recovered((GOOD,) * 3, flows, RULE)
    assert verdict.holds is holds
    assert set(verdict.reasons[1:]) == {flow.said for flow in flows}


def test_data_is_not_looked_at_before_the_probes_hold() -> None:
    """Good data cannot make up for bad looks."""
    assert not recovered((GOOD,), (MOVES,), RULE).holds


@given(st.lists(st.booleans(), max_size=12), st.integers(1, 5))
def test_a_repair_holds_only_on_that_many_good_looks(good: list[bool], needed: int) -> None:
    """Whatever came before: exactly the last `needed` looks decide."""
    looks = tuple(GOOD if g else BAD for g in good)
    rule = Verification(probes_in_a_row=needed, interval=timedelta(seconds=1))
    assert recovered(looks, (), rule).holds is (len(good) >= needed and all(good[-needed:]))
