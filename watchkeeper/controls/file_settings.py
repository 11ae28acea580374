"""Settings in a JSON file that the service watches, or reads when a command tells it to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watchkeeper.controls.json_file import Busy, JsonFile
from watchkeeper.controls.values import Shown, members, read_from
from watchkeeper.errors import Permanent, Transient, WatchkeeperError
from watchkeeper.local_command import carry_out
from watchkeeper.runbook.acting import FileSettings
from watchkeeper.runbook.settings_text import place

RELOAD_S = 30.0
# For the lock: another writer needs milliseconds.
TRIES, WAIT_S = 50, 0.05


@dataclass(frozen=True, slots=True)
class FileServiceSettings:
    """A ServiceSettings. A setting is known when its member is in the file; null: not set."""

    spec: FileSettings
    path: Path
    reload_s: float = RELOAD_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def read(self, names: tuple[str, ...]) -> dict[str, str | None]:
        return read_from(self.spec, await asyncio.to_thread(self._file().load), names)

    async def write(self, values: dict[str, str | None]) -> None:
        """Where the service cannot be told, the file is put back as it was: it would be read at
        the service's next start. Not so after Ambiguous."""
        self._check_reload()
        before, said = await self._changed(lambda shown: members(self.spec, shown, values))
        try:
            await self._reload()
        except (Permanent, Transient):
            await self._put_back(before, said)
            raise

    async def _changed(self, decide: Callable[[Shown], Shown]) -> tuple[Shown, Shown]:
        for _ in range(TRIES - 1):
            try:
                return await asyncio.to_thread(self._file().change, decide)
            except Busy:
                await self.sleep(WAIT_S)
        return await asyncio.to_thread(self._file().change, decide)

    def _file(self) -> JsonFile:
        return JsonFile(self.path, place(self.spec))

    def _check_reload(self) -> None:
        reload = self.spec.reload
        if reload and shutil.which(reload[0]) is None:
            raise Permanent(
                f"settings {place(self.spec)}: there is no command {reload[0]} to reload with"
            )

    async def _reload(self) -> None:
        if self.spec.reload:
            what = f"settings {place(self.spec)}: reload"
            await carry_out(self.spec.reload, what, deadline_s=self.reload_s)

    async def _put_back(self, before: Shown, said: Shown) -> None:
        """Only what still is as we have left it."""

        def ours(now: Shown) -> Shown:
            return {name: before[name] for name in said if now.get(name) == said[name]}

        with suppress(WatchkeeperError):
            await self._changed(ours)
