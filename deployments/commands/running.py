"""`up`: the whole watch in one foreground process."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, cast

import typer
from pydantic import SecretStr

from deployments.catalogue import health_interval_s
from deployments.commands.edge import settings, words
from deployments.own_log import log_to_file
from deployments.password import password_file
from deployments.server import Server, for_runs, free_address, sealed_environment, secure
from deployments.supervisor import STOP_SIGNALS, supervise
from deployments.systemd import taken_from
from deployments.tied import end_with_parent
from tasks.registering import register
from watchkeeper.errors import StoreUnusable, UserError
from watchkeeper.homes import make_home
from watchkeeper.performing.connectors import check_references
from watchkeeper.performing.dead_mans_switch import check_reference
from watchkeeper.performing.store_guard import page_at_start
from watchkeeper.performing.watch import Watch, open_watch, utc_now
from watchkeeper.performing.watch_facts import state_of_watch
from watchkeeper.runbook.problems import first_problem
from watchkeeper.settings import Settings
from watchkeeper.store.engine import Store
from watchkeeper.watch_text import start_lines

logger = logging.getLogger(__name__)


def up(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Watch a simulated vendor instead of a real one.")
    ] = False,
    tied: Annotated[
        bool, typer.Option("--tied", hidden=True, help="End when standard input does.")
    ] = False,
) -> None:
    """Server, UI, deployments, schedules, runner and sweep, in the foreground until Ctrl-C."""
    end_orderly()
    systemd = taken_from(os.environ)
    with ExitStack() as stack:
        chosen = settings()
        stack.callback(log_to_file(chosen.home))
        if sandbox:
            from deployments.drill.world import sandbox_world

            # Before its world is made: a second one would write over the files of the first.
            stack.enter_context(_only_one(chosen.home / "sandbox"))
            chosen = stack.enter_context(sandbox_world(chosen))
        watch = _opened(chosen)
        register(watch.secrets_base)
        check_reference(watch)
        names = watch.named
        if not sandbox:
            stack.enter_context(_only_one(chosen.home))
        address = free_address(chosen)
        names = _registered(watch, names)
        secure(chosen.home / "prefect")
        environment = sealed_environment(chosen, address) | _ours(chosen)
        server = Server(chosen, address, environment)
        words.print(f"watching {', '.join(names)}; state in {chosen.home}")
        for line in start_lines(state_of_watch(watch)):
            words.print(line, markup=False)
        if sandbox:
            words.print("in another terminal, for the other commands to find it:")
            words.print(f"  export WATCHKEEPER_HOME={chosen.home}", markup=False)
            words.print(f"  export WATCHKEEPER_INTEGRATIONS={chosen.integrations}", markup=False)
        words.print(f"the Prefect server will be on {address.ui}; Ctrl-C ends all")
        words.print(f"its UI asks for the line in {password_file(chosen.home)}", markup=False)
        os.environ.clear()
        os.environ.update(for_runs(environment))
        if tied:
            end_with_parent()
        asyncio.run(supervise(watch, server, _line, systemd))


def _opened(chosen: Settings) -> Watch:
    """Raises UserError where the database cannot be used; people are called before."""
    try:
        return open_watch(chosen)
    except StoreUnusable as error:
        # Without a database: for its pagers alone.
        blind = Watch(chosen, cast(Store, None))
        if not chosen.integrations.exists():
            raise
        register(blind.secrets_base)
        said = asyncio.run(page_at_start(blind, str(error).splitlines()[0], utc_now()))
        raise StoreUnusable(f"{error}; {said}") from None


def end_orderly() -> None:
    """From here on a signal to stop unwinds whatever has begun, also before the supervisor takes
    the signals for itself."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _line(text: str) -> None:
    """A terminal that is gone, or a full disk behind it, ends no watch."""
    logger.info("%s", text)
    with suppress(OSError, ValueError):
        words.print(text, markup=False)


def _registered(watch: Watch, names: tuple[str, ...]) -> tuple[str, ...]:
    """The integrations that can be watched; a broken entry ends the watch over no other, and is
    told. Raises its UserError where it is the only one."""
    done: list[str] = []
    errors: dict[str, UserError] = {}
    for name in names:
        try:
            check_references(watch.secrets_base, watch.registered(name))
            done.append(name)
        except UserError as error:
            errors[name] = error
    if errors and not done:
        raise next(iter(errors.values()))
    for name, why in errors.items():
        words.print(f"{name}: {first_problem(why)}", markup=False)
    return tuple(done)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Two supervisors over one home would start every run twice."""
    make_home(home)
    with (home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"`watchkeeper up` runs already for {home}") from None
        yield


def _ours(chosen: Settings) -> dict[str, str]:
    """The settings that were given, for the runner and its runs, with paths that hold whatever
    folder they start in."""
    given = {"WATCHKEEPER_HEALTH_INTERVAL_S": str(health_interval_s(chosen))}
    for name in {*chosen.model_fields_set, "home", "integrations"}:
        value = getattr(chosen, name)
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, Path):
            value = value.resolve()
        if value is not None:
            given[f"WATCHKEEPER_{name.upper()}"] = str(value)
    return given
