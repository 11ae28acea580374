"""One run of one scenario as it goes on: its world, its clock, and what it has told so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deployments.drill.expects import Moment
from deployments.drill.far_side import FarSide
from deployments.drill.played import Played, played
from deployments.drill.scenario import Scenario
from deployments.drill.world import World
from watchkeeper.errors import WatchkeeperError
from watchkeeper.gaps import WindowState
from watchkeeper.heartbeat import Part
from watchkeeper.incident import Incident, State
from watchkeeper.performing.watch import Watch
from watchkeeper.store import gaps, heartbeats, incidents, leases

POLL_S = 0.25
# A drill's clocks are seconds: beyond this its deadlines say nothing of Watchkeeper. It still fails.
LAG_BOUND_S = 30.0

Tell = Callable[[str], None]


class TooSlow(WatchkeeperError):
    """The machine, and not what is rehearsed."""


@dataclass
class Drill:
    """One run of one scenario; `tell` gets a line for each thing that happens. `shown`: what the
    stand-ins showed at each moment."""

    scenario: Scenario
    world: World
    watch: Watch
    tell: Tell
    began: float = field(default_factory=time.monotonic)
    marks: dict[str, datetime] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    notes: dict[str, Any] = field(default_factory=dict)
    shown: dict[Moment, dict[str, Any]] = field(default_factory=dict)

    @property
    def played(self) -> Played:
        return played(self.scenario.vendor)

    @property
    def far(self) -> FarSide:
        return FarSide(self.world)

    def say(self, what: str) -> None:
        self.tell(f"[{time.monotonic() - self.began:6.1f} s] {what}")

    def mark(self, name: str) -> datetime:
        return self.marks.setdefault(name, datetime.now(UTC))

    def wait(self, what: str, within_s: float, holds: Callable[[], bool]) -> bool:
        """Poll until it holds or the time is over; says which. Raises TooSlow where it waited in vain on
        a machine that is later than a drill's clocks allow."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if holds():
                return True
            self.notice()
            time.sleep(POLL_S)
        self.say(f"waited {within_s:g} s in vain for {what}")
        self.see_lag()
        return False

    def see_lag(self) -> None:
        """Raises TooSlow where this machine is later than a drill's clocks allow."""
        with self.watch.store.read() as session:
            found = heartbeats.last(session, Part.LAG)
        if found is not None and found.value is not None and found.value > LAG_BOUND_S:
            raise TooSlow(
                f"this machine is too slow: lag p95 {found.value:.1f} s, more than "
                f"{LAG_BOUND_S:g} s ({found.detail})"
            )

    def notice(self) -> None:
        """Tell what is new: the timeline, what is held, how far the gaps are filled."""
        for line in news(self.watch, self.incidents()):
            if line not in self.seen:
                self.seen.add(line)
                self.say(line)

    def incidents(self) -> list[Incident]:
        """Those of this scenario, the newest first: another one's may lie in the same database."""
        with self.watch.store.read() as session:
            numbers = incidents.numbers(session, self.scenario.integration)
            return [incidents.get(session, number) for number in sorted(numbers, reverse=True)]

    def has_reached(self, state: State) -> bool:
        found = self.incidents()
        return bool(found) and found[0].has_reached(state)


def news(watch: Watch, of: list[Incident]) -> list[str]:
    """The present state of these incidents, in lines; a line that was told is not told again."""
    said: list[str] = []
    with watch.store.read() as session:
        for incident in of:
            title = f"INC-{incident.id}"
            for entry in incidents.timeline(session, incident.id):
                said.append(f"{title} {entry.milestone or entry.actor}: {entry.text}")
            held = [f"{lease.kind} {lease.target}" for lease in leases.active(session, incident.id)]
            if held:
                said.append(f"{title} holds: {', '.join(held)}")
            for gap in gaps.of_incident(session, incident.id):
                windows = gaps.windows(session, gap.id)
                done = sum(window.state is WindowState.DONE for window in windows)
                rows = sum(window.rows for window in windows)
                if windows:
                    part = f"{done} of {len(windows)} windows, {rows} rows"
                    said.append(f"{title} fills {gap.resource}: {part}")
    return said
