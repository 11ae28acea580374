"""`rehearse`: plant faults in a simulator, and see what a triage makes of each. Seconds, no Prefect."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deployments.commands.edge import HEALTHY, UNHEALTHY, AsJson, print_json, words
from watchkeeper.errors import UserError

if TYPE_CHECKING:
    from deployments.drill.cases.case import Case, Found

DRAWN_LABS = 3


def rehearse(
    names: Annotated[
        list[str] | None, typer.Argument(help="Cases, or how their names begin; all when left out.")
    ] = None,
    runbook: Annotated[
        Path | None, typer.Option(help="A vendor's file: its simulator is derived from it.")
    ] = None,
    variants: Annotated[
        int, typer.Option(min=0, max=100_000, help="So many more, drawn from a seed.")
    ] = 0,
    seed: Annotated[int, typer.Option(help="Which ones are drawn.")] = 1,
    list_them: Annotated[bool, typer.Option("--list", help="Say which there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Plant faults, one after another, and look once at each: is the true cause named?

    Exit 0 only if every named cause is right, and of those drawn 95 of 100; and nothing at all was
    confirmed that is not so.
    """
    from deployments.drill.cases.run import as_json as told
    from deployments.drill.cases.run import tally

    if variants and runbook is not None:
        raise UserError(
            "--variants are drawn for the shipped MaintainX runbook: leave --runbook out"
        )
    listed = _chosen(names or [], runbook, drawn=bool(variants))
    if list_them:
        for case in listed:
            words.print(f"{case.name}: {case.says}", markup=False)
        return
    named = _run(listed, runbook, labs=2)
    drawn = _run(_drawn(variants, seed), None, labs=DRAWN_LABS) if variants else []
    if as_json:
        print_json([told(one) for one in (*named, *drawn)])
    for title, found in (("named", named), ("drawn", drawn)):
        if found:
            words.print(f"{title}: {tally(found).says()}", markup=False)
    right = tally(named).right == len(named) and (not drawn or tally(drawn).share_right >= 0.95)
    sure = not any(one.wrongly_confirmed for one in (*named, *drawn))
    raise typer.Exit(HEALTHY if right and sure else UNHEALTHY)


def _chosen(names: Sequence[str], runbook: Path | None, drawn: bool) -> list[Case]:
    from deployments.drill.cases.any_vendor import cases_of
    from deployments.drill.cases.every import CASES
    from watchkeeper.runbook.load import load_runbook

    if runbook is not None:
        known = {case.name: case for case in cases_of(load_runbook(runbook), runbook.stem)}
    else:
        known = CASES
    if drawn and not names and runbook is None:
        return []
    for name in names:
        if not any(one.startswith(name) for one in known):
            file = f" --runbook {runbook}" if runbook else ""
            raise UserError(f"{name!r} is no case: `watchkeeper rehearse{file} --list` shows them")
    return [case for case in known.values() if not names or case.name.startswith(tuple(names))]


def _drawn(count: int, seed: int) -> list[Case]:
    from deployments.drill.cases.variants import variants

    return list(variants(seed, count))


def _run(cases: Sequence[Case], runbook: Path | None, labs: int) -> list[Found]:
    from deployments.drill.cases.run import run_cases
    from deployments.drill.world import sealed
    from watchkeeper.runbook.load import SHIPPED_RUNBOOKS

    if not cases:
        return []
    # A rehearsal is sealed off from live settings, as a drill is.
    kept = sealed(os.environ)
    os.environ.clear()
    os.environ.update(kept)
    folder = SHIPPED_RUNBOOKS if runbook is None else runbook.resolve().parent
    return run_cases(cases, _tell, labs, folder)


def _tell(found: Found) -> None:
    from deployments.drill.cases.case import ANY

    case = found.case
    cause = ", ".join(found.causes) or "no cause"
    mark = "FAIL" if not found.right else "see " if ANY in case.causes else "ok  "
    line = f"{mark} {case.name} ({case.says})"
    words.print(line, markup=False)
    severity = f", severity {found.severity}" if found.severity else ""
    words.print(f"       {found.verdict}: {cause}{severity}, {found.took_s:.1f} s", markup=False)
    if mark == "see ":
        words.print("       the runbook has no row of the usual name: is this what it should say?")
    for fault in found.faults:
        words.print(f"       {fault}", markup=False)
