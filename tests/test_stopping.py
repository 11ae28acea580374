"""A person's stop reaches a walk that is on its way: counted at a real vendor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Clock
from making import HOUR, NAME, opened
from stand_ins import Vendor, entry, running_vendor

from watchkeeper.errors import Halted, Paused, Stopped
from watchkeeper.gaps import Gap, GapState, WindowState
from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.mitigation.job import PAUSED, RUNNING
from watchkeeper.performing import leasing, recovering
from watchkeeper.performing.connectors import client_of
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.stopping import Interrupted, unless_stopped
from watchkeeper.performing.walking import compare, fill_window, sync
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import gaps, jobs, records, switches, watermarks
from watchkeeper.store.tables import JobRow
from watchkeeper.vendor.purpose import Purpose

ORDERS = "GET /workorders"
JOB = "workorder-sync"
OVERRIDES = {"rate_limit": {"requests": 1_000_000, "per": "1 s"}}


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("processes")) as started:
        yield started


@pytest.fixture
def vendor(processes: Processes, tmp_path: Path) -> Iterator[Vendor]:
    with running_vendor(processes, tmp_path) as started:
        yield started


@pytest.fixture
def here(watch: Watch, clock: Clock, vendor: Vendor) -> Watched:
    clock.at, clock.tick = datetime.now(UTC), timedelta(microseconds=100)
    watch.settings.integrations.write_text(entry(vendor, overrides=OVERRIDES))
    return watch.integration(NAME)


def asked(vendor: Vendor) -> int:
    return vendor.asked().get(ORDERS, 0)


def halt_by_row(watch: Watch) -> None:
    with watch.store.write() as session:
        switches.set_halt(session, True, by="ada", reason="stop", now=datetime.now(UTC))


def halt_by_file(watch: Watch) -> None:
    switches.raise_file(watch.settings.halt_file, by="ada", reason="stop", now=datetime.now(UTC))


def pause(watch: Watch, by: str = "ada", desired: str = PAUSED) -> None:
    """Long after whatever the test's clock began."""
    with watch.store.write() as session:
        now = datetime.now(UTC) + HOUR
        jobs.desire(session, NAME, JOB, desired, by=by, reason="month end", now=now)


def stopping(watch: Watch, vendor: Vendor, pages: int, stop: Callable[[Watch], None]) -> Watch:
    """The watch of a walk during which somebody says stop, once so many pages were asked for."""
    said: list[bool] = []

    def now() -> datetime:
        if not said and asked(vendor) >= pages:
            said.append(True)
            stop(watch)
        return watch.now()

    return Watch(watch.settings, watch.store, now)


STOPS = [
    pytest.param(halt_by_row, Halted, id="halted by row"),
    pytest.param(halt_by_file, Halted, id="halted by file"),
    pytest.param(pause, Paused, id="job paused"),
]


def gap_of_all(watch: Watch, incident_id: int | None = None) -> Gap:
    with watch.store.write() as session:
        gap = gaps.open_gap(
            session,
            incident_id=incident_id,
            integration=NAME,
            resource="workorders",
            since=None,
            now=watch.now(),
        )
        return gaps.bound(session, gap.id, watch.now() + HOUR)


@pytest.mark.parametrize(("stop", "error"), STOPS)
def test_a_live_walk_stops_at_its_next_page(
    watch: Watch,
    here: Watched,
    vendor: Vendor,
    stop: Callable[[Watch], None],
    error: type[Stopped],
) -> None:
    """C14: the page that was on its way is kept, no further one is asked for, and the watermark
    stays: the next walk moves the rest."""
    with pytest.raises(error, match="ada"):
        asyncio.run(sync(stopping(watch, vendor, 1, stop), here, "workorders"))
    assert asked(vendor) == 1
    with watch.store.read() as session:
        assert len(records.versions(session, NAME, "workorders")) == 100
        assert watermarks.get(session, NAME, "workorders") is None
    with pytest.raises(error):
        asyncio.run(sync(watch, here, "workorders"))
    assert asked(vendor) == 1
    pause(watch, desired=RUNNING)
    switches.lower_file(watch.settings.halt_file)
    with watch.store.write() as session:
        switches.set_halt(session, False, by="ada", reason="", now=watch.now())
    assert asyncio.run(sync(watch, here, "workorders")).rows == 230


@pytest.mark.parametrize(("stop", "error"), STOPS)
def test_a_backfill_stops_at_its_next_page_and_goes_on_from_there(
    watch: Watch,
    here: Watched,
    vendor: Vendor,
    stop: Callable[[Watch], None],
    error: type[Stopped],
) -> None:
    """C14: its checkpoint is kept and its window let go: another run goes on with page two at once."""
    gap = gap_of_all(watch)
    (window,) = recovering.windows_of(watch, here, gap)
    with pytest.raises(error):
        asyncio.run(fill_window(stopping(watch, vendor, 1, stop), here, gap, window, "run-1"))
    assert asked(vendor) == 1
    with watch.store.read() as session:
        (left,) = gaps.windows(session, gap.id)
    assert (left.state, left.pages, left.rows) == (WindowState.PLANNED, 1, 100)
    pause(watch, desired=RUNNING)
    switches.lower_file(watch.settings.halt_file)
    with watch.store.write() as session:
        switches.set_halt(session, False, by="ada", reason="", now=watch.now())
    assert asyncio.run(fill_window(watch, here, gap, window, "run-2")) == 130
    assert asked(vendor) == 3


@pytest.mark.parametrize(("stop", "error"), STOPS)
def test_a_comparison_that_is_stopped_judges_nothing(
    watch: Watch,
    here: Watched,
    vendor: Vendor,
    stop: Callable[[Watch], None],
    error: type[Stopped],
) -> None:
    """C14: half a list compared is no answer: the gap stays as it was."""
    gap = gap_of_all(watch)
    with pytest.raises(error):
        asyncio.run(recovering.judge_gap(stopping(watch, vendor, 2, stop), here, gap))
    assert asked(vendor) == 2
    with watch.store.read() as session:
        assert gaps.get(session, gap.id).state is GapState.BOUNDED


def test_an_incidents_own_pause_does_not_stop_its_backfill(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """The job rests until the gap is filled; but a person's pause of the same job stops both."""
    incident = opened(watch)
    gap = gap_of_all(watch, incident.id)
    action = PauseJobs(jobs=(JOB,), lease=HOUR)
    leasing.pause_jobs(watch, Duty.unfenced(incident), NAME, action)
    with pytest.raises(Paused, match=f"{JOB} is paused by INC-{incident.id}"):
        asyncio.run(sync(watch, here, "workorders"))
    assert asyncio.run(compare(watch, here, gap)).whole
    pause(watch, by="grace")
    with pytest.raises(Paused, match=f"{JOB} is paused by grace"):
        asyncio.run(compare(watch, here, gap))


def test_a_pause_of_before_stops_no_gap_that_is_asked_for_since(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """A job that rests for the month's end, and a window that a person wants all the same."""
    pause(watch)
    clock.advance(2 * HOUR)
    assert asyncio.run(compare(watch, here, gap_of_all(watch))).whole


def test_a_state_that_is_not_understood_is_no_leave_to_run(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """Only `running` runs: a word of a newer program, or a slip of a hand, does not."""
    with watch.store.write() as session:
        row = session.get(JobRow, (NAME, JOB))
        assert row is not None
        row.desired = "draining"
        session.add(row)
    with pytest.raises(Paused):
        asyncio.run(sync(watch, here, "workorders"))
    assert asked(vendor) == 0


@pytest.mark.parametrize("purpose", ["live", "backfill", "replay", "probe"])
def test_the_kill_switch_reaches_every_purpose_but_probes(
    watch: Watch, here: Watched, vendor: Vendor, purpose: Purpose
) -> None:
    """Whatever asks the vendor is stopped where requests leave, not where somebody thought of it; a
    probe still sees whether the vendor is well."""
    halt_by_file(watch)

    async def ask() -> Any:
        async with client_of(watch, here, purpose) as client:
            return await client.get("/workorders")

    if purpose == "probe":
        assert asyncio.run(ask()).status == 200
        return
    with pytest.raises(Halted, match="ada: stop"):
        asyncio.run(ask())
    assert asked(vendor) == 0


def test_who_waits_for_its_turn_hears_it_too(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """A backfill waits up to five minutes for its turn: a stop ends the wait, and sends nothing."""
    slow = here.model_copy(
        update={
            "runbook": here.runbook.model_copy(
                update={
                    "rate_limit": here.runbook.rate_limit.model_copy(
                        update={"requests": 1, "per": HOUR}
                    )
                }
            )
        }
    )

    async def stop_while_it_waits() -> Any:
        async with client_of(watch, slow, "backfill", max_wait_s=1e9) as client:
            await client.get("/workorders")
            waiting = asyncio.create_task(client.get("/workorders"))
            await asyncio.sleep(0)
            halt_by_row(watch)
            return await waiting

    with pytest.raises(Halted):
        asyncio.run(stop_while_it_waits())
    assert asked(vendor) == 1


@pytest.mark.parametrize("error", [Halted("on"), Paused("resting")])
def test_a_stop_is_a_value_where_a_run_must_end_well(error: Stopped) -> None:
    """And any other fault is raised as it is."""

    async def fails(fault: Exception) -> int:
        raise fault

    stopped: Awaitable[int | Interrupted] = unless_stopped(fails(error))
    assert asyncio.run(_of(stopped)) == Interrupted(str(error))
    with pytest.raises(ValueError, match="else"):
        asyncio.run(_of(unless_stopped(fails(ValueError("else")))))


async def _of(work: Awaitable[Any]) -> Any:
    return await work
