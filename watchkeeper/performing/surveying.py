"""The world as a plan needs to know it: our own rows, and what the services we may act on show."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from sqlmodel import Session

from watchkeeper.effects import KEY_PROMOTE
from watchkeeper.errors import WatchkeeperError
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.job import PAUSED, RUNNING
from watchkeeper.mitigation.lease import Shown
from watchkeeper.mitigation.settings import NAMES
from watchkeeper.mitigation.world import World
from watchkeeper.performing.connectors import runtime_of, scheduler_of, settings_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.runbook.mitigations import Mitigation
from watchkeeper.store import effects, incidents, jobs, leases, steps

SAME_TIME = timedelta(minutes=10)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A plan is for a person who waits: what does not answer in time is planned without.
PATIENCE_S = 10.0
_SETTINGS = frozenset(
    {
        *("cap_service", "enable_retries", "shed_requests", "limit_intake"),
        *("switch_model", "spread_keys", "cache_dns"),
    }
)
Seen = TypeVar("Seen")


async def survey(
    watch: Watch, watched: Watched, incident: Incident, rows: tuple[Mitigation, ...]
) -> World:
    """Asks only what these mitigations would touch, all at once. What cannot be read is told in the
    world's `unread`, never raised."""
    wanted = {row.action for row in rows}
    unread: dict[str, str] = {}
    settings, replicas, schedules = await asyncio.gather(
        _settings(watch, watched, unread) if wanted & _SETTINGS else _nothing(),
        _replicas(watch, watched, unread) if "scale_replicas" in wanted else _nothing(),
        _schedules(watch, watched, unread) if "pause_jobs" in wanted else _nothing(),
    )
    with watch.store.read() as session:
        return World(
            jobs=jobs.listed(session, watched.name),
            leases=leases.active(session, incident.id),
            steps=steps.of_round(session, incident),
            settings=settings,
            replicas=replicas,
            schedules=schedules,
            unread=unread,
            rotations_today=_rotations(session, watch, watched, incident),
            actions_last_hour=steps.begun_since(session, incident.id, watch.now() - HOUR),
            others_down=_others_down(session, incident),
        )


async def _nothing() -> dict[str, Seen]:
    return {}


async def _settings(
    watch: Watch, watched: Watched, unread: dict[str, str]
) -> dict[str, str | None]:
    if watched.integration.settings is None:
        return {}
    found = await _read("settings", settings_of(watch, watched).read(NAMES), unread)
    return found or {}


async def _replicas(watch: Watch, watched: Watched, unread: dict[str, str]) -> dict[str, int]:
    async def one(consumer: Consumer) -> tuple[str, int | None]:
        asked = runtime_of(watch, consumer).replicas()
        return consumer.name, await _read(f"replicas {consumer.name}", asked, unread)

    found = await asyncio.gather(*map(one, watched.integration.consumers))
    return {name: count for name, count in found if count is not None}


async def _schedules(watch: Watch, watched: Watched, unread: dict[str, str]) -> dict[str, Shown]:
    async def one(name: str) -> tuple[str, Shown | None]:
        asked = scheduler_of(watch, watched, name).state()
        found = await _read(f"schedule {name}", asked, unread)
        return name, found and Shown(PAUSED if found.paused else RUNNING, found.mark)

    found = await asyncio.gather(*(one(job.name) for job in watched.integration.jobs))
    return {name: shown for name, shown in found if shown is not None}


async def _read(what: str, asked: Awaitable[Seen], unread: dict[str, str]) -> Seen | None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await asked
    except TimeoutError:
        unread[what] = f"no answer within {PATIENCE_S:g} s"
    except WatchkeeperError as error:
        unread[what] = str(error)
    return None


def _rotations(session: Session, watch: Watch, watched: Watched, incident: Incident) -> int:
    """A rotation of this very round is not counted against its own cap: it may be entered again."""
    key, since = watched.integration.credential.name, watch.now() - DAY
    sharing = watch.on_same_key(watched)
    return effects.others_since(session, KEY_PROMOTE.step, f"{key}:", since, incident, sharing)


def _others_down(session: Session, incident: Incident) -> tuple[str, ...]:
    """Other vendors' integrations with a grave incident of the same minutes, one each."""
    mine = incident.integration.partition("@")[0]
    found: dict[str, str] = {}
    for other in incidents.listed(session, only_open=True):
        vendor = other.integration.partition("@")[0]
        near = abs(other.opened_at - incident.opened_at) <= SAME_TIME
        grave = other.severity <= 2 and not other.has_reached(State.RESOLVED)
        if vendor != mine and near and grave:
            found.setdefault(vendor, other.integration)
    return tuple(found.values())
