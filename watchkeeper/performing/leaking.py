"""A key that others may have: an incident of its own cause, and the window in which it was good."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from watchkeeper.errors import UserError
from watchkeeper.exposure import Exposure
from watchkeeper.incident import Incident, Milestone
from watchkeeper.performing.opening import has_recovered, open_or_join
from watchkeeper.performing.responding import begin_again
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import exposures, incidents

CAUSE = "key_leaked"


def tell(
    watch: Watch,
    watched: Watched,
    fingerprint: str,
    exposed_at: datetime,
    place: str,
    by: str,
) -> Incident:
    """Open or join the integration's incident, with this cause, on a person's word.

    No probe can see a leak: the vendor accepts the key as before. Raises UserError where the
    runbook has no row for it.
    """
    rule = watched.runbook.cause(CAUSE)
    if rule is None:
        raise UserError(f"the runbook of {watched.runbook.vendor} has no cause {CAUSE}")
    now, said = watch.now(), f"key {fingerprint} leaked: {place}"
    with watch.store.write() as session:
        incident, opened = open_or_join(
            session,
            integration=watched.name,
            summary=said,
            severity=rule.severity,
            opened_by=by,
            started_at=exposed_at,
            now=now,
            reopen_since=now,
            another=has_recovered,
        )
        if not opened:
            # What is being done is for another cause: the chain begins again with this one.
            incident = begin_again(session, incident.id, now)
        mark = Milestone.DETECTED if opened else None
        incidents.note(session, incident.id, said, now=now, actor=by, milestone=mark)
        incidents.correct(
            session,
            incident.id,
            cause=CAUSE,
            severity=rule.severity,
            by=by,
            reason=said,
            now=now,
        )
        exposures.tell(
            session,
            incident.id,
            watched.name,
            watched.integration.credential.name,
            fingerprint,
            exposed_at=exposed_at,
            place=place,
            by=by,
            now=now,
        )
        return incidents.get(session, incident.id)


def audited(watch: Watch, incident_id: int, by: str, finding: str) -> tuple[Exposure, ...]:
    with watch.store.write() as session:
        incidents.get(session, incident_id)
        found = exposures.audited(session, incident_id, by, finding, watch.now())
        text = f"the use of the leaked key was audited: {finding}"
        incidents.note(session, incident_id, text, now=watch.now(), actor=by)
    return found


def as_json(exposure: Exposure) -> dict[str, Any]:
    """`good_for_s`: from the exposure to the vendor's first refusal; None while it lives."""
    end = exposure.refused_at
    return {
        "fingerprint": exposure.fingerprint,
        "exposed_at": exposure.exposed_at,
        "place": exposure.place,
        "told_by": exposure.told_by,
        "last_accepted_at": exposure.last_accepted_at,
        "refused_at": end,
        "good_for_s": None if end is None else (end - exposure.exposed_at).total_seconds(),
        "audited_by": exposure.audited_by,
        "finding": exposure.finding or None,
    }
