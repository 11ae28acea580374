"""How far each resource is known to be complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from watchkeeper.store.rows import value_of
from watchkeeper.store.tables import WatermarkRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """`at`: the newest change seen in a completed walk. `walked_at`: when that walk began.

    `zero_walks`: so many walks in a row found nothing where earlier ones found something.
    """

    integration: str
    resource: str
    at: datetime | None
    walked_at: datetime
    rows: int
    zero_walks: int = 0


def get(session: Session, integration: str, resource: str) -> Watermark | None:
    row = session.get(WatermarkRow, (integration, resource))
    return None if row is None else value_of(Watermark, row)


def advance(
    session: Session,
    integration: str,
    resource: str,
    *,
    newest: datetime | None,
    walked_at: datetime,
    rows: int,
) -> None:
    """After a completed walk only. It never goes back, and never to `now`: an empty walk leaves it
    where it was (an empty page with an advanced watermark once lost an integrator 51 orders)."""
    row = session.exec(
        select(WatermarkRow)
        .where(WatermarkRow.integration == integration, WatermarkRow.resource == resource)
        .with_for_update()
    ).first() or WatermarkRow(integration=integration, resource=resource, walked_at=walked_at)
    if newest is not None and (row.at is None or newest > row.at):
        row.at = newest
    had_rows = row.at is not None or row.rows > 0 or row.zero_walks > 0
    row.zero_walks = row.zero_walks + 1 if had_rows and rows == 0 else 0
    row.walked_at, row.rows = max(row.walked_at, walked_at), rows
    session.add(row)


def listed(session: Session, integration: str) -> tuple[Watermark, ...]:
    rows = session.exec(select(WatermarkRow).where(WatermarkRow.integration == integration))
    return tuple(value_of(Watermark, row) for row in rows)
