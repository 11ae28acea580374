"""`watchkeeper up`: the sweep, and Prefect kept running beside it, in one foreground process.

Nothing in this process imports Prefect before it is needed, and nothing of Prefect ends the sweep.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import signal
from collections.abc import Callable
from datetime import timedelta

from deployments.catalogue import health_interval_s
from deployments.own_checks import OwnChecks
from deployments.prefect_keeper import PrefectKeeper, ready_file
from deployments.server import Server
from deployments.sweep_loop import SweepLoop
from deployments.systemd import Systemd
from watchkeeper.ending import end_task
from watchkeeper.errors import Transient
from watchkeeper.performing.dead_mans_switch import DeadMansSwitch
from watchkeeper.performing.lag_meter import LagMeter
from watchkeeper.performing.responding import Executor, Given
from watchkeeper.performing.watch import Watch

logger = logging.getLogger(__name__)

Tell = Callable[[str], None]
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A call to Prefect holds up the sweep.
PREFECT_CALL_S = 20.0


async def supervise(watch: Watch, server: Server, tell: Tell, systemd: Systemd) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP; then stop all: the sweep, the runs, the server.

    The sweep does not wait for Prefect, and goes on without it.
    """
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        # One that was ignored from the start stays so: nohup wants it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keeper = PrefectKeeper(watch, server, tell)
    executor = KeptExecutor(keeper)
    outside = DeadMansSwitch(watch)
    interval = timedelta(seconds=health_interval_s(watch.settings))
    with LagMeter() as meter:
        checks = OwnChecks(watch, executor, interval, tell, lambda: meter.lag.allowance)
        loop = SweepLoop(watch, executor, keeper, checks, meter, outside, systemd, tell)
        tasks = [
            asyncio.create_task(loop.keep_sweeping()),
            asyncio.create_task(checks.keep_checking()),
            asyncio.create_task(keeper.keep()),
        ]
        try:
            await stop.wait()
        finally:
            systemd.stopping()
            try:
                await end_task(*tasks)
            except Exception:
                logger.exception("a loop of the supervisor had ended before it was stopped")
            await outside.stop()
            ready_file(watch.settings.home).unlink(missing_ok=True)


class KeptExecutor:
    """Prefect as the executor while it runs; it is imported by the first call, in a thread, since
    that takes seconds. While it does not run each call is Transient at once."""

    def __init__(self, keeper: PrefectKeeper) -> None:
        self._keeper = keeper
        self._executor: Executor | None = None

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        executor = await self._opened()
        try:
            async with asyncio.timeout(PREFECT_CALL_S):
                await executor.start(deployment, parameters, key)
        except TimeoutError:
            raise Transient(f"{deployment} was not started in {PREFECT_CALL_S:g} s") from None

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        executor = await self._opened()
        try:
            async with asyncio.timeout(PREFECT_CALL_S):
                await executor.wake(flow_run_id, decision, by, reason)
        except TimeoutError:
            raise Transient(f"run {flow_run_id} was not woken in {PREFECT_CALL_S:g} s") from None

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        executor = await self._opened()
        try:
            async with asyncio.timeout(PREFECT_CALL_S):
                return await executor.submitted(flow_run_id, form)
        except TimeoutError:
            raise Transient(f"run {flow_run_id} did not say in {PREFECT_CALL_S:g} s") from None

    async def _opened(self) -> Executor:
        if not self._keeper.state.running:
            raise Transient(f"Prefect is not running: {self._keeper.state.text}")
        if self._executor is None:
            try:
                module = await asyncio.to_thread(importlib.import_module, "tasks.executing")
            except Exception as error:
                logger.exception("Prefect cannot be imported")
                raise Transient(f"Prefect cannot be imported ({type(error).__name__})") from None
            made: Executor = module.PrefectExecutor()
            self._executor = made
        return self._executor
