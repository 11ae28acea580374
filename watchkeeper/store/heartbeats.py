"""Signs of life of the watch's own parts: one row a part, overwritten by each new result."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session, col, delete, select

from watchkeeper.heartbeat import FRESH_INTERVALS, Heartbeat, Part, Result
from watchkeeper.store.rows import add_first
from watchkeeper.store.tables import HeartbeatRow

DETAIL_CHARS = 500


def beat(
    session: Session,
    part: Part,
    now: datetime,
    result: Result = Result.WELL,
    detail: str = "",
    *,
    every: timedelta | None,
    target: str = "",
    value: float | None = None,
) -> None:
    """Record a result that was seen now. `every`: how soon the next one is due, if one is.

    `detail` is shown to people: it holds no secret and no text of a vendor that was not escaped.
    """
    row = _row(session, part, target)
    if row is None:
        row = HeartbeatRow(part=part, target=target, at=now, result=result, since=now)
        if not add_first(session, row):
            row = _row(session, part, target) or row
    if row.result != result or _paused(row, now, every):
        row.since = now
    row.at, row.result, row.value = now, result, value
    row.every_s = None if every is None else every.total_seconds()
    row.detail, row.misses = detail[:DETAIL_CHARS], 0
    if result is Result.WELL:
        row.well_at = now
    session.add(row)
    session.flush()


def missed(
    session: Session,
    part: Part,
    now: datetime,
    because: str,
    *,
    every: timedelta,
    target: str = "",
) -> None:
    """A check was due and did not happen. The last result stays, and is not fresh any more."""
    row = _row(session, part, target)
    if row is None:
        beat(session, part, now, Result.UNKNOWN, "never checked", every=every, target=target)
        row = _row(session, part, target)
        assert row is not None
    row.missed_at, row.missed_because = now, because[:DETAIL_CHARS]
    row.misses += 1
    session.add(row)
    session.flush()


def last(session: Session, part: Part, target: str = "") -> Heartbeat | None:
    row = session.exec(
        select(HeartbeatRow).where(HeartbeatRow.part == part, HeartbeatRow.target == target)
    ).first()
    return None if row is None else _value(row)


def listed(session: Session) -> tuple[Heartbeat, ...]:
    """All of them, by part and target."""
    rows = session.exec(
        select(HeartbeatRow).order_by(col(HeartbeatRow.part), col(HeartbeatRow.target))
    )
    return tuple(_value(row) for row in rows)


def forget(session: Session, part: Part, target: str) -> None:
    """Of an integration that is not watched any more."""
    session.exec(
        delete(HeartbeatRow)
        .where(col(HeartbeatRow.part) == part)
        .where(col(HeartbeatRow.target) == target)
    )


def _row(session: Session, part: Part, target: str) -> HeartbeatRow | None:
    return session.exec(
        select(HeartbeatRow)
        .where(HeartbeatRow.part == part, HeartbeatRow.target == target)
        .with_for_update()
    ).first()


def _paused(row: HeartbeatRow, now: datetime, every: timedelta | None) -> bool:
    """Whether so much time passed since the last result that nothing is known of it."""
    usual = [one for one in (_every(row), every) if one is not None]
    return bool(usual) and now - row.at > FRESH_INTERVALS * max(usual)


def _every(row: HeartbeatRow) -> timedelta | None:
    return None if row.every_s is None else timedelta(seconds=row.every_s)


def _value(row: HeartbeatRow) -> Heartbeat:
    return Heartbeat(
        part=Part(row.part),
        target=row.target,
        at=row.at,
        every=_every(row),
        result=Result(row.result),
        detail=row.detail,
        value=row.value,
        since=row.since,
        well_at=row.well_at,
        missed_at=row.missed_at,
        missed_because=row.missed_because,
        misses=row.misses,
    )
