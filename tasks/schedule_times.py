"""When a deployment's schedules would have run it: Prefect's own arithmetic, read from the end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby, takewhile
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from tasks.plain_times import plain_utc

if TYPE_CHECKING:
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.server.schemas.schedules import SCHEDULE_TYPES, RRuleSchedule

# Prefect counts from the beginning, and no further than 1,000 dates.
AT_ONCE = 500


async def times_of(
    schedules: Iterable[DeploymentSchedule], since: datetime, until: datetime, last: int
) -> tuple[datetime, ...]:
    """The times in [since, until) of those that are active, oldest first; the last so many.

    It waits for nothing, and may take a second: to be run in a thread.
    """
    found: set[datetime] = set()
    for schedule in schedules:
        if schedule.active:
            found |= set(await _last(_arithmetic(schedule), since, until, last))
    return tuple(sorted(found)[-last:])


async def parameters_at(schedules: Iterable[DeploymentSchedule], at: datetime) -> dict[str, Any]:
    """What the schedule that runs at this time gives to its runs; the first where several do."""
    for schedule in schedules:
        if await times_of((schedule,), at, at + timedelta(microseconds=1), 1):
            return dict(schedule.parameters)
    return {}


async def _last(
    schedule: SCHEDULE_TYPES, since: datetime, until: datetime, last: int
) -> list[datetime]:
    from prefect.server.schemas.schedules import RRuleSchedule

    if isinstance(schedule, RRuleSchedule):
        return _last_of_rule(schedule, since, until, last)
    found = await _dates(schedule, since, until)
    if len(found) < AT_ONCE:
        return found[-last:]
    middle = since + (until - since) / 2
    later = await _last(schedule, middle, until, last)
    missing = last - len(later)
    return later if missing <= 0 else await _last(schedule, since, middle, missing) + later


async def _dates(schedule: SCHEDULE_TYPES, since: datetime, until: datetime) -> list[datetime]:
    from prefect._vendor.croniter.croniter import CroniterBadDateError

    try:
        dates = await schedule.get_dates(n=AT_ONCE, start=since, end=until)
    except CroniterBadDateError:
        # A cron line may be well formed and name no day that there is.
        return []
    return sorted({at for at in map(plain_utc, dates) if since <= at < until})


def _last_of_rule(
    schedule: RRuleSchedule, since: datetime, until: datetime, last: int
) -> list[datetime]:
    """In one pass: each one reckons from the rule's first day, which may be years ago."""
    local = since.astimezone(ZoneInfo(schedule.timezone or "UTC"))
    dates = map(plain_utc, schedule.to_rrule().xafter(local, count=None, inc=True))
    # Where clocks are set back a rule gives a time twice.
    unique = (at for at, _ in groupby(takewhile(lambda at: at < until, dates)))
    return list(deque(unique, maxlen=last))


def _arithmetic(schedule: DeploymentSchedule) -> SCHEDULE_TYPES:
    """The client's own schedules only carry what was said; the server's reckon with it."""
    from prefect.server.schemas import schedules

    said = schedule.schedule
    kind = getattr(schedules, type(said).__name__)
    return cast("SCHEDULE_TYPES", kind.model_validate(said.model_dump()))
