"""Moving records from a real vendor process into the sink: nothing is lost, nothing goes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Clock
from making import HOUR, MINUTE, NAME
from sqlmodel import select
from stand_ins import Vendor, entry, running_vendor

from watchkeeper.errors import Permanent, StaleFence, UserError
from watchkeeper.gaps import Gap, GapState, Window, WindowState
from watchkeeper.performing import recovering
from watchkeeper.performing.walking import compare, fill_window, sync
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import gaps, records, watermarks
from watchkeeper.store.tables import RecordRow

ORDERS = "GET /workorders"
# As much as the vendor's own clock may be away from ours.
SOON = timedelta(minutes=1)
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
    """The integration with this vendor behind it; our clock shows the vendor's time."""
    clock.at, clock.tick = datetime.now(UTC) + SOON, timedelta(microseconds=100)
    watch.settings.integrations.write_text(entry(vendor, overrides=OVERRIDES))
    return watch.integration(NAME)


def held(watch: Watch, resource: str = "workorders") -> dict[str, str]:
    with watch.store.read() as session:
        return records.versions(session, NAME, resource)


def mark(watch: Watch, resource: str = "workorders") -> Any:
    with watch.store.read() as session:
        return watermarks.get(session, NAME, resource)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- the live sync ------------------------------------------------------------------------------


def test_a_first_walk_moves_everything(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """What the vendor holds, the sink holds, in the same versions; the watermark is the newest
    change, not the clock."""
    walked = asyncio.run(sync(watch, here, "workorders"))
    truth = vendor.truth()
    assert (walked.rows, walked.pages) == (230, 3)
    assert held(watch) == truth
    newest = max(instant(at) for at in truth.values())
    assert (mark(watch).at, mark(watch).rows) == (newest, 230)
    assert newest < mark(watch).walked_at < watch.now()
    assert walked.says() == "workorders: 230 rows in 3 pages"
    with watch.store.read() as session:
        payload = json.loads(session.exec(select(RecordRow.payload)).first() or "{}")
    assert {"id", "title", "updatedAt"} <= payload.keys()


def test_a_second_walk_asks_only_for_what_may_have_been_shown_late(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """From the watermark less the lookback on; the sink is the same afterwards."""
    asyncio.run(sync(watch, here, "workorders"))
    before = (held(watch), mark(watch).at)
    since = mark(watch).at - timedelta(hours=2, minutes=5)
    walked = asyncio.run(sync(watch, here, "workorders"))
    late = [at for at in vendor.truth().values() if instant(at) >= since]
    assert walked.rows == len(late)
    assert 0 < walked.rows < 100
    assert (held(watch), mark(watch).at) == before


def test_what_changed_in_between_arrives(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """A new record and a changed one are moved by the next walk, and the watermark goes on."""
    asyncio.run(sync(watch, here, "workorders"))
    old = mark(watch).at
    made = vendor.write("POST", "/workorders", title="Leak")["id"]
    vendor.write("PATCH", f"/workorders/{next(iter(held(watch)))}", title="Changed")
    asyncio.run(sync(watch, here, "workorders"))
    assert held(watch) == vendor.truth()
    assert str(made) in held(watch)
    assert mark(watch).at > old


def test_a_change_dated_in_the_future_moves_no_watermark_there(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """A record that carries tomorrow's date is moved, and what comes before tomorrow is still
    asked for (a cursor in the future has cost others their data)."""
    clock.at -= HOUR
    vendor.write("POST", "/workorders", title="From the future")
    asyncio.run(sync(watch, here, "workorders"))
    assert held(watch) == vendor.truth()
    assert mark(watch).at <= clock.now()
    vendor.write("POST", "/workorders", title="Before that")
    asyncio.run(sync(watch, here, "workorders"))
    assert held(watch) == vendor.truth()


def test_a_list_without_times_is_walked_whole(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """Users carry no time of change: each walk reads them all, and a change is a new digest."""
    walked = asyncio.run(sync(watch, here, "users"))
    assert walked.rows == len(vendor.truth("users")) == 4
    assert all(version.startswith("sha256:") for version in held(watch, "users").values())
    assert mark(watch, "users").at is None
    assert asyncio.run(sync(watch, here, "users")).rows == 4


def test_a_walk_that_fails_leaves_the_watermark(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """Only a completed walk moves it: what came before the failure is not taken for all."""
    asyncio.run(sync(watch, here, "assets"))
    before = mark(watch, "assets")
    vendor.fault("key_expired")
    with pytest.raises(Permanent, match="answered 401"):
        asyncio.run(sync(watch, here, "assets"))
    assert mark(watch, "assets") == before


# --- a gap's windows ----------------------------------------------------------------------------


def gap_over(watch: Watch, resource: str = "workorders", hours: int | None = 25) -> Gap:
    """The vendor's records are spread over its last day."""
    now = watch.now()
    with watch.store.write() as session:
        gap = gaps.open_gap(
            session,
            incident_id=None,
            integration=NAME,
            resource=resource,
            since=None if hours is None else now - hours * HOUR,
            now=now,
        )
        return gaps.bound(session, gap.id, now)


def windows(watch: Watch, gap: Gap) -> tuple[Window, ...]:
    with watch.store.read() as session:
        return gaps.windows(session, gap.id)


def test_filling_every_window_fills_the_gap(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """Each record once, over eight windows; the comparison afterwards is whole."""
    gap = gap_over(watch)
    made = recovering.windows_of(watch, here, gap)
    moved = [asyncio.run(fill_window(watch, here, gap, w, "run-1")) for w in made]
    assert (len(moved), sum(moved)) == (8, 230)
    assert held(watch) == vendor.truth()
    assert {w.state for w in windows(watch, gap)} == {WindowState.DONE}
    assert [w.rows for w in windows(watch, gap)] == moved
    recovering.mark_filled(watch, gap)
    found = asyncio.run(compare(watch, here, gap))
    assert (found.whole, found.expected, found.present) == (True, 230, 230)
    judged = asyncio.run(recovering.judge_gap(watch, here, gap))
    assert (judged.state, judged.expected, judged.missing) == (GapState.RECONCILED, 230, 0)


def test_a_window_that_is_done_is_not_walked_again(
    watch: Watch, here: Watched, vendor: Vendor
) -> None:
    """Launched twice, each slice is walked once (others' backfills walked it twice)."""
    gap = gap_over(watch)
    (first, *_) = recovering.windows_of(watch, here, gap)
    assert recovering.windows_of(watch, here, gap)[0] == first
    asyncio.run(fill_window(watch, here, gap, first, "run-1"))
    asked = vendor.asked()[ORDERS]
    assert asyncio.run(fill_window(watch, here, gap, first, "run-2")) == 0
    assert vendor.asked()[ORDERS] == asked


class Killed(BaseException):
    """A death between two pages."""


def test_a_walk_goes_on_from_its_checkpoint(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Killed after its second page, the walk is finished by another run: each page is asked for
    once, and no row is missing."""
    gap = gap_over(watch, hours=None)
    (window,) = recovering.windows_of(watch, here, gap)
    dying = Watch(watch.settings, watch.store, dies_after(clock, vendor, 2))
    with pytest.raises(Killed):
        asyncio.run(fill_window(dying, here, gap, window, "run-1"))
    (left,) = windows(watch, gap)
    assert (left.state, left.pages, left.rows, len(held(watch))) == ("running", 1, 100, 100)
    assert left.cursor is not None
    assert asyncio.run(fill_window(watch, here, gap, window, "run-2")) == 0
    recovering.mark_filled(watch, gap)
    with watch.store.read() as session:
        assert gaps.get(session, gap.id).state is GapState.FILLING
    clock.advance(2 * MINUTE)
    assert asyncio.run(fill_window(watch, here, gap, window, "run-2")) == 130
    assert held(watch) == vendor.truth()
    (done,) = windows(watch, gap)
    assert (done.state, done.pages, done.rows) == ("done", 3, 230)


def dies_after(clock: Clock, vendor: Vendor, pages: int) -> Any:
    """A clock that nobody lives to read again once so many pages were asked for."""

    def now() -> datetime:
        if vendor.asked().get(ORDERS, 0) >= pages:
            raise Killed
        return clock.now()

    return now


def test_a_run_that_was_replaced_writes_nothing_more(
    watch: Watch, here: Watched, vendor: Vendor, clock: Clock
) -> None:
    """Its window was taken over while it slept: rows and checkpoint of its next page are refused
    together."""
    gap = gap_over(watch, hours=None)
    (window,) = recovering.windows_of(watch, here, gap)

    def taken_over() -> datetime:
        if vendor.asked().get(ORDERS, 0) == 1:
            with watch.store.write() as session:
                gaps.claim(session, window.id, "run-2", clock.now() + HOUR, 2 * MINUTE)
        return clock.now()

    slow = Watch(watch.settings, watch.store, taken_over)
    with pytest.raises(StaleFence, match="has been taken over"):
        asyncio.run(fill_window(slow, here, gap, window, "run-1"))
    assert held(watch) == {}
    assert windows(watch, gap)[0].pages == 0


# --- the comparison -----------------------------------------------------------------------------


def test_a_comparison_mends_what_it_finds(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """A lost row and a stale one are found, moved, and counted again: the answer is about the sink
    as it is left."""
    asyncio.run(sync(watch, here, "workorders"))
    lost, stale, kept = list(held(watch))[:3]
    with watch.store.write() as session:
        rows = {row.record_id: row for row in session.exec(select(RecordRow))}
        session.delete(rows[lost])
        rows[stale].version = "2020-01-01T00:00:00.000Z"
        rows[kept].version = "2999-01-01T00:00:00.000Z"
    found = asyncio.run(compare(watch, here, gap_over(watch, hours=None)))
    assert found.whole
    assert found.says() == "230 of 230 records present, 0 missing, 0 stale"
    truth = vendor.truth()
    assert held(watch) == {**truth, kept: "2999-01-01T00:00:00.000Z"}


def test_a_comparison_keeps_to_its_gap(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """What changed before or after the gap is not counted in it."""
    gap = gap_over(watch, hours=6)
    inside = [at for at in vendor.truth().values() if instant(at) >= watch.now() - 6 * HOUR]
    found = asyncio.run(compare(watch, here, gap))
    assert (found.expected, len(held(watch))) == (len(inside), len(inside))
    assert 0 < len(inside) < 230


def test_an_error_is_no_empty_list(watch: Watch, here: Watched, vendor: Vendor) -> None:
    """A vendor that refuses says nothing of its records: no gap closes on it."""
    gap = gap_over(watch)
    vendor.fault("key_expired")
    with pytest.raises(Permanent):
        asyncio.run(recovering.judge_gap(watch, here, gap))
    with watch.store.read() as session:
        assert gaps.get(session, gap.id).state is GapState.BOUNDED


ASKED = [
    ("a resource that there is not", "nothing", None, None, "has no resource 'nothing'"),
    ("the end before the start", "workorders", HOUR, timedelta(0), "before it begins"),
    ("no length", "workorders", HOUR, HOUR, "before it begins"),
]


@pytest.mark.parametrize(
    ("resource", "since", "until", "says"), [a[1:] for a in ASKED], ids=[a[0] for a in ASKED]
)
def test_a_window_that_makes_no_sense_is_refused(
    watch: Watch,
    watched: Watched,
    resource: str,
    since: timedelta | None,
    until: timedelta | None,
    says: str,
) -> None:
    """A person's slip is told in one line, and no gap is written down."""
    now = watch.now()
    start, end = (None if d is None else now + d for d in (since, until))
    with pytest.raises(UserError, match=says):
        recovering.gap_asked_for(watch, watched, resource, start, end)
    with watch.store.read() as session:
        assert gaps.listed(session) == ()


@pytest.mark.parametrize("naive", ["since", "until", "both"])
def test_a_window_without_zones_is_refused(watch: Watch, watched: Watched, naive: str) -> None:
    """Nine o'clock is no instant before we know where."""
    bare, aware = datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 8, tzinfo=UTC)
    since = bare if naive in ("since", "both") else None if naive == "until" else aware
    until = bare + HOUR if naive in ("until", "both") else None
    with pytest.raises(UserError, match="need their zone"):
        recovering.gap_asked_for(watch, watched, "workorders", since, until)
