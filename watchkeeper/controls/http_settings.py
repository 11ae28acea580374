"""Settings that a service takes over HTTP: GET shows them, PATCH changes some."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from watchkeeper.controls.values import Shown, members, parsed, read_from, same
from watchkeeper.controls.wire import Wire
from watchkeeper.credentials.reading import KeyReader
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Ambiguous, Permanent, Transient, UserError
from watchkeeper.runbook.acting import HttpSettings
from watchkeeper.runbook.settings_text import place, theirs

DEADLINE_S = 5.0
# Between two looks whether the service shows what it has taken.
WAITS_S = (0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class HttpServiceSettings:
    """A ServiceSettings. The token is read at each call: a rotated one is picked up."""

    spec: HttpSettings
    token: KeyReader | None = None
    deadline_s: float = DEADLINE_S
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def read(self, names: tuple[str, ...]) -> dict[str, str | None]:
        return read_from(self.spec, await self._shown(), names)

    async def write(self, values: dict[str, str | None]) -> None:
        """Sends them even where the service shows them: it may have taken others meanwhile which
        it does not show yet."""
        before = await self._shown()
        if said := members(self.spec, before, values):
            await self._wire().patch(said, await self._key())
            await self._until_shown(before, values)

    async def _until_shown(self, before: Shown, values: Mapping[str, str | None]) -> None:
        for wait_s in (0.0, *WAITS_S):
            if wait_s:
                await self.sleep(wait_s)
            late = self._late(before, await self._shown_after(), values)
            if not late:
                return
        said = f"it took the change, but does not show it for {', '.join(late)}"
        raise Transient(f"settings {place(self.spec)}: {said}")

    def _late(self, before: Shown, now: Shown, values: Mapping[str, str | None]) -> list[str]:
        own = {name: theirs(self.spec, name) for name in values}
        return [
            name
            for name, wanted in values.items()
            if not _arrived(before.get(own[name]), now.get(own[name]), wanted)
        ]

    async def _shown(self) -> Shown:
        return parsed(await self._wire().get(await self._key()), place(self.spec))

    async def _shown_after(self) -> Shown:
        """Once it was sent, an answer that is none is no refusal: it has been done."""
        try:
            return await self._shown()
        except Permanent as error:
            raise Ambiguous(f"{error}, since the change was sent") from None

    def _wire(self) -> Wire:
        return Wire(self.spec.url, place(self.spec), self.deadline_s)

    async def _key(self) -> Secret | None:
        try:
            return None if self.token is None else await self.token.read()
        except UserError as error:
            raise Permanent(f"settings {place(self.spec)}: {error}") from None


def _arrived(before: object, now: object, wanted: str | None) -> bool:
    """One taken back may show the service's default, which we do not know: then it has changed."""
    if wanted is None:
        return now is None or now != before
    return same(now, wanted)
