"""How a consumer of a key is restarted."""

from __future__ import annotations

from typing import Protocol


class Runtime(Protocol):
    """Restarts one consumer; returns once it runs again. Raises Transient, Permanent, Ambiguous."""

    async def restart(self) -> str: ...
