"""A task beside ours is ended, and ours still hears that it is to stop."""

from __future__ import annotations

import asyncio

import pytest

from watchkeeper.ending import end_task


def test_it_is_over_when_it_was_ended() -> None:
    async def test() -> None:
        beside = asyncio.create_task(asyncio.sleep(60))
        await end_task(beside)
        assert beside.cancelled()
        await end_task(beside)

    asyncio.run(test())


def test_what_it_raised_is_raised() -> None:
    async def fails() -> None:
        raise ZeroDivisionError

    async def test() -> None:
        beside = asyncio.create_task(fails())
        await asyncio.sleep(0)
        with pytest.raises(ZeroDivisionError):
            await end_task(beside)

    asyncio.run(test())


def test_an_ending_is_not_cut_short() -> None:
    """Several are ended together, and each is told once: a second time would interrupt what it does to
    end, such as waiting for the runs that it had started."""
    ended = []

    async def ends_slowly(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            for _ in range(number * 5):
                await asyncio.sleep(0)
            ended.append(number)

    async def test() -> None:
        tasks = [asyncio.create_task(ends_slowly(number)) for number in (1, 3, 2)]
        await asyncio.sleep(0)
        await end_task(*tasks)

    asyncio.run(test())
    assert ended == [1, 2, 3]


@pytest.mark.parametrize("steps", range(6))
def test_who_is_told_to_stop_meanwhile_stops(steps: int) -> None:
    """W6, W22: a sweep that was stopped as it ended its own sign of life went on for ever, and `up` with
    it: whenever the cancellation comes, it arrives."""

    async def beats() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            # It takes its time to end.
            for _ in range(3):
                await asyncio.sleep(0)

    async def sweeps() -> None:
        while True:
            beside = asyncio.create_task(beats())
            await asyncio.sleep(0)
            await end_task(beside)

    async def test() -> None:
        task = asyncio.create_task(sweeps())
        for _ in range(steps + 2):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=30)
        assert done == {task}
        assert task.cancelled()

    asyncio.run(test())
