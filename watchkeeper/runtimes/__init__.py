"""What a service of ours runs as: how it is restarted and scaled, and how its machine is."""

from __future__ import annotations

from typing import Protocol


class Runtime(Protocol):
    """Acts on one service. All raise Transient (asking again may help), Permanent (it will not:
    not there, no rights, cannot be scaled) or Ambiguous (it may have been done)."""

    async def restart(self, mark: str) -> str:
        """Restart every replica, and return once they run again; what was done, in words.

        `mark` names this restart: the same one again is the same restart where the runtime can
        keep it.
        """

    async def restarted(self, mark: str) -> str | None:
        """What shows that the restart of this mark has happened, or None: it has not, or this
        runtime cannot tell."""

    async def replicas(self) -> int:
        """How many are wanted now."""

    async def scale(self, replicas: int) -> str:
        """Want so many, and return once they run; what was done, in words."""
