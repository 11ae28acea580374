"""One record of a vendor's list as a value: its identity, its version, its canonical text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from watchkeeper.gaps import version_of
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.strict_json import BadBody, canonical

LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Item:
    """`version` grows, compared as text, each time the record changes: its instant of change in
    UTC, or a zero-padded count. Of a record without either it is a digest, which only differs.

    `payload`: canonical JSON of the whole record.
    """

    record_id: str
    version: str
    changed_at: datetime | None
    payload: str = field(repr=False)


def iso(at: datetime) -> str:
    """UTC with milliseconds, and with microseconds where there are any, so that texts sort."""
    utc = at.astimezone(UTC)
    precision = "microseconds" if utc.microsecond % 1000 else "milliseconds"
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def item_of(record: Any, resource: Resource) -> Item:
    """Raises BadBody, naming the field and not its content, where it breaks the contract."""
    if not isinstance(record, dict):
        raise BadBody(f"{resource.name}: a record is not an object")
    record_id = _record_id(record.get(resource.id_field), resource)
    payload = canonical(record)
    if not resource.version_field:
        digest = hashlib.sha256(payload.encode()).hexdigest()[:16]
        return Item(record_id, f"sha256:{digest}", None, payload)
    value = record.get(resource.version_field)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return Item(record_id, f"{value:020d}", None, payload)
    changed_at = _instant(value)
    if changed_at is None:
        raise BadBody(
            f"{resource.name}: {resource.version_field} of a record is neither "
            "an instant with its offset nor a count"
        )
    # Always microseconds: texts of one length sort as the instants do.
    version = version_of(changed_at)
    return Item(record_id, version, changed_at, payload)


def _record_id(value: Any, resource: Resource) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and value.isprintable():
        return value
    raise BadBody(f"{resource.name}: {resource.id_field} of a record is no identity")


def _instant(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
