"""The right to act, held once a run: a phase called by its responder shares the responder's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from prefect.runtime import flow_run

from tasks.context import current
from watchkeeper.incident import Incident
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import on_duty

_held: ContextVar[Duty | None] = ContextVar("duty", default=None)


@asynccontextmanager
async def duty_for(incident: Incident, epoch: int = 0) -> AsyncIterator[Duty | None]:
    """None where another run is responding to this incident."""
    held = _held.get()
    if held is not None and held.incident_id == incident.id:
        yield held
        return
    # A suspended run comes back under its own name in a new process.
    holder = flow_run.id or f"process:{os.getpid()}"
    async with on_duty(current(), incident, epoch, holder) as duty:
        token = _held.set(duty)
        try:
            yield duty
        finally:
            _held.reset(token)
