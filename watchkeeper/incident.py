"""An incident and its life: open -> triaged -> mitigated -> resolved -> settling -> closed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from watchkeeper.errors import UserError


class State(StrEnum):
    OPEN = "open"
    TRIAGED = "triaged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    SETTLING = "settling"
    CLOSED = "closed"


class Milestone(StrEnum):
    """In the order in which they can happen."""

    STARTED = "started"
    DETECTED = "detected"
    PAGED = "paged"
    DIAGNOSED = "diagnosed"
    MITIGATED = "mitigated"
    VERIFIED = "verified"
    RESOLVED = "resolved"
    CLOSED = "closed"


# A repair that did not hold sends an incident back, and a person who has a plan carried out after
# all; nothing else does.
NEXT: dict[State, frozenset[State]] = {
    State.OPEN: frozenset({State.TRIAGED}),
    State.TRIAGED: frozenset({State.MITIGATED, State.OPEN}),
    State.MITIGATED: frozenset({State.RESOLVED, State.TRIAGED, State.OPEN}),
    State.RESOLVED: frozenset({State.SETTLING, State.OPEN}),
    State.SETTLING: frozenset({State.CLOSED, State.OPEN}),
    State.CLOSED: frozenset({State.OPEN}),
}

# States in which automation has work to do, in the order of the chain.
LIVE = (State.OPEN, State.TRIAGED, State.MITIGATED, State.RESOLVED, State.SETTLING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is known of one interruption. Times are aware UTC."""

    id: int
    integration: str
    state: State
    cause: str | None
    verdict: str
    severity: int
    summary: str
    opened_by: str
    # A person who took over: automation goes on watching and stops acting.
    taken_by: str | None
    # How many responders were started, and how often the chain was begun anew.
    epoch: int
    round: int
    started_at: datetime
    opened_at: datetime
    state_since: datetime
    recovered_at: datetime | None
    settles_at: datetime | None
    closed_at: datetime | None
    # All that is wrong was announced by the vendor: nobody is woken for it.
    planned: bool = False
    # The incident that had recovered when this one began, with another cause.
    follows: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state is not State.CLOSED

    @property
    def over_at(self) -> datetime | None:
        """When its harm ended: at the proven recovery, or when it was closed without one."""
        return self.recovered_at or self.closed_at

    @property
    def title(self) -> str:
        return f"INC-{self.id} {self.integration}"

    def has_reached(self, state: State) -> bool:
        return _ORDER.index(self.state) >= _ORDER.index(state)


_ORDER = list(State)


def waits_for(incident: Incident, open_ones: Iterable[Incident]) -> Incident | None:
    """The incident of the same integration whose harm goes on. One that has recovered waits for it:
    what it has still to compare and to give back needs a vendor that works."""
    if not incident.has_reached(State.RESOLVED):
        return None
    same = (other for other in open_ones if other.integration == incident.integration)
    return next((o for o in same if not o.has_reached(State.RESOLVED)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One line of the incident's history: when it happened, when it was written down, by whom."""

    occurred_at: datetime
    recorded_at: datetime
    milestone: Milestone | None
    actor: str
    text: str


def check_move(incident: Incident, to: State) -> None:
    """Refuse a state change that the incident's life does not have."""
    if to not in NEXT[incident.state]:
        allowed = ", ".join(sorted(NEXT[incident.state]))
        raise UserError(f"INC-{incident.id} is {incident.state}: it can become {allowed}, not {to}")


def parse_id(text: str) -> int:
    """The number in `17`, `INC-17` or `inc-17`."""
    digits = text.strip().lower().removeprefix("inc-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
        raise UserError(f"{text!r} is not an incident: give its number, such as INC-17")
    return int(digits)
