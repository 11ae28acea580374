"""One rehearsed incident from calm to calm: set the fault, let Watchkeeper work, judge what is left."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployments.drill.collect import collect, result, waits
from deployments.drill.far_side import FarSide
from deployments.drill.prefect_view import PrefectView, prefect_view
from deployments.drill.scenarios import ALL_JOBS, Scenario
from deployments.drill.score import failures
from deployments.drill.sealing import Witness
from deployments.drill.world import BEFORE, INTEGRATION, OVERLAY, VENDOR, World, running_world
from watchkeeper.errors import WatchkeeperError
from watchkeeper.gaps import WindowState
from watchkeeper.incident import State
from watchkeeper.performing.reporting import report_is_final
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import gaps, incidents, leases, watermarks

READY_S = 90.0
CALM_S = 60.0
INCIDENT_S = 170.0
CATCH_UP_S = 60.0
POLL_S = 0.25

Tell = Callable[[str], None]


@dataclass
class Drill:
    """One run of one scenario; `tell` gets a line for each thing that happens."""

    scenario: Scenario
    world: World
    watch: Watch
    tell: Tell
    began: float = field(default_factory=time.monotonic)
    marks: dict[str, datetime] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def far(self) -> FarSide:
        return FarSide(self.world)

    def say(self, what: str) -> None:
        self.tell(f"[{time.monotonic() - self.began:6.1f} s] {what}")

    def mark(self, name: str) -> datetime:
        return self.marks.setdefault(name, datetime.now(UTC))

    def wait(self, what: str, within_s: float, holds: Callable[[], bool]) -> bool:
        """Poll until it holds or the time is over; says which."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if holds():
                return True
            self.notice()
            time.sleep(POLL_S)
        self.say(f"waited {within_s:g} s in vain for {what}")
        return False

    def notice(self) -> None:
        """Tell what is new: the timeline, what is held, how far the gaps are filled."""
        for line in news(self.watch):
            if line not in self.seen:
                self.seen.add(line)
                self.say(line)


def news(watch: Watch) -> list[str]:
    """The present state of every incident, in lines; a line that was told is not told again."""
    said: list[str] = []
    with watch.store.read() as session:
        for incident in incidents.listed(session):
            title = f"INC-{incident.id}"
            for entry in incidents.timeline(session, incident.id):
                said.append(f"{title} {entry.milestone or entry.actor}: {entry.text}")
            held = [f"{lease.kind} {lease.target}" for lease in leases.active(session, incident.id)]
            if held:
                said.append(f"{title} holds: {', '.join(held)}")
            for gap in gaps.of_incident(session, incident.id):
                windows = gaps.windows(session, gap.id)
                done = sum(window.state is WindowState.DONE for window in windows)
                rows = sum(window.rows for window in windows)
                if windows:
                    part = f"{done} of {len(windows)} windows, {rows} rows"
                    said.append(f"{title} fills {gap.resource}: {part}")
    return said


def run_drill(scenario: Scenario, home: Path, tell: Tell, keep: bool) -> dict[str, Any]:
    """Run it in a world of its own below `home`; the JSON object that `drill --json` prints.

    The world is removed when the drill passed and `keep` is off.
    """
    folder = home / f"{scenario.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    began = time.monotonic()
    tell(f"drill {scenario.name}: {scenario.title}")
    tell(f"  clocks and autonomy of the drill: {json.dumps(OVERLAY)}")
    with Witness() as witness, running_world(folder, scenario.overrides) as world:
        settings = Settings(home=world.home, integrations=world.integrations)
        watch = open_watch(settings)
        watch.registered(INTEGRATION)
        drill = Drill(scenario, world, watch, tell, began)
        with _supervisor(drill) as api, _person(drill), prefect_view(api) as view:
            _rehearse(drill, view)
            facts = collect(drill, view, witness)
            drill.notes["waits"] = waits(drill, facts)
        watch.store.close()
    wrong = failures(scenario, facts)
    if not witness.watched:
        tell("  not watched: without /proc nobody saw where its processes connected")
    for line in wrong:
        tell(f"  FAILED: {line}")
    took = time.monotonic() - began
    tell(f"drill {scenario.name} {'FAILED' if wrong else 'passed'} in {took:.0f} s")
    if wrong or keep:
        tell(f"  its world is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return result(drill, facts, wrong, took)


def _rehearse(drill: Drill, view: PrefectView) -> None:
    scenario, far = drill.scenario, drill.far
    _sync_now(drill, view, ALL_JOBS)
    if not drill.wait("the first syncs", CALM_S, lambda: _calm(drill)):
        return
    drill.say("calm: every resource has been synced once")
    if scenario.kill:
        (drill.world.home / "failpoints" / scenario.kill).touch()
    fault_at = drill.mark("fault")
    drill.notes["before"] = far.requests(fault_at - BEFORE)
    if scenario.status_page:
        far.status_page(scenario.status_page)
    far.set_fault(scenario.fault)
    drill.say(f"FAULT at the vendor: {json.dumps(scenario.fault)}")
    if scenario.cleared_after_s is not None:
        drill.wait("the mitigation", INCIDENT_S, lambda: _is(drill, State.MITIGATED))
        drill.mark("mitigated")
        time.sleep(scenario.cleared_after_s)
        if scenario.caps:
            _sync_under_cap(drill, view)
        far.clear_faults()
        far.status_page("operational")
        drill.say("the vendor is well again")
    drill.wait("the recovery", INCIDENT_S, lambda: _is(drill, State.RESOLVED))
    drill.mark("recovered")
    drill.wait("the incident to close", INCIDENT_S, lambda: _is(drill, State.CLOSED))
    drill.mark("closed")
    far.freeze()
    drill.say("the world stands still; the syncs catch up")
    settled = drill.mark("frozen") + timedelta(seconds=VENDOR["list_lag_s"] + 0.5)
    drill.wait("the vendor's lists", CATCH_UP_S, lambda: datetime.now(UTC) > settled)
    for _ in range(3):
        # A run that was at it before the lists caught up keeps a new one away.
        _sync_now(drill, view, ALL_JOBS - {scenario.paused_by_person or ""})
        if drill.wait("the syncs to catch up", CATCH_UP_S / 3, lambda: _caught_up(drill, settled)):
            break
    drill.wait("the report", CATCH_UP_S, lambda: _reported(drill))


def _calm(drill: Drill) -> bool:
    paused = drill.scenario.paused_by_person
    with drill.watch.store.read() as session:
        done = {mark.resource for mark in watermarks.listed(session, INTEGRATION)}
    wanted = {"workorders", "assets", "locations", "users"}
    if paused and not drill.notes.get("asked_to_pause") and {"locations", "users"} <= done:
        drill.notes["asked_to_pause"] = True
        _command(drill, "job", "pause", INTEGRATION, paused, "--by", "ada", "--reason", "month end")
        drill.say(f"a person pauses {paused}")
    return wanted <= done


def _is(drill: Drill, state: State) -> bool:
    with drill.watch.store.read() as session:
        found = incidents.listed(session, at_most=1)
    return bool(found) and found[0].has_reached(state)


def _sync_under_cap(drill: Drill, view: PrefectView) -> None:
    """The critical sync goes on under the cap: what it moves, and what the simulator counts of it."""
    began = datetime.now(UTC)
    view.run("sync/workorder-sync")
    drill.wait("a critical sync under the cap", CATCH_UP_S, lambda: _walked(drill, began))
    drill.notes["during"] = drill.far.requests(began)
    drill.notes["during_s"] = (datetime.now(UTC) - began).total_seconds()
    with drill.watch.store.read() as session:
        drill.notes["held"] = [lease.kind.value for lease in leases.active(session)]
    drill.say(f"still held: {', '.join(drill.notes['held']) or 'nothing'}")


def _walked(drill: Drill, since: datetime) -> bool:
    with drill.watch.store.read() as session:
        mark = watermarks.get(session, INTEGRATION, "workorders")
    return mark is not None and mark.walked_at > since


def _sync_now(drill: Drill, view: PrefectView, jobs: frozenset[str]) -> None:
    for job in sorted(jobs):
        view.run(f"sync/{job}")
    drill.say(f"started by hand: {', '.join(sorted(jobs))}")


def _reported(drill: Drill) -> bool:
    with drill.watch.store.read() as session:
        return all(report_is_final(drill.watch, i) for i in incidents.listed(session))


def _caught_up(drill: Drill, settled: datetime) -> bool:
    """A walk of each running job that began after the world stood still and its lists caught up."""
    resting = {"locations", "users"} if drill.scenario.paused_by_person else set()
    with drill.watch.store.read() as session:
        marks = watermarks.listed(session, INTEGRATION)
    return all(mark.walked_at > settled for mark in marks if mark.resource not in resting)


def program() -> list[str]:
    """The public command, as people call it."""
    return [str(Path(sys.executable).with_name("watchkeeper"))]


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


@contextmanager
def _supervisor(drill: Drill) -> Iterator[str]:
    """`watchkeeper up`, as a process of its own; yields Prefect's API address."""
    ready = drill.world.home / "up.json"
    with (drill.world.home / "up.log").open("wb") as log:
        child = subprocess.Popen(
            [*program(), "up", "--tied"],
            env=drill.world.environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        up = drill.wait("`up`", READY_S, lambda: ready.exists() or child.poll() is not None)
        if not up or not ready.exists():
            tail = (drill.world.home / "up.log").read_text(errors="replace")[-1500:]
            raise WatchkeeperError(f"`watchkeeper up` did not come up: {tail}")
        api = str(json.loads(ready.read_text())["api"])
        drill.say(f"up: {api.removesuffix('/api')}")
        drill.mark("up")
        yield api
    finally:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(40)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextmanager
def _person(drill: Drill) -> Iterator[None]:
    config = drill.world.home / "sandbox" / "person.json"
    config.write_text(
        json.dumps(
            {
                "name": "ada",
                "program": program(),
                "env": drill.world.environment(),
                "integration": INTEGRATION,
                "vendor": drill.world.vendor,
                "pager": drill.world.pager,
                "pager_ca": str(drill.world.pager_ca),
            }
        )
    )
    drill.world.processes.start(["person", "--config", str(config)])
    yield
