"""`runbook`: what a file will do and what it leaves open, a new one to fill in, the schema of both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.edge import print_json, settings, words
from tasks.registering import register
from watchkeeper.errors import UserError
from watchkeeper.performing.connectors import check_references
from watchkeeper.runbook.explain import explain
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_integrations, load_runbook, watch
from watchkeeper.runbook.missing import gaps_in
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.schema import integrations_schema, runbook_schema
from watchkeeper.runbook.skeleton import skeleton

SCHEMA = SHIPPED_RUNBOOKS.parent / "docs" / "runbook.schema.json"

app = typer.Typer(no_args_is_help=True)


@app.callback()
def runbooks() -> None:
    """Runbook files."""


@app.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A runbook; integrations.yaml when left out.")
    ] = None,
) -> None:
    """Read a runbook, or integrations.yaml with all that it names: what is wrong, done, missing."""
    if file is not None:
        runbook = load_runbook(file)
        words.print(explain(runbook), markup=False)
        _tell_missing(runbook)
        return
    chosen = settings()
    register(chosen.integrations.resolve().parent)
    for name in load_integrations(chosen.integrations):
        watched = watch(name, chosen.integrations, chosen.runbooks)
        check_references(chosen.integrations.resolve().parent, watched)
        words.print(explain(watched), markup=False)
        _tell_missing(watched.runbook)


def _tell_missing(runbook: Runbook) -> None:
    for gap in gaps_in(runbook):
        words.print(f"missing: {gap}", markup=False)


@app.command()
def new(
    vendor: Annotated[str, typer.Argument(help="Such as parcelhive.", metavar="NAME")],
    to: Annotated[
        Path | None, typer.Option(help="The file to write; runbooks/NAME.yaml when left out.")
    ] = None,
) -> None:
    """Write a runbook to fill in: the usual causes are there, the vendor's facts are yours."""
    file = to or (settings().runbooks or SHIPPED_RUNBOOKS) / f"{vendor}.yaml"
    text = skeleton(vendor, file, SCHEMA)
    try:
        with file.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        raise UserError(f"{file} exists already: choose another name, or --to FILE") from None
    except OSError as error:
        raise UserError(
            f"{file}: cannot be written: {error.strerror}; its folder must be there"
        ) from None
    words.print(f"{file} is written: put the vendor's facts in, then", markup=False)
    words.print(f"  watchkeeper runbook check {file}", markup=False)


@app.command()
def schema(
    integrations: Annotated[
        bool, typer.Option("--integrations", help="Of integrations.yaml instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of a runbook: editors complete and check by it."""
    print_json(integrations_schema() if integrations else runbook_schema())
