"""How long the endpoints took of late, out of what was kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.evidence import Kind, Reading
from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import ObservationRow


def last_looks(
    session: Session, integration: str, probes: Iterable[str], before: datetime, at_most: int
) -> dict[str, tuple[Reading, ...]]:
    """Of each endpoint what its last so many looks saw, the newest last, whatever they were for."""
    return {probe: _of_one(session, integration, probe, before, at_most) for probe in probes}


def _of_one(
    session: Session, integration: str, probe: str, before: datetime, at_most: int
) -> tuple[Reading, ...]:
    rows = session.exec(
        select(ObservationRow)
        .where(ObservationRow.integration == integration, ObservationRow.probe == probe)
        .where(ObservationRow.kind == Kind.ENDPOINT, col(ObservationRow.look_id).is_not(None))
        .where(col(ObservationRow.at) < before)
        .order_by(col(ObservationRow.at).desc(), col(ObservationRow.id).desc())
        .limit(at_most)
    )
    return tuple(value_of(Reading, row) for row in rows)[::-1]
