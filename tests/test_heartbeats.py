"""Signs of life of the watch's own parts: what is kept, and how long a result counts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from making import MINUTE, NAME, T0

from watchkeeper.heartbeat import Freshness, Heartbeat, Part, Result
from watchkeeper.store import heartbeats
from watchkeeper.store.engine import Store


def last(store: Store, part: Part, target: str = "") -> Heartbeat:
    with store.read() as session:
        found = heartbeats.last(session, part, target)
    assert found is not None
    return found


def beat(store: Store, at: datetime, result: Result = Result.WELL, part: Part = Part.UP) -> None:
    with store.write() as session:
        heartbeats.beat(session, part, at, result, f"{result}", every=MINUTE)


def test_the_last_result_is_kept_with_its_age(store: Store) -> None:
    """One row a part and target: the newest result, since when it holds, when it was last well."""
    beat(store, T0)
    beat(store, T0 + MINUTE)
    beat(store, T0 + 2 * MINUTE, Result.FAILED)
    beat(store, T0 + 3 * MINUTE, Result.FAILED)
    with store.write() as session:
        heartbeats.beat(session, Part.CHECK, T0, every=MINUTE, target=NAME)
    found = last(store, Part.UP)
    assert (found.result, found.detail, found.at) == (Result.FAILED, "failed", T0 + 3 * MINUTE)
    assert (found.since, found.well_at) == (T0 + 2 * MINUTE, T0 + MINUTE)
    assert found.age(T0 + 5 * MINUTE) == 2 * MINUTE
    with store.read() as session:
        assert [(b.part, b.target) for b in heartbeats.listed(session)] == [
            (Part.CHECK, NAME),
            (Part.UP, ""),
        ]


def test_a_pause_of_more_than_two_intervals_begins_anew(store: Store) -> None:
    """W1: `up` that was stopped for a while does not count as standing since before."""
    beat(store, T0)
    beat(store, T0 + 2 * MINUTE)
    assert last(store, Part.UP).since == T0
    beat(store, T0 + 5 * MINUTE)
    assert last(store, Part.UP).since == T0 + 5 * MINUTE


@pytest.mark.parametrize(
    ("now", "misses", "expected"),
    [
        (T0, 0, Freshness.FRESH),
        (T0 + 2 * MINUTE, 0, Freshness.FRESH),
        (T0 + 2 * MINUTE + timedelta(seconds=1), 0, Freshness.STALE),
        (T0 + MINUTE, 1, Freshness.MISSED),
        (T0 + 3 * MINUTE, 1, Freshness.STALE),
        # A clock that was set back: a result of the far future says nothing of now.
        (T0 - timedelta(seconds=30), 0, Freshness.FRESH),
        (T0 - 2 * MINUTE, 0, Freshness.STALE),
    ],
)
def test_a_result_is_fresh_for_two_of_its_intervals(
    lite_store: Store, now: datetime, misses: int, expected: Freshness
) -> None:
    """W1: an old green is never shown as fresh; nor is one after which a check did not happen."""
    beat(lite_store, T0)
    with lite_store.write() as session:
        for _ in range(misses):
            heartbeats.missed(session, Part.UP, now, "late by 130 s", every=MINUTE)
    assert last(lite_store, Part.UP).freshness(now) is expected


def test_a_missed_check_keeps_the_last_result_and_the_next_one_clears_it(store: Store) -> None:
    """W2: that a check did not happen is recorded beside the last result, never as a result."""
    beat(store, T0, part=Part.CHECK)
    with store.write() as session:
        heartbeats.missed(session, Part.CHECK, T0 + MINUTE, "late by 130 s", every=MINUTE)
    found = last(store, Part.CHECK)
    assert (found.at, found.result, found.misses) == (T0, Result.WELL, 1)
    assert (found.missed_at, found.missed_because) == (T0 + MINUTE, "late by 130 s")
    beat(store, T0 + 2 * MINUTE, part=Part.CHECK)
    assert last(store, Part.CHECK).misses == 0


def test_what_was_never_checked_is_unknown_when_its_check_is_missed(store: Store) -> None:
    """No result at all is no `well`."""
    with store.write() as session:
        heartbeats.missed(session, Part.CHECK, T0, "late", every=MINUTE, target=NAME)
    found = last(store, Part.CHECK, NAME)
    assert (found.result, found.well_at, found.misses) == (Result.UNKNOWN, None, 1)
