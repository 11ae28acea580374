"""What our own record holds before a look, where the fault is one that only time shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlmodel import update

from watchkeeper.changes import ChangeKind
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.gaps import version_of
from watchkeeper.performing import leaking
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.past import address_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import changes, observations, records, watermarks
from watchkeeper.store.observations import Purpose
from watchkeeper.store.tables import JobRow, WatermarkRow

Prepare = Callable[[Watch, Watched], None]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _running_since_yesterday(watch: Watch) -> None:
    with watch.store.write() as session:
        session.exec(update(JobRow).values(changed_at=watch.now() - DAY))


def _walked(watch: Watch, watched: Watched, **marks: object) -> None:
    """Every resource was walked a minute ago; `marks` changes the first."""
    _running_since_yesterday(watch)
    now = watch.now()
    names = sorted({name for job in watched.runbook.jobs for name in job.resources})
    with watch.store.write() as session:
        for name in names:
            lately = now - timedelta(minutes=1)
            watermarks.advance(session, watched.name, name, newest=lately, walked_at=lately, rows=5)
        if marks:
            first = session.get(WatermarkRow, (watched.name, names[0]))
            assert first is not None
            for field, value in marks.items():
                setattr(first, field, value)


def stalled(watch: Watch, watched: Watched) -> None:
    _walked(watch, watched, walked_at=watch.now() - 6 * HOUR)


def never_walked(watch: Watch, _watched: Watched) -> None:
    _running_since_yesterday(watch)


def emptied(watch: Watch, watched: Watched) -> None:
    _walked(watch, watched, zero_walks=4, rows=0)


def ahead_of_time(watch: Watch, watched: Watched) -> None:
    _walked(watch, watched, at=watch.now() + DAY)


def gone_quiet(watch: Watch, watched: Watched) -> None:
    """Every walk succeeds; nothing has changed for ten hours that were busy a week ago."""
    now = watch.now()
    _walked(watch, watched, at=now - 10 * HOUR)
    name = sorted({n for job in watched.runbook.jobs for n in job.resources})[0]
    rows = [
        {
            "integration": watched.name,
            "resource": name,
            "record_id": str(n),
            "version": version_of(now - 7 * DAY - timedelta(minutes=10 * n)),
            "payload": "{}",
            "written_at": now,
            "deleted_at": None,
        }
        for n in range(40)
    ]
    with watch.store.write() as session:
        records.upsert(session, rows)


def well_walked(watch: Watch, watched: Watched) -> None:
    _walked(watch, watched)


def records_held(watch: Watch, watched: Watched) -> None:
    """Our table holds records of every resource."""
    now = watch.now()
    rows = [
        {
            "integration": watched.name,
            "resource": name,
            "record_id": f"held-{n}",
            "version": version_of(now - timedelta(days=40, minutes=n)),
            "payload": "{}",
            "written_at": now,
            "deleted_at": None,
        }
        for name in sorted({name for job in watched.runbook.jobs for name in job.resources})
        for n in range(20)
    ]
    with watch.store.write() as session:
        records.upsert(session, rows)


def failed_now_and_then(watch: Watch, watched: Watched) -> None:
    """Four of the last twelve checks saw a time-out at the first endpoint."""
    now, probe = watch.now(), next(p for p in watched.runbook.probes if not p.costs)
    for n in range(12):
        at = now - timedelta(minutes=5 * (12 - n))
        bad = n % 3 == 1
        reading = Reading(
            probe=probe.name,
            kind=Kind.ENDPOINT,
            target=probe.path,
            at=at,
            outcome=Outcome.DOWN if bad else Outcome.OK,
            latency_s=10.0 if bad else 0.1,
            status=None if bad else 200,
            fault="timeout" if bad else None,
        )
        seen = Evidence(integration=watched.name, at=at, readings=(reading,))
        with watch.store.write() as session:
            observations.keep(session, seen, None, Purpose.HEALTH)


def deployed(watch: Watch, watched: Watched) -> None:
    _changed(watch, watched, ChangeKind.DEPLOY, "integration-service v42")


def key_changed(watch: Watch, watched: Watched) -> None:
    _changed(watch, watched, ChangeKind.KEY, "vendor-key rotated by hand")


def leaked(watch: Watch, watched: Watched) -> None:
    """A person tells that our key was seen by others, an hour after it was."""
    shown = keys_of(watch, watched).versions()
    current = next(v.fingerprint for v in shown if v.stage == "current")
    leaking.tell(watch, watched, current, watch.now() - HOUR, "a public repository", "ann")


def service_answered(watch: Watch, watched: Watched) -> None:
    """Our service answered a minute ago, at the address where it is asked now."""
    service = watched.integration.service
    assert service is not None
    reading = Reading(
        probe="service",
        kind=Kind.SERVICE,
        target="our service",
        at=watch.now() - timedelta(minutes=1),
        outcome=Outcome.OK,
        latency_s=0.01,
        status=200,
        of=address_of(service.health_url),
    )
    seen = Evidence(integration=watched.name, at=reading.at, readings=(reading,))
    with watch.store.write() as session:
        observations.keep(session, seen, None, Purpose.HEALTH)


def _changed(watch: Watch, watched: Watched, kind: ChangeKind, what: str) -> None:
    with watch.store.write() as session:
        now = watch.now()
        changes.add(
            session,
            integration=watched.name,
            kind=kind,
            what=what,
            who="ann",
            at=now - timedelta(minutes=12),
            now=now,
            source="drill",
        )


PREPARED: Mapping[str, Prepare] = {
    prepare.__name__: prepare
    for prepare in (
        stalled,
        never_walked,
        emptied,
        ahead_of_time,
        gone_quiet,
        well_walked,
        records_held,
        failed_now_and_then,
        deployed,
        key_changed,
        leaked,
        service_answered,
    )
}
