"""What a performer does with an effect that it finds in the ledger, for every state and promise."""

from __future__ import annotations

import pytest
from making import T0

from watchkeeper.effects import (
    JOB_PAUSE,
    REGISTRY,
    Effect,
    EffectState,
    Next,
    Promise,
    next_move,
)

S, P = EffectState, Promise
SEND, ASK, NOTHING = Next.SEND, Next.ASK_FIRST, Next.NOTHING

#               transaction  dedup  read_back
MOVES = {
    S.PLANNED: (SEND, SEND, SEND),
    S.SENDING: (SEND, SEND, ASK),
    S.DONE: (NOTHING, NOTHING, NOTHING),
    S.REJECTED: (SEND, SEND, SEND),
    S.UNKNOWN: (SEND, SEND, ASK),
    S.RECONCILED: (NOTHING, NOTHING, NOTHING),
    S.ESCALATED: (NOTHING, NOTHING, NOTHING),
}
CASES = [(s, p, m) for s, row in MOVES.items() for p, m in zip(Promise, row, strict=True)]


@pytest.mark.parametrize(("state", "promise", "move"), CASES)
def test_the_next_move(state: EffectState, promise: Promise, move: Next) -> None:
    """What was done is not done again; what may have been done is asked about, where asking is
    what the effect promises."""
    assert next_move(state, promise) is move


def test_the_table_is_exhaustive() -> None:
    """A new state or promise must be decided about here."""
    assert len(CASES) == len(EffectState) * len(Promise)
    assert {s for s in S if s.settled} == {S.DONE, S.RECONCILED, S.ESCALATED}


def test_what_must_stay_possible_while_everything_is_halted() -> None:
    """The kill switch stops new changes; it never stops calling people, nor undoing."""
    going_on = {step for step, kind in REGISTRY.items() if not kind.stops_when_halted}
    calling = {"page.trigger", "page.resolve"}
    undoing = {step for step in REGISTRY if step.endswith((".restore", ".release"))}
    assert going_on == calling | undoing
    assert {"job.restore", "rate.restore", "setting.restore", "schedule.restore"} <= undoing


def test_every_effect_is_in_the_registry_under_its_own_step() -> None:
    """Campaigns enumerate the registry: what is not in it is not proven."""
    assert all(step == kind.step for step, kind in REGISTRY.items())
    assert all("{target}" in kind.says for kind in REGISTRY.values())
    # At-least-once needs a far side that dedups; of our own rows none is needed.
    promises = {step: kind.promise for step, kind in REGISTRY.items()}
    assert promises == {
        "page.trigger": P.DEDUP,
        "page.resolve": P.DEDUP,
        "job.pause": P.TRANSACTION,
        "job.restore": P.TRANSACTION,
        "rate.cap": P.TRANSACTION,
        "rate.restore": P.TRANSACTION,
        "lease.hold": P.TRANSACTION,
        "lease.release": P.TRANSACTION,
        "schedule.pause": P.READ_BACK,
        "schedule.restore": P.READ_BACK,
        "schedule.missed": P.DEDUP,
        "setting.set": P.READ_BACK,
        "setting.restore": P.READ_BACK,
        "replicas.set": P.READ_BACK,
        "replicas.restore": P.READ_BACK,
        "service.restart": P.READ_BACK,
        "key.promote": P.READ_BACK,
        "consumer.restart": P.READ_BACK,
    }


def test_an_effect_is_named_by_incident_round_step_and_target() -> None:
    """The dedup key says all four, so that a relapse is another effect and a retry is not."""
    first = Effect(incident_id=7, round=1, kind=JOB_PAUSE, target="asset-sync")
    again = Effect(incident_id=7, round=2, kind=JOB_PAUSE, target="asset-sync")
    assert first.dedup_key == "inc-7:1:job.pause:asset-sync"
    assert first.dedup_key != again.dedup_key
    assert first.says() == "pause job asset-sync"
    assert T0.tzinfo is not None
