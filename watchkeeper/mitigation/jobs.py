"""Binding `pause_jobs`: which jobs run now and may be paused, in our rows and elsewhere."""

from __future__ import annotations

from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.mitigation.bound import OURS, READ_BACK, Bound, planned
from watchkeeper.mitigation.job import PAUSED
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.acting import CronJob, ScheduledJob
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import PauseJobsRow


def bind_pause(row: PauseJobsRow, watched: Watched, world: World) -> Bound:
    """None where no job has this criticality: an empty selection is no action."""
    wanted = [job for job in world.jobs if job.criticality in row.criticality]
    elsewhere = [j for j in watched.integration.jobs if j.criticality in row.criticality]
    if not wanted and not elsewhere:
        return None
    ours = [job for job in wanted if world.held(LeaseKind.PAUSED_JOB, job.name)]
    jobs = tuple(job.name for job in wanted if not job.paused or job in ours)
    left = [
        f"{job.name}: already paused by {job.changed_by}"
        for job in wanted
        if job.paused and job not in ours
    ]
    why_not = {job.name: _left_alone(job, world) for job in elsewhere}
    schedules = tuple(job for job in elsewhere if why_not[job.name] is None)
    left += [f"{name}: {why}" for name, why in why_not.items() if why]
    return planned(
        row,
        PauseJobs(
            jobs=jobs,
            schedules=tuple(job.name for job in schedules),
            lease=row.lease,
            missed_runs=row.missed_runs,
            stagger=row.stagger,
        ),
        target=", ".join([*jobs, *(job.name for job in schedules)]) or "no job",
        effects=tuple(f"pause job {name}" for name in (*jobs, *(job.name for job in schedules))),
        calls=(
            *(f"database: jobs/{name} desired=paused" for name in jobs),
            *(_call(job) for job in schedules),
        ),
        undo="each job goes back to what it was before, unless a person changed it meanwhile",
        cost="what they move comes late, and is filled in afterwards",
        risk="what needs fresh data sees old data meanwhile",
        promise=READ_BACK if schedules else OURS,
        left_out=tuple(left),
    )


def _left_alone(job: ScheduledJob, world: World) -> str | None:
    if world.held(LeaseKind.PAUSED_SCHEDULE, job.name):
        return None
    if (why := world.unread.get(f"schedule {job.name}")) is not None:
        return f"cannot be read: {why}"
    shown = world.schedules.get(job.name)
    return "already paused where it is run" if shown and shown.value == PAUSED else None


def _call(job: ScheduledJob) -> str:
    run_by = job.scheduler
    if isinstance(run_by, CronJob):
        return f"kubernetes: PATCH cronjobs/{run_by.cron_job} in {run_by.namespace} suspend=true"
    return f"prefect: pause deployment {run_by.deployment}"
