"""From calm to calm: set the fault, let Watchkeeper work, let the world stand still."""

from __future__ import annotations

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta

from deployments.drill.drill import Drill
from deployments.drill.prefect_view import PrefectView
from deployments.drill.scenario import ALL_JOBS
from deployments.drill.supervision import program
from deployments.drill.world import BEFORE, VENDOR
from watchkeeper.errors import WatchkeeperError
from watchkeeper.incident import State
from watchkeeper.performing.reporting import report_is_final
from watchkeeper.store import leases, watermarks

CALM_S = 60.0
INCIDENT_S = 170.0
CATCH_UP_S = 60.0
RESOURCES = frozenset({"workorders", "assets", "locations", "users"})


def rehearse(drill: Drill, view: PrefectView) -> None:
    sync_now(drill, view, ALL_JOBS)
    if not drill.wait("the first syncs", CALM_S, lambda: _calm(drill)):
        return
    drill.say("calm: every resource has been synced once")
    _break(drill, view)
    if drill.scenario.cleared_after_s is not None:
        _last(drill, view, drill.scenario.cleared_after_s)
    drill.wait("the recovery", INCIDENT_S, lambda: drill.has_reached(State.RESOLVED))
    drill.mark("recovered")
    drill.wait("the incident to close", INCIDENT_S, lambda: drill.has_reached(State.CLOSED))
    drill.mark("closed")
    _stand_still(drill, view)
    drill.wait("the report", CATCH_UP_S, lambda: _reported(drill))


def _break(drill: Drill, view: PrefectView) -> None:
    scenario = drill.scenario
    if scenario.kill:
        (drill.world.home / "failpoints" / scenario.kill).touch()
    fault_at = drill.mark("fault")
    drill.notes["before"] = drill.far.requests(fault_at - BEFORE)
    drill.far.break_it(scenario)
    planted = [*scenario.faults, *([scenario.wire] if scenario.wire else [])]
    drill.say(f"FAULT: {', '.join(map(json.dumps, planted))}")
    if scenario.floods:
        sync_now(drill, view, frozenset({scenario.floods}))


def _last(drill: Drill, view: PrefectView, for_s: float) -> None:
    """The harm goes on for a while under the mitigation; then the vendor mends itself."""
    drill.wait("the mitigation", INCIDENT_S, lambda: drill.has_reached(State.MITIGATED))
    drill.mark("mitigated")
    time.sleep(for_s)
    drill.notes["held"] = _held(drill)
    drill.say(f"held: {', '.join(drill.notes['held']) or 'nothing'}")
    if drill.scenario.goes_on:
        _sync_under_cap(drill, view)
    drill.far.mend_it()
    drill.say("the vendor is well again")


def _held(drill: Drill) -> list[str]:
    with drill.watch.store.read() as session:
        mine = [lease for i in drill.incidents() for lease in leases.active(session, i.id)]
    return [lease.kind.value for lease in mine]


def _stand_still(drill: Drill, view: PrefectView) -> None:
    drill.far.freeze()
    drill.say("the world stands still; the syncs catch up")
    settled = drill.mark("frozen") + timedelta(seconds=VENDOR["list_lag_s"] + 0.5)
    drill.wait("the vendor's lists", CATCH_UP_S, lambda: datetime.now(UTC) > settled)
    for _ in range(3):
        # A run that was at it before the lists caught up keeps a new one away.
        sync_now(drill, view, ALL_JOBS - {drill.scenario.paused_by_person or ""})
        if drill.wait("the syncs to catch up", CATCH_UP_S / 3, lambda: _caught_up(drill, settled)):
            break


def _calm(drill: Drill) -> bool:
    paused, name = drill.scenario.paused_by_person, drill.scenario.integration
    with drill.watch.store.read() as session:
        done = {mark.resource for mark in watermarks.listed(session, name)}
    if paused and not drill.notes.get("asked_to_pause") and {"locations", "users"} <= done:
        drill.notes["asked_to_pause"] = True
        _command(drill, "job", "pause", name, paused, "--by", "ada", "--reason", "month end")
        drill.say(f"a person pauses {paused}")
    return done >= RESOURCES


def _sync_under_cap(drill: Drill, view: PrefectView) -> None:
    """The critical sync goes on under the cap: what it moves, and what the simulator counts of it."""
    began = datetime.now(UTC)
    view.run("sync/workorder-sync")
    drill.wait("a critical sync under the cap", CATCH_UP_S, lambda: _walked(drill, began))
    drill.notes["during"] = drill.far.requests(began)
    drill.notes["during_s"] = (datetime.now(UTC) - began).total_seconds()


def _walked(drill: Drill, since: datetime) -> bool:
    with drill.watch.store.read() as session:
        mark = watermarks.get(session, drill.scenario.integration, "workorders")
    return mark is not None and mark.walked_at > since


def sync_now(drill: Drill, view: PrefectView, jobs: frozenset[str]) -> None:
    for job in sorted(jobs):
        view.run(f"sync/{job}")
    drill.say(f"started by hand: {', '.join(sorted(jobs))}")


def _reported(drill: Drill) -> bool:
    return all(report_is_final(drill.watch, incident) for incident in drill.incidents())


def _caught_up(drill: Drill, settled: datetime) -> bool:
    """A walk of each running job that began after the world stood still and its lists caught up."""
    resting = {"locations", "users"} if drill.scenario.paused_by_person else set()
    with drill.watch.store.read() as session:
        marks = watermarks.listed(session, drill.scenario.integration)
    return all(mark.walked_at > settled for mark in marks if mark.resource not in resting)


def _command(drill: Drill, *words: str) -> None:
    done = subprocess.run(
        [*program(), *words],
        env=drill.world.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise WatchkeeperError(f"`watchkeeper {' '.join(words)}` failed: {done.stderr.strip()}")
