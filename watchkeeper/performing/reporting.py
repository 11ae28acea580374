"""The incident's record, gathered and written as a report file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from watchkeeper.incident import Incident
from watchkeeper.performing.watch import Watch
from watchkeeper.report import CallEntry, Record, render
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import effects, exposures, gaps, incidents, leases, pages


def record_of(watch: Watch, incident_id: int) -> Record:
    """All that is known of one incident, from the database alone."""
    with watch.store.read() as session:
        return Record(
            incident=incidents.get(session, incident_id),
            causes=incidents.causes(session, incident_id),
            timeline=incidents.timeline(session, incident_id),
            effects=effects.entries(session, incident_id),
            leases=leases.of_incident(session, incident_id),
            gaps=gaps.of_incident(session, incident_id),
            exposures=exposures.of_incident(session, incident_id),
            followed_by=incidents.followed_by(session, incident_id),
            calls=tuple(
                CallEntry(
                    who=page.who,
                    wanted_at=page.wanted_at,
                    taken_at=page.triggered_at,
                    reason=page.reason,
                )
                for page in pages.of_incident(session, incident_id)
            ),
        )


def report_of(watch: Watch, watched: Watched, incident_id: int) -> str:
    whole = frozenset(r.name for r in watched.runbook.resources if r.since_param is None)
    record = replace(record_of(watch, incident_id), not_by_time=whole)
    return render(record, watched.runbook, watch.now())


def report_path(watch: Watch, incident_id: int) -> Path:
    return watch.settings.reports / f"incident-{incident_id}.md"


def report_is_final(watch: Watch, incident: Incident) -> bool:
    """Whether the report on disk was written after the incident closed."""
    path = report_path(watch, incident.id)
    if incident.closed_at is None or not path.exists():
        return False
    return path.stat().st_mtime >= incident.closed_at.timestamp()


def write_report(watch: Watch, watched: Watched, incident_id: int) -> Path:
    """Write the report whole or not at all; the path of the file."""
    path = report_path(watch, incident_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".tmp")
    draft.write_text(report_of(watch, watched, incident_id), encoding="utf-8")
    os.replace(draft, path)
    return path
