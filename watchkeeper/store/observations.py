"""What probes saw, kept."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.evidence import Evidence, Kind, Outcome
from watchkeeper.store.tables import ObservationRow


def keep(session: Session, evidence: Evidence, incident_id: int | None = None) -> None:
    for reading in evidence.readings:
        session.add(
            ObservationRow(
                integration=evidence.integration,
                incident_id=incident_id,
                at=reading.at,
                probe=reading.probe,
                kind=reading.kind,
                target=reading.target,
                outcome=reading.outcome,
                status=reading.status,
                latency_s=reading.latency_s,
                detail=reading.detail or reading.fault or "",
            )
        )


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
