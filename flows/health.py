"""Watch every integration; on a confirmed failure wake people and start the responder."""

from __future__ import annotations

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.incidents import chosen
from tasks.lateness import needed_checks
from tasks.showing import show_endpoint_health
from tasks.together import failed_line, for_each
from tasks.watching import (
    check,
    not_checked,
    open_incident,
    page,
    spare_the_answer,
    start_responder,
)
from watchkeeper.performing.detecting import Check

# Longer than a check with its confirming looks, a page with its retries and the proof of a recovery
# take: what has not ended by then does not end.
LIMIT_S = 600.0


@flow(name="health", flow_run_name="health", persist_result=False)
async def health(integration: str | None = None) -> State[None]:
    """Check one integration, or all of them side by side.

    Args:
        integration: such as maintainx@prod; all when empty
    """
    async with needed_checks(chosen(integration)) as (names, late):
        if late and not names:
            return Completed(name="Late", message=late)
        return await check_each(names)


async def check_each(names: tuple[str, ...]) -> State[None]:
    """Side by side: a broken integration ends no other's turn, and only fails the run."""
    outcomes = await for_each(names, look_after, limit_s=LIMIT_S)
    found = [one for one in outcomes if one.got]
    failing = [f"{one.item}: see the incident" for one in found if one.got and not one.got.healthy]
    if failed := [failed_line(one) for one in outcomes if one.error]:
        # The others were checked all the same, and their alarms are out.
        well = len(found) - len(failing)
        return Failed(message="; ".join((*failed, *failing, f"{well} integrations answer well")))
    if failing:
        return Completed(name="Unhealthy", message="; ".join(failing))
    return Completed(name="Healthy", message=f"{len(outcomes)} integrations answer well")


async def look_after(name: str) -> Check:
    """One integration from its check to its page: its alarm waits for no other integration."""
    try:
        found = await check(name)
    except Exception as error:
        not_checked(name, error)
        raise
    if not found.healthy:
        await raise_alarm(found)
    await show_endpoint_health(found.evidence)
    if found.healthy:
        await spare_the_answer(found)
    return found


async def raise_alarm(found: Check) -> None:
    """The page goes out from here, before anything else: no second process stands between."""
    incident = await open_incident(found)
    try:
        await page(incident)
    finally:
        # A pager that does not answer keeps no responder from its work.
        await start_responder(incident)
