"""Scheduled runs that come long after their time.

While the server or the runner is away its schedules pile up, and all of it starts at once on return:
one check then is worth as much as thirty, and none is worth less than one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from prefect.runtime import flow_run

from tasks.context import current
from watchkeeper.heartbeat import Part, Result
from watchkeeper.lateness import is_late, still_due
from watchkeeper.performing import responding
from watchkeeper.store import heartbeats, observations, watermarks

logger = logging.getLogger(__name__)


def began_after() -> timedelta:
    """How long after its time this run began; nothing where it is no run of Prefect's."""
    due = flow_run.scheduled_start_time
    if flow_run.id is None or due is None:
        return timedelta(0)
    late: timedelta = datetime.now(UTC) - due
    return max(late, timedelta(0))


@asynccontextmanager
async def needed_checks(names: tuple[str, ...]) -> AsyncIterator[tuple[tuple[str, ...], str]]:
    """The integrations that this run should check, and why not the others. A late run leaves out one
    whose last check is newer than one interval, and one that another late run checks just now."""
    late = began_after()
    _record(late)
    if not is_late(late):
        yield names, ""
        return
    mine, left = [], []
    async with AsyncExitStack() as turns:
        for name in names:
            if why := await _needless(turns, name):
                left.append(f"{name} {why}")
            else:
                mine.append(name)
        yield tuple(mine), f"due {_s(late)} ago: {'; '.join(left)}"


async def _needless(turns: AsyncExitStack, name: str) -> str | None:
    watch = current()
    interval = timedelta(seconds=watch.settings.health_interval_s)
    holder = str(flow_run.id)
    first = await turns.enter_async_context(
        responding.alone(watch, f"check:{name}", holder, "a late check")
    )
    if not first:
        return "is being checked by another late run"
    with watch.store.read() as session:
        last = observations.last_check(session, name, watch.now())
    if last is None or still_due(last, watch.now(), interval):
        return None
    return f"was checked {_s(watch.now() - last)} ago"


def needless_sync(name: str, resources: tuple[str, ...]) -> str | None:
    """Why a late run of a job need not move these resources of an integration, or None: all of them
    were walked within the last interval."""
    late = began_after()
    if not is_late(late):
        return None
    watch = current()
    interval = timedelta(seconds=watch.settings.sync_interval_s)
    with watch.store.read() as session:
        marks = [watermarks.get(session, name, resource) for resource in resources]
    walked = [mark.walked_at if mark else None for mark in marks]
    if any(still_due(at, watch.now(), interval) for at in walked):
        return None
    return f"due {_s(late)} ago, and walked since"


def _record(late: timedelta) -> None:
    """For `status`, and for the machine's own lag."""
    watch = current()
    every = timedelta(seconds=watch.settings.health_interval_s)
    result = Result.FAILED if is_late(late) else Result.WELL
    detail = f"the last scheduled check began {_s(late)} after its time"
    with watch.store.write() as session:
        heartbeats.beat(
            session,
            Part.SCHEDULE,
            watch.now(),
            result,
            detail,
            every=every,
            value=late.total_seconds(),
        )


def _s(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s"
