"""Gathering a drill's facts: from the stand-ins where an effect arrives, from our record for the
times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from deployments.drill.drill import Drill
from deployments.drill.expects import Outside
from deployments.drill.facts import Facts, UnderCap
from deployments.drill.keys import first_key, routing_key
from deployments.drill.prefect_view import PrefectView
from deployments.drill.sealing import Witness, find_leaks
from deployments.password import kept_password, password_file
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean
from watchkeeper.incident import Incident, Milestone
from watchkeeper.mitigation.world import StepState
from watchkeeper.performing.reporting import record_of
from watchkeeper.report import Record
from watchkeeper.store import jobs, leases, steps
from watchkeeper.store.tables import EffectRow, RecordRow

# So long before the fault, runs were as usual.
USUAL = timedelta(seconds=15)


def collect(drill: Drill, view: PrefectView, witness: Witness) -> Facts:
    """Everything the score is made of."""
    found = drill.incidents()
    if not found:
        return Facts(incident=None)
    incident, far = found[0], drill.far
    record = record_of(drill.watch, incident.id)
    drill.notes["starts"] = view.starts(drill.mark("fault") - USUAL)
    artifact = view.artifact(f"incident-{incident.id}")
    report = drill.watch.settings.reports / f"incident-{incident.id}.md"
    since, until = drill.mark("fault"), incident.recovered_at or drill.mark("recovered")
    tested, promoted = _rotation_times(drill, record, incident)
    paused = [lease for lease in record.leases if lease.kind.value == "paused_job"]
    return Facts(
        incident={
            "id": incident.id,
            "state": incident.state.value,
            "cause": incident.cause,
            "verdict": incident.verdict,
            "severity": incident.severity,
        },
        verdicts=tuple(c.verdict for c in record.causes),
        milestones=_milestones(record),
        opened_at=incident.opened_at,
        opened_by=incident.opened_by,
        job_states=_job_states(drill),
        done=_done(drill, incident),
        jobs_paused_in_incident=frozenset(lease.target for lease in paused),
        leases_left=_leases_left(drill),
        pages=far.pages(),
        data={name: far.judge(name, since, until) for name in drill.played.resources},
        first_key=clean(first_key(drill.scenario.integration), "the first key").fingerprint,
        keys=far.keys(),
        service_key=far.key_shown(f"{drill.world.service}/health"),
        restarts=far.restarts(),
        key_tested_at=tested,
        key_promoted_at=promoted,
        consumers=_consumers(drill),
        under_cap=_under_cap(drill),
        synced_while_capped=_synced(drill, incident),
        held=tuple(sorted(drill.notes.get("held", ()))),
        outside=Outside(**drill.shown),
        killed=drill.scenario.kill is not None
        and not (drill.world.home / "failpoints" / drill.scenario.kill).exists(),
        responders=incident.epoch,
        report=str(report) if report.exists() else None,
        artifact=artifact["key"] if artifact else None,
        off_loopback=tuple(sorted(witness.off_loopback)),
        leaks=tuple(_leaks(drill, witness)),
    )


def _milestones(record: Record) -> dict[str, datetime]:
    times = {e.milestone: e.occurred_at for e in record.timeline if e.milestone}
    return {m.value: times[m] for m in Milestone if m in times}


def _job_states(drill: Drill) -> dict[str, str]:
    with drill.watch.store.read() as session:
        listed = jobs.listed(session, drill.scenario.integration)
    return {job.name: job.desired for job in listed}


def _done(drill: Drill, incident: Incident) -> tuple[str, ...]:
    """The runbook's actions that were carried out, in the order in which they were begun."""
    with drill.watch.store.read() as session:
        return tuple(s.name for s in steps.of_round(session, incident) if s.state is StepState.DONE)


def _leases_left(drill: Drill) -> int:
    mine = drill.scenario.integration
    with drill.watch.store.read() as session:
        return sum(lease.integration == mine for lease in leases.active(session))


def _consumers(drill: Drill) -> dict[str, str | None]:
    """The key that each shows, asked for where Watchkeeper is told to ask."""
    known = drill.watch.integration(drill.scenario.integration).integration.consumers
    return {c.name: drill.far.key_shown(c.health_url, c.fingerprint_field) for c in known}


def _rotation_times(
    drill: Drill, record: Record, incident: Incident
) -> tuple[datetime | None, datetime | None]:
    """When the vendor first accepted the offered key, and when the store's current key changed."""
    tested = next((e.occurred_at for e in record.timeline if "the vendor accepts" in e.text), None)
    with drill.watch.store.read() as session:
        promoted = session.exec(
            select(EffectRow.sent_at)
            .where(EffectRow.step == "key.promote")
            .where(EffectRow.incident_id == incident.id)
        ).first()
    return tested, promoted


def _under_cap(drill: Drill) -> UnderCap | None:
    """Live requests that the simulator counted of us in a walk under the cap."""
    if "during" not in drill.notes or drill.notes.get("cap_per_s") is None:
        return None
    return UnderCap(
        count=_ours(drill.notes["during"]),
        seconds=drill.notes["during_s"],
        cap_per_s=drill.notes["cap_per_s"],
    )


def _ours(counted: dict[str, Any]) -> int:
    return sum(n for caller, n in counted["by_caller"].items() if "(live)" in caller)


def _synced(drill: Drill, incident: Incident) -> int:
    """What the integration is for: records of it that reached the sink while the cap was in force."""
    since, until = drill.marks.get("mitigated"), incident.recovered_at
    if since is None or until is None:
        return 0
    with drill.watch.store.read() as session:
        rows = session.exec(
            select(RecordRow.record_id)
            .where(RecordRow.integration == incident.integration)
            .where(RecordRow.resource == drill.played.main_job.resources[0])
            .where(col(RecordRow.written_at) > since, col(RecordRow.written_at) <= until)
        )
        return len(rows.all())


def _leaks(drill: Drill, witness: Witness) -> Iterable[str]:
    """Every key of the drill, looked for in all of the home but where it belongs."""
    home, folder = drill.world.home, drill.world.folder
    values = {first_key(drill.scenario.integration), routing_key(drill.scenario.integration)}
    values |= {value for path in (folder / "secrets").glob("*.json") for value in _kept(path)}
    values.add(kept_password(home).partition(":")[2])
    # The stand-in vendors and pagers know the keys: theirs is the far side.
    known = (
        password_file(home),
        *(world / part for world in (home / "worlds").iterdir() for part in ("secrets", "sandbox")),
    )
    yield from find_leaks(values, home, known, drill.watch.store.close)
    for line in witness.arguments:
        if any(value in line for value in values):
            yield f"the arguments of a process: {line.split()[0]}"


def _kept(path: Path) -> Iterable[str]:
    store = open_rotatable(f"file:{path}", path.parent)
    stages = (store.read("current"), store.read("pending"), store.read("previous"))
    return (stage.reveal() for stage in stages if stage is not None)
