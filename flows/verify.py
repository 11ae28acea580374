"""Prove the repair: good looks in a row, and records that move again."""

from __future__ import annotations

from prefect import flow

from tasks.incidents import open_incident_of
from tasks.recovering import verify as look_until_it_holds
from watchkeeper.verification import Recovery


@flow(name="verify", flow_run_name="verify {integration}", persist_result=False)
async def verify(integration: str) -> Recovery:
    """Look until the runbook's rule holds or its patience is over; changes nothing.

    Args:
        integration: such as maintainx@prod
    """
    return await look_until_it_holds(integration, open_incident_of(integration))
