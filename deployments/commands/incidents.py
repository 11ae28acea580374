"""`incident`: people declare, correct, take over, note, waive and read; all on the timeline."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from deployments.commands.edge import (
    AsJson,
    By,
    IncidentId,
    IntegrationName,
    person,
    print_json,
    watch,
    words,
)
from deployments.commands.telling import tell_markdown
from watchkeeper.errors import UserError
from watchkeeper.incident import Incident, Milestone, State, parse_id
from watchkeeper.performing import detecting, opening, recovering, reporting, stepping
from watchkeeper.performing.responding import begin_again
from watchkeeper.performing.standing import next_step
from watchkeeper.store import approvals, gaps, incidents, pages

app = typer.Typer(no_args_is_help=True)


def said(reason: str) -> str:
    """Raises UserError where nothing is said."""
    if not reason.strip():
        raise UserError("--reason is empty: say why, it goes on the timeline")
    return reason.strip()


Why = Annotated[str, typer.Option("--reason", callback=said, help="Why; it goes on the timeline.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The latest incidents, open ones first."""
    with watch().store.read() as session:
        found = incidents.listed(session)
    if as_json:
        print_json([_json(incident) for incident in found])
        return
    table = Table("incident", "integration", "severity", "state", "cause", "verdict", "opened")
    for i in sorted(found, key=lambda i: (not i.is_open, -i.id)):
        opened = f"{i.opened_at:%Y-%m-%d %H:%M:%S}Z"
        table.add_row(
            f"INC-{i.id}", i.integration, str(i.severity), i.state, i.cause or "", i.verdict, opened
        )
    words.print(table if found else "no incident yet")


@app.command()
def show(incident: IncidentId, as_json: AsJson = False) -> None:
    """The record of one incident, as its report would be now."""
    on = watch()
    found = parse_id(incident)
    record = reporting.record_of(on, found)
    if as_json:
        timeline = [
            {
                "at": e.occurred_at,
                "milestone": e.milestone.value if e.milestone else None,
                "actor": e.actor,
                "text": e.text,
            }
            for e in record.timeline
        ]
        print_json(_json(record.incident) | {"timeline": timeline})
        return
    watched = on.of_record(record.incident.integration)
    tell_markdown(reporting.report_of(on, watched, found))
    if record.incident.is_open:
        with on.store.read() as session:
            waiting = approvals.unanswered(session, found)
            command = next_step(session, on, record.incident, waiting)
        words.print(f"next: {command}", markup=False, soft_wrap=True)


@app.command("open")
def open_(
    integration: IntegrationName,
    reason: Why,
    severity: Annotated[int, typer.Option(min=1, max=4, help="1 is worst.")] = 2,
    by: By = None,
) -> None:
    """Declare an incident that no probe has seen, or join the one whose harm goes on."""
    on = watch()
    watched = on.registered(integration)
    now, who = on.now(), person(by)
    with on.store.write() as session:
        incident, opened = opening.open_or_join(
            session,
            integration=integration,
            summary=reason,
            severity=severity,
            opened_by=who,
            started_at=now,
            now=now,
            reopen_since=now,
            another=opening.has_recovered,
        )
        if opened:
            detecting.open_gaps(session, watched, incident, now)
        mark = Milestone.DETECTED if opened else None
        incidents.note(session, incident.id, reason, now=now, actor=who, milestone=mark)
    words.print(f"INC-{incident.id} {'opened' if opened else 'was open already: noted there'}")


@app.command("set")
def set_(
    incident: IncidentId,
    reason: Why,
    cause: Annotated[str | None, typer.Option(help="A cause of the runbook.")] = None,
    severity: Annotated[int | None, typer.Option(min=1, max=4, help="1 is worst.")] = None,
    by: By = None,
) -> None:
    """Overrule the cause or the severity."""
    if cause is None and severity is None:
        raise UserError("nothing to set: give --cause or --severity")
    on = watch()
    found = _found(incident)
    runbook = on.of_record(found.integration).runbook
    if cause is not None and runbook.cause(cause) is None:
        known = ", ".join(rule.cause for rule in runbook.causes)
        raise UserError(f"{cause!r} is no cause of {runbook.vendor}'s runbook: {known}")
    now, who = on.now(), person(by)
    with on.store.write() as session:
        incidents.correct(
            session, found.id, cause=cause, severity=severity, by=who, reason=reason, now=now
        )
        said = ", ".join(
            f"{k} {v}" for k, v in (("cause", cause), ("severity", severity)) if v is not None
        )
        incidents.note(session, found.id, f"set {said}: {reason}", now=now, actor=who)
    words.print(f"INC-{found.id}: {said}")


@app.command()
def ack(incident: IncidentId, by: By = None) -> None:
    """You have seen it: the escalation ladder stops."""
    on, found = watch(), _still_open(incident)
    with on.store.write() as session:
        pages.acknowledge(session, found.id, on.now())
        incidents.note(session, found.id, "acknowledged", now=on.now(), actor=person(by))
    words.print(f"INC-{found.id} is acknowledged by {person(by)}")


@app.command()
def note(incident: IncidentId, text: str, by: By = None) -> None:
    """Write a line on the timeline."""
    on, found = watch(), _found(incident)
    with on.store.write() as session:
        incidents.note(session, found.id, text, now=on.now(), actor=person(by))
    words.print(f"INC-{found.id}: noted")


@app.command()
def take(
    incident: IncidentId,
    reason: Why,
    give_back: Annotated[
        bool, typer.Option("--give-back", help="Let automation act again.")
    ] = False,
    by: By = None,
) -> None:
    """Take over: automation goes on watching and filling in, and mitigates nothing more."""
    on, found, who = watch(), _still_open(incident), person(by)
    with on.store.write() as session:
        incidents.take(session, found.id, None if give_back else who)
        said = "gave it back" if give_back else "took over"
        incidents.note(session, found.id, f"{said}: {reason}", now=on.now(), actor=who)
    words.print(f"INC-{found.id}: {who} {said}")


StepName = Annotated[
    str | None, typer.Argument(help="A mitigation of the plan; the whole chain when left out.")
]


@app.command()
def retry(incident: IncidentId, step: StepName = None, *, reason: Why, by: By = None) -> None:
    """Try a step again that failed or was skipped; or begin the chain anew: triage, plan, ask."""
    on, found, who = watch(), _still_open(incident), person(by)
    if step is not None:
        stepping.retry(on, found, step, who, reason)
        words.print(f"INC-{found.id}: {step} is tried again by its next responder", markup=False)
        return
    with on.store.write() as session:
        begin_again(session, found.id, on.now())
        incidents.note(
            session, found.id, f"again from the start: {reason}", now=on.now(), actor=who
        )
    words.print(f"INC-{found.id} starts again at its next responder")


@app.command()
def skip(incident: IncidentId, step: str, reason: Why, by: By = None) -> None:
    """Leave a mitigation of the plan out, done or not; the response goes on without it."""
    on, found = watch(), _still_open(incident)
    known = {m.name for m in on.of_record(found.integration).runbook.performed}
    if step not in known:
        raise UserError(f"{step!r} is no step of {found.integration}: {', '.join(sorted(known))}")
    if found.has_reached(State.RESOLVED):
        raise UserError(f"INC-{found.id} is {found.state}: no mitigation is left to skip")
    stepping.skip(on, found, step, person(by), reason)
    words.print(f"INC-{found.id}: {step} is skipped", markup=False)


@app.command()
def waive(incident: IncidentId, resource: str, reason: Why, by: By = None) -> None:
    """Sign that a gap may stay: the incident can close without it."""
    on, found, who = watch(), _still_open(incident), person(by)
    with on.store.write() as session:
        named = [g for g in gaps.of_incident(session, found.id) if g.resource == resource]
        if not named:
            raise UserError(f"INC-{found.id} has no gap in {resource!r}")
        gaps.waive(session, named[0].id, who, reason, on.now())
        text = f"waived the gap in {resource}: {reason}"
        incidents.note(session, found.id, text, now=on.now(), actor=who)
    words.print(f"INC-{found.id}: the gap in {resource} is waived by {who}")


@app.command()
def close(incident: IncidentId, reason: Why, by: By = None) -> None:
    """End an incident that holds nothing and whose gaps are filled or waived."""
    on, found, who = watch(), _found(incident), person(by)
    recovering.close_by_hand(on, found, who, reason)
    words.print(f"INC-{found.id} is closed by {who}; the sweep resolves its pages")


@app.command()
def report(incident: IncidentId) -> None:
    """Write the report file now, and say where it is."""
    on, found = watch(), _found(incident)
    path = reporting.write_report(on, on.of_record(found.integration), found.id)
    words.print(str(path), markup=False)


def _still_open(incident: str) -> Incident:
    """Raises UserError on a closed one: what is said of it now would count for its next outage."""
    found = _found(incident)
    if not found.is_open:
        again = f"watchkeeper incident open {found.integration} --reason ..."
        raise UserError(f"INC-{found.id} is closed; what is wrong now is a new one: {again}")
    return found


def _found(incident: str) -> Incident:
    with watch().store.read() as session:
        return incidents.get(session, parse_id(incident))


def _json(incident: Incident) -> dict[str, object]:
    names = (
        "id",
        "integration",
        "severity",
        "cause",
        "verdict",
        "summary",
        "taken_by",
        "round",
        "follows",
    )
    times = ("started_at", "opened_at", "recovered_at", "settles_at", "closed_at")
    row: dict[str, object] = {name: getattr(incident, name) for name in names}
    row["state"] = incident.state.value
    return row | {name: getattr(incident, name) for name in times}
