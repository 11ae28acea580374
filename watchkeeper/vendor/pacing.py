"""When a call may go out: the pure rule, and the gate that asks the database for it.

No slot is ever handed out for later. A waiter asks again at least every 200 ms, so that a new cap,
a lifted one or a hold applies to all who wait and not only to those who come after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from watchkeeper.errors import Throttled
from watchkeeper.runbook.api import RateLimit
from watchkeeper.store import rates
from watchkeeper.store.engine import Store
from watchkeeper.store.rates import Asker, Bucket, Grant
from watchkeeper.terms import holds
from watchkeeper.vendor.purpose import LEAVES, MAX_WAIT_S, Purpose

ASK_AGAIN_S = 0.2
# Clocks of two machines on one database may differ by so much.
DRIFT = timedelta(seconds=1)
_ZERO = timedelta(0)
_SLOWEST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Pace:
    """One call each `interval`; `slack`: how far ahead of that a burst may run.

    `ceiling`: a slot further away than this was left by a slower pace or by a clock that jumped,
    and is drawn near.
    """

    interval: timedelta
    slack: timedelta = _ZERO
    ceiling: timedelta | None = None


def evenly(interval: timedelta, burst: int) -> Pace:
    """`burst` calls at once after a rest, one each `interval` in the long run."""
    return Pace(interval, (burst - 1) * interval, burst * interval)


def grant(next_at: datetime, now: datetime, pace: Pace) -> Grant:
    """The generic cell rate algorithm: `next_at` is when the calls so far are paid for."""
    ceiling = now + (pace.interval + pace.slack if pace.ceiling is None else pace.ceiling)
    kept = ceiling if next_at > ceiling + DRIFT else next_at
    due = max(kept, now)
    wait = due - pace.slack - now
    if wait <= _ZERO:
        return Grant(True, due + pace.interval, 0.0)
    return Grant(False, kept, wait.total_seconds())


def pace_for(limit: RateLimit, purpose: Purpose, cap_per_s: float | None) -> Pace:
    """The pace under a vendor's budget and our own cap, if one is in force.

    `requests` in any window of `per` is what the vendor counts, so the burst is taken out of the
    steady rate. A cap binds everything but probes, which must see whether the vendor is back.
    """
    burst = min(max(limit.requests // 20, 1), 10)
    interval = limit.per / (limit.requests - burst + 1)
    if cap_per_s is None:
        left = round((burst - 1) * LEAVES[purpose])
        return Pace(interval, (burst - 1 - left) * interval, burst * interval)
    capped = max(timedelta(seconds=min(1 / cap_per_s, _SLOWEST_S)), interval)
    ceiling = capped + burst * interval
    if purpose == "probe":
        return Pace(interval, capped + (burst - 1) * interval, ceiling)
    return Pace(capped, _ZERO, ceiling)


def decide(bucket: Bucket, now: datetime, limit: RateLimit, purpose: Purpose) -> Grant:
    """Hold first, then pace. Probes pass a hold: without them its end would not be seen."""
    until = bucket.hold_until
    if until is not None and holds(until, bucket.hold_term, now) and purpose != "probe":
        return Grant(False, bucket.next_at, (until - now).total_seconds())
    return grant(bucket.next_at, now, pace_for(limit, purpose, bucket.cap_per_s))


def nothing_stops(_session: Session) -> None:
    """For probes: they go on whatever is halted or paused."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """One who waits to hear whether it is its turn."""

    purpose: Purpose
    answer: asyncio.Future[Grant]


@dataclass(frozen=True, slots=True)
class RateGate:
    """One integration's door to the vendor, shared by all processes on one database."""

    store: Store
    integration: str
    limit: RateLimit
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    # Whose requests they are counted as.
    consumer: str = ""
    # Raises Stopped where a person stopped this work.
    heed: Callable[[Session], None] = nothing_stops
    _asking: list[_Asking] = field(default_factory=list, init=False, repr=False, compare=False)

    async def admit(self, purpose: Purpose, max_wait_s: float | None = None) -> None:
        """Return when the call may be sent.

        Raises Stopped as soon as a person stops the work, while it waits too; and Throttled with the
        rest of the wait where that is longer than `max_wait_s` (by default, what the purpose can
        bear). What was slept counts, not what clocks say.
        """
        patience = MAX_WAIT_S[purpose] if max_wait_s is None else max_wait_s
        slept = 0.0
        while True:
            answer = await self._ask(purpose)
            if answer.granted:
                return
            if slept + answer.wait_s > patience:
                raise Throttled(
                    f"{self.integration}: no turn for a {purpose} call within {patience:g} s",
                    answer.wait_s,
                )
            pause = min(max(answer.wait_s, 0.001), ASK_AGAIN_S)
            await self.sleep(pause)
            slept += pause

    def hold(self, until: datetime) -> None:
        """The vendor asked for a pause: nothing but probes goes out before `until`."""
        rates.hold(self.store, self.integration, self.now(), until)

    async def _ask(self, purpose: Purpose) -> Grant:
        """Those who ask at the same time are answered by one transaction: each costs a sync to
        disk."""
        loop = asyncio.get_running_loop()
        asking = _Asking(purpose, loop.create_future())
        self._asking.append(asking)
        loop.call_soon(self._answer_all)
        return await asking.answer

    def _answer_all(self) -> None:
        # Who has given up meanwhile takes nobody's turn.
        waiting = [asking for asking in self._asking if not asking.answer.done()]
        self._asking.clear()
        if not waiting:
            return
        try:
            grants = self._grants(waiting)
        except Exception as error:
            for asking in waiting:
                asking.answer.set_exception(error)
            return
        for asking, grant in zip(waiting, grants, strict=True):
            asking.answer.set_result(grant)

    def _grants(self, waiting: Sequence[_Asking]) -> list[Grant]:
        askers = [
            Asker(partial(self._decided, asking.purpose), self.consumer or asking.purpose)
            for asking in waiting
        ]
        return rates.ask(self.store, self.integration, self.now, askers, self.heed)

    def _decided(self, purpose: Purpose, bucket: Bucket, now: datetime) -> Grant:
        return decide(bucket, now, self.limit, purpose)
