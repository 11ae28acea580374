"""The process with Prefect's runners, from the supervisor's side.

It says what it has to say in lines of JSON on a pipe of its own: its output belongs to the runs.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from watchkeeper.ending import end_task
from watchkeeper.errors import WatchkeeperError

logger = logging.getLogger(__name__)

# A machine at a load of twenty takes a minute.
START_WITHIN_S = 300.0
STOP_WITHIN_S = 30.0
POLL_S = 0.05


class RunnerFailed(WatchkeeperError):
    """It ended before it served, or never came to it."""


class RunnerChild:
    """Made by `started`. It ends with us: its standard input is a pipe that only we hold."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def started(
        cls, environment: Mapping[str, str], tell: Callable[[str], None]
    ) -> RunnerChild:
        """Once it serves every deployment. Raises RunnerFailed; OSError where none can be made."""
        process, read_end = _spawned(environment)
        child = cls(process)
        child._reading = asyncio.create_task(child._read(read_end, tell))
        try:
            await child._served()
        except BaseException:
            await child.stop()
            raise
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> str | None:
        """How it ended; None while it lives."""
        code = self._process.poll()
        if code is None:
            return None
        return f"signal {-code}" if code < 0 else f"exit {code}"

    async def stop(self) -> None:
        """Its runs end first. What a killed runner left in its session ends as well."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        if not await self._gone(STOP_WITHIN_S):
            self._process.kill()
            self._process.wait()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGTERM)
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self._reading is not None:
            await end_task(self._reading)

    async def _served(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + START_WITHIN_S
        while not self._ready.is_set():
            if self.ended is not None:
                raise RunnerFailed(f"the runner ended at its start ({self.ended})")
            if loop.time() > until:
                raise RunnerFailed(f"the runner did not come up in {START_WITHIN_S:g} s")
            await asyncio.sleep(POLL_S)

    async def _gone(self, within_s: float) -> bool:
        try:
            await asyncio.to_thread(self._process.wait, within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    async def _read(self, read_end: int, tell: Callable[[str], None]) -> None:
        reader = asyncio.StreamReader()
        pipe = os.fdopen(read_end, "rb")
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            async for line in reader:
                said = json.loads(line)
                if said.get("ready"):
                    self._ready.set()
                else:
                    tell(str(said.get("said")))
        except ValueError:
            logger.exception("the runner said something that is no line of JSON")
        finally:
            transport.close()


def _spawned(environment: Mapping[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """The process, and the end of its pipe that is ours to read."""
    read_end, write_end = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "deployments.serving", str(write_end)],
            env=dict(environment),
            stdin=subprocess.PIPE,
            pass_fds=(write_end,),
            # Ctrl-C is ours to pass on: first the runs, then the server.
            start_new_session=True,
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    return process, read_end
