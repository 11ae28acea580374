"""Where records belong. Making data whole means vendor against sink.

A sink gives the index of a resource, takes rows, and keeps a backfill's checkpoint in the same
transaction as its rows where it can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from sqlmodel import Session

from watchkeeper.vendor.items import Item

# Runs inside the sink's transaction, where it has one.
Checkpoint = Callable[[Session], None]


class Sink(Protocol):
    """Upserts may be repeated, in any order: an older version never replaces a newer one."""

    def index(self, resource: str) -> dict[str, str]:
        """record id -> version of everything held."""

    def write(self, resource: str, items: Sequence[Item], checkpoint: Checkpoint) -> None:
        """Upsert the items and run the checkpoint with them."""
