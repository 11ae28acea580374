"""Watch every integration; on a confirmed failure wake people and start the responder."""

from __future__ import annotations

import asyncio

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.incidents import chosen
from tasks.lateness import needed_checks
from tasks.showing import show_endpoint_health
from tasks.watching import check, open_incident, page, spare_the_answer, start_responder
from watchkeeper.performing.detecting import Check


@flow(name="health", flow_run_name="health", persist_result=False)
async def health(integration: str | None = None) -> State[None]:
    """Check one integration, or all of them.

    Args:
        integration: such as maintainx@prod; all when empty
    """
    async with needed_checks(chosen(integration)) as (names, late):
        if late and not names:
            return Completed(name="Late", message=late)
        return await check_each(names)


async def check_each(names: tuple[str, ...]) -> State[None]:
    looked = await asyncio.gather(*(check(name) for name in names), return_exceptions=True)
    found = [one for one in looked if isinstance(one, Check)]
    failing = [one for one in found if not one.healthy]
    alarms = await asyncio.gather(*(raise_alarm(one) for one in failing), return_exceptions=True)
    for one in found:
        await show_endpoint_health(one.evidence)
        if one.healthy:
            await spare_the_answer(one)
    for outcome in (*looked, *alarms):
        # What cannot be checked, or whose pager is broken, must not keep the others' alarms back.
        if isinstance(outcome, BaseException):
            raise outcome
    if failing:
        said = ", ".join(one.watched.name for one in failing)
        return Completed(name="Unhealthy", message=f"{said}: see the incident")
    return Completed(name="Healthy", message=f"{len(found)} integrations answer well")


async def raise_alarm(found: Check) -> None:
    """The page goes out from here, before anything else: no second process stands between."""
    incident = await open_incident(found)
    try:
        await page(incident)
    finally:
        # What nobody took is told to the next channel and by the next sweep; the cause waits for none.
        await start_responder(incident)
