"""Reading stores from async code. Here it is decided, by the kind of reference, that a far one is
asked in a thread and for so long at most: a near one answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from watchkeeper.credentials.current_keys import CURRENT_KEYS, CurrentKeys, Read
from watchkeeper.credentials.references import is_far, open_source
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Transient

T = TypeVar("T")
# A look at all stages of a secret takes four calls.
WITHIN_S: Final = 10.0


async def ask_store(reference: str, call: Callable[[], T], within_s: float = WITHIN_S) -> T:
    """What `call` of the store answers. Raises what it raises, and Transient where it takes longer."""
    if not is_far(reference):
        return call()
    return await _within(reference, within_s, asyncio.to_thread(call))


@dataclass(frozen=True, slots=True)
class KeyReader:
    """Reads one key again and again. `kept`: for a current key, which need not be of this instant."""

    reference: str
    call: Read
    kept: CurrentKeys | None = None
    within_s: float = WITHIN_S

    async def read(self) -> Secret | None:
        """Raises what the store raises, and Transient where it takes too long."""
        if not is_far(self.reference):
            return self.call()
        if self.kept is None:
            return await ask_store(self.reference, self.call, self.within_s)
        asking = self.kept.read(self.reference, self.call)
        return await _within(self.reference, self.within_s, asking)

    def refused(self, secret: Secret) -> None:
        """The vendor refuses this one, which was read here: the next is not taken from memory."""
        if self.kept is not None:
            self.kept.refused(self.reference, secret)


def current_key(reference: str, base: Path, within_s: float = WITHIN_S) -> KeyReader:
    """Raises UserError on a kind of reference that is not known, or not in this process."""
    return KeyReader(reference, open_source(reference, base).read, CURRENT_KEYS, within_s)


def unreachable(error: Transient) -> str:
    """For people: what a store that cannot be asked now says of itself."""
    return f"the store cannot be reached: {error}"


async def _within(reference: str, within_s: float, asking: Awaitable[T]) -> T:
    try:
        async with asyncio.timeout(within_s):
            return await asking
    except TimeoutError:
        raise Transient(f"{reference} has not answered within {within_s:g} s") from None
