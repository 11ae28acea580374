"""From integrations.yaml to what restarts and scales a service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from watchkeeper.runbook.acting import CloudRunService, CommandRuntime, KubernetesWorkload
from watchkeeper.runtimes import Runtime
from watchkeeper.runtimes.cloud_run import CloudRun
from watchkeeper.runtimes.command import CommandRestart
from watchkeeper.runtimes.waiting import Sleep
from watchkeeper.runtimes.workload import KubernetesDeployment


def open_acting(
    spec: CommandRuntime | KubernetesWorkload | CloudRunService,
    base: Path,
    now: Callable[[], datetime],
    sleep: Sleep = asyncio.sleep,
) -> Runtime:
    """Asks nothing yet. A relative path counts from `base`."""
    if isinstance(spec, KubernetesWorkload):
        return KubernetesDeployment(spec, base, now, sleep)
    if isinstance(spec, CloudRunService):
        return CloudRun(spec, sleep)
    return CommandRestart(spec)
