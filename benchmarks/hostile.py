"""What hostile answers cost: 10,000 judged without a wire, 400 and more over real sockets.

    python -m benchmarks.hostile [--answers 10000] [--sockets 400] [--deadline 1.0] [--seed 11]

Prints how many came of each kind, the verdicts, how far the slowest look went beyond its deadline,
how much memory it took, and who was led elsewhere. Ends with 1 where a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from hostile import BODIES, answers  # type: ignore[import-not-found]  # noqa: E402
from hostile_pure import page_told, triaged  # type: ignore[import-not-found]  # noqa: E402
from hostile_wire import (  # type: ignore[import-not-found]  # noqa: E402
    KEYS,
    Looks,
    Memory,
    World,
    hostile_world,
    look_often,
    watch_of,
)
from making import runbook  # type: ignore[import-not-found]  # noqa: E402

OVER_S, GROWTH_MIB = 0.5, 64.0


def judge_all(count: int, seed: int) -> tuple[Counter[str], Counter[str], float, float]:
    """By kind, by verdict, seconds, MiB."""
    made, book = list(answers(seed, count, kinds=BODIES)), runbook()
    kinds, verdicts, memory, began = Counter[str](), Counter[str](), Memory(), time.perf_counter()
    for turn, one in enumerate(made):
        verdicts[triaged(one, turn, book).diagnosis.verdict] += 1
        page_told(one, turn)
        kinds[one.name] += 1
    return kinds, verdicts, time.perf_counter() - began, memory.grown_mib()


async def look_at_all(
    count: int, deadline_s: float, seed: int
) -> tuple[World, Looks, float, float]:
    """Close looks at a world that is hostile throughout, until it has given so many answers."""
    with tempfile.TemporaryDirectory() as folder:
        watch = watch_of(Path(folder))
        async with hostile_world() as world:
            made = list(answers(seed, count + 200, elsewhere=world.elsewhere))
            world.answers = iter(made)
            await look_often(world, watch, runbook(), 1, deadline_s)
            world.given.clear()
            found, memory, began = Looks(), Memory(), time.perf_counter()
            while sum(world.given.values()) < count:
                one = await look_often(world, watch, runbook(), 1, deadline_s)
                found.verdicts += one.verdicts
                found.over_s += one.over_s
            return world, found, time.perf_counter() - began, memory.grown_mib()


def told(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counted.items()))


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--answers", type=int, default=10_000)
    given.add_argument("--sockets", type=int, default=400)
    given.add_argument("--deadline", type=float, default=1.0)
    given.add_argument("--seed", type=int, default=11)
    asked = given.parse_args()
    kinds, verdicts, took_s, mib = judge_all(asked.answers, asked.seed)
    print(f"without a wire: {sum(kinds.values())} answers in {took_s:.1f} s, {mib:.0f} MiB more")
    print(f"  kinds: {told(kinds)}")
    print(f"  verdicts: {told(verdicts)}")
    sockets = look_at_all(asked.sockets, asked.deadline, asked.seed)
    world, found, took_s, more_mib = asyncio.run(sockets)
    over_s, looks = max(found.over_s), len(found.over_s)
    heads = world.beside.heads
    leaked = sum(any(key in head for key in KEYS) for head in heads)
    print(f"over sockets: {sum(world.given.values())} answers in {looks} looks, {took_s:.1f} s")
    print(f"  kinds: {told(world.given)}")
    print(f"  verdicts: {told(found.verdicts)}")
    print(
        f"  deadline {asked.deadline:g} s, the slowest look {over_s:+.2f} s, {more_mib:.0f} MiB more"
    )
    print(f"  requests: {len(world.vendor.heads)} to the vendor, {len(heads)} beside it, ", end="")
    print(f"{leaked} of them with a key; {world.led} led elsewhere")
    kept = over_s <= OVER_S and max(mib, more_mib) <= GROWTH_MIB and leaked == world.led == 0
    print("kept" if kept else "BROKEN", f"(+{OVER_S} s, {GROWTH_MIB:.0f} MiB, no key elsewhere)")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
