"""The last known entry of each integration, and which of them something still hangs on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from watchkeeper.mitigation.lease import LeaseState
from watchkeeper.runbook.load import EntryText
from watchkeeper.store.pages import up_of_closed
from watchkeeper.store.rows import add_first
from watchkeeper.store.tables import EntryRow, IncidentRow, LeaseRow


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """What the files said at `read_at`. `fault`: why they do not say it any more, since `fault_at`;
    empty while they do. `gone`: the entry was taken out of a file that is well."""

    name: str
    text: EntryText
    read_at: datetime
    gone: bool
    fault: str
    fault_at: datetime | None


def keep(session: Session, name: str, text: EntryText, now: datetime) -> bool:
    """The files give this entry now. True where they did not a moment ago."""
    row = session.get(EntryRow, name)
    if row is None:
        add_first(
            session,
            EntryRow(
                name=name, entry=text.entry, runbook=text.runbook, digest=text.digest, read_at=now
            ),
        )
        return False
    mended = bool(row.fault)
    row.entry, row.runbook, row.digest, row.read_at = text.entry, text.runbook, text.digest, now
    row.gone, row.fault, row.fault_at = False, "", None
    session.add(row)
    return mended


def missing(session: Session, name: str, fault: str, gone: bool, now: datetime) -> bool:
    """The files do not give this entry. True where that is news: to be told once. One that was taken
    out stays so while its file cannot be read."""
    row = session.get(EntryRow, name)
    if row is None or (row.fault == fault and (row.gone or not gone)):
        return False
    row.fault, row.gone = fault, row.gone or gone
    row.fault_at = row.fault_at or now
    session.add(row)
    return True


def holds(session: Session, name: str, text: EntryText) -> bool:
    """Whether this is the last known entry, and the files gave it when they were last read."""
    row = session.get(EntryRow, name)
    return row is not None and not row.fault and row.digest == text.digest


def known(session: Session, name: str) -> KnownEntry | None:
    row = session.get(EntryRow, name)
    return None if row is None else _value(row)


def listed(session: Session) -> tuple[KnownEntry, ...]:
    return tuple(_value(row) for row in session.exec(select(EntryRow).order_by(EntryRow.name)))


def needed(session: Session) -> frozenset[str]:
    """The integrations on which something hangs: an open incident, a lease, a page that is up."""
    open_ones = select(IncidentRow.integration).where(col(IncidentRow.open_key).is_not(None))
    held = select(LeaseRow.integration).where(LeaseRow.state == LeaseState.ACTIVE)
    paged = select(IncidentRow.integration).where(col(IncidentRow.id).in_(up_of_closed(session)))
    return frozenset(name for query in (open_ones, held, paged) for name in session.exec(query))


def _value(row: EntryRow) -> KnownEntry:
    text = EntryText(row.entry, row.runbook)
    return KnownEntry(row.name, text, row.read_at, row.gone, row.fault, row.fault_at)
