"""Random SIGKILLs of the supervisor, the Prefect server and the runs, with and without an incident.

    python -m benchmarks.kills [--kills 200] [--seed 5] [--planted]

Rounds alternate: an expired key that a person replaces, and a calm integration. While a round
lasts, a process drawn from the seed is killed every 4 to 14 seconds; `up` is started again as a
service manager would. What must hold afterwards: `benchmarks.rounds`.

`--planted` runs one round with a sweep that never runs: the campaign must find it. Ends with 1
where a promise was broken, or where the planted fault was not found.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks.rounds import (
    PATIENCE,
    Stage,
    calm_round,
    fresh_home,
    incident_round,
    main_job,
    stage,
)
from deployments.drill.drill import Drill

GAP_S = (4.0, 14.0)
CALM_KILLS, CALM_EACH = 4, 4
KINDS = ("run", "run", "run", "server", "supervisor")


def children(pid: int) -> Iterator[int]:
    """All descendants, the nearest first."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return
    for child in map(int, told.split()):
        yield child
        yield from children(child)


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass
class Chaos:
    """Kills one process after another of what stands below `up`."""

    rng: Random
    left: int
    kinds: tuple[str, ...] = KINDS
    killed: Counter[str] = field(default_factory=Counter)
    due: float = 0.0

    def act(self, drill: Drill, on: Stage) -> bool:
        """Kill whoever is next, if it is time; then see that there is an `up`."""
        if not self.due:
            self._rest()
        if self.left and time.monotonic() >= self.due:
            self._kill(self.rng.choice(self.kinds), on)
            self._rest()
        if not on.up.alive():
            on.up.serving(main_job(drill.scenario))
            self._rest()
        # After the last one there is time to see whether it took `up` with it.
        return self.left > 0 or time.monotonic() < self.due

    def _rest(self) -> None:
        self.due = time.monotonic() + self.rng.uniform(*GAP_S)

    def _kill(self, kind: str, on: Stage) -> None:
        victim = _victim(kind, on, self.rng)
        if victim is not None:
            os.kill(victim, signal.SIGKILL)
            self.killed[kind] += 1
            self.left -= 1


def _victim(kind: str, on: Stage, rng: Random) -> int | None:
    supervisor = on.up.pid
    if supervisor is None or kind == "supervisor":
        return supervisor
    below = [(pid, words_of(pid)) for pid in children(supervisor)]
    runs = [pid for pid, words in below if "prefect.engine" in words]
    if kind == "run":
        return rng.choice(sorted(runs)) if runs else None
    servers = [pid for pid, words in below if "deployments.tied" in words]
    return servers[0] if servers else None


def campaign(kills: int, seed: int, tell: Callable[[str], None]) -> int:
    rng, killed, wrong, number = Random(seed), Counter[str](), list[str](), 0
    began = time.monotonic()
    while killed.total() < kills and number < kills:
        number += 1
        calm = number % CALM_EACH == 0
        chaos = Chaos(rng, CALM_KILLS if calm else kills - killed.total())
        with fresh_home() as home, stage(home, tell) as on:
            if calm:
                within_s = CALM_KILLS * GAP_S[1] * PATIENCE
                found = calm_round(on, f"calm-{number}", chaos.act, within_s)
            else:
                found = incident_round(on, f"kills-{number}", chaos.act)
        killed += chaos.killed
        wrong += [f"round {number}: {one}" for one in found]
        told = ", ".join(f"{count} {kind}" for kind, count in chaos.killed.items()) or "nothing"
        kind = "calm" if calm else "incident"
        print(f"round {number} ({kind}): killed {told}; {found or 'held'}", flush=True)
    took_s = time.monotonic() - began
    print(f"{killed.total()} kills in {number} rounds ({dict(killed)}), {took_s:.0f} s")
    print(f"{len(wrong)} promises broken", *wrong, sep="\n")
    return 1 if wrong else 0


def planted(tell: Callable[[str], None]) -> int:
    """A watch whose sweep never comes: a responder that dies stays dead, and this must be seen."""
    chaos = Chaos(Random(1), 3, ("run",))
    over = {"WATCHKEEPER_SWEEP_INTERVAL_S": "86400"}
    with fresh_home() as home, stage(home, tell, over, patience=0.5) as on:
        found = incident_round(on, "planted", chaos.act)
    print(f"planted: {found or 'NOT FOUND'}", flush=True)
    return 0 if found else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()

    def tell(line: str) -> None:
        if given.verbose:
            print(line, flush=True)

    return planted(tell) if given.planted else campaign(given.kills, given.seed, tell)


if __name__ == "__main__":
    sys.exit(main())
