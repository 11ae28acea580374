"""What is broken now, what is held, what is behind, and the next safe step: one look for 3 a.m."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from watchkeeper.incident import Incident, State, waits_for
from watchkeeper.mitigation.lease import Lease, LeaseKind
from watchkeeper.mitigation.world import StepState
from watchkeeper.performing.asking import ask_again, first_command
from watchkeeper.performing.quiet import quiet_now
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.store import (
    approvals,
    exposures,
    gaps,
    incidents,
    jobs,
    leases,
    locks,
    pages,
    steps,
    watermarks,
)
from watchkeeper.store.approvals import Approval
from watchkeeper.store.pages import PageEntry
from watchkeeper.watch_state import About, WatchState
from watchkeeper.watch_text import as_fields


def standing(watch: Watch, state: WatchState) -> dict[str, Any]:
    """Plain data, as `status --json` prints it; times are ISO 8601 in UTC."""
    names = tuple(part.target for part in state.of(About.ENTRY))
    with watch.store.read() as session:
        open_ones = incidents.listed(session, only_open=True)
        return {
            "at": _iso(watch.now()),
            "watch": as_fields(state),
            "halted": state.halted,
            "integrations": [_integration(session, watch, name) for name in names],
            "untaken": [_untaken(page) for page in pages.untaken(session)],
            "incidents": [_incident(session, watch, incident) for incident in open_ones],
            "leases": [lease_json(lease) for lease in leases.active(session)],
            "audits": [
                {
                    "incident": told.incident_id,
                    "integration": told.integration,
                    "fingerprint": told.fingerprint,
                    "text": told.says(watch.now()),
                }
                for told in exposures.unaudited(session)
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


def lease_json(lease: Lease) -> dict[str, Any]:
    """What is held, what was before, who asked for how long, and when it was last seen to."""
    was = lease.prior.get("value", lease.prior.get("desired"))
    applied = lease.applied
    now = applied.get("value", applied.get("max_requests_per_s"))
    return {
        "id": lease.id,
        "incident": lease.incident_id,
        "integration": lease.integration,
        "kind": lease.kind.value,
        "target": lease.target,
        "was": was,
        "is": "paused" if lease.kind is LeaseKind.PAUSED_JOB else now,
        "taken_at": _iso(lease.taken_at),
        "expires_at": _iso(lease.expires_at),
        "heartbeat_at": _iso(lease.heartbeat_at),
        "seen": {name: applied[name] for name in _SEEN if name in applied},
    }


# What a vigil has seen so far.
_SEEN = ("good", "needed", "page", "looked_at", "accepted_at", "asked_at")


def asks_of(session: Session, incident: Incident) -> list[dict[str, Any]]:
    """What people are asked to do beside answering: only they can revoke a key. A leaked one at once,
    a replaced one within its time."""
    held = leases.active(session, incident.id)
    due = {x.target: x.expires_at for x in held if x.kind is LeaseKind.OLD_KEY and x.asked}
    leaked = [told for told in exposures.of_incident(session, incident.id) if not told.refused_at]
    return [
        {
            "kind": "revoke_key",
            "fingerprint": key,
            "text": f"revoke key {key} in the vendor's settings",
            "by": _iso(due.get(key)),
        }
        for key in dict.fromkeys([*(told.fingerprint for told in leaked), *due])
    ]


def _untaken(page: PageEntry) -> dict[str, Any]:
    """Somebody who should have been called by now, and was not."""
    return {
        "incident": page.incident_id,
        "who": page.who,
        "since": _iso(page.wanted_at),
        "reason": page.reason,
    }


def _question(asked: Approval) -> dict[str, Any]:
    return {
        "plan": asked.plan_hash,
        "actions": list(asked.actions),
        "needs": list(asked.needs),
        "waits": asked.waits,
        "wanted": asked.wanted,
        "yes": [vote["by"] for vote in asked.votes],
        "distinct": asked.distinct,
        "expires_at": _iso(asked.expires_at) if asked.waits else None,
    }


def _incident(session: Session, watch: Watch, incident: Incident) -> dict[str, Any]:
    holder, until, doing = locks.describe(session, lock_name(incident.id))
    waiting = approvals.unanswered(session, incident.id)
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
        "follows": incident.follows,
        "waits_for": waited.id if (waited := _waited_for(session, incident)) else None,
        "taken_by": incident.taken_by,
        "responder": doing if holder else None,
        "responder_until": _iso(until) if holder else None,
        "pages": [
            {"who": p.who, "state": p.state.value, "reason": p.reason}
            for p in pages.of_incident(session, incident.id)
        ],
        "question": _question(waiting[0]) if waiting else None,
        "questions": [_question(asked) for asked in waiting],
        "asks": asks_of(session, incident),
        "steps": [
            {"name": step.name, "state": step.state.value, "by": step.by, "because": step.because}
            for step in steps.of_round(session, incident)
        ],
        "next": next_step(session, watch, incident, waiting),
    }


def next_step(
    session: Session, watch: Watch, incident: Incident, waiting: tuple[Approval, ...]
) -> str:
    """The one thing a person could do now, as a command."""
    if waiting:
        first = first_command(watch, watch.integration(incident.integration), waiting[0])
        which = f" --plan {waiting[0].plan_hash[:6]}" if len(waiting) > 1 else ""
        yes = f"watchkeeper approve INC-{incident.id}{which}"
        return f"{first} && {yes}" if first else yes
    if again := ask_again(watch, incident, approvals.latest(session, incident.id)):
        return again
    failed = [s for s in steps.of_round(session, incident) if s.state is StepState.FAILED]
    if failed:
        return f"watchkeeper incident retry INC-{incident.id} {failed[0].name} --reason ..."
    if asked := asks_of(session, incident):
        return str(asked[0]["text"])
    if (waited := _waited_for(session, incident)) is not None:
        return f"nothing: it goes on when INC-{waited.id} has recovered"
    if incident.state is State.SETTLING:
        return "nothing: it compares with the vendor and closes by itself"
    held = leases.active(session, incident.id)
    capped = [lease for lease in held if lease.kind is LeaseKind.RATE_CAP]
    more = " (the rate is capped)" if capped else ""
    return f"watchkeeper incident show INC-{incident.id}{more}"


def _waited_for(session: Session, incident: Incident) -> Incident | None:
    return waits_for(incident, incidents.listed(session, only_open=True))


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
