"""A restart by a local command, such as `systemctl restart maintainx-sync`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.errors import Permanent
from watchkeeper.local_command import carry_out, output_of
from watchkeeper.runbook.acting import CommandRuntime
from watchkeeper.runbook.acting_text import scale_argv

_LARGEST_COUNT = 64


@dataclass(frozen=True, slots=True)
class CommandRestart:
    """Runs the argv as it stands, without a shell; 0 means that the consumer runs again."""

    spec: CommandRuntime

    async def restart(self, mark: str) -> str:
        """Raises Permanent if the command is not there, Transient if it fails, Ambiguous if it
        did not end in time: it may have restarted the consumer."""
        await self._carry_out(self.spec.restart, "restart")
        return "restarted"

    async def restarted(self, mark: str) -> str | None:
        """None: a command leaves no trace that we know of."""
        return None

    async def replicas(self) -> int:
        if self.spec.replicas is None:
            raise Permanent("no command is given that tells the replicas: it cannot be scaled")
        name, limit_s = self.spec.replicas[0], self.spec.timeout.total_seconds()
        if shutil.which(name) is None:
            raise Permanent(f"replicas command {name!r}: there is no such command")
        printed = await output_of(self.spec.replicas, deadline_s=limit_s, largest=_LARGEST_COUNT)
        count = printed.text.strip()
        if printed.cut or not count.isdigit() or len(count) > 6:
            raise Permanent(f"replicas command {name!r} did not print one whole number")
        return int(count)

    async def scale(self, replicas: int) -> str:
        """Raises as `restart` does."""
        argv = scale_argv(self.spec, replicas)
        if not argv:
            raise Permanent("no command is given that sets the replicas: it cannot be scaled")
        await self._carry_out(argv, "scale")
        return f"scaled to {replicas}"

    async def _carry_out(self, argv: Sequence[str], what: str) -> None:
        await carry_out(argv, f"{what} command", deadline_s=self.spec.timeout.total_seconds())
