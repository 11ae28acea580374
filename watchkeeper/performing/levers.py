"""Levers: what is far from our database, shows a value, and can be set to another one under a lease.

A setting of a service, how many replicas it has, a job that something else runs. What it was is
written down before it is touched; ending the lease sets it back, unless somebody else has been at
it since, and reads it again to see that it is so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from watchkeeper.effects import (
    REPLICAS_RESTORE,
    REPLICAS_SET,
    SCHEDULE_PAUSE,
    SCHEDULE_RESTORE,
    SETTING_RESTORE,
    SETTING_SET,
    EffectKind,
)
from watchkeeper.errors import Permanent, Transient, UserError
from watchkeeper.mitigation.job import PAUSED, RUNNING
from watchkeeper.mitigation.lease import LeaseKind, Shown, said
from watchkeeper.performing.connectors import runtime_of, scheduler_of, settings_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.schedulers import JobScheduler


@dataclass(frozen=True, slots=True)
class Lever:
    """One of them, with what to call an effect on it."""

    kind: LeaseKind
    target: str
    sets: EffectKind
    restores: EffectKind
    read: Callable[[], Awaitable[Shown]]
    write: Callable[[str | None], Awaitable[object]]

    async def shows(self, value: str | None) -> str | None:
        """What proves that it has this value, or None."""
        return f"shows {said(value)}" if (await self.read()).value == value else None

    async def proven(self, value: str | None) -> Shown:
        """Raises Transient where it does not show what it was set to."""
        shown = await self.read()
        if shown.value != value:
            raise Transient(f"{self.target} shows {said(shown.value)}, not {said(value)}")
        return shown


def lever_of(watch: Watch, watched: Watched, kind: LeaseKind, target: str) -> Lever:
    """Raises UserError where the integration has it no more."""
    return _OPENERS[kind](watch, watched, target)


def _setting(watch: Watch, watched: Watched, name: str) -> Lever:
    settings = settings_of(watch, watched)

    async def read() -> Shown:
        return Shown((await settings.read((name,)))[name])

    async def write(value: str | None) -> None:
        await settings.write({name: value})

    return Lever(LeaseKind.SETTING, name, SETTING_SET, SETTING_RESTORE, read, write)


def _replicas(watch: Watch, watched: Watched, name: str) -> Lever:
    runtime = runtime_of(watch, consumer_named(watched, name))

    async def read() -> Shown:
        return Shown(str(await runtime.replicas()))

    async def write(value: str | None) -> str:
        if value is None:
            raise Permanent(f"{name} was never counted: nobody knows how many it had")
        return await runtime.scale(int(value))

    return Lever(LeaseKind.REPLICAS, name, REPLICAS_SET, REPLICAS_RESTORE, read, write)


def _schedule(watch: Watch, watched: Watched, name: str) -> Lever:
    scheduler: JobScheduler = scheduler_of(watch, watched, name)

    async def read() -> Shown:
        paused, mark = await scheduler.state()
        return Shown(PAUSED if paused else RUNNING, mark)

    async def write(value: str | None) -> object:
        return await (scheduler.pause() if value == PAUSED else scheduler.resume())

    return Lever(LeaseKind.PAUSED_SCHEDULE, name, SCHEDULE_PAUSE, SCHEDULE_RESTORE, read, write)


_OPENERS: dict[LeaseKind, Callable[[Watch, Watched, str], Lever]] = {
    LeaseKind.SETTING: _setting,
    LeaseKind.REPLICAS: _replicas,
    LeaseKind.PAUSED_SCHEDULE: _schedule,
}


def consumer_named(watched: Watched, name: str) -> Consumer:
    found = next((c for c in watched.integration.consumers if c.name == name), None)
    if found is None:
        raise UserError(f"{watched.name} has no consumer {name!r} any more")
    return found
