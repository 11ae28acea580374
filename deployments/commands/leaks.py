"""`leak`: a person tells that others may have a key, and later what its use was."""

from __future__ import annotations

from typing import Annotated

import typer

from deployments.commands.edge import (
    By,
    IncidentId,
    IntegrationName,
    person,
    print_json,
    watch,
    words,
)
from deployments.commands.times import instant
from watchkeeper.errors import UserError
from watchkeeper.incident import parse_id
from watchkeeper.performing import leaking
from watchkeeper.performing.connectors import keys_of
from watchkeeper.store import exposures

app = typer.Typer(no_args_is_help=True)


@app.command()
def tell(
    integration: IntegrationName,
    since: Annotated[str, typer.Option(help="Since when: 2026-01-31T09:00:00Z.")],
    where: Annotated[str, typer.Option(help="Where others may have found it.")],
    key: Annotated[
        str | None, typer.Option(help="Its fingerprint, where it is not the current one.")
    ] = None,
    by: By = None,
) -> None:
    """Others may have this key: it is revoked first, and replaced then. Opens an incident."""
    on = watch()
    watched = on.registered(integration)
    at = instant(since, "--since")
    if at > on.now():
        raise UserError(f"--since {since} has not come yet")
    known = {v.fingerprint: v.stage for v in keys_of(on, watched).versions()}
    fingerprint = key or next((f for f, stage in known.items() if stage == "current"), None)
    if fingerprint is None or fingerprint not in known:
        held = ", ".join(f"{f} ({stage})" for f, stage in known.items()) or "none"
        raise UserError(f"{integration} has no key {fingerprint or ''}; its store holds {held}")
    incident = leaking.tell(on, watched, fingerprint, at, where, person(by))
    words.print(
        f"INC-{incident.id}: key {fingerprint} counts as leaked since {at:%Y-%m-%d %H:%M:%S}Z; "
        f"revoke it in the vendor's settings now, then: watchkeeper key offer {integration}",
        markup=False,
    )


@app.command()
def audit(
    incident: IncidentId,
    finding: Annotated[str, typer.Option(help="What its use was, as the vendor or its log tells.")],
    by: By = None,
) -> None:
    """You have looked at how the leaked key was used: write down what you found."""
    on, number = watch(), parse_id(incident)
    found = leaking.audited(on, number, person(by), finding)
    words.print(f"INC-{number}: the use of {found[-1].fingerprint} is audited", markup=False)


@app.command()
def show(incident: IncidentId) -> None:
    """From when to when the key was good in others' hands, as JSON."""
    on, number = watch(), parse_id(incident)
    with on.store.read() as session:
        found = exposures.of_incident(session, number)
    if not found:
        raise UserError(f"no key of INC-{number} was told to have leaked")
    print_json([leaking.as_json(one) for one in found])
