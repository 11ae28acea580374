"""Commands that act: mitigate, backfill, approve, deny. Each plans first or says by whom."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

from deployments.commands.edge import (
    AsJson,
    By,
    IncidentId,
    IntegrationName,
    Reason,
    account,
    person,
    point_at_prefect,
    print_json,
    settings,
    watch,
    words,
)
from deployments.commands.telling import tell_markdown
from deployments.commands.times import instant
from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.gaps import plan_windows
from watchkeeper.incident import Incident, parse_id
from watchkeeper.mitigation.plan import Plan
from watchkeeper.performing import mitigating, stepping
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.responding import Executor, dispatch, wake
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import needs, plan_fields, plan_text
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, incidents
from watchkeeper.store.approvals import APPROVE, DENY, Approval

Apply = Annotated[
    bool, typer.Option("--apply/--dry-run", help="Do it; without this, only the plan.")
]


def mitigate(
    integration: IntegrationName,
    action: Annotated[str | None, typer.Argument(help="One mitigation; all by default.")] = None,
    apply: Apply = False,
    by: By = None,
    reason: Reason = "asked for by hand",
    as_json: AsJson = False,
) -> None:
    """Show what would be done about the open incident, and with --apply have it done: your name on
    it is a yes, and where two are wanted another person's is asked for."""
    on = watch()
    watched = on.integration(integration)
    if action is not None:
        stepping.check_name(watched, action)
    with on.store.read() as session:
        incident = incidents.current(session, integration)
    if incident is None:
        raise UserError(
            f"{integration} has no open incident to act for: "
            f"watchkeeper incident open {integration} --reason ..."
        )
    plan = asyncio.run(_planned(on, watched, incident, action))
    if not as_json:
        tell_markdown(plan_text(plan))
    if not apply:
        if as_json:
            print_json(plan_fields(plan) | {"dry_run": True, "approved": []})
        words.print("dry run: nothing was done; --apply does it")
        return
    for waiting in plan.questions:
        _key_is_there(on, watched, waiting)
    if action is not None:
        stepping.want(on, incident, action, person(by), reason)
    approved = _say_yes(on, watched, plan, person(by), reason)
    if as_json:
        said = [{"plan": one.plan_hash, "missing": one.missing} for one in approved]
        print_json(plan_fields(plan) | {"dry_run": False, "approved": said})
    stepping.plan_again(on, incident)
    _hurry(on, incident.id)


async def _planned(on: Watch, watched: Watched, incident: Incident, action: str | None) -> Plan:
    if action is None:
        return await mitigating.make_plan(on, watched, incident)
    return await mitigating.plan_of(on, watched, incident, frozenset({action}))


def _say_yes(on: Watch, watched: Watched, plan: Plan, by: str, reason: str) -> list[Approval]:
    """A person who asks for it has read it. What was approved now."""
    approved = []
    for waiting in plan.questions:
        question = mitigating.ask(on, watched, waiting, anew=True)
        if not question.open:
            continue
        with on.store.read() as session:
            incident = incidents.get(session, question.incident_id)
        said = mitigating.record_answer(
            on, incident, APPROVE, by, reason, question.plan_hash, account()
        )
        more = f"; {said.missing} more people must say yes" if said.open else ""
        words.print(f"plan {said.plan_hash} is approved by {by}{more}", markup=False)
        approved.append(said)
    return approved


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


PlanHash = Annotated[
    str | None, typer.Option("--plan", help="The plan you have read, by its first characters.")
]


def approve(
    incident: IncidentId, by: By = None, reason: Reason = "", plan: PlanHash = None
) -> None:
    """Say yes to the plan that an incident waits for, or proposes. Where the world has changed since
    it was shown, nothing is approved and the new one is asked about."""
    on = watch()
    found = parse_id(incident)
    with on.store.read() as session:
        open_one = incidents.get(session, found)
        question = approvals.meant(session, found, plan)
    if question.open:
        watched = on.integration(open_one.integration)
        _key_is_there(on, watched, question)
        asyncio.run(mitigating.still_the_plan(on, watched, question))
    _answer(on, found, APPROVE, by, reason, plan)


def deny(incident: IncidentId, by: By = None, reason: Reason = "", plan: PlanHash = None) -> None:
    """Say no: nothing of the plan is done, and the incident is watched for recovery."""
    _answer(watch(), parse_id(incident), DENY, by, reason, plan)


def _key_is_there(on: Watch, watched: Watched, asked: Approval | Plan) -> None:
    """A plan that needs a key cannot be approved before one was offered."""
    needed = needs(asked) if isinstance(asked, Plan) else asked.needs
    wanted = next((need for need in needed if "key offer" in need), None)
    if wanted is not None and keys_of(on, watched).read("pending") is None:
        raise UserError(f"INC-{asked.incident_id} needs {wanted}")


def _answer(
    on: Watch, incident_id: int, decision: str, by: str | None, reason: str, plan: str | None
) -> None:
    with on.store.read() as session:
        incident = incidents.get(session, incident_id)
    answered = mitigating.record_answer(on, incident, decision, person(by), reason, plan, account())
    more = f"; {answered.missing} more people must say yes" if answered.open else ""
    words.print(
        f"INC-{incident_id}: {decision} is written down for plan {answered.plan_hash}{more}"
    )
    if answered.open:
        return
    if not answered.waits and decision == APPROVE:
        stepping.plan_again(on, incident)
    _hurry(on, incident_id)


def _hurry(on: Watch, incident_id: int) -> None:
    """Wake the run that waits for the answer, or start one that finds it; else the sweep does."""
    try:
        point_at_prefect(on.settings)
        from tasks.executing import PrefectExecutor

        asyncio.run(_go_on(on, incident_id, PrefectExecutor()))
    except WatchkeeperError as error:
        words.print(f"the next sweep goes on with it ({error})", markup=False)


async def _go_on(on: Watch, incident_id: int, executor: Executor) -> None:
    with on.store.read() as session:
        incident = incidents.get(session, incident_id)
    if await wake(on, incident, executor) is None and incident.is_open:
        await dispatch(on, incident, executor)


def _start(deployment: str, parameters: dict[str, Any], key: str) -> None:
    api = point_at_prefect(settings())
    from tasks.executing import PrefectExecutor

    asyncio.run(PrefectExecutor().start(deployment, parameters, key))
    words.print(f"started {deployment}: {api.removesuffix('/api')}/runs")
