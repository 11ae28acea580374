"""Commands that change nothing: triage, verify, status, gaps, doctor."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import httpx
import typer
from rich.table import Table

from deployments.commands.edge import (
    HEALTHY,
    UNHEALTHY,
    AsJson,
    IntegrationName,
    point_at_prefect,
    print_json,
    reach,
    reach_keys,
    settings,
    watch,
    words,
)
from deployments.commands.telling import tell_status, tell_triage, triage_json
from watchkeeper.credentials.reading import unreachable
from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Transient, UserError
from watchkeeper.gaps import GapState
from watchkeeper.performing import triaging, verifying
from watchkeeper.performing.standing import standing
from watchkeeper.performing.triage_told import told_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import gaps as gap_ledger
from watchkeeper.store import incidents


def triage(
    integration: IntegrationName,
    also: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="PROBE", help="Run a probe that costs, once."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Leave nothing out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find the cause, with proof. Read-only unless told --with; needs no Prefect server."""
    on = watch()
    watched = on.integration(integration)
    reach_keys(on, watched)
    chosen = costing(watched, tuple(dict.fromkeys(also or ())))
    if chosen:
        vendor = watched.runbook.display_name
        words.print(f"asks {vendor} once: {', '.join(chosen)}. What it costs is {vendor}'s affair")
    found = asyncio.run(triaging.triage(on, watched, also=chosen))
    told = told_of(on, watched, found)
    if as_json:
        print_json(triage_json(told))
    else:
        tell_triage(told, everything=everything)
    raise typer.Exit(HEALTHY if found.diagnosis.healthy else UNHEALTHY)


def costing(watched: Watched, names: tuple[str, ...]) -> tuple[str, ...]:
    """The same names. Raises UserError on one that is no probe which costs something."""
    there = [probe.name for probe in watched.runbook.probes if probe.costs]
    for name in names:
        if name not in there:
            listed = f"it has: {', '.join(there)}" if there else "it has none: leave --with out"
            raise UserError(f"{watched.name} has no probe {name!r} that costs something; {listed}")
    return names


def verify(integration: IntegrationName, as_json: AsJson = False) -> None:
    """Look until the runbook's rule for a recovery holds, or its patience is over."""
    on = watch()
    watched = on.integration(integration)
    reach_keys(on, watched)
    open_source(watched.integration.credential.reference, on.secrets_base).read()
    with on.store.read() as session:
        incident = incidents.current(session, watched.name)
    soak = watched.runbook.verification.interval
    recovery, looks = asyncio.run(verifying.verify(on, watched, incident, soak))
    if as_json:
        print_json({"holds": recovery.holds, "reasons": recovery.reasons, "looks": len(looks)})
    else:
        words.print(f"{'holds' if recovery.holds else 'does not hold'}: {recovery.reasons[0]}")
        for reason in recovery.reasons[1:]:
            words.print(f"  {reason}", markup=False)
    raise typer.Exit(HEALTHY if recovery.holds else UNHEALTHY)


def status(as_json: AsJson = False) -> None:
    """What is broken now; what is paused, capped and behind; the next safe step."""
    now = standing(watch())
    if as_json:
        print_json(now)
    else:
        tell_status(now)
    raise typer.Exit(UNHEALTHY if now["incidents"] else HEALTHY)


def gaps(
    all_gaps: bool = typer.Option(False, "--all", help="Closed ones too."), as_json: AsJson = False
) -> None:
    """What outages may have cost, and how far it is filled."""
    with watch().store.read() as session:
        found = gap_ledger.listed(session, only_open=not all_gaps)
    if as_json:
        print_json([_gap(gap) for gap in found])
        return
    table = Table("gap", "integration", "resource", "from", "to", "state", "missing", "stale")
    for gap in found:
        row = _gap(gap)
        table.add_row(*(str("" if row[key] is None else row[key]) for key in _GAP_KEYS))
    words.print(table if found else "no gap is open")


_GAP_KEYS = ("id", "integration", "resource", "since", "until", "state", "missing", "stale")


def _gap(gap: Any) -> dict[str, Any]:
    row = {key: getattr(gap, key) for key in _GAP_KEYS}
    return row | {"state": GapState(gap.state).value, "expected": gap.expected}


def doctor() -> None:
    """Check what an incident will need: files, keys, pager, database, home, Prefect."""
    problems = 0
    chosen = settings()
    on = watch()
    names = on.names
    words.print(f"database: {on.store.engine.dialect.name}, schema up to date")
    for name in names:
        watched = on.integration(name)
        problems += sum(_doctor_key(on, name, reference) for reference in _keys_of(watched))
        if not watched.integration.called_by:
            problems += 1
            words.print(
                f"{name}: no pager is set: no page would go out; put one under channels in its entry"
            )
    mode = chosen.home.stat().st_mode & 0o777
    if mode & 0o077:
        problems += 1
        words.print(f"{chosen.home} can be read by others ({mode:o}): chmod 700")
    problems += _doctor_prefect()
    sys.stderr.flush()
    raise typer.Exit(UNHEALTHY if problems else HEALTHY)


def _keys_of(watched: Watched) -> list[str]:
    """By reference: whatever an incident will need a key for."""
    entry = watched.integration
    called = [reference for channel in entry.called_by for reference in channel.secrets]
    return [entry.credential.reference, *called]


def _doctor_key(on: Watch, name: str, reference: str) -> int:
    try:
        reach(on, reference)
        secret = open_source(reference, on.secrets_base).read()
    except UserError as error:
        words.print(f"{name}: {error}", markup=False)
        return 1
    except Transient as error:
        words.print(f"{name}: {unreachable(error)}", markup=False)
        return 1
    words.print(f"{name}: {reference} holds a key, {secret.fingerprint}", markup=False)
    return 0


def _doctor_prefect() -> int:
    try:
        api = point_at_prefect(settings())
        with httpx.Client(trust_env=False, timeout=3) as client:
            answered = client.get(f"{api}/health").status_code == httpx.codes.OK
    except (UserError, httpx.HTTPError) as error:
        words.print(f"Prefect: {error}", markup=False)
        return 1
    words.print(f"Prefect: {'answers' if answered else 'does not answer well'} at {api}")
    return 0 if answered else 1
