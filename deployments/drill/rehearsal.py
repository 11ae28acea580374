"""From calm to calm: begin it, let Watchkeeper work, let the world stand still."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

from deployments.drill.drill import Drill
from deployments.drill.entry import fall_due
from deployments.drill.expects import WORDS, Moment, Outside, unmet
from deployments.drill.outside import look
from deployments.drill.played import LIST_LAG_S
from deployments.drill.prefect_view import PrefectView
from deployments.drill.setup import filled
from deployments.drill.supervision import command
from watchkeeper.incident import State
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.reporting import report_is_final
from watchkeeper.store import leases, observations, watermarks

RATE_CAP = LeaseKind.RATE_CAP
CALM_S = 120.0
# For events at the far side to be as many as a scenario says.
EVENTS_S = 60.0
INCIDENT_S = 170.0
CATCH_UP_S, TIMES = 120.0, 6


def rehearse(drill: Drill, view: PrefectView) -> None:
    drill.mark("world")
    sync_now(drill, view, drill.played.jobs)
    if not drill.wait("the first syncs", CALM_S, lambda: _calm(drill)):
        return
    drill.say("calm: every resource has been synced once, and a check has found all well")
    _begin(drill, view)
    _while_it_lasts(drill, view)
    drill.wait("the recovery", INCIDENT_S, lambda: drill.has_reached(State.RESOLVED))
    drill.mark("recovered")
    drill.wait("the incident to close", INCIDENT_S, lambda: drill.has_reached(State.CLOSED))
    drill.mark("closed")
    for words in drill.scenario.told_after:
        _told(drill, words)
    _stand_still(drill, view)
    drill.wait("the report", CATCH_UP_S, lambda: _reported(drill))
    _shown_at(drill, view, "after", drill.mark("closed"))


def _begin(drill: Drill, view: PrefectView) -> None:
    scenario = drill.scenario
    if scenario.kill:
        (drill.world.home / "failpoints" / scenario.kill).touch()
    _shown_at(drill, view, "before", drill.mark("world"))
    drill.mark("fault")
    drill.far.break_it(scenario)
    if scenario.falls_due:
        fall_due(drill.world.integrations, drill.mark("fault"))
    if scenario.planted:
        drill.say(f"FAULT: {', '.join(map(json.dumps, scenario.planted))}")
    if scenario.floods:
        sync_now(drill, view, frozenset({scenario.floods}))
    for words in scenario.told:
        _told(drill, words)


def _told(drill: Drill, words: tuple[str, ...]) -> None:
    """What a person says, in the order they say it: an incident must be there to be named."""
    if any("{incident}" in word for word in words):
        drill.wait("an incident to speak of", INCIDENT_S, lambda: bool(drill.incidents()))
    named = {"integration": drill.scenario.integration, "now": f"{drill.mark('fault'):%FT%TZ}"}
    if found := drill.incidents():
        named["incident"] = f"INC-{found[0].id}"
    said = [str(filled(word, named)) for word in words]
    command(drill.world, *said)
    drill.say(f"TOLD: watchkeeper {' '.join(said)}")


def _while_it_lasts(drill: Drill, view: PrefectView) -> None:
    """What is in force is seen once the mitigation stands; where the world mends itself, it goes on
    for a while before it does."""
    scenario = drill.scenario
    if not drill.wait("the mitigation", INCIDENT_S, lambda: drill.has_reached(State.MITIGATED)):
        return
    mitigated = drill.mark("mitigated")
    drill.shown["early"] = look(drill, view, mitigated)
    time.sleep(scenario.cleared_after_s or 0.0)
    drill.notes["held"] = _held(drill)
    _shown_at(drill, view, "lasting", mitigated)
    drill.say(f"held: {', '.join(drill.notes['held']) or 'nothing'}")
    if scenario.goes_on:
        _sync_under_cap(drill, view)
    if scenario.cleared_after_s is not None:
        drill.far.mend_it(scenario)
        drill.say("what was broken is well again")


def _shown_at(drill: Drill, view: PrefectView, moment: Moment, since: datetime) -> None:
    """What the stand-ins show once the events that this moment must show have come: they are counted
    where they arrive, and a slow machine only takes longer. What is never shown is judged as it is."""

    def holds() -> bool:
        # An incident that is over shows no more of what was in force.
        if moment == "lasting" and drill.has_reached(State.RESOLVED):
            return True
        drill.shown[moment] = look(drill, view, since)
        return not unmet(drill.scenario.expects, Outside(**drill.shown), moment)

    drill.wait(f"what must be seen {WORDS[moment]}", EVENTS_S, holds)
    if moment not in drill.shown:
        drill.shown[moment] = look(drill, view, since)


def _held(drill: Drill) -> list[str]:
    with drill.watch.store.read() as session:
        mine = [lease for i in drill.incidents() for lease in leases.active(session, i.id)]
    return [lease.kind.value for lease in mine]


def _stand_still(drill: Drill, view: PrefectView) -> None:
    drill.far.freeze()
    drill.say("the world stands still; the syncs catch up")
    settled = drill.mark("frozen") + timedelta(seconds=LIST_LAG_S + 0.5)
    drill.wait("the vendor's lists", CATCH_UP_S, lambda: datetime.now(UTC) > settled)
    for _ in range(TIMES):
        # A run that was at it before the lists caught up keeps a new one away; on a busy machine
        # each takes its time.
        sync_now(drill, view, drill.played.jobs - {drill.scenario.paused_by_person or ""})
        if drill.wait(
            "the syncs to catch up", CATCH_UP_S / TIMES, lambda: _caught_up(drill, settled)
        ):
            break


def _calm(drill: Drill) -> bool:
    paused, name = drill.scenario.paused_by_person, drill.scenario.integration
    with drill.watch.store.read() as session:
        done = {mark.resource for mark in watermarks.listed(session, name)}
        # What is well has been seen to be well: a health check compares with what was before.
        checked = observations.last_good(session, name, datetime.now(UTC)) is not None
    if paused and not drill.notes.get("asked_to_pause") and drill.played.moved_by(paused) <= done:
        drill.notes["asked_to_pause"] = True
        command(drill.world, "job", "pause", name, paused, "--by", "ada", "--reason", "month end")
        drill.say(f"a person pauses {paused}")
    return checked and done >= set(drill.played.resources)


def _sync_under_cap(drill: Drill, view: PrefectView) -> None:
    """The main sync goes on under the cap: what it moves, and what the simulator counts of it."""
    drill.notes["cap_per_s"] = _cap_per_s(drill)
    began = datetime.now(UTC)
    view.run(f"sync/{drill.played.main_job.name}")
    drill.wait("a critical sync under the cap", CATCH_UP_S, lambda: _walked(drill, began))
    drill.notes["during"] = drill.far.requests(began)
    drill.notes["during_s"] = (datetime.now(UTC) - began).total_seconds()


def _cap_per_s(drill: Drill) -> float | None:
    """By the lease; None where no cap is in force."""
    with drill.watch.store.read() as session:
        mine = [lease for i in drill.incidents() for lease in leases.active(session, i.id)]
    caps = [lease.applied.get("max_requests_per_s") for lease in mine if lease.kind is RATE_CAP]
    return next((float(cap) for cap in caps if isinstance(cap, int | float)), None)


def _walked(drill: Drill, since: datetime) -> bool:
    resource = drill.played.main_job.resources[0]
    with drill.watch.store.read() as session:
        mark = watermarks.get(session, drill.scenario.integration, resource)
    return mark is not None and mark.walked_at > since


def sync_now(drill: Drill, view: PrefectView, jobs: frozenset[str]) -> None:
    for job in sorted(jobs):
        view.run(f"sync/{job}")
    drill.say(f"started by hand: {', '.join(sorted(jobs))}")


def _reported(drill: Drill) -> bool:
    return all(report_is_final(drill.watch, incident) for incident in drill.incidents())


def _caught_up(drill: Drill, settled: datetime) -> bool:
    """A walk of each running job that began after the world stood still and its lists caught up."""
    resting = drill.played.moved_by(drill.scenario.paused_by_person)
    with drill.watch.store.read() as session:
        marks = watermarks.listed(session, drill.scenario.integration)
    return all(mark.walked_at > settled for mark in marks if mark.resource not in resting)
