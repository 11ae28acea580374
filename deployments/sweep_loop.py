"""The sweep again and again, with what the watch says of itself: to our record, the pager, outside."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from deployments.own_checks import OwnChecks
from deployments.prefect_keeper import PrefectKeeper
from deployments.systemd import Systemd
from watchkeeper.heartbeat import Part, Result
from watchkeeper.performing.dead_mans_switch import DeadMansSwitch
from watchkeeper.performing.lag_meter import LagMeter
from watchkeeper.performing.own_alarms import follow_troubles
from watchkeeper.performing.responding import Executor
from watchkeeper.performing.store_guard import StoreGuard
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.watch import Watch
from watchkeeper.store import heartbeats
from watchkeeper.trouble import Condition, TroubleKind

logger = logging.getLogger(__name__)

# A first start that takes so long is no trouble yet.
STARTS_WITHIN = timedelta(minutes=2)
# One sweep that takes its time makes no pause in these.
LEAST_EVERY = timedelta(minutes=1)


@dataclass
class SweepLoop:
    """`keep_sweeping` runs until it is cancelled. What fails is logged and tried again: nothing in here
    may end the watch."""

    watch: Watch
    executor: Executor
    keeper: PrefectKeeper
    checks: OwnChecks
    meter: LagMeter
    outside: DeadMansSwitch
    systemd: Systemd
    tell: Callable[[str], None]
    _before: frozenset[str] = frozenset()

    async def keep_sweeping(self) -> None:
        guard = StoreGuard(self.watch)
        self.systemd.ready()
        while True:
            status = "the sweep failed: see watchkeeper.log"
            try:
                status = await self._once(guard)
            except Exception as error:
                logger.exception("a sweep failed")
                self._say([f"sweep: {type(error).__name__}: {error}"])
            self.systemd.alive(status)
            await asyncio.sleep(self.watch.settings.sweep_interval_s)

    async def _once(self, guard: StoreGuard) -> str:
        """One sweep; how the watch is, in words."""
        broken = await guard.look()
        for said in await guard.alarm():
            self.tell(said)
        if broken is not None:
            self._say([f"the sweep cannot be done: {broken}"])
            return broken
        self._record()
        done = [f"sweep: {said}" for said in await sweep(self.watch, self.executor)]
        self._say(done)
        conditions = self._conditions()
        for said in await follow_troubles(self.watch, conditions):
            self.tell(said)
        self.outside.ping(fresh=self.checks.fresh(), unwell=conditions)
        return "; ".join(one.kind.says for one in conditions) or "watching"

    def _say(self, lines: list[str]) -> None:
        """What fails in each sweep is said once."""
        for line in lines:
            if line not in self._before:
                self.tell(line)
        self._before = frozenset(lines)

    def _record(self) -> None:
        """Since when runs may start, and how late this machine is."""
        state = self.keeper.state
        self.meter.record(self.watch, state.since if state.running else None, self.checks.interval)
        every = max(timedelta(seconds=self.watch.settings.sweep_interval_s), LEAST_EVERY)
        result = Result.WELL if state.running else Result.FAILED
        with self.watch.store.write() as session:
            heartbeats.beat(session, Part.RUNNER, self.watch.now(), result, state.text, every=every)

    def _conditions(self) -> list[Condition]:
        """What is wrong with the watch itself just now."""
        found = [] if self.checks.condition is None else [self.checks.condition]
        state = self.keeper.state
        starts = not state.failures and self.watch.now() - state.since < STARTS_WITHIN
        if not state.running and not starts:
            found.append(
                Condition(
                    kind=TroubleKind.PREFECT_AWAY,
                    text=state.text,
                    since=state.since,
                    page_after=timedelta(seconds=self.watch.settings.prefect_away_s),
                )
            )
        return found
