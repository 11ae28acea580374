"""What is broken now, what is held, what is behind, and the next safe step: one look for 3 a.m."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from watchkeeper.incident import Incident, State
from watchkeeper.mitigation import LeaseKind
from watchkeeper.performing.quiet import quiet_now
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.store import (
    approvals,
    gaps,
    incidents,
    jobs,
    leases,
    locks,
    pages,
    watermarks,
)
from watchkeeper.store.switches import halted


def standing(watch: Watch) -> dict[str, Any]:
    """Plain data, as `status --json` prints it; times are ISO 8601 in UTC."""
    with watch.store.read() as session:
        open_ones = incidents.listed(session, only_open=True)
        return {
            "at": _iso(watch.now()),
            "halted": halted(watch.store, watch.settings.halt_file),
            "integrations": [_integration(session, watch, name) for name in watch.names],
            "incidents": [_incident(session, watch, incident) for incident in open_ones],
            "leases": [
                {
                    "incident": lease.incident_id,
                    "kind": lease.kind.value,
                    "target": lease.target,
                    "expires_at": _iso(lease.expires_at),
                }
                for lease in leases.active(session)
            ],
            "gaps": [
                {
                    "id": gap.id,
                    "incident": gap.incident_id,
                    "integration": gap.integration,
                    "resource": gap.resource,
                    "state": gap.state.value,
                    "since": _iso(gap.since),
                    "until": _iso(gap.until),
                }
                for gap in gaps.listed(session, only_open=True)
            ],
        }


def _integration(session: Session, watch: Watch, name: str) -> dict[str, Any]:
    found = incidents.current(session, name)
    return {
        "name": name,
        "incident": found.id if found else None,
        "quiet": quiet_now(watch, name),
        "jobs": [
            {"name": job.name, "desired": job.desired, "by": job.changed_by, "why": job.reason}
            for job in jobs.listed(session, name)
        ],
        "watermarks": {mark.resource: _iso(mark.at) for mark in watermarks.listed(session, name)},
    }


def _incident(session: Session, watch: Watch, incident: Incident) -> dict[str, Any]:
    holder, until, doing = locks.describe(session, lock_name(incident.id))
    question = approvals.latest(session, incident.id)
    waiting = question if question is not None and question.open else None
    return {
        "id": incident.id,
        "integration": incident.integration,
        "state": incident.state.value,
        "severity": incident.severity,
        "cause": incident.cause,
        "verdict": incident.verdict,
        "summary": incident.summary,
        "opened_at": _iso(incident.opened_at),
        "settles_at": _iso(incident.settles_at),
        "taken_by": incident.taken_by,
        "responder": doing if holder else None,
        "responder_until": _iso(until) if holder else None,
        "pages": [
            {"who": p.who, "state": p.state} for p in pages.of_incident(session, incident.id)
        ],
        "question": None
        if waiting is None
        else {
            "plan": waiting.plan_hash,
            "needs": list(waiting.needs),
            "expires_at": _iso(waiting.expires_at),
        },
        "next": next_step(session, incident, waiting is not None),
    }


def next_step(session: Session, incident: Incident, asked: bool) -> str:
    """The one thing a person could do now, as a command."""
    if asked:
        question = approvals.latest(session, incident.id)
        first = question.needs[0].partition(": ")[2] if question and question.needs else ""
        yes = f"watchkeeper approve INC-{incident.id}"
        return f"{first} && {yes}" if first else yes
    if incident.state is State.SETTLING:
        return "nothing: it compares with the vendor and closes by itself"
    capped = [x for x in leases.active(session, incident.id) if x.kind is LeaseKind.RATE_CAP]
    held = " (the rate is capped)" if capped else ""
    return f"watchkeeper incident show INC-{incident.id}{held}"


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
