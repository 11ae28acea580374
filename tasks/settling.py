"""Waiting out the list lag, and the places between phases where a drill may kill the run."""

from __future__ import annotations

import asyncio

from tasks.context import current
from watchkeeper.failpoints import failpoint
from watchkeeper.incident import Incident


def between_phases(done: str) -> None:
    failpoint(f"after.{done}")


async def settled(incident: Incident) -> bool:
    """True once the incident's settling time is over. A short rest of it is waited out here, a
    long one is left to the sweep: no process need live for two hours."""
    watch = current()
    if incident.settles_at is None:
        return True
    rest_s = (incident.settles_at - watch.now()).total_seconds()
    if rest_s > watch.settings.settle_inline_s:
        return False
    await asyncio.sleep(max(0.0, rest_s))
    return True
