"""`up`: the whole watch in one foreground process."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer

from deployments.commands.edge import settings, words
from deployments.server import Server, free_address, sealed_environment, secure
from deployments.tied import end_with_parent
from watchkeeper.errors import UserError
from watchkeeper.performing.watch import open_watch
from watchkeeper.settings import Settings


def up(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Watch a simulated vendor instead of a real one.")
    ] = False,
    tied: Annotated[
        bool, typer.Option("--tied", hidden=True, help="End when standard input does.")
    ] = False,
) -> None:
    """Server, UI, deployments, schedules, runner and sweep, in the foreground until Ctrl-C."""
    with ExitStack() as stack:
        chosen = settings()
        if sandbox:
            from deployments.drill.world import sandbox_world

            chosen = stack.enter_context(sandbox_world(chosen))
        watch = open_watch(chosen)
        for name in watch.names:
            watch.registered(name)
        stack.enter_context(_only_one(chosen))
        secure(chosen.home / "prefect")
        address = free_address(chosen)
        environment = sealed_environment(chosen, address) | _ours(chosen)
        server = Server(chosen, address, environment)
        server.spawn()
        stack.callback(server.stop)
        words.print(f"watching {', '.join(watch.names)}; state in {chosen.home}")
        words.print(f"the Prefect server starts on {address.ui}; Ctrl-C ends all")
        os.environ.clear()
        os.environ.update(environment)
        if tied:
            end_with_parent()
        # Only now: Prefect reads its settings while it is imported.
        from deployments.supervisor import supervise

        asyncio.run(supervise(watch, server, words.print))


@contextmanager
def _only_one(chosen: Settings) -> Iterator[None]:
    """Two supervisors over one home would start every run twice."""
    path = chosen.home / "up.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"`watchkeeper up` runs already for {chosen.home}") from None
        yield


def _ours(chosen: Settings) -> dict[str, str]:
    """Our settings for the runs, with paths that hold whatever folder they start in."""
    given = {
        "WATCHKEEPER_HOME": str(chosen.home.resolve()),
        "WATCHKEEPER_INTEGRATIONS": str(chosen.integrations.resolve()),
        "WATCHKEEPER_FAILPOINTS": str(chosen.failpoints).lower(),
        "WATCHKEEPER_RESPONDER_LEASE_S": str(chosen.responder_lease_s),
        "WATCHKEEPER_RESPONDER_START_S": str(chosen.responder_start_s),
        "WATCHKEEPER_SETTLE_INLINE_S": str(chosen.settle_inline_s),
    }
    if chosen.runbooks is not None:
        given["WATCHKEEPER_RUNBOOKS"] = str(chosen.runbooks.resolve())
    if chosen.database_url is not None:
        given["WATCHKEEPER_DATABASE_URL"] = chosen.database
    return given
