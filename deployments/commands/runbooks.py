"""`runbook check`: every mistake of a file at once, or what it will do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.edge import settings, words
from watchkeeper.runbook.explain import explain
from watchkeeper.runbook.load import load_integrations, load_runbook, watch

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
    """Read a runbook, or integrations.yaml with all that it names."""
    if file is not None:
        words.print(explain(load_runbook(file)), markup=False)
        return
    chosen = settings()
    for name in load_integrations(chosen.integrations):
        words.print(explain(watch(name, chosen.integrations, chosen.runbooks)), markup=False)
