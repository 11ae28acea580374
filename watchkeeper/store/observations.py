"""What probes saw, kept: look by look, so that a look can be judged again by other rules."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, or_, update
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col, select

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import IncidentRow, ObservationRow
from watchkeeper.terms import DRIFT

# So many rows are fetched, or forgotten, at a time.
BATCH = 5000


class Purpose(StrEnum):
    """What a look was for."""

    HEALTH = "health"  # the one look of each check
    CONFIRMING = "confirming"  # those that follow a first failure
    TRIAGE = "triage"
    VERIFYING = "verifying"


def keep(
    session: Session,
    evidence: Evidence,
    incident_id: int | None = None,
    purpose: Purpose | None = None,
) -> None:
    """Write one look down, whole: `looks` gives it back as it was."""
    look_id = uuid.uuid4().hex
    session.add_all(
        ObservationRow(
            integration=evidence.integration,
            incident_id=incident_id,
            look_id=look_id,
            purpose=purpose,
            looked_at=evidence.at,
            slow_s=evidence.slow.total_seconds(),
            tells_missing_key=evidence.tells_missing_key,
            behind_gateway=evidence.behind_gateway,
            **{name: getattr(reading, name) for name in _OF_READING},
        )
        for reading in evidence.readings
    )


_OF_READING = tuple(Reading.__dataclass_fields__)


def looks(
    session: Session,
    integration: str | None = None,
    incident_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Iterator[tuple[int | None, Evidence]]:
    """(incident, look) of every look begun in [since, until), oldest first, a few rows at a time."""
    query = (
        select(ObservationRow)
        .where(col(ObservationRow.look_id).is_not(None))
        .where(*_asked(integration, incident_id, col(ObservationRow.looked_at), since, until))
        .order_by(
            col(ObservationRow.looked_at), col(ObservationRow.look_id), col(ObservationRow.id)
        )
        .execution_options(yield_per=BATCH)
    )
    for _, rows in groupby(session.exec(query), key=lambda row: row.look_id):
        yield _evidence(list(rows))


def too_old(
    session: Session,
    integration: str | None = None,
    incident_id: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> int:
    """How many readings in [since, until) are of a time when looks were not kept whole."""
    query = (
        select(func.count())
        .select_from(ObservationRow)
        .where(col(ObservationRow.look_id).is_(None))
        .where(*_asked(integration, incident_id, col(ObservationRow.at), since, until))
    )
    return session.exec(query).one()


def _asked(
    integration: str | None,
    incident_id: int | None,
    at: Mapped[Any],
    since: datetime | None,
    until: datetime | None,
) -> list[ColumnElement[bool]]:
    """What of it was asked for; nothing stands for anything."""
    terms: list[ColumnElement[bool]] = []
    if integration is not None:
        terms.append(col(ObservationRow.integration) == integration)
    if incident_id is not None:
        terms.append(col(ObservationRow.incident_id) == incident_id)
    if since is not None:
        terms.append(at >= since)
    if until is not None:
        terms.append(at < until)
    return terms


def _evidence(rows: list[ObservationRow]) -> tuple[int | None, Evidence]:
    first = rows[0]
    assert first.looked_at is not None and first.slow_s is not None
    evidence = Evidence(
        integration=first.integration,
        at=first.looked_at,
        readings=tuple(value_of(Reading, row) for row in rows),
        slow=timedelta(seconds=first.slow_s),
        tells_missing_key=bool(first.tells_missing_key),
        behind_gateway=bool(first.behind_gateway),
    )
    return first.incident_id, evidence


def tie(session: Session, integration: str, incident_id: int, since: datetime) -> None:
    """The looks begun at or after `since` that belong to no incident yet are this one's."""
    session.execute(
        update(ObservationRow)
        .where(col(ObservationRow.integration) == integration)
        .where(col(ObservationRow.incident_id).is_(None))
        .where(col(ObservationRow.looked_at) >= since)
        .values(incident_id=incident_id)
    )


def forget(session: Session, before: datetime, tied_before: datetime) -> int:
    """Delete readings of before `before`, and those of incidents of before `tied_before`; none of
    an incident that is open. At most a batch a call: how many went."""
    at, tied = col(ObservationRow.at), col(ObservationRow.incident_id)
    still_open = select(IncidentRow.id).where(col(IncidentRow.open_key).is_not(None))
    gone = or_(
        and_(tied.is_(None), at < before),
        and_(tied.is_not(None), at < min(before, tied_before), tied.not_in(still_open)),
    )
    batch = select(ObservationRow.id).where(gone).limit(BATCH)
    deleted = delete(ObservationRow).where(col(ObservationRow.id).in_(batch))
    return session.connection().execute(deleted).rowcount


def last_of_probe(
    session: Session, integration: str, probe: str, at_most: int
) -> tuple[Reading, ...]:
    """What the last so many health checks saw of an endpoint, the newest first."""
    about = {"integration": integration, "probe": probe, "at_most": at_most}
    rows: Iterable[Any] = session.connection().execute(_LAST_OF_PROBE, about)
    return tuple(value_of(Reading, row) for row in rows)


# Made once: a look asks it of each endpoint, and making it takes longer than the answer.
_LAST_OF_PROBE = (
    select(*(getattr(ObservationRow, name) for name in _OF_READING))
    .where(col(ObservationRow.integration) == bindparam("integration"))
    .where(col(ObservationRow.probe) == bindparam("probe"))
    .where(col(ObservationRow.kind) == Kind.ENDPOINT)
    .where(col(ObservationRow.purpose) == Purpose.HEALTH)
    .order_by(col(ObservationRow.at).desc())
    .limit(bindparam("at_most"))
)


def last_check(session: Session, integration: str, now: datetime) -> datetime | None:
    """When the newest health check looked, whatever it saw; one of the future is none."""
    return session.exec(
        select(ObservationRow.looked_at)
        .where(ObservationRow.integration == integration)
        .where(ObservationRow.purpose == Purpose.HEALTH)
        .where(col(ObservationRow.at) <= now)
        .order_by(col(ObservationRow.at).desc())
        .limit(1)
    ).first()


def checks(session: Session, integration: str) -> tuple[datetime, ...]:
    """When each health check that is still kept looked, the oldest first."""
    looked = session.exec(
        select(ObservationRow.looked_at)
        .where(ObservationRow.integration == integration)
        .where(ObservationRow.purpose == Purpose.HEALTH)
        .distinct()
        .order_by(col(ObservationRow.looked_at))
    )
    return tuple(at for at in looked if at is not None)


def last_of_kind(
    session: Session, integration: str, kind: Kind, since: datetime, now: datetime
) -> Reading | None:
    """The newest reading of a kind, if there is one in [since, now]. One of the future is none: the
    clock was set back, and it would stay the newest for as long."""
    row = session.exec(
        select(ObservationRow)
        .where(ObservationRow.integration == integration, ObservationRow.kind == kind)
        .where(col(ObservationRow.look_id).is_not(None))
        .where(col(ObservationRow.at) >= since, col(ObservationRow.at) <= now + DRIFT)
        .order_by(col(ObservationRow.at).desc())
        .limit(1)
    ).first()
    return None if row is None else value_of(Reading, row)


def unwell_services(session: Session, incident_id: int) -> frozenset[str]:
    """The probes of our own service that a look of this incident saw down or not well."""
    rows = session.exec(
        select(ObservationRow.probe)
        .where(ObservationRow.incident_id == incident_id, ObservationRow.kind == Kind.SERVICE)
        .where(col(ObservationRow.outcome).in_((Outcome.DOWN, Outcome.DEGRADED)))
        .distinct()
    )
    return frozenset(rows)


def last_answer(
    session: Session, integration: str, probe: str, of: str, since: datetime
) -> datetime | None:
    """When a probe of our own side last got any answer from that address, at or after `since`."""
    return session.exec(
        select(ObservationRow.at)
        .where(ObservationRow.integration == integration, ObservationRow.kind == Kind.SERVICE)
        .where(ObservationRow.probe == probe, ObservationRow.of == of)
        .where(col(ObservationRow.status).is_not(None), col(ObservationRow.at) >= since)
        .order_by(col(ObservationRow.at).desc())
        .limit(1)
    ).first()


def last_good(session: Session, integration: str, before: datetime) -> datetime | None:
    """When an endpoint last answered well: the harm began after that."""
    return session.exec(
        select(ObservationRow.at)
        .where(ObservationRow.integration == integration)
        .where(ObservationRow.kind == Kind.ENDPOINT, ObservationRow.outcome == Outcome.OK)
        .where(col(ObservationRow.at) < before)
        .order_by(col(ObservationRow.at).desc())
        .limit(1)
    ).first()
