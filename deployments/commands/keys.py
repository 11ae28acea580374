"""`key`: a person puts a new key into the store. Values come on stdin and are never shown."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from getpass import getpass
from typing import Annotated

import typer
from rich.table import Table

from deployments.commands.edge import By, IntegrationName, person, print_json, watch, words
from watchkeeper.answer import REFUSALS
from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.credentials.reading import unreachable
from watchkeeper.credentials.secret import Secret, clean
from watchkeeper.errors import Refused, Transient, UserError, WatchkeeperError
from watchkeeper.performing import key_notes, key_test
from watchkeeper.performing.connectors import keys_of
from watchkeeper.runbook.integration import Watched
from watchkeeper.signs.answers import answer_of
from watchkeeper.vendor.guard import Guard

logger = logging.getLogger(__name__)

app = typer.Typer(no_args_is_help=True)


@app.command()
def offer(
    integration: IntegrationName,
    replace: Annotated[bool, typer.Option(help="Put it in place of another offered key.")] = False,
    by: By = None,
) -> None:
    """Offer a new key, typed or piped on stdin. It is tried against the vendor before it stays. An open
    incident has it on its timeline, by fingerprint."""
    on, who = watch(), person(by)
    watched = on.integration(integration)
    store, secret = keys_of(on, watched), _typed(watched)
    # Before it is stored: there are stores that make a first key current at once.
    test = asyncio.run(key_test.test_key(on, watched, secret))
    refused = [r for r in test.readings if answer_of(r, float("inf")) in REFUSALS]
    if refused:
        mark = secret.fingerprint
        raise UserError(f"the vendor refuses {mark} ({refused[0].says()}): it was not kept")
    before = store.read("pending") if replace else None
    _keep(store, secret, replace)
    stage = "is the first key of" if _first(store, secret) else "is offered for"
    words.print(f"{secret.fingerprint} {stage} {integration}; {test.says()}", markup=False)
    with _on_the_timeline(integration):
        if before is not None and before != secret:
            text = f"withdrew the offered key {before.fingerprint}: another takes its place"
            key_notes.note_key(on, integration, text, who)
        key_notes.note_offered(on, integration, store, secret.fingerprint, who)


@contextmanager
def _on_the_timeline(integration: str) -> Iterator[None]:
    """The key is where it should be: a record that cannot be written makes that no failure."""
    try:
        yield
    except WatchkeeperError as error:
        logger.exception("what was done with the key of %s is not on the timeline", integration)
        words.print(f"not on the incident's timeline: {error}", markup=False)


def _typed(watched: Watched) -> Secret:
    value = getpass("new key (not shown): ") if sys.stdin.isatty() else sys.stdin.read()
    secret = clean(value, f"stdin (the key offered for {watched.name})")
    try:
        Guard.of(watched, dry_run=True, user_agent="").check_key(secret)
    except Refused as error:
        raise UserError(str(error)) from None
    return secret


def _keep(store: RotatableStore, secret: Secret, replace: bool) -> None:
    try:
        store.offer(secret, replace=replace)
    except Transient as error:
        again = "offer it again, which completes what was begun"
        raise UserError(f"{unreachable(error)}; {again}") from None
    except UserError:
        # One that is current already may have become so by a command that then failed.
        with suppress(WatchkeeperError):
            if store.read("current") == secret:
                store.promote(secret.fingerprint)
        raise


def _first(store: RotatableStore, secret: Secret) -> bool:
    """Where there was no key, nothing is lost by this one, even where the vendor cannot be asked
    about it now: it is made current. Some stores have done so already, but for the last call."""
    try:
        current = store.read("current")
        if current is not None and current != secret:
            return False
        store.promote(secret.fingerprint)
    except (UserError, Transient) as error:
        mark, again = secret.fingerprint, "offer it again once that is mended"
        raise UserError(f"{mark} is stored, and may not be current yet: {error}; {again}") from None
    return True


@app.command()
def withdraw(integration: IntegrationName, by: By = None) -> None:
    """Take back the key that is on offer. The current one stays as it is. An open incident has it on its
    timeline, by fingerprint."""
    on, who = watch(), person(by)
    store = keys_of(on, on.integration(integration))
    secret = store.read("pending")
    if secret is None:
        raise UserError(f"no key is on offer for {integration}: nothing to withdraw")
    store.withdraw()
    words.print(f"{secret.fingerprint} is no longer on offer for {integration}", markup=False)
    with _on_the_timeline(integration):
        text = f"withdrew the offered key {secret.fingerprint}"
        key_notes.note_key(on, integration, text, who)


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
