"""From integrations.yaml to what tells how a service's machine is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from watchkeeper.runbook.telemetry import Disk, KubernetesRuntime, SystemdRuntime
from watchkeeper.runtimes.disk import DiskState
from watchkeeper.runtimes.kubernetes import KubernetesState
from watchkeeper.runtimes.state import RuntimeState
from watchkeeper.runtimes.systemd import SystemdState


def open_runtime(
    spec: SystemdRuntime | KubernetesRuntime, now: Callable[[], datetime]
) -> RuntimeState:
    """Asks nothing yet."""
    if isinstance(spec, KubernetesRuntime):
        return KubernetesState(spec, now)
    return SystemdState(spec)


def open_disk(spec: Disk, base: Path) -> RuntimeState:
    """A relative path counts from `base`."""
    return DiskState(base / Path(spec.path).expanduser(), spec)
