"""Many processes at one incident: forked from one warm parent, and let go at the same moment.

python many_lab.py HOME DATABASE_URL CASE COUNT   prints one JSON line for each child

`together`: each opens or joins the incident, pages, asks for a responder, and acts with whatever duty
it gets. `taken over`: one after the other takes the duty from the one before, and then all act at
once. `unkeyed` and `unfenced` are the same with a planted fault: an opener that minds no unique key,
and a duty that minds no fence.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from making import NAME, seen
from sqlmodel import select

from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import Halted, StaleFence, Transient
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import (
    detecting,
    key_test,
    leasing,
    paging,
    responding,
    rotating,
    rotation_stand,
)
from watchkeeper.performing.detecting import Check
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import Given
from watchkeeper.performing.watch import Watch, utc_now
from watchkeeper.settings import Settings
from watchkeeper.store import incidents
from watchkeeper.store.engine import Store, open_store
from watchkeeper.store.tables import IncidentRow

PAUSE = PauseJobs(
    jobs=("workorder-sync", "asset-sync", "report-generator"), lease=timedelta(hours=4)
)
# More than a responder's lease: each one's clock finds the one before dead.
LATER = timedelta(seconds=61)
# As often as a task's retries, and more: here all begin at the same moment.
TRIES = 20
Came = TypeVar("Came")


class Gate:
    """Whoever waits goes on when the last of them has come."""

    def __init__(self) -> None:
        self.came = os.pipe()
        self.opens = os.pipe()

    def wait(self) -> None:
        os.close(self.opens[1])
        os.write(self.came[1], b".")
        os.close(self.came[1])
        os.read(self.opens[0], 1)

    def open_when_all_came(self) -> None:
        """Or died: an end that nobody holds any more reads as empty."""
        os.close(self.came[1])
        while os.read(self.came[0], 64):
            pass
        os.close(self.opens[1])


@dataclass(frozen=True)
class Place:
    """What all of them share; each child has connections and a clock of its own."""

    home: Path
    store: Store
    count: int
    start: Gate
    middle: Gate
    turns: tuple[tuple[int, int], ...]

    def watch(self, later: timedelta = timedelta()) -> Watch:
        settings = Settings(home=self.home, integrations=self.home / "integrations.yaml")
        return Watch(settings, self.store, lambda: utc_now() + later)


@dataclass(frozen=True)
class FarExecutor:
    """Where runs are asked for: a line each."""

    path: Path

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{key}\n")

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        return ()

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        raise AssertionError("nobody waits here")


async def again(step: Callable[[], Awaitable[Came]]) -> Came:
    """A step as a task performs it: what another process was first at is tried again. So is what a
    kill switch held back that could not be read: each effect reads it over a connection of its own,
    and twice fifty are more than PostgreSQL has by default."""
    for _ in range(TRIES):
        with suppress(Transient, Halted):
            return await step()
        await asyncio.sleep(0.05)
    return await step()


async def together(place: Place, number: int) -> dict[str, object]:
    watch = place.watch()
    watched, found = watch.integration(NAME), failure(watch)
    place.start.wait()

    async def opens() -> tuple[Incident, bool]:
        return detecting.open_incident(watch, found)

    incident, opened = await again(opens)
    return {"opened": opened, **await sees_to(watch, place, incident, watched)}


async def unkeyed(place: Place, number: int) -> dict[str, object]:
    """The planted fault: looks, finds nothing, and writes, with no key to stop it."""
    watch = place.watch()
    watched = watch.integration(NAME)
    place.start.wait()
    with watch.store.read() as session:
        there = session.exec(select(IncidentRow).where(IncidentRow.state != State.CLOSED)).first()
    place.middle.wait()
    assert there is None

    async def opens() -> Incident:
        with watch.store.write() as session:
            now = watch.now()
            row = IncidentRow(
                integration=NAME,
                open_key=None,
                state=State.OPEN,
                verdict="inconclusive",
                severity=1,
                summary="all refused",
                opened_by="health",
                started_at=now,
                opened_at=now,
                state_since=now,
            )
            session.add(row)
            session.flush()
            return incidents.get(session, row.id or 0)

    incident = await again(opens)
    return {"opened": True, **await sees_to(watch, place, incident, watched)}


async def sees_to(
    watch: Watch, place: Place, incident: Incident, watched: Any
) -> dict[str, object]:
    first = watched.runbook.escalation[0]
    await again(lambda: paging.page(watch, watched, incident, first))
    executor = FarExecutor(place.home / "started")
    epoch = await again(lambda: responding.dispatch(watch, incident, executor))
    async with responding.on_duty(watch, incident, epoch or 0, f"process:{os.getpid()}") as duty:
        if duty is not None:
            await again(lambda: acts(watch, duty, incident))
    return {"incident": incident.id, "epoch": epoch, "duty": duty is not None}


async def taken_over(place: Place, number: int, *, fenced: bool = True) -> dict[str, object]:
    """All have had the duty when the first of them acts; only the last one still has it."""
    watch = place.watch(number * LATER)
    with watch.store.read() as session:
        incident = incidents.current(session, NAME)
    assert incident is not None
    place.start.wait()
    os.read(place.turns[number][0], 1)
    async with responding.on_duty(watch, incident, 0, f"process:{os.getpid()}") as duty:
        assert duty is not None
        os.write(place.turns[number + 1][1], b".")
        place.middle.wait()
        duty = duty if fenced else replace(duty, fence=0)
        said = {"own": await tried(lambda: own_effect(watch, duty, number))}
        said["shared"] = await tried(lambda: acts(watch, duty, incident))
    return {"incident": incident.id, "last": number == place.count - 1, **said}


async def unfenced(place: Place, number: int) -> dict[str, object]:
    """The planted fault: nothing asks whether somebody else has taken over."""
    return await taken_over(place, number, fenced=False)


async def tried(effect: Callable[[], Awaitable[None]]) -> str:
    try:
        await again(effect)
    except StaleFence:
        return "refused"
    return "let through"


async def own_effect(watch: Watch, duty: Duty, number: int) -> None:
    """One that nobody else has had: it is never there already."""
    leasing.hold(watch, duty, NAME, LeaseKind.POLLING, f"own-{number}", {}, PAUSE.lease)


async def acts(watch: Watch, duty: Duty, incident: Incident) -> None:
    """The key is rotated as far as that is ours to do, and every job is paused."""
    watched = watch.integration(NAME)
    chosen = rotation_stand.chosen_in_round(watch, watched, incident)
    key = chosen or key_test.offered(watch, watched)
    if key is not None and chosen is None:
        rotating.choose(watch, duty, watched, key)
    if key is not None:
        await rotating.promote(watch, duty, watched, key, timedelta(hours=1))
    leasing.pause_jobs(watch, duty, NAME, PAUSE)


def failure(watch: Watch) -> Check:
    """What a check has found: the vendor refuses our key everywhere."""
    watched, now = watch.integration(NAME), watch.now()
    evidence = seen(401, at=now)
    evidence = replace(evidence, at=now)
    return Check(watched, evidence, diagnose(evidence, watched.runbook), now, 2, 2)


CASES: dict[str, Callable[[Place, int], Awaitable[dict[str, object]]]] = {
    "together": together,
    "unkeyed": unkeyed,
    "taken over": taken_over,
    "unfenced": unfenced,
}


def child(place: Place, case: str, number: int) -> None:
    async def played() -> dict[str, object]:
        return await CASES[case](place, number)

    # The parent's connections stay the parent's.
    place.store.engine.dispose(close=False)
    try:
        said = asyncio.run(played())
    except BaseException:
        said = {"error": traceback.format_exc()[-1500:]}
    line = json.dumps({"number": number, **said}) + "\n"
    # Shorter than what a pipe takes at once: lines of two children never mix.
    os.write(1, line.encode())


def warm(place: Place) -> None:
    """What a first use loads and compiles, for all children at once."""
    watch = place.watch()
    failure(watch)
    with watch.store.read() as session:
        incidents.current(session, NAME)
    place.store.engine.dispose()
    # Pages that no collector touches are shared with every child.
    gc.collect()
    gc.freeze()


def main() -> None:
    home, url, case, count = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
    turns = tuple(os.pipe() for _ in range(count + 1))
    place = Place(home, open_store(url), count, Gate(), Gate(), turns)
    warm(place)
    children = []
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            child(place, case, number)
            os._exit(0)
        children.append(pid)
    place.start.open_when_all_came()
    os.write(turns[0][1], b".")
    if case != "together":
        place.middle.open_when_all_came()
    for pid in children:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
