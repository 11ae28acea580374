"""A restart by a local command, such as `systemctl restart maintainx-sync`."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass

from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.runbook.integration import CommandRuntime

# A command needs a place and a language, and none of our settings: they may name secrets.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class CommandRestart:
    """Runs the argv as it stands, without a shell; 0 means that the consumer runs again."""

    spec: CommandRuntime

    async def restart(self) -> str:
        """Raises Permanent if the command is not there, Transient if it fails, Ambiguous if it
        did not end in time: it may have restarted the consumer."""
        name = self.spec.restart[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self.spec.restart,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env={k: v for k, v in os.environ.items() if k in _PASSED_ON},
            )
        except OSError as error:
            raise Permanent(f"restart command {name!r}: {error.strerror}") from None
        limit_s = self.spec.timeout.total_seconds()
        try:
            _, stderr = await asyncio.wait_for(process.communicate(), limit_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise Ambiguous(f"restart command {name!r} did not end in {limit_s:g} s") from None
        if process.returncode:
            last = stderr.decode(errors="replace").strip().splitlines()[-1:] or [""]
            raise Transient(f"restart command {name!r} ended {process.returncode}: {last[0][:200]}")
        return "restarted"
