"""The shared pace of an integration: read and moved in one short transaction.

Every process that calls the vendor asks here, so that all of them together keep one budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeGuard

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from watchkeeper.store.engine import Store
from watchkeeper.store.tables import LeaseRow, RateBucketRow


@dataclass(frozen=True, slots=True)
class Bucket:
    """What paces a call: the next free slot, the vendor's hold, the lowest cap in force (per s)."""

    next_at: datetime
    hold_until: datetime | None = None
    cap_per_s: float | None = None


class Grant(NamedTuple):
    """May it be sent; the bucket's next free slot afterwards; else, how long until asking helps."""

    granted: bool
    next_at: datetime
    wait_s: float


def ask(
    store: Store,
    integration: str,
    now: Callable[[], datetime],
    decide: Callable[[Bucket, datetime], Grant],
) -> Grant:
    """Put the bucket before `decide` and keep what it says, atomic against every other asker.

    The clock is read once the bucket is ours: the wait for it may have been longer than a slot.
    """
    with store.write() as session:
        row = _locked(session, integration, now())
        at = now()
        grant = decide(Bucket(row.next_at, row.hold_until, _cap(session, integration, at)), at)
        if grant.next_at != row.next_at:
            row.next_at = grant.next_at
    return grant


def hold(store: Store, integration: str, now: datetime, until: datetime) -> None:
    """Nothing but probes goes out before `until`. A longer hold stays."""
    with store.write() as session:
        row = _locked(session, integration, now)
        if row.hold_until is None or row.hold_until < until:
            row.hold_until = until


def _locked(session: Session, integration: str, now: datetime) -> RateBucketRow:
    query = select(RateBucketRow).where(RateBucketRow.integration == integration)
    row = session.exec(query.with_for_update()).one_or_none()
    if row is not None:
        return row
    values = {"integration": integration, "next_at": now}
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(RateBucketRow).values(values).on_conflict_do_nothing())
    else:
        session.execute(sqlite.insert(RateBucketRow).values(values).on_conflict_do_nothing())
    return session.exec(query.with_for_update()).one()


def _cap(session: Session, integration: str, now: datetime) -> float | None:
    leased = session.exec(
        select(LeaseRow.applied).where(
            col(LeaseRow.integration) == integration,
            col(LeaseRow.kind) == "rate_cap",
            col(LeaseRow.state) == "active",
            col(LeaseRow.expires_at) > now,
        )
    )
    caps = (applied.get("max_requests_per_s") for applied in leased)
    return min((float(cap) for cap in caps if _is_rate(cap)), default=None)


def _is_rate(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
