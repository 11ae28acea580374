"""What our own tables say of the data that the jobs move: as new as it must be, or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from watchkeeper import terms
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.heartbeat import Freshness, Part, Result
from watchkeeper.mitigation.job import Job
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.causes import Thresholds
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import gaps, heartbeats, jobs, records, watermarks
from watchkeeper.store.own_lag import own_lag
from watchkeeper.store.watermarks import Watermark

# So many walks in a row that find nothing are no accident.
EMPTY_WALKS = 3
# So many changes a week ago, in the hours that are silent now, and the silence is no accident.
BUSY, WEEK = 20, timedelta(days=7)
# A job that has run for so many of its intervals has walked its lists once.
INTERVALS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one resource: who moves it, how far it got, and our rules for it."""

    resource: Resource
    critical: bool
    # Since when a job that moves it may run; None while none may.
    live_since: datetime | None
    mark: Watermark | None
    holds_records: bool
    # A gap is open for it: what is missing is known, and being seen to.
    gap_open: bool
    # What was last changed a week ago in the hours that are silent now.
    week_ago: int
    interval: timedelta
    thresholds: Thresholds
    # How late this machine is with everything: that much of an age is its own.
    lag: timedelta = timedelta(0)

    @property
    def may_be_old(self) -> timedelta:
        """As the runbook says, and never less than the job needs to come round again."""
        return max(self.thresholds.stale, INTERVALS * self.interval) + self.resource.list_lag


def data_readings(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """A reading of each resource that a job moves, out of our tables alone: value is the age of its
    last walk, bound what it may be, in seconds.

    Faults: `future` (its watermark is later than any clock: all that changes is passed over),
    `never` (its job runs and has moved nothing), `stale` (no walk was completed for too long),
    `empty` (walk after walk finds nothing where there was something), `quiet` (every walk succeeds,
    and nothing is new in hours that were busy a week ago).
    """
    with watch.store.read() as session:
        named = {job.name: job for job in jobs.listed(session, watched.name)}
        moved = sorted({name for job in watched.runbook.jobs for name in job.resources})
        found = [_standing(session, watch, watched, name, named) for name in moved]
    now = watch.now()
    return tuple(data_reading(standing, now) for standing in found)


def _standing(
    session: Session, watch: Watch, watched: Watched, name: str, named: dict[str, Job]
) -> Standing:
    movers = [job for job in watched.runbook.jobs if name in job.resources]
    running = [named[j.name] for j in movers if j.name in named and not named[j.name].paused]
    mark = watermarks.get(session, watched.name, name)
    return Standing(
        resource=watched.runbook.resource(name),
        critical=any(job.criticality == "critical" for job in movers),
        live_since=_live_since(session, running, watch.now()),
        mark=mark,
        holds_records=mark is None and records.any_of(session, watched.name, name),
        gap_open=any(
            gap.integration == watched.name and gap.resource == name
            for gap in gaps.listed(session, only_open=True)
        ),
        week_ago=_week_ago(session, watched, name, mark, watch.now()),
        interval=timedelta(seconds=watch.settings.sync_interval_s),
        thresholds=watched.runbook.thresholds,
        lag=own_lag(session, watch.now()),
    )


def _live_since(session: Session, running: list[Job], now: datetime) -> datetime | None:
    """No job may run before the runner does: while `up` starts, or Prefect is away, none is late."""
    since = min([job.changed_at for job in running], default=None)
    runner = heartbeats.last(session, Part.RUNNER)
    if since is None or runner is None or runner.freshness(now) is Freshness.STALE:
        return since
    return max(since, runner.since) if runner.result is Result.WELL else None


def _week_ago(
    session: Session, watched: Watched, name: str, mark: Watermark | None, now: datetime
) -> int:
    """An undercount: a record that was changed again since then counts only where it is now."""
    if mark is None or mark.at is None or watched.runbook.resource(name).version_field is None:
        return 0
    return records.changed_between(session, watched.name, name, mark.at - WEEK, now - WEEK)


def data_reading(standing: Standing, now: datetime) -> Reading:
    """Pure. The gravest fault of a resource, or that it is as it must be."""
    outcome, fault, said = _judged(standing, now)
    age = None if standing.mark is None else (now - standing.mark.walked_at).total_seconds()
    return Reading(
        probe=standing.resource.name,
        kind=Kind.DATA,
        target=f"data of {standing.resource.name}",
        at=now,
        outcome=outcome,
        latency_s=0.0,
        fault=fault,
        detail=said,
        critical=standing.critical,
        value=age,
        bound=standing.may_be_old.total_seconds(),
        unit="s",
    )


def _judged(standing: Standing, now: datetime) -> tuple[Outcome, str | None, str]:
    mark, live_since = standing.mark, standing.live_since
    if mark is not None and mark.at is not None:
        ahead = mark.at - now
        if ahead > standing.thresholds.clock_skew:
            return Outcome.DOWN, "future", f"its watermark is {words(ahead)} in the future"
    if live_since is None:
        return Outcome.UNKNOWN, None, "no job that moves it may run"
    if standing.gap_open:
        return Outcome.UNKNOWN, None, "a gap of it is open and being seen to"
    if mark is None:
        return _unmarked(standing, now - live_since - standing.lag)
    if mark.zero_walks >= EMPTY_WALKS:
        return Outcome.DEGRADED, "empty", f"{mark.zero_walks} walks in a row found nothing"
    if terms.ahead(mark.walked_at, now):
        return (
            Outcome.UNKNOWN,
            None,
            f"its last walk is {words(mark.walked_at - now)} in the future",
        )
    # A job that was paused has not been late: it had no turn.
    age = now - max(mark.walked_at, live_since) - standing.lag
    if age > standing.may_be_old:
        return Outcome.DEGRADED, "stale", f"walked last {words(now - mark.walked_at)} ago"
    silence = now - mark.at - standing.lag if mark.at is not None else timedelta(0)
    if silence > standing.may_be_old and standing.week_ago >= BUSY:
        busy = f"{standing.week_ago} changed in those hours last week"
        return Outcome.DEGRADED, "quiet", f"nothing new for {words(silence)}; {busy}"
    return Outcome.OK, None, f"walked {words(now - mark.walked_at)} ago, {mark.rows} rows"


def _unmarked(standing: Standing, running: timedelta) -> tuple[Outcome, str | None, str]:
    if standing.holds_records:
        return Outcome.UNKNOWN, None, "its first walk is not over yet"
    if running > INTERVALS * standing.interval:
        return Outcome.DOWN, "never", f"nothing was moved in {words(running)}"
    return Outcome.UNKNOWN, None, "its job has hardly begun"
