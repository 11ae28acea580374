"""Keeping Prefect running: its server, and the process with the runners. Both are children of ours.

Whatever ends or will not start is started again, with back-off. Nothing in here raises into the sweep.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from deployments.prefect_database import set_aside
from deployments.runner_child import RunnerChild
from deployments.server import Fault, Server
from watchkeeper.backoff import Backoff
from watchkeeper.errors import WatchkeeperError
from watchkeeper.performing.watch import Watch
from watchkeeper.store.integrity import FileIdentity, damage, identity

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]

TICK_S = 1.0
# A server that lives and cannot use its database answers its health check all the same.
ASK_EACH_S = 15.0
ASK_TIMEOUT_S = 10.0
MOST_HARD, MOST_SOFT = 4, 16
# Up for so long, it counts as well: the next failure begins the back-off from its start.
STEADY_S = 60.0


class PrefectDown(WatchkeeperError):
    """Why Prefect does not run, in words."""


@dataclass(frozen=True, slots=True)
class PrefectState:
    """`running`: server and runners are up. `since`: when that began to be so."""

    running: bool
    since: datetime
    text: str
    failures: int = 0


class PrefectKeeper:
    """`keep` runs until it is cancelled; `state` is what the sweep reads meanwhile."""

    def __init__(self, watch: Watch, server: Server, tell: Tell) -> None:
        self._watch, self._server, self._tell = watch, server, tell
        self._backoff = Backoff()
        self._opened: FileIdentity | None = None
        self._runner: RunnerChild | None = None
        self._faults: list[Fault] = []
        self.state = PrefectState(False, watch.now(), "it is being started")

    async def keep(self) -> None:
        try:
            while True:
                began = asyncio.get_running_loop().time()
                why = await self._once()
                steady = asyncio.get_running_loop().time() - began >= STEADY_S
                failures = 1 if steady else self.state.failures + 1
                # Not for secrets: it only spreads the tries.
                pause_s = self._backoff.pause_s(failures, random.random())  # noqa: S311
                self._down(f"{why}; tried again in {pause_s:.0f} s", failures)
                await asyncio.sleep(pause_s)
        finally:
            await self._end()

    async def _once(self) -> str:
        """Bring up what is not, and watch it; why it did not last."""
        try:
            if not self._server.alive:
                await self._start_server()
            self._runner = await RunnerChild.started(self._server.environment, self._tell)
            self._up()
            return await self._until_it_ends()
        except PrefectDown as error:
            return str(error)
        except (WatchkeeperError, OSError) as error:
            logger.exception("Prefect could not be started")
            return str(error) or type(error).__name__
        except Exception as error:
            logger.exception("a fault of ours while Prefect was kept running")
            return f"{type(error).__name__}: {error}"
        finally:
            await self._stop_runner()

    async def _start_server(self) -> None:
        await self._mend_database()
        if (taken := self._server.port_taken()) is not None:
            raise PrefectDown(taken)
        self._tell("the Prefect server starts")
        self._server.spawn()
        try:
            await self._server.healthy()
        except WatchkeeperError:
            # One that hangs holds the port and the database.
            await asyncio.to_thread(self._server.stop)
            raise
        self._opened = identity(self._server.database)

    async def _mend_database(self) -> None:
        path = self._server.database
        if (wrong := await asyncio.to_thread(damage, path)) is None:
            return
        aside = set_aside(path, self._watch.now())
        said = f"Prefect's database was damaged ({wrong}): set aside as {aside.name}, a new one is made"
        logger.error("%s; runs and logs of Prefect are in the old file", said)
        self._tell(f"{said}; nothing of Watchkeeper's own record is lost")

    async def _until_it_ends(self) -> str:
        assert self._runner is not None
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        while True:
            await asyncio.sleep(TICK_S)
            if not self._server.alive:
                return f"the Prefect server ended: see {self._server.log}"
            if self._runner.ended is not None:
                return f"the runner ended ({self._runner.ended})"
            if identity(self._server.database) != self._opened:
                await asyncio.to_thread(self._server.stop)
                said = "Prefect's database file was deleted or replaced"
                self._tell(f"{said}; nothing of Watchkeeper's own record is lost")
                return said
            if loop.time() - asked_at >= ASK_EACH_S:
                asked_at = loop.time()
                if (wrong := await self._ask()) is not None:
                    return wrong

    async def _ask(self) -> str | None:
        """Whether the server can use its database. It is stopped once it says several times that it
        cannot, or is silent for minutes: a busy machine is no reason."""
        fault = await self._server.fault(ASK_TIMEOUT_S)
        if fault is None:
            self._faults = []
            return None
        self._faults.append(fault)
        hard = sum(one.hard for one in self._faults)
        damaged = fault.hard and await asyncio.to_thread(damage, self._server.database) is not None
        if not damaged and hard < MOST_HARD and len(self._faults) < MOST_SOFT:
            return None
        self._faults = []
        await asyncio.to_thread(self._server.stop)
        return f"the Prefect server does not work: {fault.text}"

    def _up(self) -> None:
        self.state = PrefectState(True, self._watch.now(), "running")
        try:
            say_ready(self._watch.settings.home, self._server.address.api)
        except OSError:
            logger.exception("up.json could not be written: other commands do not find the server")
        self._tell(f"ready: {self._server.address.ui}")

    def _down(self, text: str, failures: int) -> None:
        since = self._watch.now() if self.state.running else self.state.since
        self.state = replace(self.state, running=False, since=since, text=text, failures=failures)
        logger.error("Prefect is not running: %s", text)
        self._tell(f"Prefect is not running: {text}. The sweep goes on")

    async def _stop_runner(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.stop()

    async def _end(self) -> None:
        """Runs first, then the server."""
        await self._stop_runner()
        await asyncio.to_thread(self._server.stop)


def ready_file(home: Path) -> Path:
    return home / "up.json"


def say_ready(home: Path, api: str) -> None:
    """Where other commands find this server. Raises OSError."""
    path = ready_file(home)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"pid": os.getpid(), "api": api}))
    os.replace(draft, path)
