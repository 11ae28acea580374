"""Commands that act: mitigate, backfill, approve, deny, halt. Each plans first or says by whom."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Annotated, Any

import typer

from deployments.commands.edge import (
    By,
    IncidentId,
    IntegrationName,
    Reason,
    person,
    point_at_prefect,
    settings,
    watch,
    words,
)
from deployments.commands.telling import tell_markdown
from deployments.commands.times import instant
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.gaps import plan_windows
from watchkeeper.incident import parse_id
from watchkeeper.performing import mitigating
from watchkeeper.performing.responding import wake
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import plan_text
from watchkeeper.store import approvals, incidents, switches
from watchkeeper.store.approvals import APPROVE, DENY

Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this, only the plan.")]


def mitigate(
    integration: IntegrationName,
    action: Annotated[str | None, typer.Argument(help="One mitigation; all by default.")] = None,
    apply: Apply = False,
) -> None:
    """Show what would be done about the open incident, and with --apply do it."""
    on = watch()
    watched = on.integration(integration)
    known = {m.name for m in watched.runbook.mitigations}
    if action is not None and action not in known:
        raise UserError(f"{action!r} is no mitigation of {integration}: {', '.join(sorted(known))}")
    with on.store.read() as session:
        incident = incidents.current(session, integration)
    if incident is None:
        raise UserError(
            f"{integration} has no open incident to act for: "
            f"watchkeeper incident open {integration} --reason ..."
        )
    only = frozenset({action}) if action else None
    plan = mitigating.make_plan(on, watched, incident, only)
    tell_markdown(plan_text(plan))
    if not apply:
        words.print("dry run: nothing was done; --apply does it")
        return
    parameters = {
        "integration": integration,
        "action": action,
        "dry_run": False,
        "mode": "by hand",
    }
    _start("mitigate/mitigate", parameters, f"mitigate:{incident.id}:{on.now().isoformat()}")


def backfill(
    integration: IntegrationName,
    resource: Annotated[str, typer.Argument(help="Such as workorders.")],
    since: Annotated[str, typer.Option(help="Start, inclusive: 2026-01-31T09:00:00Z.")],
    until: Annotated[str, typer.Option(help="End, exclusive: 2026-01-31T10:30:00Z.")],
    apply: Apply = False,
) -> None:
    """Show the windows that would be walked, and with --apply fill and compare them."""
    on = watch()
    watched = on.integration(integration)
    known = {r.name: r for r in watched.runbook.resources}
    if resource not in known:
        raise UserError(f"{integration} has no resource {resource!r}: {', '.join(sorted(known))}")
    start, end = instant(since, "--since"), instant(until, "--until")
    if start >= end:
        raise UserError(f"--since {since} is not before --until {until}")
    for span in plan_windows(known[resource], start, end):
        words.print(f"window {span.says()}")
    if not apply:
        words.print("dry run: nothing was done; --apply does it")
        return
    parameters = {
        "integration": integration,
        "resource": resource,
        "since": start.isoformat(),
        "until": end.isoformat(),
    }
    key = f"backfill:{integration}:{resource}:{start.isoformat()}:{end.isoformat()}:{on.now()}"
    _start("backfill/backfill", parameters, key)


def approve(incident: IncidentId, by: By = None, reason: Reason = "") -> None:
    """Say yes to the plan that an incident waits for."""
    on = watch()
    found = parse_id(incident)
    _key_is_there(on, found)
    _answer(on, found, APPROVE, by, reason)


def deny(incident: IncidentId, by: By = None, reason: Reason = "") -> None:
    """Say no: nothing of the plan is done, and the incident is watched for recovery."""
    _answer(watch(), parse_id(incident), DENY, by, reason)


class HaltWord(StrEnum):
    ON = "on"
    OFF = "off"
    STATUS = "status"


def halt(
    word: Annotated[HaltWord, typer.Argument(help="on, off or status")],
    by: By = None,
    reason: Reason = "",
) -> None:
    """The kill switch: while it is on, automation pages and undoes, and does nothing else."""
    on = watch()
    if word is not HaltWord.STATUS:
        with on.store.write() as session:
            now, who = on.now(), person(by)
            switches.set_halt(session, word is HaltWord.ON, by=who, reason=reason, now=now)
    why = switches.halted(on.store, on.settings.halt_file)
    words.print(f"halted: {why}" if why else "not halted", markup=False)


def _key_is_there(on: Watch, incident_id: int) -> None:
    """A plan that needs a key cannot be approved before one was offered."""
    with on.store.read() as session:
        incident = incidents.get(session, incident_id)
        question = approvals.latest(session, incident_id)
    if question is None or not question.open or not question.needs:
        return
    reference = on.integration(incident.integration).integration.credential.reference
    if open_rotatable(reference, on.secrets_base).read("pending") is None:
        raise UserError(f"INC-{incident_id} needs {question.needs[0]}")


def _answer(on: Watch, incident_id: int, decision: str, by: str | None, reason: str) -> None:
    with on.store.read() as session:
        incident = incidents.get(session, incident_id)
    answered = mitigating.record_answer(on, incident, decision, person(by), reason)
    words.print(f"INC-{incident_id}: {decision} is written down for plan {answered.plan_hash}")
    try:
        point_at_prefect(on.settings)
        from tasks.executing import PrefectExecutor

        asyncio.run(wake(on, incident, PrefectExecutor()))
    except WatchkeeperError as error:
        words.print(f"its run is woken by the next sweep ({error})", markup=False)


def _start(deployment: str, parameters: dict[str, Any], key: str) -> None:
    api = point_at_prefect(settings())
    from tasks.executing import PrefectExecutor

    asyncio.run(PrefectExecutor().start(deployment, parameters, key))
    words.print(f"started {deployment}: {api.removesuffix('/api')}/runs")
