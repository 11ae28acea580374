"""Walking a vendor's list into a sink: the live sync by watermark, and a gap's windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlmodel import Session

from watchkeeper.errors import StaleFence, Stopped
from watchkeeper.failpoints import failpoint
from watchkeeper.gaps import Gap, Indexed, Reconciliation, Window, newer, reconcile, walk_since
from watchkeeper.heartbeat import Part, Result
from watchkeeper.performing.connectors import client_of, sink_of
from watchkeeper.performing.side_by_side import said
from watchkeeper.performing.stopping import Heed, gap_of, job_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.sinks import Checkpoint, Sink
from watchkeeper.store import gaps, heartbeats, watermarks
from watchkeeper.vendor.items import Item
from watchkeeper.vendor.listing import pages

WINDOW_TTL = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Walked:
    """What one walk moved."""

    resource: str
    pages: int
    rows: int
    newest: datetime | None

    def says(self) -> str:
        return f"{self.resource}: {self.rows} rows in {self.pages} pages"


async def sync(
    watch: Watch, watched: Watched, resource_name: str, job: str | None = None
) -> Walked:
    """Move what changed since the watermark, and advance it once the walk is complete.

    Raises Stopped at the next page once `job` is paused, or all is halted: what was moved is kept,
    the watermark stays. Without a `job` it is the one that moves the resource.

    The watermark is the newest change seen, never the clock; an empty walk leaves it alone, and a
    change dated after the walk began does not count: past a watermark in the future all is missed.
    """
    resource = watched.runbook.resource(resource_name)
    sink, began = sink_of(watch, watched), watch.now()
    with watch.store.read() as session:
        mark = watermarks.get(session, watched.name, resource_name)
    since = walk_since(resource, mark.at if mark else None)
    count, rows, newest = 0, 0, mark.at if mark else None
    job = job or watched.runbook.job_of(resource_name)
    heed = job_of(watch, watched.name, job)
    async with client_of(watch, watched, "live", consumer=job, heed=heed) as client:
        async for page in pages(client, resource, since, None):
            _write(watch, watched, sink, resource_name, page.items, _nothing)
            count, rows = count + 1, rows + len(page.items)
            seen = [t for t in _changes(page.items) if t <= began]
            newest = max([t for t in (newest, *seen) if t], default=None)
    with watch.store.write() as session:
        watermarks.advance(
            session, watched.name, resource_name, newest=newest, walked_at=began, rows=rows
        )
        detail = f"{resource_name}: {rows} rows"
        _sink_beat(session, watched.name, watch.now(), Result.WELL, detail)
    return Walked(resource_name, count, rows, newest)


def _write(
    watch: Watch,
    watched: Watched,
    sink: Sink,
    resource: str,
    items: Sequence[Item],
    checkpoint: Checkpoint,
) -> None:
    """Write a page; a sink that does not take it is recorded for `status`."""
    try:
        sink.write(resource, items, checkpoint)
    except StaleFence:
        # Another run has the window: no fault of the sink.
        raise
    except Exception as error:
        with watch.store.write() as session:
            detail = f"{resource}: {said(error)}"
            _sink_beat(session, watched.name, watch.now(), Result.FAILED, detail)
        raise


def _sink_beat(session: Session, name: str, at: datetime, result: Result, detail: str) -> None:
    heartbeats.beat(session, Part.SINK, at, result, detail, every=None, target=name)


def _changes(items: tuple[Item, ...]) -> list[datetime]:
    return [item.changed_at for item in items if item.changed_at is not None]


def _nothing(session: Session) -> None:
    """The live walk's checkpoint is its watermark, written at its end."""


async def fill_window(watch: Watch, watched: Watched, gap: Gap, window: Window, holder: str) -> int:
    """Walk one window from its checkpoint; rows and checkpoint commit together.

    Returns the rows moved by this call; 0 where another run holds the window or it is done. Raises
    Stopped at the next page once a person stops it: the window is free for whoever goes on.
    """
    with watch.store.write() as session:
        held = gaps.claim(session, window.id, holder, watch.now(), WINDOW_TTL)
    if held is None:
        return 0
    resource = watched.runbook.resource(gap.resource)
    sink, moved = sink_of(watch, watched), 0
    try:
        async with client_of(watch, watched, "backfill", heed=_of(watch, watched, gap)) as client:
            async for page in pages(client, resource, held.since, held.until, held.cursor):
                checkpoint = partial(
                    gaps.checkpoint,
                    window_id=held.id,
                    holder=holder,
                    cursor=page.next_cursor,
                    rows=len(page.items),
                    now=watch.now(),
                    ttl=WINDOW_TTL,
                )
                _write(watch, watched, sink, gap.resource, page.items, checkpoint)
                moved += len(page.items)
                failpoint("backfill.page")
    except Stopped:
        with watch.store.write() as session:
            gaps.let_go(session, held.id, holder)
        raise
    return moved


def _of(watch: Watch, watched: Watched, gap: Gap) -> Heed:
    """What stops work on a gap: among others the pause of a job that moves its resource."""
    movers = frozenset(j.name for j in watched.runbook.jobs if gap.resource in j.resources)
    return gap_of(watch, gap, movers)


async def compare(watch: Watch, watched: Watched, gap: Gap) -> Reconciliation:
    """Vendor against sink, record by record, over the gap; what is missing or stale is moved on
    the way and compared again, so that the answer is about the sink as it is left.

    Raises Stopped at the next page once a person stops it: nothing is judged.
    """
    first = await _compare_once(watch, watched, gap, mend=True)
    return first if first.whole else await _compare_once(watch, watched, gap, mend=False)


async def _compare_once(watch: Watch, watched: Watched, gap: Gap, *, mend: bool) -> Reconciliation:
    resource = watched.runbook.resource(gap.resource)
    sink = sink_of(watch, watched)
    listed: list[Indexed] = []
    held = sink.index(gap.resource)
    async with client_of(watch, watched, "backfill", heed=_of(watch, watched, gap)) as client:
        async for page in pages(client, resource, gap.since, gap.until):
            listed += [Indexed(item.record_id, item.version) for item in page.items]
            behind = [i for i in page.items if newer(i.version, held.get(i.record_id, ""))]
            if mend and behind:
                _write(watch, watched, sink, gap.resource, behind, _nothing)
    return reconcile(tuple(listed), held)
