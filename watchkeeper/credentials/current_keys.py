"""The current keys of far stores, kept for some seconds: a vendor's request costs none of theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from watchkeeper.credentials.secret import Secret

HELD_S: Final = 10.0
Read = Callable[[], Secret | None]


class _Held(NamedTuple):
    secret: Secret | None
    at: float


class CurrentKeys:
    """By reference, for one process. What a read raised is not kept. `monotonic`: seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._held: dict[str, _Held] = {}
        self._asking: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[Secret | None]] = {}

    async def read(self, reference: str, read: Read) -> Secret | None:
        """As it was at most `HELD_S` seconds ago. Else `read` is called, in a thread; those who ask
        at the same time share its answer."""
        held = self._held.get(reference)
        if held is not None and self._monotonic() - held.at < HELD_S:
            return held.secret
        place = (asyncio.get_running_loop(), reference)
        asking = self._asking.get(place)
        if asking is None or asking.done():
            asking = self._asking[place] = asyncio.create_task(self._ask(reference, read))
        # Whoever loses patience leaves it to the others.
        return await asyncio.shield(asking)

    async def _ask(self, reference: str, read: Read) -> Secret | None:
        place, at = (asyncio.get_running_loop(), reference), self._monotonic()
        try:
            secret = await asyncio.to_thread(read)
            if self._asking.get(place) is asyncio.current_task():
                self._held[reference] = _Held(secret, at)
            return secret
        finally:
            if self._asking.get(place) is asyncio.current_task():
                del self._asking[place]

    def refused(self, reference: str, secret: Secret) -> None:
        """The vendor refuses it: somebody may have replaced it. One that was read anew since then
        is kept, even if it is the same: or each of many refusals would cost a read."""
        held = self._held.get(reference)
        if held is not None and held.secret is secret:
            self._held.pop(reference, None)

    def forget(self, reference: str) -> None:
        """It is not what it was: an answer that is under way is not kept either."""
        self._held.pop(reference, None)
        for place in [place for place in list(self._asking) if place[1] == reference]:
            self._asking.pop(place, None)


CURRENT_KEYS: Final = CurrentKeys()
