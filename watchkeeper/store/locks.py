"""Fenced leases on a piece of work: who may do it now, and until when without a sign of life."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from watchkeeper import terms
from watchkeeper.errors import StaleFence
from watchkeeper.store.rows import add_first
from watchkeeper.store.tables import LockRow
from watchkeeper.terms import seconds

# Of a holder that came to no end because it was not let: nobody's death.
HELD_BACK = "held back by the kill switch"


def acquire(
    session: Session,
    name: str,
    holder: str,
    now: datetime,
    ttl: timedelta,
    note: str = "",
    lag: timedelta = timedelta(0),
) -> int | None:
    """The new fence, or None while somebody else holds it. The same holder may take it again. `lag`:
    how late this machine is; a holder that ran out within it may only have had no turn.

    A reservation made with `reserve` is taken by naming its holder.
    """
    row = _row(session, name)
    if row is None:
        first = LockRow(name=name, holder=holder, fence=1, expires_at=now, note=note)
        _until(first, now, ttl)
        return 1 if add_first(session, first) else None
    if row.holder not in (None, holder) and (_holds(row, now) or _only_slow(row, now, lag)):
        return None
    if row.holder != holder:
        row.lost = 0 if row.holder is None else row.lost + (row.note != HELD_BACK)
    row.holder, row.note = holder, note
    _until(row, now, ttl)
    row.fence += 1
    session.add(row)
    session.flush()
    return row.fence


def hand_over(
    session: Session, name: str, reserved_for: str, holder: str, now: datetime, ttl: timedelta
) -> int | None:
    """Take a lock that was reserved for us under another name, or is free."""
    row = _row(session, name)
    if row is not None and row.holder == reserved_for:
        row.holder = holder
        session.add(row)
        session.flush()
    return acquire(session, name, holder, now, ttl)


def extend(
    session: Session, name: str, fence: int, now: datetime, ttl: timedelta, note: str = ""
) -> None:
    """A sign of life. Raises StaleFence once somebody else has taken over."""
    row = check(session, name, fence)
    row.note = note
    _until(row, now, ttl)
    session.add(row)


def renote(session: Session, name: str, was: str, note: str, now: datetime, ttl: timedelta) -> None:
    """Give the present holder a new note and time, if its note is still what we think it is."""
    row = _row(session, name)
    if row is not None and row.note == was:
        row.note = note
        _until(row, now, ttl)
        session.add(row)


def revoke(session: Session, name: str, now: datetime) -> None:
    """Take it from whoever holds it: their fence is stale from here on."""
    row = _row(session, name)
    if row is not None:
        row.holder, row.expires_at, row.note = None, now, ""
        row.fence += 1
        session.add(row)


def release(session: Session, name: str, fence: int, now: datetime) -> None:
    """Let go, if it is still ours; the fence stays, so that it never goes back."""
    row = _row(session, name)
    if row is not None and row.fence == fence:
        row.holder, row.expires_at, row.note = None, now, ""
        session.add(row)


def check(session: Session, name: str, fence: int) -> LockRow:
    row = _row(session, name)
    if row is None or row.fence != fence or row.holder is None:
        raise StaleFence(f"{name} has been taken over: nothing more is written by this run")
    return row


def lost(session: Session, name: str) -> int:
    """How many holders in a row let it run out: they died, or failed."""
    row = session.exec(select(LockRow).where(LockRow.name == name)).first()
    return 0 if row is None else row.lost


def held(session: Session, name: str, now: datetime) -> bool:
    row = session.exec(select(LockRow).where(LockRow.name == name)).first()
    return row is not None and row.holder is not None and _holds(row, now)


def free(session: Session, name: str, now: datetime, lag: timedelta = timedelta(0)) -> bool:
    """Whether nobody holds it; and nobody takes it before this transaction ends.

    Whoever needs a lock and its incident in one transaction asks for the lock first: two that wait
    for each other's row would both be ended by PostgreSQL.
    """
    if _row(session, name) is None:
        add_first(session, LockRow(name=name, fence=0, expires_at=now))
    row = _row(session, name)
    if row is None or row.holder is None:
        return True
    return not (_holds(row, now) or _only_slow(row, now, lag))


def revoke_void(session: Session, now: datetime) -> tuple[str, ...]:
    """Take those that a clock that has been set back since would hold for too long; their names."""
    held = session.exec(select(LockRow).where(col(LockRow.holder).is_not(None))).all()
    found = [row.name for row in held if terms.void(row.expires_at, seconds(row.term_s), now)]
    for name in found:
        revoke(session, name, now)
    return tuple(found)


def describe(session: Session, name: str) -> tuple[str | None, datetime | None, str]:
    """(holder, expires_at, note), for people to see."""
    row = session.exec(select(LockRow).where(LockRow.name == name)).first()
    return (None, None, "") if row is None else (row.holder, row.expires_at, row.note)


def _until(row: LockRow, now: datetime, ttl: timedelta) -> None:
    row.expires_at, row.term_s = now + ttl, ttl.total_seconds()


def _only_slow(row: LockRow, now: datetime, lag: timedelta) -> bool:
    """It ran out, and by no more than this machine is late with everything."""
    return row.expires_at <= now < row.expires_at + lag


def _holds(row: LockRow, now: datetime) -> bool:
    return terms.holds(row.expires_at, seconds(row.term_s), now)


def _row(session: Session, name: str) -> LockRow | None:
    return session.exec(select(LockRow).where(LockRow.name == name).with_for_update()).first()
