"""`drill`: a rehearsed incident, end to end, in a world of its own."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer
from rich.table import Table

from deployments.commands.edge import HEALTHY, UNHEALTHY, AsJson, print_json, words
from watchkeeper.errors import UserError
from watchkeeper.settings import Settings


def drill(
    scenario: Annotated[str | None, typer.Argument(help="Which one; see --list.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every scenario, one after another.")
    ] = False,
    list_them: Annotated[bool, typer.Option("--list", help="Say which there are.")] = False,
    as_json: AsJson = False,
    keep: Annotated[bool, typer.Option(help="Keep the drill's world to look at.")] = False,
) -> None:
    """Rehearse an incident, end to end; exit 0 only if every promise was kept."""
    from deployments.drill.scenarios import SCENARIOS, scenario_named

    if list_them:
        table = Table("scenario", "what happens", "cause", "severity")
        table.columns[0].no_wrap = True
        for one in SCENARIOS.values():
            table.add_row(one.name, one.title, one.cause, str(one.severity))
        words.print(table)
        return
    if (scenario is None) == (not every):
        raise UserError("say which drill: a scenario's name, or --all; --list shows them")
    chosen = list(SCENARIOS.values()) if every else [scenario_named(scenario or "")]
    results = [_run(one.name, keep) for one in chosen]
    if as_json:
        print_json(results)
    raise typer.Exit(HEALTHY if all(r["passed"] for r in results) else UNHEALTHY)


def _run(name: str, keep: bool) -> dict[str, object]:
    # A drill is sealed off: only the place of its worlds comes from this process's settings.
    from deployments.drill.run import run_drill
    from deployments.drill.scenarios import scenario_named
    from deployments.drill.world import sealed

    home = Settings.model_fields["home"].default.resolve() / "drills"
    # Ended from outside, it still ends all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(UNHEALTHY))
    kept = sealed(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    return run_drill(scenario_named(name), home, lambda line: words.print(line, markup=False), keep)
