"""Random sequences around a key's rotation, played against the shipped machine.

    python -m benchmarks.rotations [--sequences 2000] [--processes 2] [--seed 11]

One in five is of a leaked key, which is revoked first. Prints how they ended, how many processes
died in them, and what was promised and not kept, with the shortest sequence that shows it. Ends
with 1 where there is any.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from rotation_play import bench, played, sequences  # type: ignore[import-not-found]  # noqa: E402

SHARE = 50
LEAKED = 5


class Part(NamedTuple):
    order: str
    seed: int
    size: int


class Found(NamedTuple):
    """`broken`: (promise, sequence) of those that were not kept."""

    counts: Counter[str]
    broken: list[tuple[str, Any]]


def play(part: Part) -> Found:
    counts, broken = Counter[str](), list[tuple[str, Any]]()
    quick = settings(
        max_examples=part.size,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with bench() as on:

        @seed(part.seed)
        @quick
        @given(sequences(part.order))
        def one(told: list[Any]) -> None:
            seen, ended = played(on, told, part.order)
            counts.update([part.order, ended])
            counts.update({"died": seen.deaths, "promoted": len(seen.promoted)})
            counts.update({"tried again": seen.retries})
            broken.extend((said, told) for said in seen.broken)

        one()
    return Found(counts, broken)


def parts(count: int, first_seed: int) -> list[Part]:
    return [
        Part("revoke_first" if n % LEAKED == LEAKED - 1 else "overlap", first_seed + n, SHARE)
        for n in range(-(-count // SHARE))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=11)
    asked = parser.parse_args()
    began = time.perf_counter()
    with ProcessPoolExecutor(asked.processes) as pool:
        found = list(pool.map(play, parts(asked.sequences, asked.seed)))
    counts = sum((each.counts for each in found), Counter[str]())
    print(", ".join(f"{count} {name}" for name, count in counts.most_common()))
    broken = sorted((one for each in found for one in each.broken), key=lambda one: len(one[1]))
    for said, told in broken[:3]:
        print(f"BROKEN: {said}\n  {told}")
    print(f"{len(broken)} promises broken, {time.perf_counter() - began:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
