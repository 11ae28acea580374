"""Pages: one a rung and incident under one dedup key, and what became of each at each channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, and_, col, func, select

from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import DeliveryRow, IncidentRow, PageRow
from watchkeeper.terms import ahead


class PageState(StrEnum):
    """`untaken`: no channel took it so far. `missed`: nor did one before nobody was needed any more."""

    UNTAKEN = "untaken"
    TRIGGERED = "triggered"
    RESOLVED = "resolved"
    MISSED = "missed"


class DeliveryState(StrEnum):
    """`doubtful`: sent, and whether it was taken is not known. The last two are final."""

    DOUBTFUL = "doubtful"
    FAILED = "failed"
    TAKEN = "taken"
    RESOLVED = "resolved"
    GIVEN_UP = "given_up"


FINAL = frozenset({DeliveryState.RESOLVED, DeliveryState.GIVEN_UP})
_LASTING = (PageState.UNTAKEN, PageState.TRIGGERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEntry:
    """One alert as we know it. `triggered_at`: when a channel first took it. `reason`: why the last
    attempt was taken by none."""

    incident_id: int
    level: int
    who: str
    dedup_key: str
    state: PageState
    reason: str
    wanted_at: datetime | None
    triggered_at: datetime | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None

    @property
    def up(self) -> bool:
        return self.state is PageState.TRIGGERED

    def waits_since(self, moment: datetime) -> bool:
        """Whether it was wanted after that moment, and waits for a channel that takes it."""
        late = self.wanted_at is not None and self.wanted_at > moment
        return self.state is PageState.UNTAKEN and late


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One page at one channel. `round` and `attempts`: of the incident's round that asked last."""

    incident_id: int
    level: int
    channel: str
    round: int
    state: DeliveryState
    reason: str
    attempts: int
    tried_at: datetime
    taken_at: datetime | None
    ended_at: datetime | None


def wanted(
    session: Session, incident_id: int, level: int, who: str, dedup_key: str, now: datetime
) -> None:
    """Kept as it was while it is up or waits for a taker; after its end it is a new alert, which
    nobody has acknowledged."""
    row = _row(session, incident_id, level)
    if row is None:
        row = PageRow(
            incident_id=incident_id, level=level, who=who, dedup_key=dedup_key, state="", reason=""
        )
    if row.state not in _LASTING:
        row.state, row.reason, row.wanted_at = PageState.UNTAKEN, "", now
        row.triggered_at = row.acknowledged_at = row.resolved_at = None
    session.add(row)
    session.flush()


def not_taken(session: Session, incident_id: int, level: int, reason: str) -> None:
    """No channel took it, though earlier alerts under its key may be up still."""
    row = _row(session, incident_id, level)
    if row is not None:
        row.state, row.reason = PageState.UNTAKEN, reason
        session.add(row)


def trying(
    session: Session, incident_id: int, level: int, channel: str, round: int, now: datetime
) -> None:
    """Written before the call: whoever dies in it leaves a delivery in doubt behind."""
    row = _delivery(session, incident_id, level, channel) or DeliveryRow(
        incident_id=incident_id,
        level=level,
        channel=channel,
        round=round,
        state=DeliveryState.DOUBTFUL,
        tried_at=now,
    )
    if row.state in FINAL:
        row.taken_at = row.ended_at = None
    if row.round != round or row.state in FINAL:
        row.round, row.attempts = round, 0
    row.state, row.tried_at = DeliveryState.DOUBTFUL, now
    row.attempts += 1
    session.add(row)
    session.flush()


def tried(
    session: Session,
    incident_id: int,
    level: int,
    channel: str,
    state: DeliveryState,
    now: datetime,
    reason: str = "",
) -> bool:
    """What came of the call; whether it was taken, and had not been before. The first channel that
    takes a page makes it triggered."""
    row = _delivery(session, incident_id, level, channel)
    if row is None:
        return False
    newly = state is DeliveryState.TAKEN and row.state != DeliveryState.TAKEN
    if state is DeliveryState.FAILED and row.taken_at is not None:
        # The alert of an earlier round is up there, and is to be resolved.
        state = DeliveryState.DOUBTFUL
    row.state, row.reason, row.tried_at = state, reason, now
    if state is DeliveryState.TAKEN:
        row.taken_at = row.taken_at or now
        page = _row(session, incident_id, level)
        if page is not None and page.state != PageState.TRIGGERED:
            page.state, page.reason, page.triggered_at = PageState.TRIGGERED, "", now
            session.add(page)
    if state in FINAL:
        row.ended_at = now
    session.add(row)
    return newly


def over(session: Session, incident_id: int, level: int, now: datetime) -> PageState | None:
    """Nobody need be called any more: resolved, or missed where no channel ever took it. None where it
    was over before."""
    row = _row(session, incident_id, level)
    if row is None or row.state not in _LASTING:
        return None
    missed = row.state == PageState.UNTAKEN
    row.state, row.resolved_at = (PageState.MISSED if missed else PageState.RESOLVED), now
    session.add(row)
    return PageState(row.state)


def acknowledge(session: Session, incident_id: int, now: datetime) -> None:
    for row in session.exec(select(PageRow).where(PageRow.incident_id == incident_id)):
        row.acknowledged_at = row.acknowledged_at or now
        session.add(row)


def redate(session: Session, now: datetime) -> tuple[int, ...]:
    """Alerts that last since a time that is still to come: from now on they are waited for as if they
    had just gone out. The incidents that they belong to."""
    found = set()
    for row in session.exec(select(PageRow).where(col(PageRow.state).in_(_LASTING))):
        if row.wanted_at is not None and ahead(row.wanted_at, now):
            row.wanted_at = now
            found.add(row.incident_id)
        if row.triggered_at is not None and ahead(row.triggered_at, now):
            row.triggered_at = now
            found.add(row.incident_id)
        session.add(row)
    return tuple(sorted(found))


def of_incident(session: Session, incident_id: int) -> tuple[PageEntry, ...]:
    rows = session.exec(
        select(PageRow).where(PageRow.incident_id == incident_id).order_by(col(PageRow.level))
    )
    return tuple(value_of(PageEntry, row) for row in rows)


def deliveries(session: Session, incident_id: int) -> tuple[Delivery, ...]:
    """By rung, in the order in which the channels were first tried."""
    rows = session.exec(
        select(DeliveryRow)
        .where(DeliveryRow.incident_id == incident_id)
        .order_by(col(DeliveryRow.level), col(DeliveryRow.id))
    )
    return tuple(value_of(Delivery, row) for row in rows)


def last_deliveries(session: Session, integration: str) -> tuple[Delivery, ...]:
    """The newest of each channel that an integration's pages went to, by the channel's name."""
    newest = (
        select(DeliveryRow.channel, func.max(DeliveryRow.tried_at).label("tried_at"))
        .join(IncidentRow, col(IncidentRow.id) == DeliveryRow.incident_id)
        .where(IncidentRow.integration == integration)
        .group_by(DeliveryRow.channel)
        .subquery()
    )
    rows = session.exec(
        select(DeliveryRow)
        .join(IncidentRow, col(IncidentRow.id) == DeliveryRow.incident_id)
        .join(
            newest,
            and_(
                newest.c.channel == DeliveryRow.channel,
                newest.c.tried_at == DeliveryRow.tried_at,
            ),
        )
        .where(IncidentRow.integration == integration)
        .order_by(col(DeliveryRow.id))
    )
    found = {row.channel: value_of(Delivery, row) for row in rows}
    return tuple(found[name] for name in sorted(found))


def untaken(session: Session) -> tuple[PageEntry, ...]:
    """Of open incidents: every page that should have reached somebody by now and was taken by no
    channel, the oldest first. One that a person has acknowledged or taken over needs none."""
    rows = session.exec(
        select(PageRow)
        .join(IncidentRow, col(IncidentRow.id) == PageRow.incident_id)
        .where(PageRow.state == PageState.UNTAKEN, col(IncidentRow.open_key).is_not(None))
        .where(col(PageRow.acknowledged_at).is_(None), col(IncidentRow.taken_by).is_(None))
        .order_by(col(PageRow.wanted_at), col(PageRow.id))
    )
    return tuple(value_of(PageEntry, row) for row in rows)


def up_of_closed(session: Session) -> tuple[int, ...]:
    """The closed incidents that have a page or a delivery without an end."""
    ended = [state.value for state in FINAL]
    lasting = [state.value for state in _LASTING]
    closed = col(IncidentRow.closed_at).is_not(None)
    told = (
        select(DeliveryRow.incident_id)
        .join(IncidentRow, col(IncidentRow.id) == DeliveryRow.incident_id)
        .where(col(DeliveryRow.state).not_in(ended), closed)
    )
    up = (
        select(PageRow.incident_id)
        .join(IncidentRow, col(IncidentRow.id) == PageRow.incident_id)
        .where(col(PageRow.state).in_(lasting), closed)
    )
    return tuple(sorted({*session.exec(told), *session.exec(up)}))


def _row(session: Session, incident_id: int, level: int) -> PageRow | None:
    return session.exec(
        select(PageRow)
        .where(PageRow.incident_id == incident_id, PageRow.level == level)
        .with_for_update()
    ).first()


def _delivery(session: Session, incident_id: int, level: int, channel: str) -> DeliveryRow | None:
    return session.exec(
        select(DeliveryRow)
        .where(DeliveryRow.incident_id == incident_id, DeliveryRow.level == level)
        .where(DeliveryRow.channel == channel)
        .with_for_update()
    ).first()
