"""`up`: the whole watch in one foreground process."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from deployments.commands.edge import settings, words
from deployments.server import Server, free_address, sealed_environment, secure
from deployments.tied import end_with_parent
from tasks.registering import register
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

            # Before its world is made: a second one would write over the files of the first.
            stack.enter_context(_only_one(chosen.home / "sandbox"))
            chosen = stack.enter_context(sandbox_world(chosen))
        watch = open_watch(chosen)
        register(watch.secrets_base)
        names = watch.names
        if not sandbox:
            stack.enter_context(_only_one(chosen.home))
        address = free_address(chosen)
        for name in names:
            watch.registered(name)
        secure(chosen.home / "prefect")
        environment = sealed_environment(chosen, address) | _ours(chosen)
        server = Server(chosen, address, environment)
        server.spawn()
        stack.callback(server.stop)
        words.print(f"watching {', '.join(names)}; state in {chosen.home}")
        if sandbox:
            words.print("in another terminal, for the other commands to find it:")
            words.print(f"  export WATCHKEEPER_HOME={chosen.home}", markup=False)
            words.print(f"  export WATCHKEEPER_INTEGRATIONS={chosen.integrations}", markup=False)
        words.print(f"the Prefect server starts on {address.ui}; Ctrl-C ends all")
        os.environ.clear()
        os.environ.update(environment)
        if tied:
            end_with_parent()
        # Only now: Prefect reads its settings while it is imported.
        from deployments.supervisor import supervise

        asyncio.run(supervise(watch, server, words.print))


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two supervisors over one home would start every run twice."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"`watchkeeper up` runs already for {home}") from None
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
