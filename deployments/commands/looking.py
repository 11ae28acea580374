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
from deployments.door_checks import open_doors
from deployments.team_database import database_problems
from watchkeeper.credentials.reading import unreachable
from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Transient, UserError
from watchkeeper.gaps import GapState
from watchkeeper.heartbeat import Result
from watchkeeper.performing import triaging, verifying
from watchkeeper.performing.self_check import KEYS_READ, record_pager
from watchkeeper.performing.standing import standing
from watchkeeper.performing.triage_told import told_of
from watchkeeper.performing.watch import Watch
from watchkeeper.performing.watch_facts import state_of_watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.problems import first_problem
from watchkeeper.settings import Settings
from watchkeeper.store import gaps as gap_ledger
from watchkeeper.store import incidents
from watchkeeper.watch_state import EntryState
from watchkeeper.watch_text import no_pager


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
    """Whether the watch stands; what is broken, paused, capped and behind; the next safe step.

    Exit 0 only where every part was seen well a moment ago and no incident is open.
    """
    on = watch()
    state = state_of_watch(on)
    now = standing(on, state)
    if as_json:
        print_json(now)
    else:
        tell_status(now, state)
    raise typer.Exit(HEALTHY if state.whole else UNHEALTHY)


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
    names = on.named
    words.print(f"database: {on.store.engine.dialect.name}, schema up to date")
    if (fault := on.files_fault()) is not None:
        problems += 1
        words.print(f"the last known entries serve: {fault}", markup=False)
    for name in names:
        problems += _doctor_integration(on, name)
    mode = chosen.home.stat().st_mode & 0o777
    if mode & 0o077:
        problems += 1
        words.print(f"{chosen.home} can be read by others ({mode:o}): chmod 700")
    problems += _doctor_prefect()
    sys.stderr.flush()
    raise typer.Exit(UNHEALTHY if problems else HEALTHY)


def _doctor_integration(on: Watch, name: str) -> int:
    """One whose entry is broken keeps no other from being examined."""
    try:
        entry = on.entry(name)
    except UserError as error:
        words.print(f"{name} is not watched: {first_problem(error)}", markup=False)
        return 1
    integration = entry.watched.integration
    problems = _doctor_key(on, name, integration.credential.reference)
    if entry.state is not EntryState.READ:
        problems += 1
        words.print(f"{name}: its last known entry serves: {entry.because}", markup=False)
    if not integration.called_by:
        words.print(no_pager(name), markup=False)
        return problems + 1
    keys = [key for channel in integration.called_by for key in channel.secrets]
    unread = sum(_doctor_key(on, name, key) for key in keys)
    with on.store.write() as session:
        result, said = (
            (Result.WELL, KEYS_READ) if not unread else (Result.FAILED, "a key cannot be read")
        )
        record_pager(session, name, on.now(), result, said)
    return problems + unread


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
    chosen = settings()
    for problem in (faults := database_problems(chosen)):
        words.print(problem, markup=False)
    return len(faults) + _doctor_server(chosen)


def _doctor_server(chosen: Settings) -> int:
    try:
        api = point_at_prefect(chosen)
        with httpx.Client(trust_env=False, timeout=3) as client:
            answered = client.get(f"{api}/health").status_code == httpx.codes.OK
        problems = open_doors(api, chosen.home) if answered else []
    except (UserError, httpx.HTTPError) as error:
        words.print(f"Prefect: {error}", markup=False)
        return 1
    if not answered:
        problems = [f"does not answer well at {api}: see prefect-server.log in {chosen.home}"]
    for problem in problems or [f"answers at {api}, and only who knows the password"]:
        words.print(f"Prefect: {problem}", markup=False)
    return len(problems)
