"""How long a triage takes, against its slowest probe and against the runbook done by hand.

    python -m benchmarks.triage [--json]

Every endpoint answers after 100 ms. All figures are of one run and without imports; the command
started cold is told for comparison. Ends with 1 where a floor is missed.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from functools import partial

from benchmarks.diagnosing import diagnosing
from benchmarks.scratch import NAME, scratch_watch
from benchmarks.seed_loop import by_hand, has_curl
from benchmarks.slow_vendor import slow_vendor
from benchmarks.timing import Row, repeated, show
from watchkeeper.evidence import Kind
from watchkeeper.performing.measuring import YOUNGEST_S
from watchkeeper.performing.triaging import triage
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched

SLOWEST_S = 0.1
DEADLINE_S = 2.0
ASKED = (Kind.ENDPOINT, Kind.SERVICE, Kind.STATUS_PAGE)
HAND = "7 probes by hand: bash and curl" if has_curl() else "7 probes, httpx in turn: no curl here"


async def measured() -> list[Row]:
    with slow_vendor(SLOWEST_S) as address:
        return [
            Row(HAND, await repeated(partial(by_hand, address), 3)),
            await _look("7 probes", address, 4, 1.15, 1.5),
            await _first(address),
            await _half_hanging(address),
            await _look("200 probes", address, 197, 2, 5),
            *diagnosing(),
            await _cold(address),
        ]


async def _look(what: str, address: str, endpoints: int, goal: float, floor: float) -> Row:
    """The endpoints, our service, its metrics, the status page; as of a watch that has looked at
    the metrics before, for a rate takes two looks."""
    with scratch_watch(address, endpoints) as watch:
        watched = watch.integration(NAME)
        await triage(watch, watched)
        await asyncio.sleep(YOUNGEST_S + 0.1)
        took = await repeated(partial(_checked, watch, watched))
    return Row(what, took, goal * SLOWEST_S, floor * SLOWEST_S)


async def _first(address: str) -> Row:
    """Nobody has looked at the metrics before."""

    async def fresh() -> None:
        with scratch_watch(address, 4) as watch:
            await _checked(watch, watch.integration(NAME))

    return Row("7 probes, first look of all", await repeated(fresh, 2))


async def _half_hanging(address: str) -> Row:
    with scratch_watch(address, 4, hanging=2, deadline_s=DEADLINE_S) as watch:
        watched = watch.integration(NAME)
        await triage(watch, watched)
        await asyncio.sleep(YOUNGEST_S + 0.1)
        took = await repeated(partial(_checked, watch, watched, silent=2), 3)
    return Row(
        f"2 of 4 hang, deadline {DEADLINE_S:g} s", took, DEADLINE_S * 1.05, DEADLINE_S * 1.05
    )


async def _checked(watch: Watch, watched: Watched, silent: int = 0) -> None:
    """A triage. What was not asked is not fast."""
    evidence = (await triage(watch, watched)).evidence
    answers = [r for kind in ASKED for r in evidence.of(kind) if r.answered]
    assert len(answers) == len(watched.runbook.probes) + 2 - silent, answers
    assert evidence.of(Kind.METRIC), "the metrics were not read in time"


async def _cold(address: str) -> Row:
    """The command, as it is typed: with the interpreter's start and all imports."""
    with scratch_watch(address, 4) as watch:
        await triage(watch, watch.integration(NAME))
        await asyncio.sleep(YOUNGEST_S + 0.1)
        took = await repeated(partial(_command, watch), 2)
    return Row("watchkeeper triage, started cold", took)


async def _command(watch: Watch) -> None:
    settings = watch.settings
    environment = os.environ | {
        "WATCHKEEPER_HOME": str(settings.home),
        "WATCHKEEPER_INTEGRATIONS": str(settings.integrations),
        "WATCHKEEPER_RUNBOOKS": str(settings.runbooks),
    }
    command = (sys.executable, "-m", "deployments.cli", "triage", NAME)
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=quiet, stderr=quiet
    )
    assert await process.wait() == 0


def main() -> int:
    rows = asyncio.run(measured())
    load = os.getloadavg()[0]
    if "--json" in sys.argv[1:]:
        print(json.dumps({"load": load, "rows": [asdict(row) for row in rows]}))
    else:
        title = f"Triage; x: of the slowest probe, {SLOWEST_S * 1000:g} ms; load {load:.1f}"
        show(title, rows, SLOWEST_S)
    return 1 if any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
