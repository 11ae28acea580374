"""Values for tests, made in one line: readings, evidence, incidents, jobs, leases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.gaps import Gap, GapState
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.job import Job
from watchkeeper.mitigation.lease import Lease, LeaseKind, LeaseState
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.acting import CommandRuntime
from watchkeeper.runbook.integration import (
    Consumer,
    Credential,
    Integration,
    Watched,
)
from watchkeeper.runbook.load import load_runbook
from watchkeeper.runbook.model import Runbook
from watchkeeper.store import incidents

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NAME = "maintainx@test"
RUNBOOK = Path(__file__).parents[1] / "runbooks" / "maintainx.yaml"
ENDPOINTS = ("workorders", "assets", "locations", "users")


@cache
def runbook() -> Runbook:
    return load_runbook(RUNBOOK)


def changed(**changes: Any) -> Runbook:
    """The real runbook, but for what is given."""
    return runbook().model_copy(update=changes)


def opened(watch: Watch, name: str = NAME) -> Incident:
    """An incident of now, of which nothing else is said."""
    now = watch.now()
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=name,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=now,
            now=now,
            reopen_since=now,
        )[0]


def watched(book: Runbook | None = None, consumers: tuple[str, ...] = (), **more: Any) -> Watched:
    integration = Integration(
        name=NAME,
        runbook="maintainx",
        sandbox=True,
        base_url="http://127.0.0.1:9/v1",
        credential=Credential(name="maintainx-api-key", reference="file:key.json"),
        consumers=tuple(
            Consumer(
                name=name,
                health_url="http://127.0.0.1:9/health",
                runtime=CommandRuntime(
                    restart=("true", name), replicas=("true",), scale=("true", "{replicas}")
                ),
            )
            for name in consumers
        ),
        **more,
    )
    return Watched(integration=integration, runbook=book or runbook())


def endpoint(name: str, said: int | str = 200, **more: Any) -> Reading:
    """What an endpoint answered: a status, or the kind of fault where no answer came."""
    status = said if isinstance(said, int) else None
    good = status is not None and 200 <= status < 300
    given: dict[str, Any] = {
        "probe": name,
        "kind": Kind.ENDPOINT,
        "target": f"/{name}?limit=1",
        "at": T0,
        "outcome": Outcome.OK if good else Outcome.DEGRADED if status == 429 else Outcome.DOWN,
        "latency_s": 0.1,
        "status": status,
        "fault": None if status is not None else said,
        "critical": name == "workorders",
    }
    return Reading(**{**given, **more})


def other_key(status: int) -> Reading:
    good = Outcome.OK if status == 200 else Outcome.DOWN
    return endpoint("other_key", status, kind=Kind.CONTRAST, outcome=good)


def contrast(varies: str, said: int | str, of: str = "workorders", **more: Any) -> Reading:
    return endpoint(varies, said, kind=Kind.CONTRAST, of=of, **more)


def status_page(outcome: Outcome, fault: str | None = None) -> Reading:
    return endpoint("status_page", 200, kind=Kind.STATUS_PAGE, outcome=outcome, fault=fault)


def service(said: int | str = 200, **more: Any) -> Reading:
    sick = {"outcome": Outcome.DEGRADED} if isinstance(said, int) and said != 200 else {}
    return endpoint("service", said, kind=Kind.SERVICE, target="our service", **{**sick, **more})


def measured(kind: Kind, probe: str, outcome: Outcome = Outcome.OK, **more: Any) -> Reading:
    """What is measured or looked up, and not asked over HTTP."""
    given: dict[str, Any] = {"probe": probe, "kind": kind, "target": f"{kind} {probe}", "at": T0}
    return Reading(**{**given, "outcome": outcome, "latency_s": 0.0, **more})


def network(probe: str, outcome: Outcome = Outcome.OK, **more: Any) -> Reading:
    return measured(Kind.NETWORK, probe, outcome, **more)


def seen(
    answers: int | str | Mapping[str, int | str] = 200, *others: Reading, **more: Any
) -> Evidence:
    """Evidence of the four endpoints: one answer for all of them, or a mapping by name."""
    by_name = answers if isinstance(answers, Mapping) else dict.fromkeys(ENDPOINTS, answers)
    readings = [endpoint(name, by_name.get(name, 200), **more) for name in ENDPOINTS]
    return Evidence(integration=NAME, at=T0, readings=(*readings, *others))


def incident(**changes: Any) -> Incident:
    given: dict[str, Any] = {
        "id": 7,
        "integration": NAME,
        "state": State.OPEN,
        "cause": None,
        "verdict": "inconclusive",
        "severity": 1,
        "summary": "all endpoints refuse the key",
        "opened_by": "health",
        "taken_by": None,
        "epoch": 0,
        "round": 1,
        "started_at": T0 - 5 * MINUTE,
        "opened_at": T0,
        "state_since": T0,
        "recovered_at": None,
        "settles_at": None,
        "closed_at": None,
    }
    return Incident(**{**given, **changes})


def job(name: str, criticality: str = "deferrable", **changes: Any) -> Job:
    given: dict[str, Any] = {
        "integration": NAME,
        "name": name,
        "criticality": criticality,
        "desired": "running",
        "changed_by": "runbook",
        "reason": "first registered",
        "changed_at": T0,
        "revision": 0,
    }
    return Job(**{**given, **changes})


def lease(target: str, kind: LeaseKind = LeaseKind.PAUSED_JOB, **changes: Any) -> Lease:
    given: dict[str, Any] = {
        "id": 1,
        "incident_id": 7,
        "integration": NAME,
        "kind": kind,
        "target": target,
        "prior": {"desired": "running", "changed_by": "runbook"},
        "applied": {"revision": 1},
        "state": LeaseState.ACTIVE,
        "taken_at": T0,
        "expires_at": T0 + 4 * HOUR,
        "heartbeat_at": T0,
        "ended_at": None,
        "ended_because": "",
    }
    return Lease(**{**given, **changes})


def gap(resource: str = "workorders", **changes: Any) -> Gap:
    given: dict[str, Any] = {
        "id": 3,
        "incident_id": 7,
        "integration": NAME,
        "resource": resource,
        "state": GapState.RECONCILED,
        "since": T0 - HOUR,
        "until": T0 + HOUR,
        "opened_at": T0,
        "closed_at": T0 + 3 * HOUR,
        "expected": 40,
        "present": 40,
        "missing": 0,
        "stale": 0,
        "note": "",
    }
    return Gap(**{**given, **changes})
