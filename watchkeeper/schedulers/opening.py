"""From integrations.yaml to what runs a scheduled job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from watchkeeper.errors import UserError
from watchkeeper.runbook.acting import CronJob, PrefectDeployment
from watchkeeper.schedulers import JobScheduler
from watchkeeper.schedulers.cron_jobs import KubernetesCronJob

# By kind: what opens those that this package does not know.
Others = Mapping[str, Callable[[Any], JobScheduler]]
NONE: Others = MappingProxyType({})


def open_scheduler(
    spec: CronJob | PrefectDeployment,
    base: Path,
    now: Callable[[], datetime],
    others: Others = NONE,
) -> JobScheduler:
    """Asks nothing yet. A relative path counts from `base`. Raises UserError for a kind that
    neither this package nor `others` opens."""
    if isinstance(spec, CronJob):
        return KubernetesCronJob(spec, base, now)
    if spec.kind not in others:
        raise UserError(f"jobs of the scheduler {spec.kind} cannot be reached from here")
    return others[spec.kind](spec)
