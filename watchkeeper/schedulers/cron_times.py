"""At which times a schedule fires, as Kubernetes reads it. No I/O here."""

from __future__ import annotations

from datetime import UTC, datetime
from heapq import merge
from itertools import groupby, islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

MOST = 100
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ANY = {"*", "*/1"}


class Unclear(ValueError):
    """A schedule whose times cannot be told; its text says why."""


def times(
    schedule: str, zone: str | None, since: datetime, until: datetime, most: int = MOST
) -> tuple[datetime, ...]:
    """The last `most` times in [since, until), oldest first, in UTC. Without a zone it is UTC.

    What the clocks skip in spring does not fire, and what they repeat in autumn fires twice.
    """
    end = until.astimezone(_zone(zone))
    try:
        backwards = [CronSim(fields, end, reverse=True) for fields in _readings(schedule)]
    except CronSimError:
        raise Unclear("its schedule cannot be read") from None
    fired = ((at.astimezone(UTC) for at in each) for each in backwards)
    either = (at for at, _ in groupby(merge(*fired, reverse=True)))
    found = islice(takewhile(lambda at: at >= since, either), most)
    return tuple(reversed(list(found)))


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        raise Unclear(f"the time zone {name} is not known here") from None


def _readings(schedule: str) -> tuple[str, ...]:
    """Six fields, which cronsim does not bend around a change of the clocks; all of them apply.

    Where both days are bounded Kubernetes takes either of them, and cronsim, like cron, both if one
    begins with a star, as in `*/2`.
    """
    fields = MACROS.get(schedule.strip(), schedule).replace("?", "*").split()
    if len(fields) != 5:
        raise Unclear("its schedule is not one of five fields")
    minute, hour, day, month, weekday = fields
    if {day, weekday} & _ANY:
        return (" ".join(("0", *fields)),)
    return (f"0 {minute} {hour} {day} {month} *", f"0 {minute} {hour} * {month} {weekday}")
