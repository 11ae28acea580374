"""What runs jobs by a clock: how one is paused, resumed, and run for a time that it missed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple, Protocol


class Schedule(NamedTuple):
    """Whether it is paused, and a mark that changes whenever anybody changes the job: so that an
    undo can tell whether somebody else has been here since."""

    paused: bool
    mark: str


class JobScheduler(Protocol):
    """One job of one scheduler. All raise Transient, Permanent (not there, no rights) or Ambiguous
    (it may have been done). Pausing what is paused, and resuming what runs, changes nothing, not
    even the mark."""

    async def state(self) -> Schedule: ...

    async def pause(self) -> Schedule:
        """The state after it, read back."""

    async def resume(self) -> Schedule:
        """The state after it, read back. What was missed is not made up for by this."""

    async def missed(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """The times in [since, until) at which it would have run, oldest first; the last 100."""

    async def run_for(self, at: datetime, key: str) -> str:
        """Run it once for a time that it missed; the same key again runs nothing more."""
