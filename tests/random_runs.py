"""What runs flows in a random schedule, and a run that is merely slow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from watchkeeper.errors import Transient
from watchkeeper.performing.responding import Given
from watchkeeper.store import approvals


@dataclass(frozen=True)
class Asked:
    """A run that was asked for; its process starts later, or never."""

    run_id: str
    incident: int
    epoch: int


@dataclass
class Runs:
    """What runs flows: an Executor. `lossy`: the next answer is lost though it was done."""

    reachable: bool = True
    lossy: bool = False
    keys: set[str] = field(default_factory=set)
    waiting: list[Asked] = field(default_factory=list)
    suspended: dict[str, Asked] = field(default_factory=dict)
    # By run: what it asks; by what was asked: the answer that was handed over.
    asks: dict[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    syncs: list[str] = field(default_factory=list)

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        if not self.reachable:
            raise Transient("Prefect does not answer")
        if key not in self.keys:
            self.keys.add(key)
            if deployment.startswith("respond/"):
                incident, epoch = int(str(parameters["incident_id"])), int(str(parameters["epoch"]))
                self.waiting.append(Asked(f"run-{len(self.keys)}", incident, epoch))
            else:
                self.syncs.append(key)
        if self.lossy:
            self.lossy = False
            raise Transient("Prefect's answer was lost")

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        return ()

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        if not self.reachable:
            raise Transient("Prefect does not answer")
        asked = self.suspended.pop(flow_run_id, None)
        if asked is not None:
            said = decision if decision == approvals.APPROVE else approvals.DENY
            self.answers[self.asks[flow_run_id]] = said
            self.waiting.append(asked)


@dataclass
class Slow:
    """A run that may be parked at one of its turns, and goes on when it is told to."""

    turns: int | None
    parked: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def turn(self) -> None:
        if self.turns is None:
            return
        self.turns -= 1
        if self.turns < 0:
            self.turns = None
            self.parked.set()
            await self.goes_on.wait()
