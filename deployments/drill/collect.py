"""Gathering a drill's facts: from the stand-ins where an effect arrives, from our record for the
times."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from deployments.drill.prefect_view import PrefectView, Start
from deployments.drill.score import Facts
from deployments.drill.sealing import Witness, find_leaks
from deployments.drill.world import BEFORE, FIRST_KEY, INTEGRATION, ROUTING_KEY
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean
from watchkeeper.incident import Incident, Milestone
from watchkeeper.mitigation import LeaseKind
from watchkeeper.performing.reporting import record_of
from watchkeeper.report import Record
from watchkeeper.store import incidents, jobs, leases
from watchkeeper.store.tables import ApprovalRow, EffectRow, RecordRow

if TYPE_CHECKING:
    from deployments.drill.run import Drill

# What a person's bad day could change: the resources that keep moving while a drill runs.
MOVING = ("workorders", "assets", "locations", "users")


def collect(drill: Drill, view: PrefectView, witness: Witness) -> Facts:
    """Everything the score is made of."""
    with drill.watch.store.read() as session:
        found = incidents.listed(session, at_most=1)
    if not found:
        return Facts(incident=None)
    incident, far = found[0], drill.far
    record = record_of(drill.watch, incident.id)
    keys = far.keys()
    drill.notes["starts"] = view.starts()
    artifact = view.artifact(f"incident-{incident.id}")
    report = drill.watch.settings.reports / f"incident-{incident.id}.md"
    since, until = drill.marks["fault"], incident.recovered_at or drill.mark("recovered")
    tested, promoted = _rotation_times(drill, record)
    held = [lease for lease in record.leases if lease.kind is LeaseKind.PAUSED_JOB]
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
        jobs_paused_in_incident=frozenset(lease.target for lease in held),
        leases_left=_leases_left(drill),
        pages=far.pages(),
        data={name: far.judge(name, since, until) for name in MOVING},
        first_key=clean(FIRST_KEY, "the drill's first key").fingerprint,
        keys=keys,
        service_key=far.service_key(),
        restarts=far.restarts(),
        key_tested_at=tested,
        key_promoted_at=promoted,
        consumers=1,
        consumers_proven=sum(key["fingerprint"] == far.service_key() for key in keys),
        requests_per_s=_rates(drill),
        synced_while_capped=_synced(drill, incident),
        held_under_cap=tuple(sorted(drill.notes.get("held", ()))),
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
        return {job.name: job.desired for job in jobs.listed(session, INTEGRATION)}


def _leases_left(drill: Drill) -> int:
    with drill.watch.store.read() as session:
        return len(leases.active(session))


def _rotation_times(drill: Drill, record: Record) -> tuple[datetime | None, datetime | None]:
    """When the vendor first accepted the offered key, and when the store's current key changed."""
    tested = next((e.occurred_at for e in record.timeline if "the vendor accepts" in e.text), None)
    with drill.watch.store.read() as session:
        promoted = session.exec(
            select(EffectRow.sent_at).where(EffectRow.step == "key.promote")
        ).first()
    return tested, promoted


def _rates(drill: Drill) -> dict[str, float]:
    """Live requests a second that the simulator counted of us, before the fault and under the cap."""
    if "during" not in drill.notes:
        return {}
    return {
        "before": round(_ours(drill.notes["before"]) / BEFORE.total_seconds(), 2),
        "during": round(_ours(drill.notes["during"]) / max(drill.notes["during_s"], 1.0), 2),
    }


def _ours(counted: dict[str, Any]) -> int:
    return sum(n for caller, n in counted["by_caller"].items() if "(live)" in caller)


def _synced(drill: Drill, incident: Incident) -> int:
    """Work orders that reached the sink while the cap was in force."""
    since, until = drill.marks.get("mitigated"), incident.recovered_at
    if since is None or until is None:
        return 0
    with drill.watch.store.read() as session:
        rows = session.exec(
            select(RecordRow.record_id)
            .where(RecordRow.resource == "workorders")
            .where(col(RecordRow.written_at) > since, col(RecordRow.written_at) <= until)
        )
        return len(rows.all())


def _leaks(drill: Drill, witness: Witness) -> Iterable[str]:
    """Every key of the drill, looked for everywhere but where it belongs."""
    home = drill.world.home
    store = open_rotatable(f"file:{home / 'secrets' / 'maintainx.json'}", home)
    stages = (store.read("current"), store.read("pending"), store.read("previous"))
    values = {FIRST_KEY, ROUTING_KEY} | {s.reveal() for s in stages if s is not None}
    # The stand-in vendor and pager know the keys: theirs is the far side.
    known = (home / "secrets", home / "sandbox")
    yield from find_leaks(values, home, known)
    for line in witness.arguments:
        if any(value in line for value in values):
            yield f"the arguments of a process: {line.split()[0]}"


def waits(drill: Drill, facts: Facts) -> dict[str, float]:
    """Wall time from fault to close, split: the schedule's clock, Prefect's start lag, a person,
    and ours (the rest, settling included)."""
    fault, closed = drill.marks.get("fault"), facts.milestones.get("closed")
    if fault is None or closed is None:
        return {}
    opened = facts.opened_at or closed
    starts: list[Start] = [s for s in drill.notes["starts"] if s.running >= fault]
    health = next((s for s in starts if s.flow == "health" and s.running <= opened), None)
    mine = [s for s in starts if s.flow == "respond" and s.running <= closed]
    lag_s = sum(s.lag_s for s in mine) + (health.lag_s if health else 0.0)
    clock_s = (health.due - fault).total_seconds() if health else 0.0
    person_s = _answered_in_s(drill)
    total_s = (closed - fault).total_seconds()
    return {
        "total": round(total_s, 2),
        "ours": round(total_s - lag_s - max(clock_s, 0.0) - person_s, 2),
        "prefect_start": round(lag_s, 2),
        "scheduler": round(max(clock_s, 0.0), 2),
        "person": round(person_s, 2),
    }


def _answered_in_s(drill: Drill) -> float:
    with drill.watch.store.read() as session:
        rows = session.exec(select(ApprovalRow)).all()
    return sum(
        (row.decided_at - row.requested_at).total_seconds() for row in rows if row.decided_at
    )


def _page_after_s(facts: Facts) -> float | None:
    """Seconds from the incident's row to the pager's acceptance."""
    paged = facts.milestones.get("paged")
    if paged is None or facts.opened_at is None:
        return None
    return round((paged - facts.opened_at).total_seconds(), 3)


def result(drill: Drill, facts: Facts, wrong: list[str], took_s: float) -> dict[str, Any]:
    """One object of `drill --json`."""
    scenario, incident = drill.scenario, facts.incident or {}
    counted = {
        what: sum(found[what] for found in facts.data.values())
        for what in ("expected", "present", "missing", "duplicates", "stale", "touched_since")
    }
    alerts = facts.pages.get("incidents", {})
    active = {key["fingerprint"] for key in facts.keys if key["state"] == "active"}
    return {
        "scenario": scenario.name,
        "passed": not wrong,
        "integration": INTEGRATION,
        "took_s": round(took_s, 1),
        "cause": {
            "expected": scenario.cause,
            "found": incident.get("cause"),
            "verdict": incident.get("verdict"),
            "verdicts": list(facts.verdicts),
        },
        "severity": {"expected": scenario.severity, "found": incident.get("severity")},
        "milestones": {
            m.value: facts.milestones[m.value].isoformat() if m.value in facts.milestones else None
            for m in Milestone
        },
        "waits": drill.notes.get("waits", {}),
        "data": counted | {"buffered": 0, "replayed": 0, "parked": 0},
        "requests_per_s": facts.requests_per_s,
        "jobs_left_paused": sorted(
            n
            for n, state in facts.job_states.items()
            if state == "paused" and n != scenario.paused_by_person
        ),
        "jobs_left_as_a_person_set_them": [scenario.paused_by_person]
        if scenario.paused_by_person and facts.job_states.get(scenario.paused_by_person) == "paused"
        else [],
        "leases_left": facts.leases_left,
        "pages": {
            "alerts": sum(one["alerts"] for one in alerts.values()),
            "resolved": sum(one["state"] == "resolved" for one in alerts.values()),
        },
        "responders": facts.responders,
        "restarts": facts.restarts,
        "old_key_alive": facts.first_key in active if scenario.rotates else None,
        "page_after_s": _page_after_s(facts),
        "off_loopback": list(facts.off_loopback),
        "key_found_in": list(facts.leaks),
        "report": facts.report,
        "failures": wrong,
    }
