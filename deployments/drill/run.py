"""Rehearsing incidents, one after another, under one `watchkeeper up`, and judging what is left."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deployments.drill.collect import collect
from deployments.drill.drill import Drill, Tell, TooSlow
from deployments.drill.entry import AUTONOMY, CLOCKS, LISTS, SOAK, watch_only
from deployments.drill.facts import Facts
from deployments.drill.played import played
from deployments.drill.prefect_view import PrefectView
from deployments.drill.rehearsal import rehearse
from deployments.drill.result import result
from deployments.drill.scenario import Scenario
from deployments.drill.score import failures
from deployments.drill.sealing import Witness
from deployments.drill.supervision import Supervisor, start_people
from deployments.drill.timing import waits
from deployments.drill.world import World, running_world
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings

DRAINED_S = 30.0
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Stage:
    """What drills share: a home with its database, and the `up` over it."""

    home: Path
    watch: Watch
    up: Supervisor
    tell: Tell

    def folder(self, scenario: Scenario) -> Path:
        return self.home / "worlds" / scenario.name


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What was seen, what was wrong with it, and where the time went."""

    facts: Facts
    wrong: list[str]
    waited: dict[str, float]


def run_drills(
    scenarios: Sequence[Scenario], home: Path, tell: Tell, keep: bool
) -> list[dict[str, Any]]:
    """Run each in a world of its own, all under one `up` in one home below `home`; the objects that
    `drill --json` prints.

    The world of a drill that passed is removed unless `keep` is on, and the home after the last of
    them. One that failed leaves an incident open: its home is left as it is, and the rest begin
    anew in another.
    """
    named = scenarios[0].name if len(scenarios) == 1 else f"{len(scenarios)}-drills"
    place = f"{named}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    tell(f"clocks of a drill: {json.dumps({**CLOCKS, 'causes': SOAK, 'resources': LISTS})}")
    tell(f"autonomy of a drill: auto; {json.dumps(AUTONOMY)}")
    results: list[dict[str, Any]] = []
    while len(results) < len(scenarios):
        if results:
            tell("the rest get a home, a server and an `up` of their own")
        number = f"-after-{len(results)}" if results else ""
        results += _until_one_fails(
            scenarios[len(results) :], home / f"{place}{number}", tell, keep
        )
    return results


def _until_one_fails(
    scenarios: Sequence[Scenario], place: Path, tell: Tell, keep: bool
) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    watch = open_watch(Settings(home=place, integrations=place / "integrations.yaml"))
    try:
        with Supervisor(place, tell) as up:
            stage = Stage(place, watch, up, tell)
            for scenario in scenarios:
                results.append(_run(stage, scenario, last=scenario is scenarios[-1]))
                if not results[-1]["passed"]:
                    break
                if not keep:
                    shutil.rmtree(stage.folder(scenario))
    finally:
        watch.store.close()
    if keep or not results[-1]["passed"]:
        tell(f"kept: {place}")
    else:
        shutil.rmtree(place)
    return results


def _run(stage: Stage, scenario: Scenario, last: bool) -> dict[str, Any]:
    began = time.monotonic()
    stage.tell(f"drill {scenario.name}: {scenario.title}")
    try:
        seen = _rehearsed(stage, scenario, last)
    except TooSlow as error:
        seen = Rehearsed(Facts(incident=None), [str(error)], {})
    except Exception as error:
        # Whatever broke this rehearsal is its failure, and must not take the others with it.
        broken = f"broken off: {type(error).__name__}: {error}"
        seen = Rehearsed(Facts(incident=None), [broken], {})
    for line in seen.wrong:
        stage.tell(f"  FAILED: {line}")
    took_s = time.monotonic() - began
    stage.tell(f"drill {scenario.name} {'FAILED' if seen.wrong else 'passed'} in {took_s:.0f} s")
    return result(scenario, seen.facts, seen.waited, seen.wrong, took_s)


def _rehearsed(stage: Stage, scenario: Scenario, last: bool) -> Rehearsed:
    setup = replace(scenario.setup, wired=scenario.setup.wired or scenario.wire is not None)
    folder, began = stage.folder(scenario), time.monotonic()
    with (
        Witness() as witness,
        running_world(stage.home, folder, scenario.integration, setup) as world,
    ):
        if not witness.watched:
            stage.tell("  not watched: without /proc nobody sees where its processes connect")
        stage.watch.registered(scenario.integration)
        drill = Drill(scenario, world, stage.watch, stage.tell, began)
        view, goes_on = stage.up.serving(played(scenario.vendor).main_job.name), False
        try:
            start_people(world, scenario.people)
            for job in setup.deploys:
                view.deploy(job)
            rehearse(drill, view)
            facts = collect(drill, view, witness)
            wrong = failures(scenario, facts)
            goes_on = not (wrong or last)
            return Rehearsed(facts, wrong, waits(drill, facts))
        finally:
            # In any case before the stand-ins go: a look that has begun would find them all dead,
            # and call people.
            if goes_on:
                _watched_no_longer(world, view)
            else:
                stage.up.stop()


def _watched_no_longer(world: World, view: PrefectView) -> None:
    watch_only(world.integrations, {})
    mine, until = view.under_way(), time.monotonic() + DRAINED_S
    while mine & view.under_way() and time.monotonic() < until:
        time.sleep(POLL_S)
