"""Reading an incident as it is now: what each phase does first, so that it skips what is done."""

from __future__ import annotations

from tasks.context import current
from watchkeeper.errors import UserError
from watchkeeper.incident import Incident
from watchkeeper.store import incidents


def incident_now(incident_id: int) -> Incident:
    with current().store.read() as session:
        return incidents.get(session, incident_id)


def open_incident_of(integration: str) -> Incident | None:
    with current().store.read() as session:
        return incidents.current(session, integration)


def chosen(integration: str | None) -> tuple[str, ...]:
    """The one named, or every integration there is. Raises UserError on one that is not known."""
    watch = current()
    if integration is None:
        return watch.named
    watch.integration(integration)
    return (integration,)


def needs_incident(integration: str) -> Incident:
    found = open_incident_of(integration)
    if found is None:
        raise UserError(
            f"{integration} has no open incident to act for: "
            f"watchkeeper incident open {integration} --reason ..."
        )
    return found
