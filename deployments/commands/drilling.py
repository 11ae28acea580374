"""`drill`: a rehearsed incident, end to end, in a world of its own."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands.edge import HEALTHY, UNHEALTHY, AsJson, print_json, words
from watchkeeper.errors import UserError
from watchkeeper.settings import Settings

if TYPE_CHECKING:
    from deployments.drill.scenario import Scenario


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
        _list()
        return
    if (scenario is None) == (not every):
        raise UserError("say which drill: a scenario's name, or --all; --list shows them")
    chosen = list(SCENARIOS.values()) if every else [scenario_named(scenario or "")]
    results = _run(chosen, keep)
    if every:
        _say_coverage()
    if as_json:
        print_json(results)
    raise typer.Exit(HEALTHY if all(r["passed"] for r in results) else UNHEALTHY)


def _list() -> None:
    from deployments.drill.scenarios import SCENARIOS

    for one in SCENARIOS.values():
        words.print(f"{one.name}: {one.vendor} {one.cause}, severity {one.severity}", markup=False)
        words.print(f"    {one.title}", markup=False)
    words.print()
    _say_coverage()


def _say_coverage() -> None:
    """Of the shipped runbooks' causes: which are rehearsed, and which are only diagnosed."""
    from deployments.drill.cases.every import CASES
    from deployments.drill.coverage import coverage, says
    from deployments.drill.scenarios import SCENARIOS
    from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook

    runbooks = [load_runbook(path) for path in sorted(SHIPPED_RUNBOOKS.glob("*.yaml"))]
    for line in says(coverage(runbooks, SCENARIOS.values(), CASES.values())):
        words.print(line, markup=False)


def _run(scenarios: Sequence[Scenario], keep: bool) -> list[dict[str, object]]:
    # A drill is sealed off: only the place of its worlds comes from this process's settings.
    from deployments.drill.run import run_drills
    from deployments.drill.world import sealed

    home = Settings.model_fields["home"].default.resolve() / "drills"
    # Ended from outside, it still ends all that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(UNHEALTHY))
    kept = sealed(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    return run_drills(scenarios, home, lambda line: words.print(line, markup=False), keep)
