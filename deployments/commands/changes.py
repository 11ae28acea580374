"""`change`: write down what was changed, so that the next triage can name it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from deployments.commands.edge import (
    AsJson,
    By,
    IntegrationOrAll,
    one_or_all,
    person,
    print_json,
    watch,
    words,
)
from deployments.commands.times import before
from watchkeeper.changes import ChangeKind
from watchkeeper.errors import UserError
from watchkeeper.harmless import harmless
from watchkeeper.store import changes

app = typer.Typer(no_args_is_help=True)
LISTED = timedelta(days=30)


@app.command()
def add(
    integration: IntegrationOrAll,
    kind: Annotated[ChangeKind, typer.Argument(help="What sort of change.")],
    what: Annotated[str, typer.Argument(help="In a few words, such as: v1.2 of the service.")],
    by: By = None,
    at: Annotated[str, typer.Option(help="2026-01-31T09:00:00Z, or 10min for ten ago.")] = "0s",
) -> None:
    """Write down a change. Anything may call this: a pipeline after a deployment, for one."""
    on = watch()
    name, now = one_or_all(on, integration), on.now()
    when = before(at, "--at", now)
    if when > now:
        raise UserError(f"--at {at} has not come yet: write a change down once it is made")
    if not what.strip():
        raise UserError("an empty change tells nobody anything: say in a few words what it was")
    with on.store.write() as session:
        posted = changes.add(
            session,
            integration=name,
            kind=kind,
            what=what.strip(),
            who=person(by),
            at=when,
            now=now,
            source="command",
        )
    words.print(f"change {posted.id}: {kind.value}, {posted.says(now)}", markup=False)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """The changes of the last 30 days, the newest first."""
    on = watch()
    now = on.now()
    with on.store.read() as session:
        found = changes.since(session, None, now - LISTED, now)
    if as_json:
        names = ("id", "integration", "kind", "what", "who", "at", "recorded_at", "source")
        print_json([{name: getattr(change, name) for name in names} for change in found])
        return
    table = Table("change", "at", "integration", "kind", "what", "by")
    for c in found:
        foreign = (c.integration or "all", c.kind, c.what, c.who)
        told = (escape(harmless(text)) for text in foreign)
        table.add_row(str(c.id), f"{c.at:%Y-%m-%d %H:%M}Z", *told)
    words.print(table if found else "no change was written down")
