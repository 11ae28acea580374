"""What this package brings to those below it, which know nothing of Prefect."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tasks import blocks
from tasks.schedules import PrefectScheduler
from watchkeeper.performing.connectors import SCHEDULERS


def register(base: Path) -> None:
    """For whoever starts a process. Cheap: Prefect is imported where one of them is used, and the
    process must be pointed at its server by then. `base`: relative `file:` references count from
    it."""
    blocks.register()
    SCHEDULERS["prefect"] = partial(PrefectScheduler, base=base)
