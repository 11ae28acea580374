"""Earlier looks at a metrics page, so that the next one can tell rates."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite

from sqlmodel import Session, col, delete, select

from watchkeeper.metrics import Scrape, Unreadable
from watchkeeper.metrics.promtext import canonical, named
from watchkeeper.store.tables import ScrapeRow

KEPT = 3
OLDEST_S = 30 * 60.0


def keep(session: Session, integration: str, source: str, scrape: Scrape) -> None:
    """Add a scrape; of each source the newest few stay, and none that is too old to be used."""
    samples = {canonical(series): _stored(value) for series, value in scrape.samples.items()}
    session.add(ScrapeRow(integration=integration, source=source, at=scrape.at, samples=samples))
    session.flush()
    ours = col(ScrapeRow.integration) == integration
    newest = (
        select(ScrapeRow.id)
        .where(ours, col(ScrapeRow.source) == source)
        .order_by(col(ScrapeRow.at).desc(), col(ScrapeRow.id).desc())
        .limit(KEPT)
    )
    more = (col(ScrapeRow.source) == source) & col(ScrapeRow.id).not_in(newest)
    old = col(ScrapeRow.at) < scrape.at - timedelta(seconds=OLDEST_S)
    session.exec(delete(ScrapeRow).where(ours, more | old))


def before(
    session: Session,
    integration: str,
    source: str,
    at: datetime,
    min_age_s: float,
    max_age_s: float = OLDEST_S,
) -> Scrape | None:
    """The newest scrape of the source that is at least so old; None where there is none."""
    row = session.exec(
        select(ScrapeRow)
        .where(ScrapeRow.integration == integration, ScrapeRow.source == source)
        .where(col(ScrapeRow.at) <= at - timedelta(seconds=min_age_s))
        .where(col(ScrapeRow.at) >= at - timedelta(seconds=max_age_s))
        .order_by(col(ScrapeRow.at).desc())
        .limit(1)
    ).first()
    return None if row is None else _value(row)


def _value(row: ScrapeRow) -> Scrape | None:
    try:
        values = [float(value) for value in row.samples.values()]
        return Scrape(row.at, dict(zip(named(row.samples), values, strict=True)))
    except (Unreadable, TypeError, ValueError):
        return None


def _stored(value: float) -> float | str:
    """PostgreSQL's JSON knows neither NaN nor infinities as numbers."""
    return value if isfinite(value) else str(value)
