"""Steps from a proven repair to a closed incident."""

from __future__ import annotations

from datetime import datetime

from prefect import task
from prefect.runtime import flow_run

from tasks.context import current
from tasks.executing import PrefectExecutor
from tasks.retrying import STEP
from watchkeeper.gaps import Gap, Window
from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import (
    recovering,
    releasing,
    reporting,
    resuming,
    verifying,
    walking,
)
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.recovering import Closing
from watchkeeper.performing.stopping import Interrupted, unless_stopped
from watchkeeper.store import gaps
from watchkeeper.verification import Recovery


@task(name="look until it holds", **STEP)
async def verify(integration: str, incident: Incident | None) -> Recovery:
    """Looks by the runbook's rule, for at least the soak time of the incident's cause."""
    watch = current()
    watched = watch.integration(integration)
    rule = watched.runbook.cause(incident.cause) if incident and incident.cause else None
    soak = rule.soak if rule else watched.runbook.verification.interval
    recovery, _ = await verifying.verify(watch, watched, incident, soak)
    return recovery


@task(name="mark recovered", **STEP)
async def mark_recovered(duty: Duty, incident: Incident, recovery: Recovery) -> Incident:
    watch = current()
    watched = watch.integration(incident.integration)
    return recovering.mark_recovered(watch, duty, watched, incident, recovery)


@task(name="all clear", **STEP)
async def all_clear(incident: Incident) -> None:
    watch = current()
    await recovering.all_clear(watch, watch.integration(incident.integration), incident)


@task(name="slice a gap", **STEP)
async def windows_of(gap: Gap) -> tuple[Window, ...]:
    watch = current()
    return recovering.windows_of(watch, watch.integration(gap.integration), gap)


@task(name="fill a window", task_run_name="fill {gap.resource} window {window.position}", **STEP)
async def fill_window(gap: Gap, window: Window) -> int | Interrupted:
    watch = current()
    holder = flow_run.id or "backfill"
    watched = watch.integration(gap.integration)
    return await unless_stopped(walking.fill_window(watch, watched, gap, window, holder))


@task(name="mark filled", **STEP)
async def mark_filled(gap: Gap) -> None:
    recovering.mark_filled(current(), gap)


@task(name="lift the cap", **STEP)
async def lift_cap(duty: Duty) -> tuple[str, ...]:
    """Before the backfill: under a cap of one request a second the live sync leaves it no turn."""
    kinds = frozenset({LeaseKind.RATE_CAP})
    return await releasing.end_leases(current(), duty, "the service is well", kinds)


@task(name="give back", **STEP)
async def give_back(duty: Duty) -> tuple[str, ...]:
    """Jobs to what they were before, one after the other, and all else: only what this incident
    changed."""
    because = "the service is well and the gap is filled"
    return await resuming.give_back(current(), duty, PrefectExecutor(), because)


@task(name="begin settling", **STEP)
async def begin_settling(duty: Duty, incident: Incident) -> Incident:
    return recovering.begin_settling(current(), duty, incident)


@task(name="compare with the vendor", task_run_name="compare {gap.resource}", **STEP)
async def judge_gap(gap: Gap) -> Gap | Interrupted:
    watch = current()
    watched = watch.integration(gap.integration)
    return await unless_stopped(recovering.judge_gap(watch, watched, gap))


@task(name="close", **STEP)
async def close(duty: Duty, incident: Incident) -> Closing:
    return recovering.close(current(), duty, incident)


@task(name="write the report", **STEP)
async def write_report(incident: Incident) -> str:
    watch = current()
    path = reporting.write_report(watch, watch.of_record(incident.integration), incident.id)
    return path.name


def gaps_of(incident: Incident) -> tuple[Gap, ...]:
    with current().store.read() as session:
        return gaps.of_incident(session, incident.id)


def gaps_to_fill(incident_id: int) -> tuple[Gap, ...]:
    return recovering.gaps_to_fill(current(), incident_id)


@task(name="note the gap", **STEP)
async def gap_asked_for(
    integration: str, resource: str, since: datetime | None, until: datetime | None
) -> Gap:
    """A window that a person wants filled, as a gap of its own in the ledger."""
    watch = current()
    return recovering.gap_asked_for(watch, watch.registered(integration), resource, since, until)
