"""What a plan depends on, as it was last seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from watchkeeper.mitigation.job import Job
from watchkeeper.mitigation.lease import Lease, LeaseKind, Shown


class StepState(StrEnum):
    # A person asked for it by name.
    WANTED = "wanted"
    BEGUN = "begun"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Step(NamedTuple):
    """How far an action of this round is, who said so, and why. `tries`: how often a person has had it
    tried again; `entries`: how often it was begun in this try, each time anew."""

    name: str
    state: StepState
    by: str = "watchkeeper"
    because: str = ""
    tries: int = 0
    entries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The jobs as they are, what this incident already did, and what our services show.

    `settings` by standard name, `replicas` by consumer, `schedules` by job (running or paused);
    `unread` says why one of these three could not be read. `others_down`: other vendors'
    integrations with an incident of the same minutes.
    """

    jobs: tuple[Job, ...] = ()
    leases: tuple[Lease, ...] = ()
    steps: tuple[Step, ...] = ()
    settings: Mapping[str, str | None] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    schedules: Mapping[str, Shown] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    rotations_today: int = 0
    actions_last_hour: int = 0
    others_down: tuple[str, ...] = ()

    def held(self, kind: LeaseKind, target: str) -> Lease | None:
        return next((x for x in self.leases if x.kind is kind and x.target == target), None)

    def step(self, name: str) -> Step | None:
        return next((step for step in self.steps if step.name == name), None)
