"""`job`: see, pause and resume sync jobs as a person. Automation leaves a person's pause alone."""

from __future__ import annotations

import typer
from rich.table import Table

from deployments.commands.edge import (
    AsJson,
    By,
    IntegrationName,
    Reason,
    person,
    print_json,
    watch,
    words,
)
from watchkeeper.mitigation.job import PAUSED, RUNNING
from watchkeeper.store import jobs

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_(integration: IntegrationName, as_json: AsJson = False) -> None:
    """Each job's desired state and who last set it."""
    on = watch()
    on.registered(integration)
    with on.store.read() as session:
        found = jobs.listed(session, integration)
    if as_json:
        print_json([{"name": j.name, "desired": j.desired, "by": j.changed_by} for j in found])
        return
    table = Table("job", "criticality", "desired", "by", "reason")
    for job in found:
        table.add_row(job.name, job.criticality, job.desired, job.changed_by, job.reason)
    words.print(table)


@app.command()
def pause(integration: IntegrationName, job: str, reason: Reason = "", by: By = None) -> None:
    """Pause a job until a person resumes it."""
    _desire(integration, job, PAUSED, reason, by)


@app.command()
def resume(integration: IntegrationName, job: str, reason: Reason = "", by: By = None) -> None:
    """Let a job run again."""
    _desire(integration, job, RUNNING, reason, by)


def _desire(integration: str, job: str, desired: str, reason: str, by: str | None) -> None:
    on = watch()
    on.registered(integration)
    with on.store.write() as session:
        changed = jobs.desire(
            session, integration, job, desired, by=person(by), reason=reason, now=on.now()
        )
    words.print(f"{integration} {job}: {changed.desired}")
