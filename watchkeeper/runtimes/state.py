"""How the machine of a service of ours is, as a value; where it is read from has a module each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from watchkeeper.evidence import Outcome

Fault = Literal["oom", "disk_full", "crash_loop", "not_running", "not_ready", "busy"]
# What explains the most comes first: who is killed for memory is not ready either.
WORST_FIRST: tuple[Fault, ...] = (
    *("oom", "disk_full", "crash_loop"),
    *("not_running", "not_ready", "busy"),
)


@dataclass(frozen=True, slots=True)
class State:
    """`value` of `bound`, in `unit`: pods that are ready of those there are; the share of a disk
    that is used, and where that is too much."""

    outcome: Outcome
    fault: Fault | None = None
    detail: str = ""
    value: float | None = None
    bound: float | None = None
    unit: str = ""


class RuntimeState(Protocol):
    async def state(self) -> State:
        """Raises Unreadable: what cannot be read is neither well nor broken."""
        ...


def worst(faults: tuple[Fault, ...]) -> Fault | None:
    return next((fault for fault in WORST_FIRST if fault in faults), None)
