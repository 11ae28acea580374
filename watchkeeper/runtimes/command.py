"""A restart by a local command, such as `systemctl restart maintainx-sync`."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.local_command import output_of
from watchkeeper.runbook.acting import CommandRuntime
from watchkeeper.runbook.acting_text import scale_argv

# A command needs a place and a language, and none of our settings: they may name secrets.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
_LARGEST_COUNT = 64


@dataclass(frozen=True, slots=True)
class CommandRestart:
    """Runs the argv as it stands, without a shell; 0 means that the consumer runs again."""

    spec: CommandRuntime

    async def restart(self, mark: str) -> str:
        """Raises Permanent if the command is not there, Transient if it fails, Ambiguous if it
        did not end in time: it may have restarted the consumer."""
        await self._run(self.spec.restart, "restart")
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
        await self._run(argv, "scale")
        return f"scaled to {replicas}"

    async def _run(self, argv: Sequence[str], what: str) -> None:
        name = argv[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={k: v for k, v in os.environ.items() if k in _PASSED_ON},
            )
        except OSError as error:
            raise Permanent(f"{what} command {name!r}: {error.strerror}") from None
        limit_s = self.spec.timeout.total_seconds()
        try:
            _, stderr = await asyncio.wait_for(process.communicate(), limit_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Ambiguous(f"{what} command {name!r} did not end in {limit_s:g} s") from None
        if process.returncode:
            last = stderr.decode(errors="replace").strip().splitlines()[-1:] or [""]
            raise Transient(f"{what} command {name!r} ended {process.returncode}: {last[0][:200]}")
