"""`lease`: what incidents hold, until when, and a person's word on it: longer, or no more."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table

from deployments.commands.edge import AsJson, By, Reason, person, print_json, watch, words
from watchkeeper.errors import UserError
from watchkeeper.mitigation.lease import VIGILS, Lease
from watchkeeper.performing import releasing
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.standing import lease_json
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.durations import parse_duration
from watchkeeper.store import incidents, leases

app = typer.Typer(no_args_is_help=True)
LeaseId = Annotated[int, typer.Argument(help="Its number in `lease list`.", metavar="LEASE")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Everything that is held for an incident: what was before, and when it ends."""
    on = watch()
    with on.store.read() as session:
        held = leases.active(session)
    if as_json:
        print_json([lease_json(lease) for lease in held])
        return
    table = Table()
    for title in ("lease", "for", "what", "ends", "last seen to"):
        table.add_column(title, overflow="fold")
    for lease in held:
        table.add_row(*_cells(lease))
    words.print(table if held else "nothing is held")


def _cells(lease: Lease) -> tuple[str, ...]:
    shown = lease_json(lease)
    change = [f"now {shown['is']}"] if shown["is"] else []
    change += [f"was {shown['was']}"] if shown["was"] is not None else []
    what = f"{lease.kind.value.replace('_', ' ')} {lease.target}"
    return (
        str(lease.id),
        f"INC-{lease.incident_id}",
        f"{what} ({', '.join(change)})" if change else what,
        f"{lease.expires_at:%m-%d %H:%M:%S}Z",
        f"{lease.heartbeat_at:%H:%M:%S}Z",
    )


@app.command()
def extend(
    lease: LeaseId,
    by_how_much: Annotated[
        str, typer.Argument(metavar="LENGTH", help="From its end on, such as 2h.")
    ],
    reason: Reason = "",
    by: By = None,
) -> None:
    """Let it hold for longer."""
    on, held = watch(), _held(lease)
    try:
        more = parse_duration(by_how_much)
    except ValueError as error:
        raise UserError(f"LENGTH {by_how_much!r}: {error}") from None
    if not isinstance(more, timedelta) or not more:
        raise UserError(f"LENGTH {by_how_much!r}: more than nothing is wanted, such as 2h")
    until = held.expires_at + more
    text = f"lease {held.kind.value} {held.target} holds until {until:%Y-%m-%d %H:%M:%S}Z"
    with on.store.write() as session:
        leases.extend(session, held, until, on.now())
    _note(on, held, f"{text}{f': {reason}' if reason else ''}", by)
    words.print(text, markup=False)


@app.command()
def release(lease: LeaseId, reason: Reason = "", by: By = None) -> None:
    """Give back now what it holds, unless somebody changed it meanwhile."""
    on, held, who = watch(), _held(lease), person(by)
    if held.kind in VIGILS and not reason:
        raise UserError(f"lease {lease} waits for a proof: say with --reason why it is not wanted")
    with on.store.read() as session:
        incident = incidents.get(session, held.incident_id)
    because = f"released by {who}{f': {reason}' if reason else ''}"
    try:
        said = asyncio.run(releasing.end_lease(on, Duty.unfenced(incident), held, because))
    except UserError as error:
        # It is no longer in integrations.yaml: nobody can set it back, and it must not be held for ever.
        if not reason:
            raise UserError(f"{error}; to let go of it as it is, say with --reason why") from None
        said = releasing.abandon(on, held, f"{because}; {error}")
    _note(on, held, f"releases {held.kind.value} {said}{f': {reason}' if reason else ''}", by)
    words.print(f"lease {lease}: {said}", markup=False)


def _held(number: int) -> Lease:
    with watch().store.read() as session:
        found = leases.get(session, number)
    if not found.active:
        raise UserError(f"lease {number} has ended already: {found.ended_because}")
    return found


def _note(on: Watch, held: Lease, text: str, by: str | None) -> None:
    with on.store.write() as session:
        incidents.note(session, held.incident_id, text, now=on.now(), actor=person(by))
