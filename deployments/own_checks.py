"""Checks in the supervisor's own process, while no scheduled run makes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from watchkeeper.errors import UserError
from watchkeeper.heartbeat import Part
from watchkeeper.lateness import MISSED_INTERVALS, Seen, missing, says, still_due
from watchkeeper.performing.checking import check_and_alarm
from watchkeeper.performing.detecting import missed_check
from watchkeeper.performing.responding import Executor
from watchkeeper.performing.watch import Watch
from watchkeeper.store import heartbeats, observations
from watchkeeper.trouble import Condition, TroubleKind

logger = logging.getLogger(__name__)

# Longer than a check with its confirming looks and a page with its retries take.
CHECK_WITHIN_S = 600.0
MOST_TICK_S = 15.0
# Intervals of seconds are those of a rehearsal: Prefect takes longer to come up.
PAGE_AFTER = timedelta(minutes=2)


class OwnChecks:
    """`keep_checking` runs until it is cancelled; `condition` is what it saw last."""

    def __init__(
        self,
        watch: Watch,
        executor: Executor,
        interval: timedelta,
        tell: Callable[[str], None],
        lag: Callable[[], timedelta] = timedelta,
    ) -> None:
        self._watch, self._executor, self.interval = watch, executor, interval
        self._tell, self._lag = tell, lag
        self._began = watch.now()
        # The last check of ours, by its time: it is told from a scheduled one by that.
        self._own: dict[str, datetime | None] = {}
        self._tried: dict[str, datetime] = {}
        self._scheduled: dict[str, datetime] = {}
        self._at_it: dict[str, asyncio.Task[None]] = {}
        self.condition: Condition | None = None

    async def keep_checking(self) -> None:
        try:
            while True:
                try:
                    self._round()
                except Exception:
                    # Without our database it is not known what was checked: the sweep says so.
                    logger.exception("it cannot be seen when integrations were checked last")
                await asyncio.sleep(min(MOST_TICK_S, self.interval.total_seconds() / 4))
        finally:
            for task in self._at_it.values():
                task.cancel()
            await asyncio.gather(*self._at_it.values(), return_exceptions=True)

    def fresh(self) -> bool:
        """Whether every integration that is watched was checked within its last intervals, and there
        is one."""
        now, patience = self._watch.now(), MISSED_INTERVALS * self.interval + self._lag()
        names = self._watch.named
        old = [n for n in names if not _within(self._last(n), now, patience)]
        return len(old) < len(names) and not any(self._is_watched(name) for name in old)

    async def once(self) -> None:
        """Begin what is due, and wait for its end."""
        self._round()
        await asyncio.gather(*(task for task in self._at_it.values() if not task.done()))

    def _round(self) -> None:
        """Begin the checks that are due; they go on side by side, and beside the sweep."""
        now = self._watch.now()
        missed = missing(self._seen(), now, self.interval, self._lag())
        missed = tuple(one for one in missed if self._is_watched(one.name))
        self.condition = self._condition_of(missed, now)
        for one in missed:
            tried = max(
                (at for at in (one.checked_at, self._tried.get(one.name)) if at), default=None
            )
            if not self._busy(one.name) and still_due(tried, now, self.interval):
                self._tried[one.name] = now
                missed_check(self._watch, one.name, "no scheduled run came")
                self._at_it[one.name] = asyncio.create_task(self._check(one.name))

    def _condition_of(self, missed: tuple[Seen, ...], now: datetime) -> Condition | None:
        if not missed:
            return None
        return Condition(
            kind=TroubleKind.CHECKS_NOT_RUNNING,
            text=f"{says(missed, now)}; the supervisor checks in its own process",
            since=min(one.scheduled_at for one in missed),
            page_after=PAGE_AFTER,
        )

    def _seen(self) -> list[Seen]:
        found = []
        for name in self._watch.named:
            last = self._last(name)
            # One of ours is not recorded as such before its end.
            if last is not None and last != self._own.get(name) and not self._busy(name):
                self._scheduled[name] = last
            since = max(self._scheduled.get(name, self._began), self._began)
            found.append(Seen(name, since, last))
        return found

    def _last(self, name: str) -> datetime | None:
        with self._watch.store.read() as session:
            beat = heartbeats.last(session, Part.CHECK, name)
            looked = observations.last_check(session, name, self._watch.now())
        return max((at for at in (beat.at if beat else None, looked) if at), default=None)

    def _is_watched(self, name: str) -> bool:
        """One whose entry cannot be read is checked by nothing; that is said elsewhere."""
        try:
            self._watch.integration(name)
        except UserError:
            return False
        return True

    def _busy(self, name: str) -> bool:
        return name in self._at_it and not self._at_it[name].done()

    async def _check(self, name: str) -> None:
        self._tell(f"{name}: scheduled checks are not running; the supervisor checks")
        try:
            async with asyncio.timeout(CHECK_WITHIN_S):
                found = await check_and_alarm(self._watch, name, self._executor)
        except Exception as error:
            logger.exception("%s could not be checked", name)
            self._tell(f"{name} could not be checked: {error or type(error).__name__}")
            return
        finally:
            self._own[name] = self._last(name)
        self._tell(f"{name}: {'well' if found.healthy else found.says()}")


def _within(at: datetime | None, now: datetime, span: timedelta) -> bool:
    return at is not None and timedelta(0) <= now - at <= span
