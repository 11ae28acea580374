"""`key`: a person puts a new key into the store. Values come on stdin and are never shown."""

from __future__ import annotations

import asyncio
import sys
from getpass import getpass
from typing import Annotated

import typer
from rich.table import Table

from deployments.commands.edge import IntegrationName, print_json, watch, words
from watchkeeper.credentials.secret import clean
from watchkeeper.errors import UserError
from watchkeeper.performing import rotating
from watchkeeper.performing.connectors import keys_of
from watchkeeper.vendor.guard import Guard

app = typer.Typer(no_args_is_help=True)


@app.command()
def offer(
    integration: IntegrationName,
    replace: Annotated[bool, typer.Option(help="Put it in place of another offered key.")] = False,
) -> None:
    """Offer a new key, typed or piped on stdin. It is tried against the vendor before it stays."""
    on = watch()
    watched = on.integration(integration)
    store = keys_of(on, watched)
    value = getpass("new key (not shown): ") if sys.stdin.isatty() else sys.stdin.read()
    secret = clean(value, f"the offered key for {integration}")
    guard = Guard.of(watched, dry_run=True, user_agent="")
    guard.check_key(secret)
    fingerprint = store.offer(secret, replace=replace)
    test = asyncio.run(rotating.test_offered(on, watched))
    refused = [r for r in test.readings if r.status in (401, 403)]
    if refused:
        store.withdraw()
        raise UserError(f"the vendor refuses {fingerprint} ({refused[0].says()}): it was not kept")
    if store.read("current") is None:
        # Nothing is lost by the first one, even where the vendor cannot be asked about it now.
        store.promote(fingerprint)
        words.print(f"{fingerprint} is the first key of {integration}; {test.says()}", markup=False)
        return
    words.print(f"{fingerprint} is offered for {integration}; {test.says()}", markup=False)


@app.command()
def withdraw(integration: IntegrationName) -> None:
    """Take back the key that is on offer. The current one stays as it is."""
    on = watch()
    store = keys_of(on, on.integration(integration))
    secret = store.read("pending")
    if secret is None:
        raise UserError(f"no key is on offer for {integration}: nothing to withdraw")
    store.withdraw()
    words.print(f"{secret.fingerprint} is no longer on offer for {integration}", markup=False)


@app.command()
def show(
    integration: IntegrationName,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Which keys the store holds, by fingerprint."""
    on = watch()
    versions = keys_of(on, on.integration(integration)).versions()
    if as_json:
        print_json([v._asdict() for v in versions])
        return
    table = Table("stage", "fingerprint", "since")
    for version in versions:
        table.add_row(version.stage, version.fingerprint, f"{version.since:%Y-%m-%d %H:%M:%S}Z")
    words.print(table)
