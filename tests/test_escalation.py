"""Who is called when: the ladder against the clock of the page that opened it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HOUR, MINUTE, T0, changed, incident, runbook

from watchkeeper.escalation import due_rungs

SECOND = timedelta(seconds=1)


def levels(
    now: datetime,
    paged_at: datetime | None = T0,
    acknowledged_at: datetime | None = None,
    **changes: Any,
) -> list[int]:
    due = due_rungs(runbook(), incident(**changes), paged_at, acknowledged_at, now)
    return [rung.level for rung in due]


CLOCK = [
    (T0, [1]),
    (T0 + 15 * MINUTE - SECOND, [1]),
    (T0 + 15 * MINUTE, [1, 2]),
    (T0 + 30 * MINUTE, [1, 2, 3]),
    (T0 + 59 * MINUTE, [1, 2, 3]),
    (T0 + HOUR, [1, 2, 3, 4]),
    (T0 + 100 * HOUR, [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("now", "due"), CLOCK)
def test_the_ladder_climbs_while_nobody_acknowledges(now: datetime, due: list[int]) -> None:
    """Each rung is due from its minute on, counted from the page."""
    assert levels(now) == due


def test_before_anybody_was_paged_only_the_first_rung_is_due() -> None:
    """A pager that was down for an hour does not wake the whole ladder at once."""
    assert levels(T0 + 5 * HOUR, paged_at=None) == [1]


@pytest.mark.parametrize(
    ("stop", "due"), [(T0 + 14 * MINUTE, [1]), (T0 + 15 * MINUTE, [1, 2]), (T0 + 31 * MINUTE, [1, 2, 3])]
)  # fmt: skip
def test_it_stops_the_moment_somebody_acknowledges(stop: datetime, due: list[int]) -> None:
    """Nobody is called after an acknowledgement, however long the incident lasts (others' ladders
    went on)."""
    assert levels(T0 + 9 * HOUR, acknowledged_at=stop) == due
    assert levels(T0 + 9 * HOUR, recovered_at=stop) == due


def test_it_stops_when_a_person_takes_over() -> None:
    """Whoever took it over need not be woken."""
    assert levels(T0 + 9 * HOUR, taken_by="ann") == [1]


@pytest.mark.parametrize(("severity", "due"), [(1, [1, 2]), (2, [1, 2]), (3, []), (4, [])])
def test_a_severity_that_wakes_nobody_has_no_ladder(severity: int, due: list[int]) -> None:
    """SEV-3 and SEV-4 wait for the morning."""
    assert levels(T0 + 20 * MINUTE, severity=severity) == due


def test_an_incident_that_came_back_has_a_new_clock() -> None:
    """Reopened hours after it first opened, it has been waited for since its new page only."""
    back = T0 + 5 * HOUR
    assert levels(back + MINUTE, paged_at=back, round=2) == [1]
    assert levels(back + 16 * MINUTE, paged_at=back, round=2) == [1, 2]


def test_without_a_ladder_nobody_is_due() -> None:
    """A runbook may have none."""
    assert due_rungs(changed(escalation=()), incident(), T0, None, T0 + HOUR) == ()


def test_the_order_in_the_file_does_not_matter() -> None:
    """The rung without delay is the first one, wherever it stands."""
    mixed = changed(escalation=tuple(reversed(runbook().escalation)))
    due = due_rungs(mixed, incident(), T0, None, T0 + 20 * MINUTE)
    assert [rung.level for rung in due] == [1, 2]


@given(
    st.timedeltas(timedelta(0), timedelta(days=2)), st.timedeltas(timedelta(0), timedelta(days=2))
)
def test_nobody_is_ever_called_off_the_ladder(a: timedelta, b: timedelta) -> None:
    """As time passes rungs are only added."""
    early, late = sorted((T0 + a, T0 + b))
    assert levels(late)[: len(levels(early))] == levels(early)
