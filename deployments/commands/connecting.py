"""`connect`: the first day with a real vendor, in ten requests at most."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

import typer
from rich.markup import escape
from rich.table import Table

from deployments.commands.edge import (
    HEALTHY,
    UNHEALTHY,
    AsJson,
    IntegrationName,
    print_json,
    reach_keys,
    watch,
    words,
)
from watchkeeper.performing import connecting
from watchkeeper.performing.connecting import Connection

_COLOUR = {"works": "green", "does not work": "red", "not known": "yellow"}


def connect(integration: IntegrationName, as_json: AsJson = False) -> None:
    """Try a vendor with at most 10 requests that change nothing: what would work, what would not."""
    on = watch()
    watched = on.integration(integration)
    reach_keys(on, watched)
    found = asyncio.run(connecting.connect(on, watched))
    if as_json:
        print_json(_json(found))
    else:
        _tell(found)
    raise typer.Exit(HEALTHY if found.works else UNHEALTHY)


def _json(found: Connection) -> dict[str, Any]:
    return {
        "integration": found.integration,
        "works": found.works,
        "requests": found.requests,
        "most": found.most,
        "checks": [asdict(check) for check in found.checks],
    }


def _tell(found: Connection) -> None:
    table = Table("what", "", "seen", title=f"connect {found.integration}")
    for check in found.checks:
        colour = _COLOUR[check.verdict]
        table.add_row(escape(check.about), f"[{colour}]{check.verdict}[/]", escape(check.says))
    words.print(table)
    for check in found.checks:
        if check.todo:
            words.print(f"{check.about}: {check.todo}", markup=False)
    wrong = [check.about for check in found.checks if check.verdict == "does not work"]
    verdict = f"does not work: {', '.join(wrong)}" if wrong else "nothing that was tried fails"
    words.print(f"{found.requests} of at most {found.most} requests; {verdict}", markup=False)
