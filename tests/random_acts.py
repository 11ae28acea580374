"""Schedules: drawn from a seed, played in a world, and shrunk to the smallest that still fails."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from random_far import JOB, MODES, SETTINGS
from random_ground import Ground
from random_people import ANSWERS
from random_world import CAUSES, JOBS, OF_PEOPLE, World

from watchkeeper.store import jobs

# A name, and what it is done with; written down as it stands it can be played again.
Act = tuple[Any, ...]
Schedule = tuple[Act, ...]
MINUTE = 60
STEPS = ("pause-deferrable", "pause-all-jobs", "slow-service", "scale-up", "emergency-rate-cap")
WANTED = (*STEPS, "keep-dns", "half-rate", "rotate-key")
LONGEST = 12


def drawn(seed: int) -> Schedule:
    """Most begin with a fault that is seen, after whatever else: without an incident there is little
    to go wrong."""
    draw = random.Random(seed)
    before = [_act(draw) for _ in range(draw.choice((0, 0, 1, 2)))]
    seen: list[Act] = [("break", draw.choice(CAUSES)), ("check", None)]
    between = [_act(draw) for _ in range(draw.choice((0, 0, 1, 1, 2)))]
    begins = [*before, *seen, *between, ("run", *_fate(draw))] if draw.random() < 0.9 else []
    return (*begins, *(_act(draw) for _ in range(draw.randint(3, LONGEST))))


def _act(draw: random.Random) -> Act:
    kinds, weights = zip(*DRAWN.items(), strict=True)
    kind: Callable[[random.Random], Act] = draw.choices(kinds, weights)[0]
    return kind(draw)


def _dies(draw: random.Random, most: int) -> int | None:
    return draw.randint(0, most) if draw.random() < 0.3 else None


def _fate(draw: random.Random) -> tuple[int | None, int | None]:
    """After how many places it dies, and after how many turns it is parked."""
    return _dies(draw, 120), draw.randint(0, 12) if draw.random() < 0.25 else None


def _setting(draw: random.Random) -> Act:
    name = draw.choice(tuple(OF_PEOPLE))
    usual = "2" if name == "replicas" else str(SETTINGS[name])
    return ("set", name, draw.choice((*OF_PEOPLE[name], usual)))


TICKS = (10, MINUTE, 2 * MINUTE, 10 * MINUTE, 61 * MINUTE, 130 * MINUTE, 5 * 60 * MINUTE)
DRAWN: dict[Callable[[random.Random], Act], int] = {
    lambda draw: ("break", draw.choice(CAUSES)): 8,
    lambda draw: ("mend",): 12,
    lambda draw: ("check", _dies(draw, 20)): 12,
    lambda draw: ("run", *_fate(draw)): 22,
    lambda draw: ("go on",): 6,
    lambda draw: ("sweep", _dies(draw, 40)): 22,
    lambda draw: ("tick", draw.choice(TICKS)): 22,
    lambda draw: ("job", draw.choice((*JOBS, JOB)), draw.choice(("paused", "running"))): 10,
    _setting: 6,
    lambda draw: ("answer", draw.choice(ANSWERS)): 8,
    lambda draw: ("want", draw.choice(WANTED)): 5,
    lambda draw: ("skip", draw.choice(STEPS)): 3,
    lambda draw: ("try again", draw.choice((None, None, *STEPS))): 6,
    lambda draw: ("take", draw.random() < 0.6): 4,
    lambda draw: ("halt", draw.random() < 0.75, draw.random() < 0.3): 14,
    lambda draw: ("extend", draw.choice((1, 10))): 3,
    lambda draw: ("release", draw.randint(0, 5)): 5,
    lambda draw: ("redeploy",): 3,
    lambda draw: ("executor", draw.choice(("away", "lossy", "back"))): 5,
    lambda draw: ("connector", draw.choice(("settings", "replicas", JOB)), draw.choice(MODES)): 9,
    lambda draw: ("correct", draw.choice(CAUSES)): 4,
    lambda draw: ("offer", draw.randint(2, 99)): 4,
    lambda draw: ("acknowledge",): 2,
}


async def act(world: World, one: Act) -> None:
    """Play one; whatever is drawn can be played, at worst nothing comes of it."""
    people = world.people
    match one:
        case ("break", cause):
            world.cause = cause
        case ("mend",):
            world.cause = None
        case ("check", dies):
            await world.checks(dies)
        case ("run", dies, parks):
            await world.run(dies, parks)
        case ("go on",):
            await world.go_on()
        case ("sweep", dies):
            await world.sweeps(dies)
        case ("tick", seconds):
            world.clock.at += timedelta(seconds=seconds)
        case ("job", name, desired):
            people.says_of_job(name, desired)
        case ("set", name, value):
            people.sets(name, value)
        case ("answer", decision):
            await people.answers(decision)
        case ("want", step):
            await people.wants(step)
        case ("skip", step):
            people.skips(step)
        case ("try again", step):
            people.tries_again(step)
        case ("take", over):
            people.takes(over)
        case ("halt", on, by_file):
            people.halt(on, by_file)
        case ("extend", hours):
            people.extends(hours)
        case ("release", place):
            await people.releases(place)
        case ("redeploy",):
            with world.watch.store.write() as session:
                jobs.register(session, world.watched, world.clock.now())
        case ("executor", "lossy"):
            world.runs.lossy = True
        case ("executor", word):
            world.runs.reachable = word == "back"
        case ("connector", name, mode):
            world.far.fail(name, mode)
        case ("correct", cause):
            people.corrects(cause)
        case ("offer", number):
            people.offers(number)
        case ("acknowledge",):
            people.acknowledges()
        case _:
            raise AssertionError(f"{one} is no act")


async def play(on: Ground, schedule: Sequence[Act], **planted: Any) -> list[str]:
    """What went wrong, each with the place of the act after which it was so; stops at the first."""
    world = World(on, **planted)
    for place, one in enumerate(schedule):
        halted = world.halted
        await act(world, one)
        world.judge_now(halted and world.halted)
        if world.problems:
            return [f"{place} {one}: {problem}" for problem in world.problems]
    await world.comes_to_rest()
    return [f"at rest: {problem}" for problem in world.problems]


async def shrunk(on: Ground, schedule: Schedule, **planted: Any) -> Schedule:
    """Ever shorter, as long as it fails; then with fewer deaths and delays in what is left."""
    least = schedule
    size = max(1, len(least) // 2)
    while size:
        start = 0
        while start < len(least):
            less = (*least[:start], *least[start + size :])
            if less and await play(on, less, **planted):
                least = less
            else:
                start += size
        size //= 2
    for place, one in enumerate(least):
        for simpler in _simpler(one):
            other = (*least[:place], simpler, *least[place + 1 :])
            if await play(on, other, **planted):
                least = other
                break
    return least


def _simpler(one: Act) -> list[Act]:
    if one[0] == "run":
        return [("run", None, None), ("run", None, one[2]), ("run", one[1], None)]
    return [(one[0], None)] if one[0] in ("check", "sweep") else []
