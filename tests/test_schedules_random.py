"""Random schedules of faults, crashes, relapses and human acts: whatever happens in whatever order,
nothing is left as an incident set it, nothing that a person said is undone, and the kill switch holds.

The campaign of 1,000 is `python -m benchmarks.schedules`; here are the first of them, those that once
failed, and planted faults, which the same judge must find.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from random_acts import Schedule, drawn, play, shrunk
from random_ground import Ground, ground
from random_planted import PLANTED

SEEDS = 24
BATCHES = 4
# So many schedules at most until a planted fault is found, from one on that is known to find it.
WITHIN = 60
FROM = {
    "a job is resumed always": 14,
    "what was before is forgotten": 2,
    "the sweep forgets leases": 1,
}


@pytest.fixture(scope="module")
def on() -> Iterator[Ground]:
    with ground() as made:
        yield made


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS // BATCHES))
def test_nothing_is_left_behind(on: Ground, first: int) -> None:
    """A seed that fails is told with the smallest schedule that fails."""

    async def campaign() -> list[str]:
        failed = []
        for seed in range(first, first + SEEDS // BATCHES):
            if await play(on, drawn(seed)):
                least = await shrunk(on, drawn(seed))
                failed.append(f"seed {seed}: {least}: {await play(on, least)}")
        return failed

    assert asyncio.run(campaign()) == []


FOUND: dict[str, Schedule] = {
    "a question besides the one that a run waits in": (
        ("break", "api_key_expired"),
        ("check", None),
        ("run", None, None),
        ("want", "keep-dns"),
        ("sweep", None),
    ),
}


@pytest.mark.parametrize("schedule", FOUND.values(), ids=list(FOUND))
def test_what_once_failed_holds(on: Ground, schedule: Schedule) -> None:
    assert asyncio.run(play(on, schedule)) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(on: Ground, name: str) -> None:
    """By one of the same schedules, and told as what it is."""
    planted, told = PLANTED[name]

    async def campaign() -> list[str]:
        first = FROM.get(name, 0)
        for seed in range(first, first + WITHIN):
            if found := await play(on, drawn(seed), **planted):
                return found
        return []

    assert any(told in problem for problem in asyncio.run(campaign()))


def test_a_failing_schedule_shrinks(on: Ground) -> None:
    """To the acts without which it does not fail, and a run that dies nowhere."""
    planted, _ = PLANTED["what was before is forgotten"]
    fault: Schedule = (("break", "slow_service"), ("check", None), ("run", None, None))
    long: Schedule = (("offer", 2), *fault[:2], ("run", 300, None), ("sweep", 300))
    assert asyncio.run(shrunk(on, long, **planted)) == fault[:2]


def test_a_seed_draws_the_same_schedule_again() -> None:
    assert drawn(7) == drawn(7)
    assert len({drawn(seed) for seed in range(100)}) == 100
