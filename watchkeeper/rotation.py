"""A key rotation as a state machine: from what is seen now to the next move. Pure.

Overlap: a new key is tested, made current, proven in each consumer, and only then is the old one
revoked. Revoke first, for a key that others have: nothing else is done before the vendor refuses
it. Any process may stop after any move and another one go on: each looks again, and asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from watchkeeper.runbook.mitigations import RotationOrder


class Move(StrEnum):
    AWAIT_REVOCATION = "await revocation"
    AWAIT_KEY = "await a new key"
    TEST = "test"
    PROMOTE = "promote"
    RESTART = "restart"
    RETIRE = "retire"
    DONE = "done"


class NextMove(NamedTuple):
    """`target`: the key's fingerprint, or for a restart the consumer's name."""

    move: Move
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What is seen of a rotation. Keys are fingerprints.

    `old`: the key that goes; `old_dead`: the vendor was seen to refuse it; `chosen`: the key that
    the vendor accepted wherever ours is used, and that this rotation makes current; `shown`: the
    key that each consumer shows, in the order of their restarts; `retired`: the old key's end is
    proven, or kept watch over.

    A process may die between what it did and writing it down: `written`, whether the promotion is,
    with all that goes with it; `in_doubt`, the consumers that were being restarted.
    """

    order: RotationOrder
    current: str | None
    pending: str | None = None
    chosen: str | None = None
    old: str | None = None
    old_dead: bool = False
    retired: bool = False
    shown: Mapping[str, str | None] = field(default_factory=dict)
    written: bool = True
    in_doubt: frozenset[str] = frozenset()

    @property
    def behind(self) -> str | None:
        """The first consumer that is not proven on the chosen key."""
        names = (n for n, key in self.shown.items() if key != self.chosen or n in self.in_doubt)
        return next(names, None)


def next_move(stand: Stand) -> NextMove:
    """The one thing to do next. A key is promoted only after its test, and the old one is retired
    only after every consumer shows the new one; but a leaked one is seen dead before all else."""
    if stand.order == "revoke_first" and stand.old is not None and not stand.old_dead:
        return NextMove(Move.AWAIT_REVOCATION, stand.old)
    if stand.chosen is None:
        return NextMove(Move.TEST, stand.pending) if stand.pending else NextMove(Move.AWAIT_KEY)
    if stand.current != stand.chosen or not stand.written:
        return NextMove(Move.PROMOTE, stand.chosen)
    if stand.behind is not None:
        return NextMove(Move.RESTART, stand.behind)
    if stand.old is not None and not stand.retired:
        return NextMove(Move.RETIRE, stand.old)
    return NextMove(Move.DONE)
