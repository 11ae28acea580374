"""Random SIGKILLs of the supervisor, the Prefect server and the runs, with and without an incident.

    python -m benchmarks.kills [--kills 200] [--seed 5] [--planted]

Rounds alternate: an expired key that a person replaces, and a calm integration. While a round
lasts, a process drawn from the seed is killed every 4 to 14 seconds; `up` is started again as a
service manager would. Judged at the far side: the incident closes, each rung of the ladder has at
most one alert and it is resolved, nothing is left paused or leased, the records are whole; a calm
integration opens no incident and pages nobody.

`--planted` runs one round with a sweep that never runs: the campaign must find it. Ends with 1
where a promise was broken, or where the planted fault was not found.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx

from deployments.drill.collect import collect
from deployments.drill.drill import Drill
from deployments.drill.facts import Facts
from deployments.drill.prefect_view import PrefectView
from deployments.drill.rehearsal import rehearse, sync_now
from deployments.drill.scenario import Scenario
from deployments.drill.scenarios.keys import EXPIRED_KEY
from deployments.drill.sealing import Witness
from deployments.drill.supervision import Supervisor, start_people
from deployments.drill.world import running_world
from watchkeeper.errors import WatchkeeperError
from watchkeeper.incident import State
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import watermarks

GAP_S = (4.0, 14.0)
# Each kill of a supervisor costs a start of the server; a drill's own bounds know no kills.
PATIENCE = 4.0
CALM_KILLS = 4
KINDS = ("run", "run", "run", "server", "supervisor")
VIEW_TRIES, VIEW_PAUSE_S = 30, 1.0


def children(pid: int) -> Iterator[int]:
    """All descendants, the nearest first."""
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return
    for child in map(int, told.split()):
        yield child
        yield from children(child)


def named(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass
class Chaos:
    """Kills one process after another of what stands below `up`."""

    up: Supervisor
    job: str
    rng: Random
    left: int
    kinds: tuple[str, ...] = KINDS
    killed: Counter[str] = field(default_factory=Counter)
    due: float = 0.0

    def rest(self) -> None:
        self.due = time.monotonic() + self.rng.uniform(*GAP_S)

    def strike(self) -> None:
        """Kill whoever is next, if it is time; then see that there is an `up`."""
        if not self.due:
            self.rest()
        if self.left and time.monotonic() >= self.due:
            kind = self.rng.choice(self.kinds)
            victim = self._victim(kind)
            if victim is not None:
                os.kill(victim, signal.SIGKILL)
                self.killed[kind] += 1
                self.left -= 1
            self.rest()
        if not self.up.alive():
            self.up.serving(self.job)
            self.rest()

    def _victim(self, kind: str) -> int | None:
        supervisor = self.up.pid
        if supervisor is None or kind == "supervisor":
            return supervisor
        marks = "prefect server" if kind == "server" else "prefect.engine"
        found = [pid for pid in children(supervisor) if marks in named(pid)]
        return self.rng.choice(sorted(found)) if found else None


@dataclass
class Struck(Drill):
    """A drill in which processes die from the fault to the close."""

    chaos: Chaos | None = None
    patience: float = PATIENCE

    def notice(self) -> None:
        super().notice()
        if self.chaos and "fault" in self.marks and "closed" not in self.marks:
            self.chaos.strike()

    def wait(self, what: str, within_s: float, holds: Callable[[], bool]) -> bool:
        return super().wait(what, within_s * self.patience, holds)


class LiveView:
    """A view of whichever server is up: a new supervisor brings a new one."""

    def __init__(self, up: Supervisor, job: str) -> None:
        self._up, self._job = up, job

    def __getattr__(self, name: str) -> Any:
        def asked(*given: Any) -> Any:
            for _ in range(VIEW_TRIES):
                try:
                    return getattr(self._up.serving(self._job), name)(*given)
                except (httpx.HTTPError, WatchkeeperError):
                    time.sleep(VIEW_PAUSE_S)
            return getattr(self._up.serving(self._job), name)(*given)

        return asked


@dataclass
class Stage:
    home: Path
    watch: Watch
    up: Supervisor
    tell: Callable[[str], None]
    rng: Random
    kinds: tuple[str, ...] = KINDS
    patience: float = PATIENCE


def broken(facts: Facts) -> Iterator[str]:
    """What was promised and not kept."""
    incident = facts.incident
    if incident is None or incident["state"] != State.CLOSED:
        yield f"not closed: {incident}"
        return
    for key, alert in facts.pages.get("incidents", {}).items():
        if alert["alerts"] != 1:
            yield f"{alert['alerts']} alerts of {key}"
        if alert["state"] != "resolved":
            yield f"{key} is {alert['state']}"
    if not facts.pages.get("incidents"):
        yield "nobody was paged"
    if facts.leases_left:
        yield f"{facts.leases_left} leases left"
    for job, state in facts.job_states.items():
        if (state == "paused") != (job == "report-generator"):
            yield f"{job} is {state}"
    for resource, data in facts.data.items():
        for wrong in ("missing", "duplicates", "stale"):
            if data[wrong]:
                yield f"{resource}: {data[wrong]} {wrong}"
    if facts.report is None:
        yield "no report"
    if any(
        key["fingerprint"] == facts.first_key and key["state"] == "active" for key in facts.keys
    ):
        yield "the old key is alive"


def incident_round(stage: Stage, number: int, kills: int) -> tuple[list[str], Counter[str]]:
    scenario = replace(EXPIRED_KEY[0], name=f"kills-{number}")
    job = _job(scenario)
    folder, began = stage.home / "worlds" / scenario.name, time.monotonic()
    with Witness() as witness, running_world(stage.home, folder, scenario.integration) as world:
        stage.watch.registered(scenario.integration)
        stage.up.serving(job)
        chaos = Chaos(stage.up, job, stage.rng, kills, stage.kinds)
        drill = Struck(
            scenario,
            world,
            stage.watch,
            stage.tell,
            began,
            chaos=chaos,
            patience=stage.patience,
        )
        view: PrefectView = LiveView(stage.up, job)  # type: ignore[assignment]
        start_people(world, scenario.people)
        try:
            rehearse(drill, view)
            found = list(broken(collect(drill, view, witness)))
        finally:
            stage.up.stop()
    return found, chaos.killed


def calm_round(stage: Stage, number: int, kills: int) -> tuple[list[str], Counter[str]]:
    scenario = replace(EXPIRED_KEY[0], name=f"calm-{number}", paused_by_person=None)
    job, folder = _job(scenario), stage.home / "worlds" / scenario.name
    with running_world(stage.home, folder, scenario.integration) as world:
        stage.watch.registered(scenario.integration)
        stage.up.serving(job)
        chaos = Chaos(stage.up, job, stage.rng, kills)
        drill = Drill(scenario, world, stage.watch, stage.tell)
        view: PrefectView = LiveView(stage.up, job)  # type: ignore[assignment]
        try:
            until = time.monotonic() + kills * GAP_S[1] * PATIENCE
            while chaos.left and time.monotonic() < until:
                chaos.strike()
                drill.notice()
                time.sleep(0.25)
            began = datetime.now(UTC)
            sync_now(drill, view, frozenset({job}))
            moved = drill.wait("a sync after the kills", 120, lambda: _walked(drill, began))
            pages = drill.far.pages().get("incidents", {})
            found = [f"opened {incident.title}" for incident in drill.incidents()]
            found += [f"paged: {key}" for key in pages]
            found += [] if moved else ["no sync ran after the kills"]
        finally:
            stage.up.stop()
    return found, chaos.killed


def _job(scenario: Scenario) -> str:
    from deployments.drill.played import played

    return played(scenario.vendor).main_job.name


def _walked(drill: Drill, since: datetime) -> bool:
    with drill.watch.store.read() as session:
        marks = watermarks.listed(session, drill.scenario.integration)
    return any(mark.walked_at > since for mark in marks)


def campaign(kills: int, seed: int, verbose: bool) -> tuple[int, list[str], Counter[str]]:
    rng, killed, wrong, number = Random(seed), Counter[str](), list[str](), 0
    while killed.total() < kills and number < kills:
        number += 1
        play = calm_round if number % 4 == 0 else incident_round
        wanted = CALM_KILLS if play is calm_round else kills - killed.total()
        with tempfile.TemporaryDirectory(prefix="watchkeeper-kills-") as home:
            found, struck = _round(Path(home), play, number, wanted, rng, verbose)
        killed += struck
        wrong += [f"round {number} ({play.__name__}): {one}" for one in found]
        told = ", ".join(f"{count} {kind}" for kind, count in struck.items()) or "nothing"
        print(f"round {number} {play.__name__}: killed {told}; {found or 'held'}", flush=True)
    return number, wrong, killed


def _round(
    home: Path,
    play: Callable[[Stage, int, int], tuple[list[str], Counter[str]]],
    number: int,
    kills: int,
    rng: Random,
    verbose: bool,
    *,
    broken_on_purpose: bool = False,
) -> tuple[list[str], Counter[str]]:
    def tell(line: str) -> None:
        if verbose:
            print(line, flush=True)

    watch = open_watch(Settings(home=home, integrations=home / "integrations.yaml"))
    never = {"WATCHKEEPER_SWEEP_INTERVAL_S": "86400"} if broken_on_purpose else None
    kinds, patience = (("run",), 0.5) if broken_on_purpose else (KINDS, PATIENCE)
    try:
        with Supervisor(home, tell, never) as up:
            return play(Stage(home, watch, up, tell, rng, kinds, patience), number, kills)
    finally:
        watch.store.close()


def planted(verbose: bool) -> bool:
    """A watch whose sweep never comes: a responder that dies stays dead, and this must be seen."""
    with tempfile.TemporaryDirectory(prefix="watchkeeper-kills-") as home:
        found, _ = _round(
            Path(home), incident_round, 1, 3, Random(1), verbose, broken_on_purpose=True
        )
    print(f"planted: {found or 'NOT FOUND'}", flush=True)
    return bool(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    began = time.monotonic()
    if given.planted:
        return 0 if planted(given.verbose) else 1
    rounds, wrong, killed = campaign(given.kills, given.seed, given.verbose)
    took_s = time.monotonic() - began
    print(f"{killed.total()} kills in {rounds} rounds ({dict(killed)}), {took_s:.0f} s")
    print(f"{len(wrong)} promises broken", *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
