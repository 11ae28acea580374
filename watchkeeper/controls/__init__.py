"""Settings of a service of ours that can be changed while it runs: its model, its rate, its retries."""

from __future__ import annotations

from typing import Protocol


class ServiceSettings(Protocol):
    """All raise Transient, Permanent (refused, not there, no rights) or Ambiguous (it may have been
    done). Values are text, as a person would write them: `ear-2`, `3`, `deferrable`."""

    async def read(self, names: tuple[str, ...]) -> dict[str, str | None]:
        """What each one is now; None: not set, the service goes by its default."""

    async def write(self, values: dict[str, str | None]) -> None:
        """Set them all in one go; None takes one back to the default. Returns once the service
        shows them."""
