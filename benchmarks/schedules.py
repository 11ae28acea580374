"""Random schedules of faults, crashes, relapses and human acts, each played to its end and judged.

    python -m benchmarks.schedules [--schedules 1000] [--seed 0]

A schedule that fails is shrunk to the smallest that still does, and printed so that it can be played
again. Ends with 1 where one failed, or where a planted fault was not found.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from random_acts import drawn, play, shrunk  # type: ignore[import-not-found]  # noqa: E402
from random_ground import Ground, ground  # type: ignore[import-not-found]  # noqa: E402
from random_planted import PLANTED  # type: ignore[import-not-found]  # noqa: E402

WITHIN = 100


async def failing(on: Ground, seeds: range) -> int:
    """How many failed; each is told with its smallest schedule."""
    failed = 0
    for seed in seeds:
        if not await play(on, drawn(seed)):
            continue
        failed += 1
        least = await shrunk(on, drawn(seed))
        print(f"seed {seed}: {least}")
        print(*(f"    {problem}" for problem in await play(on, least)), sep="\n", flush=True)
    return failed


async def unfound(on: Ground) -> list[str]:
    """The planted faults that no schedule has brought to light."""
    missed = []
    for name, (planted, told) in PLANTED.items():
        for seed in range(WITHIN):
            found = await play(on, drawn(seed), **planted)
            if any(told in problem for problem in found):
                print(f"planted: {name}: found with schedule {seed}")
                break
        else:
            missed.append(name)
    return missed


async def campaign(count: int, seed: int) -> int:
    seeds, began = range(seed, seed + count), time.perf_counter()
    acts = Counter(one[0] for n in seeds for one in drawn(n))
    with ground() as on:
        failed = await failing(on, seeds)
        took = time.perf_counter() - began
        missed = await unfound(on)
    print(", ".join(f"{name} {times}" for name, times in acts.most_common()))
    print(f"{count - failed} of {count} schedules hold, {sum(acts.values())} acts, {took:.0f} s")
    print(*(f"planted and not found: {name}" for name in missed), sep="\n")
    return 1 if failed or missed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    return asyncio.run(campaign(given.schedules, given.seed))


if __name__ == "__main__":
    sys.exit(main())
