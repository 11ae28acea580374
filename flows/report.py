"""Write the incident down: the source runbook's report, from the record alone."""

from __future__ import annotations

from prefect import flow

from tasks.incidents import incident_now
from tasks.recovering import write_report
from tasks.showing import show_incident


@flow(name="report", flow_run_name="report INC-{incident_id}", persist_result=False)
async def report(incident_id: int) -> str:
    """The report as a file and as an artifact; may be run at any time, and again.

    Args:
        incident_id: the number in INC-17
    """
    incident = incident_now(incident_id)
    await show_incident(incident)
    return await write_report(incident)
