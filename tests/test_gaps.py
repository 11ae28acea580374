"""What an outage may have cost: windows that leave nothing out, and a comparison that counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import HOUR, MINUTE, T0, runbook

from watchkeeper.gaps import (
    GapState,
    Indexed,
    Reconciliation,
    Span,
    lookback,
    newer,
    plan_windows,
    reconcile,
    settles_at,
    walk_since,
)

ORDERS, USERS = runbook().resource("workorders"), runbook().resource("users")
INSTANTS = st.datetimes(
    min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC)
)


@given(INSTANTS, st.timedeltas(timedelta(microseconds=1), timedelta(days=400)), st.integers(1, 50))
def test_the_windows_are_exactly_the_gap(since: datetime, length: timedelta, at_most: int) -> None:
    """Half-open, contiguous, none empty, and together the gap to the microsecond."""
    until = since + length
    spans = plan_windows(ORDERS, since, until, at_most)
    edges = [(s.since, s.until) for s in spans]
    assert edges[0][0] == since
    assert edges[-1][1] == until
    assert all(a[1] == b[0] for a, b in pairwise(edges))
    assert all(a is not None and b is not None and a < b for a, b in edges)
    assert 1 <= len(spans) <= at_most
    if len(spans) > 1:
        assert all(b - a >= MINUTE - timedelta(microseconds=1) for a, b in edges if a and b)


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=40)), INSTANTS)
def test_each_instant_of_the_gap_lies_in_one_window(
    since: datetime, length: timedelta, at: datetime
) -> None:
    """A record changed on a border belongs to one window only, so no two walks fight over it."""
    until = since + length
    inside = [s for s in plan_windows(ORDERS, since, until) if s.since <= at < s.until]  # type: ignore[operator]
    assert len(inside) == (1 if since <= at < until else 0)


OPEN = [
    ("no time filter", USERS, T0, T0 + HOUR, Span(None, T0 + HOUR)),
    ("no time filter, no start", USERS, None, T0, Span(None, None)),
    ("never walked before", ORDERS, None, T0, Span(None, None)),
    ("no end yet", ORDERS, T0, None, Span(T0, None)),
    ("no length", ORDERS, T0, T0, Span(T0, T0)),
    ("the end before the start", ORDERS, T0, T0 - HOUR, Span(T0, T0 - HOUR)),
]


@pytest.mark.parametrize(
    ("resource", "since", "until", "span"), [o[1:] for o in OPEN], ids=[o[0] for o in OPEN]
)
def test_what_cannot_be_sliced_is_one_window(
    resource: object, since: datetime | None, until: datetime | None, span: Span
) -> None:
    """An open bound, or a list that cannot be asked by time, is walked in one go."""
    assert plan_windows(resource, since, until) == (span,)  # type: ignore[arg-type]


def test_a_summer_time_change_neither_loses_nor_doubles_an_hour() -> None:
    """Windows are cut in UTC: a night in which clocks go back is as long as it is."""
    since, until = datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC)
    spans = plan_windows(ORDERS, since, until)
    assert len({s.since for s in spans}) == 8
    assert {s.until - s.since for s in spans if s.since and s.until} == {30 * MINUTE}


def test_a_walk_goes_back_over_all_that_a_list_may_have_shown_late() -> None:
    """Lists lag by up to two hours: what is newer than the watermark less that may be missing."""
    assert lookback(ORDERS) == 2 * HOUR + 5 * MINUTE
    assert walk_since(ORDERS, T0) == T0 - 2 * HOUR - 5 * MINUTE
    assert walk_since(ORDERS, None) is None
    assert walk_since(USERS, T0) is None


def test_an_incident_settles_when_the_slowest_list_has_caught_up() -> None:
    """The last comparison waits for the longest lag of the resources concerned."""
    quick = ORDERS.model_copy(update={"list_lag": MINUTE, "overlap": timedelta(0)})
    assert settles_at((quick, ORDERS), T0) == T0 + 2 * HOUR + 5 * MINUTE
    assert settles_at((quick,), T0) == T0 + MINUTE
    assert settles_at((), T0) == T0


V1, V2 = "2026-03-02T08:00:00.000Z", "2026-03-02T08:00:00.001Z"
D1, D2 = "sha256:aaaa", "sha256:bbbb"
NEWER = [
    (V2, V1, True),
    (V1, V2, False),
    (V1, V1, False),
    (f"{10:020d}", f"{9:020d}", True),
    (D1, D2, True),
    (D2, D1, True),
    (D1, D1, False),
    (V1, "", True),
    (D1, "", True),
    # A runbook that learns of a version field must not leave old digests for ever.
    (V1, D1, True),
    (D1, V1, True),
]


@pytest.mark.parametrize(("version", "than", "expected"), NEWER)
def test_which_version_is_newer(version: str, than: str, expected: bool) -> None:
    """Versions of one spelling have an order; digests only differ."""
    assert newer(version, than) is expected


RECONCILED = [
    ("both have all", {"1": V1, "2": V2}, {"1": V1, "2": V2}, (2, 2, (), ())),
    ("one is missing", {"1": V1, "2": V2}, {"1": V1}, (2, 1, ("2",), ())),
    ("one is stale", {"1": V2}, {"1": V1}, (1, 1, (), ("1",))),
    ("the sink is ahead of a lagging list", {"1": V1}, {"1": V2}, (1, 1, (), ())),
    ("the sink holds more", {"1": V1}, {"1": V1, "9": V1}, (1, 1, (), ())),
    ("a digest differs", {"1": D1}, {"1": D2}, (1, 1, (), ("1",))),
    ("a digest is the same", {"1": D1}, {"1": D1}, (1, 1, (), ())),
    ("the vendor holds nothing", {}, {"9": V1}, (0, 0, (), ())),
    ("the sink holds nothing", {"2": V1, "1": V1}, {}, (2, 0, ("1", "2"), ())),
]


@pytest.mark.parametrize(
    ("vendor", "sink", "expected"), [r[1:] for r in RECONCILED], ids=[r[0] for r in RECONCILED]
)
def test_record_by_record(
    vendor: dict[str, str],
    sink: dict[str, str],
    expected: tuple[int, int, tuple[str, ...], tuple[str, ...]],
) -> None:
    """What the vendor lists against what the sink holds: present, missing, stale."""
    listed = tuple(Indexed(i, v) for i, v in vendor.items())
    found = reconcile(listed, sink)
    assert found == Reconciliation(*expected)
    assert found.whole is (not expected[2] and not expected[3])


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([V1, V2])), max_size=12),
    st.randoms(use_true_random=False),
)
def test_a_record_that_changed_while_the_list_was_walked_counts_once(
    listed: list[tuple[str, str]], rng: object
) -> None:
    """Seen twice on two pages, in whatever order, a record is judged by its newest version."""
    records = [Indexed(i, v) for i, v in listed]
    found = reconcile(tuple(records), {"a": V1})
    rng.shuffle(records)  # type: ignore[attr-defined]
    assert reconcile(tuple(records), {"a": V1}) == found
    assert found.expected == len({i for i, _ in listed})
    assert found.expected == found.present + len(found.missing)
    assert found.stale == (("a",) if ("a", V2) in listed else ())


def test_only_two_states_of_a_gap_are_over() -> None:
    """A gap ends by a comparison or by a person's signature, by nothing else."""
    assert {s for s in GapState if s.over} == {GapState.RECONCILED, GapState.WAIVED}


def test_a_span_in_words() -> None:
    """Open ends are shown as such."""
    assert Span(T0, T0 + HOUR).says() == "09:00:00–10:00:00"
    assert Span(None, None).says() == "…–…"
