"""Our own lateness is nobody's latency."""

from __future__ import annotations

import asyncio
import time

from watchkeeper import own_clock
from watchkeeper.own_clock import SLACK_S, TICK_S, Lateness, own_lateness_measured


class Ticking:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_a_timer_is_late_is_counted_while_it_is_late_and_afterwards() -> None:
    """It never goes back, and an idle machine has none."""
    clock = Ticking()
    lateness = Lateness(clock)
    clock.now += TICK_S
    assert lateness.seconds == 0
    clock.now += 2.0
    assert abs(lateness.seconds - (2.0 - SLACK_S)) < 1e-9


def test_a_loop_that_had_no_turn_makes_nobody_slow() -> None:
    """A second in which our own loop stood still is no second of an answer that came meanwhile."""

    async def answered() -> tuple[float, float]:
        began, real = own_clock.seconds(), time.monotonic()
        while time.monotonic() < real + 0.5:
            pass
        await asyncio.sleep(0.1)
        return own_clock.seconds() - began, time.monotonic() - real

    async def test() -> None:
        async with own_lateness_measured():
            # The measure has begun.
            await asyncio.sleep(2 * TICK_S)
            took_s, real_s = await asyncio.create_task(answered())
        assert real_s >= 0.6
        assert took_s < real_s - 0.4

    asyncio.run(test())


def test_outside_of_a_look_it_is_the_usual_clock() -> None:
    before = time.monotonic()
    assert before <= own_clock.seconds() <= time.monotonic()
