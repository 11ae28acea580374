"""`backtest`: what a runbook would have said of past incidents, as a diff."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from deployments.commands.edge import AsJson, print_json, watch, words
from deployments.commands.times import before
from watchkeeper.backtesting import Change, Said
from watchkeeper.performing.backtest import Backtest
from watchkeeper.performing.backtest import backtest as run
from watchkeeper.performing.watch import Watch


def backtest(
    runbook: Annotated[
        Path | None, typer.Option(help="A runbook file; the present rules when left out.")
    ] = None,
    integration: Annotated[str | None, typer.Option(help="Such as maintainx@prod.")] = None,
    since: Annotated[str | None, typer.Option(help="2026-01-31T09:00:00Z, or 30d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Judge past looks by another runbook; without one, what was decided by the rules of today."""
    on = watch()
    start = None if since is None else before(since, "--since", on.now())
    found = run(on, integration, runbook, start)
    if as_json:
        print_json(_json(found))
    else:
        _tell(on, found)


def _tell(on: Watch, found: Backtest) -> None:
    for change in found.changes:
        name = f"INC-{change.incident}" if change.incident is not None else "no incident"
        words.print(f"{name} {change.integration} ({change.looks} looks)", markup=False)
        words.print(f"- {_words(on, change, change.was)}", markup=False, style="red")
        words.print(f"+ {_words(on, change, change.would_be)}", markup=False, style="green")
    changed = sum(1 for change in found.changes if change.incident is not None)
    words.print(
        f"{changed} of {len(found.incidents)} incidents change; {found.looks} looks replayed"
    )
    if found.too_old:
        words.print(f"{found.too_old} older readings are not whole looks and cannot be replayed")


def _words(on: Watch, change: Change, said: Said) -> str:
    """`api_key_expired confirmed SEV-1`, in the severity's words of the runbook."""
    level = said.severity
    runbook = on.integration(change.integration).runbook
    word = "" if level is None else runbook.severity_level(level).word
    by = f"(said {said.by})" if said.by else ""
    return " ".join(part for part in (said.cause, said.verdict, word, by) if part)


def _json(found: Backtest) -> dict[str, Any]:
    return {
        "looks": found.looks,
        "incidents": len(found.incidents),
        "too_old": found.too_old,
        "changes": [
            {
                "incident": change.incident,
                "integration": change.integration,
                "looks": change.looks,
                "was": _said(change.was),
                "would_be": _said(change.would_be),
            }
            for change in found.changes
        ],
    }


def _said(said: Said) -> dict[str, Any]:
    return {
        "cause": said.cause,
        "verdict": said.verdict,
        "severity": said.severity,
        "by": said.by,
    }
