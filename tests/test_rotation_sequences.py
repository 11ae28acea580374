"""Random sequences around a key's rotation: people, vendor, consumers, stores and deaths, in any order.

At every instant the store's current key is one that the vendor accepted wherever ours is used, and
nobody is asked to revoke the old one before every consumer was proven on the new one. The whole
campaign is `python -m benchmarks.rotations`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from rotation_lab import Machine
from rotation_play import Bench, Event, bench, played, sequences

from watchkeeper.performing import key_test
from watchkeeper.performing.key_test import KeyTest
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import NextMove, Stand, next_move
from watchkeeper.runbook.integration import Watched

# What is not shrunk is found at once; the sequence is told as it was.
AS_DRAWN = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def on() -> Iterator[Bench]:
    with bench() as found:
        yield found


def test_overlap_keeps_its_promises_in_every_sequence(on: Bench) -> None:
    """The old key stays until every consumer is proven on a tested one; it ends done, or failed with
    people told, and what a person sees to then is done. What is drawn is not tame: processes die,
    and some of it fails."""
    deaths, ends = 0, set[str]()

    @seed(1)
    @settings(AS_DRAWN, max_examples=25)
    @given(sequences())
    def campaign(told: list[Event]) -> None:
        nonlocal deaths
        play, ended = played(on, told)
        assert play.broken == []
        deaths += play.deaths
        ends.add(ended)

    campaign()
    assert deaths >= 3
    assert ends == {"done", "failed"}


def test_a_leaked_key_is_seen_dead_first_in_every_sequence(on: Bench) -> None:
    """Nothing is made current before the vendor was seen to refuse the key that leaked."""

    @seed(3)
    @settings(AS_DRAWN, max_examples=25)
    @given(sequences("revoke_first"))
    def campaign(told: list[Event]) -> None:
        play, _ = played(on, told, "revoke_first")
        assert play.broken == []

    campaign()


def untested(stand: Stand) -> NextMove:
    """Makes current what is offered, before its test."""
    return next_move(replace(stand, chosen=stand.chosen or stand.pending))


def hasty(stand: Stand) -> NextMove:
    """Retires the old key before the last consumer."""
    return next_move(replace(stand, shown=dict(list(stand.shown.items())[:-1])))


async def one_endpoint(watch: Watch, watched: Watched) -> KeyTest:
    """Accepts a key that was let in at one place only."""
    fewer = watched.runbook.model_copy(update={"probes": watched.runbook.probes[:1]})
    return await key_test.test_offered(watch, watched.model_copy(update={"runbook": fewer}))


def leaky(stand: Stand) -> NextMove:
    """Does not wait until the leaked key is dead."""
    return next_move(replace(stand, old_dead=True))


PLANTED = {
    "promoted before its test": (Machine(decide=untested), "overlap", "was not accepted"),
    "retired before the last consumer": (Machine(decide=hasty), "overlap", "was proven"),
    "tested on one endpoint": (Machine(test=one_endpoint), "overlap", "was not accepted"),
    "not waited for": (Machine(decide=leaky), "revoke_first", "before the leaked key"),
}


@pytest.mark.parametrize(("machine", "order", "said"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(on: Bench, machine: Machine, order: str, said: str) -> None:
    """In a copy of the machine: the campaign can fail."""

    @seed(5)
    @settings(AS_DRAWN, max_examples=60)
    @given(sequences(order))
    def campaign(told: list[Event]) -> None:
        play, _ = played(on, told, order, machine)
        assert not any(said in broken for broken in play.broken)

    with pytest.raises(AssertionError):
        campaign()
