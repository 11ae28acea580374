"""Find the cause, with the evidence for it and against the others. Changes nothing at the vendor."""

from __future__ import annotations

from prefect import flow

from tasks.incidents import open_incident_of
from tasks.showing import show_endpoint_health, show_triage
from tasks.watching import record_triage
from tasks.watching import triage as look_closely
from watchkeeper.incident import Incident


@flow(name="triage", flow_run_name="triage {integration}", persist_result=False)
async def triage(integration: str) -> Incident | None:
    """Look closely at one integration; with an open incident, write the diagnosis down.

    Args:
        integration: such as maintainx@prod
    """
    found = await look_closely(integration)
    await show_endpoint_health(found.evidence)
    incident = open_incident_of(integration)
    recorded = None if incident is None else await record_triage(incident, found)
    await show_triage(found)
    return recorded
