"""Who is called when: the runbook's ladder against an incident's clock."""

from __future__ import annotations

from datetime import datetime

from watchkeeper.incident import Incident
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.people import Rung


def due_rungs(
    runbook: Runbook,
    incident: Incident,
    paged_at: datetime | None,
    acknowledged_at: datetime | None,
    now: datetime,
) -> tuple[Rung, ...]:
    """The rungs that should have been called by now.

    The first rung is the page that opens the incident, and the clock of the others: an incident
    that came back has been waited for since its new page, not since it was first opened. The ladder
    stops the moment somebody acknowledges, takes over, or the service is well again; a severity
    that wakes nobody has none.
    """
    if not runbook.severity_level(incident.severity).pages:
        return ()
    ladder = sorted(runbook.escalation, key=lambda rung: rung.after)
    if paged_at is None or incident.taken_by is not None:
        return tuple(ladder[:1])
    stopped = [t for t in (acknowledged_at, incident.recovered_at) if t is not None]
    waited = min([now, *stopped]) - paged_at
    return (*ladder[:1], *(rung for rung in ladder[1:] if rung.after <= waited))
