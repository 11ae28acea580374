"""The shared pace of an integration: read and moved in one short transaction.

Every process that calls the vendor asks here, so that all of them together keep one budget.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, TypeGuard

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from watchkeeper.store import volume
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import LeaseRow, RateBucketRow
from watchkeeper.terms import seconds, void

# Of a cap in force whose number cannot be read: a call a day. It is no leave to go on as before.
NO_RATE = 1 / 86_400


@dataclass(frozen=True, slots=True)
class Bucket:
    """What paces a call: the next free slot, the vendor's hold, the lowest cap in force (per s)."""

    next_at: datetime
    hold_until: datetime | None = None
    cap_per_s: float | None = None
    hold_term: timedelta | None = None


class Grant(NamedTuple):
    """May it be sent; the bucket's next free slot afterwards; else, how long until asking helps."""

    granted: bool
    next_at: datetime
    wait_s: float


class Asker(NamedTuple):
    """What decides on one call, and whose it is counted as once it is granted; "": nobody's."""

    decide: Callable[[Bucket, datetime], Grant]
    consumer: str = ""


def ask(
    store: Store,
    integration: str,
    now: Callable[[], datetime],
    askers: Sequence[Asker],
    heed: Callable[[Session], None] | None = None,
) -> list[Grant]:
    """Put the bucket before each asker in turn and keep what it says, atomic against all others: as
    if each had asked by itself, in one transaction.

    What is granted is counted as the consumer's. What `heed` raises ends it before anybody's turn.

    The clock is read once the bucket is ours: the wait for it may have been longer than a slot.
    """
    with store.write() as session:
        if heed is not None:
            heed(session)
        row = _locked(session, integration, now())
        capped = _cap(session, integration, now())
        bucket = Bucket(row.next_at, row.hold_until, capped, seconds(row.hold_s))
        grants = []
        for asker in askers:
            grants.append(asker.decide(bucket, now()))
            bucket = replace(bucket, next_at=grants[-1].next_at)
        if bucket.next_at != row.next_at:
            row.next_at = bucket.next_at
        granted = (a.consumer for a, grant in zip(askers, grants, strict=True) if grant.granted)
        for consumer, requests in Counter(granted).items():
            if consumer:
                volume.count(session, integration, consumer, now(), requests)
    return grants


def hold(store: Store, integration: str, now: datetime, until: datetime) -> None:
    """Nothing but probes goes out before `until`. A longer hold stays."""
    with store.write() as session:
        row = _locked(session, integration, now)
        kept = row.hold_until
        if kept is None or kept < until or void(kept, seconds(row.hold_s), now):
            row.hold_until, row.hold_s = until, (until - now).total_seconds()


def _locked(session: Session, integration: str, now: datetime) -> RateBucketRow:
    row = session.exec(_BUCKET, params={"integration": integration}).one_or_none()
    if row is not None:
        return row
    values = {"integration": integration, "next_at": now}
    if session.get_bind().dialect.name == "postgresql":
        session.execute(postgresql.insert(RateBucketRow).values(values).on_conflict_do_nothing())
    else:
        session.execute(sqlite.insert(RateBucketRow).values(values).on_conflict_do_nothing())
    return session.exec(_BUCKET, params={"integration": integration}).one()


def _cap(session: Session, integration: str, now: datetime) -> float | None:
    leased = session.exec(_CAPS, params={"integration": integration, "now": now})
    caps = (applied.get("max_requests_per_s") for applied in leased)
    return min((float(cap) if _is_rate(cap) else NO_RATE for cap in caps), default=None)


# Made once: each call to a vendor asks them.
_BUCKET = (
    select(RateBucketRow)
    .where(col(RateBucketRow.integration) == bindparam("integration"))
    .with_for_update()
)
_CAPS = select(LeaseRow.applied).where(
    col(LeaseRow.integration) == bindparam("integration"),
    col(LeaseRow.kind) == "rate_cap",
    col(LeaseRow.state) == "active",
    col(LeaseRow.expires_at) > bindparam("now"),
)


def _is_rate(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and value > 0
