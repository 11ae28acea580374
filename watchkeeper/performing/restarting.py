"""Restarting our service: one consumer after the other, and each seen to answer before the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from watchkeeper.effects import SERVICE_RESTART
from watchkeeper.errors import Transient
from watchkeeper.mitigation.actions import Restart
from watchkeeper.performing.connectors import runtime_of
from watchkeeper.performing.health_probe import service_health
from watchkeeper.performing.ledger import Duty, perform
from watchkeeper.performing.levers import consumer_named
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched

Sleep = Callable[[float], Awaitable[None]]
TRIES = 20
PAUSE_S = 0.5


async def restart_all(
    watch: Watch, duty: Duty, watched: Watched, action: Restart, sleep: Sleep = asyncio.sleep
) -> None:
    """Each once a round. Raises what a restart raised: those after it are left as they are."""
    for name in action.consumers:
        consumer = consumer_named(watched, name)
        await _restart(watch, duty, consumer)
        await _answers(consumer, sleep)


async def _restart(watch: Watch, duty: Duty, consumer: Consumer) -> None:
    runtime, mark = runtime_of(watch, consumer), f"INC-{duty.incident_id}-{duty.round}"

    async def do() -> str:
        return await runtime.restart(mark)

    async def read_back() -> str | None:
        return await runtime.restarted(mark)

    await perform(watch, duty, SERVICE_RESTART, consumer.name, do, read_back)


async def _answers(consumer: Consumer, sleep: Sleep) -> None:
    """Any answer to its health address: whether it is well is for the verification to see."""
    for _ in range(TRIES):
        health = await service_health(consumer.health_url, consumer.fingerprint_field)
        if health.status is not None:
            return
        await sleep(PAUSE_S)
    raise Transient(f"{consumer.name} does not answer after its restart")
