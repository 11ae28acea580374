"""The `store` sink: Watchkeeper's own table, rows and checkpoint in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.performing.watch import Watch
from watchkeeper.sinks import Checkpoint
from watchkeeper.store import records
from watchkeeper.vendor.items import Item


@dataclass(frozen=True, slots=True)
class StoreSink:
    """Keyed by integration, resource and record id; guarded by the vendor's own version."""

    watch: Watch
    integration: str

    def index(self, resource: str) -> dict[str, str]:
        with self.watch.store.read() as session:
            return records.versions(session, self.integration, resource)

    def write(self, resource: str, items: Sequence[Item], checkpoint: Checkpoint) -> None:
        at = self.watch.now()
        rows = [
            {
                "integration": self.integration,
                "resource": resource,
                "record_id": item.record_id,
                "version": item.version,
                "payload": item.payload,
                "written_at": at,
                "deleted_at": None,
            }
            for item in items
        ]
        with self.watch.store.write() as session:
            records.upsert(session, rows)
            checkpoint(session)
