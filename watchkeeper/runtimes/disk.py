"""The disk that a service of ours needs: its space, and its inodes, of which it may run out first."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.evidence import Outcome
from watchkeeper.local_command import DEADLINE_S, Unreadable
from watchkeeper.runbook.telemetry import Disk
from watchkeeper.runtimes.state import State

# So close below the bound it is told, and is not full yet.
NEAR = 0.05
_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Space:
    """Of bytes, or of inodes: those in use, and those that are left for who is not root."""

    used: int
    left: int

    @property
    def share(self) -> float:
        total = self.used + self.left
        return self.used / total if total else 0.0


@dataclass(frozen=True, slots=True)
class DiskState:
    """`path` is absolute; the spec's own is what people know."""

    path: Path
    spec: Disk

    async def state(self) -> State:
        try:
            async with asyncio.timeout(DEADLINE_S):
                space, inodes = await asyncio.to_thread(_measured, self.path)
        except TimeoutError:
            raise Unreadable(f"the disk of {self.spec.path} does not answer") from None
        except OSError as error:
            raise Unreadable(f"the disk of {self.spec.path}: {error.strerror}") from None
        return judged(space, inodes, self.spec)


def judged(space: Space, inodes: Space, spec: Disk) -> State:
    """Down at the bound. Just below it a disk is degraded, with no fault: it is not full."""
    share = max(space.share, inodes.share)
    full = share >= spec.bound
    near = share >= spec.bound - NEAR
    outcome = Outcome.DOWN if full else Outcome.DEGRADED if near else Outcome.OK
    what = "space" if space.share >= inodes.share else "inodes"
    left = f"{space.left / _GIB:.1f} GiB left"
    return State(
        outcome,
        "disk_full" if full else None,
        f"{share:.1%} of the {what} at {spec.path} used, {left}",
        value=round(share, 4),
        bound=spec.bound,
        unit="share",
    )


def _measured(path: Path) -> tuple[Space, Space]:
    at = os.statvfs(path)
    space = Space((at.f_blocks - at.f_bfree) * at.f_frsize, at.f_bavail * at.f_frsize)
    return space, Space(at.f_files - at.f_ffree, at.f_favail)
