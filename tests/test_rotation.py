"""A key rotation as a state machine: which move comes next, wherever somebody stopped."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.rotation import Move, NextMove, Stand, next_move

OLD, NEW, OTHER = "01d01d01", "4e44e44e", "07407407"
SERVICES = ("importer", "service")
ON_OLD: dict[str, str | None] = {"importer": OLD, "service": OLD}
ON_NEW: dict[str, str | None] = {"importer": NEW, "service": NEW}


def stand(**seen: Any) -> Stand:
    return Stand(**{"order": "overlap", "current": OLD, "shown": ON_OLD} | seen)


PROMOTED = {"current": NEW, "chosen": NEW, "old": OLD}
FIRST = {"order": "revoke_first", "old": OLD}

TABLE: list[tuple[str, Stand, Move, str]] = [
    ("nothing is offered", stand(), Move.AWAIT_KEY, ""),
    ("a key is offered", stand(pending=NEW), Move.TEST, NEW),
    ("it was tested", stand(pending=NEW, chosen=NEW), Move.PROMOTE, NEW),
    ("another one was offered since", stand(pending=OTHER, chosen=NEW), Move.PROMOTE, NEW),
    ("made current, not written down", stand(**PROMOTED, written=False), Move.PROMOTE, NEW),
    ("made current", stand(**PROMOTED), Move.RESTART, "importer"),
    (
        "one is restarted",
        stand(**PROMOTED, shown=ON_OLD | {"importer": NEW}),
        Move.RESTART,
        "service",
    ),
    ("one shows no key", stand(**PROMOTED, shown=ON_NEW | {"service": None}), Move.RESTART, "service"),
    ("a third key", stand(**PROMOTED, shown=ON_NEW | {"importer": OTHER}), Move.RESTART, "importer"),
    (
        "somebody died while one restarted",
        stand(**PROMOTED, shown=ON_NEW, in_doubt=frozenset({"service"})),
        Move.RESTART,
        "service",
    ),
    ("all are on the new key", stand(**PROMOTED, shown=ON_NEW), Move.RETIRE, OLD),
    ("nobody holds the key", stand(**PROMOTED, shown={}), Move.RETIRE, OLD),
    ("the old one is watched over", stand(**PROMOTED, shown=ON_NEW, retired=True), Move.DONE, ""),
    ("there was no key before", stand(current=NEW, chosen=NEW, shown={}), Move.DONE, ""),
    ("leaked, alive", stand(**FIRST), Move.AWAIT_REVOCATION, OLD),
    ("leaked, alive, a key is offered", stand(**FIRST, pending=NEW), Move.AWAIT_REVOCATION, OLD),
    ("leaked, alive, one was tested", stand(**FIRST, chosen=NEW), Move.AWAIT_REVOCATION, OLD),
    (
        "leaked, alive, all on the new key",
        stand(**FIRST | PROMOTED, shown=ON_NEW),
        Move.AWAIT_REVOCATION,
        OLD,
    ),
    ("leaked, dead", stand(**FIRST, old_dead=True), Move.AWAIT_KEY, ""),
    ("leaked, dead, a key is offered", stand(**FIRST, old_dead=True, pending=NEW), Move.TEST, NEW),
    (
        "leaked, dead, all on the new key",
        stand(**FIRST | PROMOTED, old_dead=True, retired=True, shown=ON_NEW),
        Move.DONE,
        "",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "move", "target"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_what_comes_next(seen: Stand, move: Move, target: str) -> None:
    """Each stand has one move."""
    assert next_move(seen) == NextMove(move, target)


def test_every_move_is_in_the_table() -> None:
    """And the table is read: none is left out."""
    assert {row[2] for row in TABLE} == set(Move)


KEYS = (None, OLD, NEW)
EVERY_STAND = [
    Stand(
        order=order,
        current=current,
        pending=pending,
        chosen=chosen,
        old=old,
        old_dead=dead,
        retired=retired,
        shown={"importer": first, "service": second},
        written=written,
    )
    for order, current, pending, chosen, old, dead, retired, first, second, written in product(
        ("overlap", "revoke_first"),
        KEYS,
        (None, NEW),
        (None, NEW),
        (None, OLD),
        (False, True),
        (False, True),
        KEYS,
        KEYS,
        (False, True),
    )
]


def test_the_order_is_kept_from_every_stand() -> None:
    """Whatever is seen: no key is made current before its test, none is retired before every
    consumer is on the new one, and a leaked one that lives is seen to first."""
    for seen in EVERY_STAND:
        move, target = next_move(seen)
        if seen.order == "revoke_first" and seen.old and not seen.old_dead:
            assert (move, target) == (Move.AWAIT_REVOCATION, seen.old)
            continue
        assert move is not Move.AWAIT_REVOCATION
        if move in (Move.PROMOTE, Move.RESTART, Move.RETIRE, Move.DONE):
            assert seen.chosen
        if move in (Move.RESTART, Move.RETIRE, Move.DONE):
            assert seen.current == seen.chosen
        if move in (Move.RETIRE, Move.DONE):
            assert set(seen.shown.values()) == {seen.chosen}
        if move is Move.DONE:
            assert seen.old is None or seen.retired
        assert bool(target) == (move not in (Move.AWAIT_KEY, Move.DONE))


def after(seen: Stand) -> Stand:
    """The world once its next move was made, as the store, the vendor and the consumers would be."""
    move, target = next_move(seen)
    if move is Move.AWAIT_REVOCATION:
        return replace(seen, old_dead=True, retired=True)
    if move is Move.AWAIT_KEY:
        return replace(seen, pending=OTHER)
    if move is Move.TEST:
        return replace(seen, chosen=target)
    if move is Move.PROMOTE:
        pending = None if seen.pending == target else seen.pending
        old = seen.old or (seen.current if seen.current != target else None)
        return replace(seen, current=target, pending=pending, old=old, written=True)
    if move is Move.RESTART:
        doubt = seen.in_doubt - {target}
        return replace(seen, shown={**seen.shown, target: seen.chosen}, in_doubt=doubt)
    return replace(seen, retired=True)


FINGERPRINTS = st.sampled_from([OLD, NEW, OTHER])
STANDS = st.builds(
    Stand,
    order=st.sampled_from(["overlap", "revoke_first"]),
    current=st.none() | FINGERPRINTS,
    pending=st.none() | FINGERPRINTS,
    chosen=st.none() | FINGERPRINTS,
    old=st.none() | FINGERPRINTS,
    old_dead=st.booleans(),
    retired=st.booleans(),
    shown=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.none() | FINGERPRINTS),
    written=st.booleans(),
    in_doubt=st.frozensets(st.sampled_from(["a", "b", "gone"])),
)


@given(STANDS)
def test_it_comes_to_an_end_from_anywhere(seen: Stand) -> None:
    """Revoked, offered, tested, made current, each consumer once, retired: no move comes twice."""
    moves: list[NextMove] = []
    while (move := next_move(seen)).move is not Move.DONE:
        assert move not in moves
        moves.append(move)
        seen = after(seen)
    assert len(moves) <= 5 + len(seen.shown)
    assert seen.current == seen.chosen is not None
    assert set(seen.shown.values()) <= {seen.chosen}
