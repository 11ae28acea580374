"""A rehearsed incident, or a calm while, in which something is done to the watch, and its judgement.

Shared by the campaigns. Judged at the far side: the incident closes, each rung of the ladder has at
most one alert and it is resolved, nothing is left paused or leased, the records are whole.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from deployments.drill.collect import collect
from deployments.drill.drill import Drill
from deployments.drill.facts import Facts
from deployments.drill.played import played
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

# What is done costs time of its own, such as a start of the server; a drill's bounds know nothing of it.
PATIENCE = 4.0
VIEW_TRIES, VIEW_PAUSE_S = 30, 1.0
AFTER_S = 120.0


@dataclass
class Stage:
    """A home with its database, and the `up` over it."""

    home: Path
    watch: Watch
    up: Supervisor
    tell: Callable[[str], None]
    patience: float = PATIENCE


# Called at each poll from the fault to the close, or while it is calm; False: it is done.
Act = Callable[[Drill, Stage], bool]


@contextmanager
def fresh_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="watchkeeper-round-") as home:
        yield Path(home)


@contextmanager
def stage(
    home: Path,
    tell: Callable[[str], None],
    over: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Iterator[Stage]:
    """`over`: variables of `up` in place of a drill's own."""
    watch = open_watch(Settings(home=home, integrations=home / "integrations.yaml"))
    try:
        with Supervisor(home, tell, over) as up:
            yield Stage(home, watch, up, tell, patience)
    finally:
        watch.store.close()


@dataclass
class Struck(Drill):
    """A drill in which something is done to the watch from the fault to the close."""

    act: Act | None = None
    on: Stage | None = None
    over: bool = field(default=False)

    def notice(self) -> None:
        super().notice()
        lasts = "fault" in self.marks and "closed" not in self.marks
        if self.act is not None and self.on is not None and lasts and not self.over:
            self.over = not self.act(self, self.on)

    def wait(self, what: str, within_s: float, holds: Callable[[], bool]) -> bool:
        return super().wait(what, within_s * (self.on.patience if self.on else 1.0), holds)


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


def main_job(scenario: Scenario) -> str:
    return played(scenario.vendor).main_job.name


def incident_round(on: Stage, name: str, act: Act) -> list[str]:
    """An expired key that a person replaces; what was promised and not kept."""
    scenario = replace(EXPIRED_KEY[0], name=name)
    folder, began = on.home / "worlds" / name, time.monotonic()
    with Witness() as witness, running_world(on.home, folder, scenario.integration) as world:
        on.watch.registered(scenario.integration)
        on.up.serving(main_job(scenario))
        drill = Struck(scenario, world, on.watch, on.tell, began, act=act, on=on)
        view: PrefectView = LiveView(on.up, main_job(scenario))  # type: ignore[assignment]
        start_people(world, scenario.people)
        try:
            rehearse(drill, view)
            return list(broken(collect(drill, view, witness)))
        finally:
            on.up.stop()


def calm_round(on: Stage, name: str, act: Act, within_s: float) -> list[str]:
    """Nothing is wrong at the vendor: no incident, no page, and syncs run afterwards."""
    scenario = replace(EXPIRED_KEY[0], name=name, paused_by_person=None)
    job, folder = main_job(scenario), on.home / "worlds" / name
    with running_world(on.home, folder, scenario.integration) as world:
        on.watch.registered(scenario.integration)
        on.up.serving(job)
        drill = Drill(scenario, world, on.watch, on.tell)
        view: PrefectView = LiveView(on.up, job)  # type: ignore[assignment]
        try:
            until = time.monotonic() + within_s
            while act(drill, on) and time.monotonic() < until:
                drill.notice()
                time.sleep(0.25)
            began = datetime.now(UTC)
            sync_now(drill, view, frozenset({job}))
            moved = drill.wait("a sync afterwards", AFTER_S, lambda: _walked(drill, began))
            found = [f"opened {incident.title}" for incident in drill.incidents()]
            found += [f"paged: {key}" for key in drill.far.pages().get("incidents", {})]
            return found if moved else [*found, "no sync ran afterwards"]
        finally:
            on.up.stop()


def _walked(drill: Drill, since: datetime) -> bool:
    with drill.watch.store.read() as session:
        marks = watermarks.listed(session, drill.scenario.integration)
    return any(mark.walked_at > since for mark in marks)


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
