"""Fill the gap that an outage left: each window walked from its checkpoint, rows upserted."""

from __future__ import annotations

from datetime import datetime

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.recovering import (
    fill_window,
    gap_asked_for,
    gaps_to_fill,
    judge_gap,
    mark_filled,
    windows_of,
)
from tasks.showing import begin_progress, show_progress
from watchkeeper.gaps import Gap
from watchkeeper.performing.stopping import Interrupted


@flow(name="backfill", flow_run_name="backfill {integration} {resource}", persist_result=False)
async def backfill(
    integration: str,
    resource: str = "all",
    since: datetime | None = None,
    until: datetime | None = None,
    incident_id: int | None = None,
) -> int | State[None]:
    """Fill an incident's gaps, or a window that a person names.

    Args:
        integration: such as maintainx@prod
        resource: such as workorders; with an incident, all of its gaps
        since: start of the window, inclusive, with its zone
        until: end of the window, exclusive, with its zone
        incident_id: fill this incident's gaps

    Returns the number of rows that came through; None where a person stopped it, by the kill switch
    or by a pause of the job. The checkpoints are kept: the next run goes on from there.
    """
    rows, asked_for = 0, incident_id is None
    if incident_id is None:
        found: tuple[Gap, ...] = (await gap_asked_for(integration, resource, since, until),)
    else:
        found = gaps_to_fill(incident_id)
    for gap in found:
        moved = await fill(gap)
        if isinstance(moved, Interrupted):
            return Completed(name="Paused", message=moved.why)
        rows += moved
        if asked_for and isinstance(judged := await judge_gap(gap), Interrupted):
            return Completed(name="Paused", message=judged.why)
    return rows


async def fill(gap: Gap) -> int | Interrupted:
    """All windows of one gap; one that another run holds is left to it."""
    windows = await windows_of(gap)
    bar = await begin_progress(
        f"backfill-{gap.id}", f"{gap.integration} {gap.resource}: {len(windows)} windows"
    )
    rows = 0
    for done, window in enumerate(windows, start=1):
        moved = await fill_window(gap, window)
        if isinstance(moved, Interrupted):
            return moved
        rows += moved
        await show_progress(bar, done, len(windows))
    await mark_filled(gap)
    return rows
