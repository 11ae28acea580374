"""What the stand-ins must show: before, while it lasts, after. Each expectation is a small value.

What they showed is plain JSON: `settings`, `service` (its health), `stats`, `unit`, `requests`
(the simulator's count since the moment began), `calls` (our service's own, as the vendor's log of
each key has them), `keys` (label -> state; ours is `initial`), `store` (stage -> label), `events`
(what happened to keys and processes, and when), `pages` (how many went out), `schedules` (job ->
"paused" or "running"), and whatever a setup looks at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

Moment = Literal["before", "early", "lasting", "after"]
WORDS: dict[Moment, str] = {
    "before": "before",
    "early": "as the mitigation began",
    "lasting": "while it lasted",
    "after": "afterwards",
}


@dataclass(frozen=True, slots=True)
class Outside:
    """What they showed in calm, under the mitigation, and once the world stood still again; `early`:
    as soon as it was in force."""

    before: Mapping[str, Any] = field(default_factory=dict)
    lasting: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    early: Mapping[str, Any] = field(default_factory=dict)

    def at(self, moment: Moment, path: tuple[str, ...]) -> Any:
        """What stands at this path; None where nothing does."""
        here: Any = getattr(self, moment)
        for name in path:
            here = _inside(here, name)
        return here


def _inside(here: Any, name: str) -> Any:
    if isinstance(here, list):
        return here[int(name)] if name.isdigit() and int(name) < len(here) else None
    return here.get(name) if isinstance(here, Mapping) else None


class Expect(Protocol):
    """One promise about the outside, with its name."""

    @property
    def says(self) -> str: ...
    def wrong(self, outside: Outside) -> list[str]:
        """What breaks it, in words; nothing where it is kept."""

    def of(self, moment: Moment) -> Expect | None:
        """The part of it that can be judged once this moment is shown; None where nothing can."""


@dataclass(frozen=True, slots=True)
class _Word:
    says: str

    def __repr__(self) -> str:
        return self.says


# Of a moment of `shows`: nobody cares; or the same as before.
ANYTHING = _Word("anything")
AS_BEFORE = _Word("as before")


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A number that is no smaller."""

    least: float

    def __call__(self, value: Any) -> bool:
        return isinstance(value, int | float) and value >= self.least

    def __repr__(self) -> str:
        return f"at least {self.least:g}"


@dataclass(frozen=True, slots=True)
class AtMost:
    """A number that is no larger."""

    most: float

    def __call__(self, value: Any) -> bool:
        return isinstance(value, int | float) and value <= self.most

    def __repr__(self) -> str:
        return f"at most {self.most:g}"


@dataclass(frozen=True, slots=True)
class Shows:
    """A value at each moment: itself, ANYTHING, AS_BEFORE, or a test such as AtLeast(1)."""

    path: tuple[str, ...]
    wanted: Mapping[Moment, Any]

    @property
    def says(self) -> str:
        told = (f"{w!r} {WORDS[m]}" for m, w in self.wanted.items() if w is not ANYTHING)
        return f"{' '.join(self.path)}: {', '.join(told)}"

    def of(self, moment: Moment) -> Expect | None:
        wanted = self.wanted.get(moment, ANYTHING)
        return None if wanted is ANYTHING else Shows(self.path, {moment: wanted})

    def wrong(self, outside: Outside) -> list[str]:
        said = []
        for moment, wanted in self.wanted.items():
            shown = outside.at(moment, self.path)
            due = outside.at("before", self.path) if wanted is AS_BEFORE else wanted
            if wanted is not ANYTHING and not (due(shown) if callable(due) else shown == due):
                said.append(f"{' '.join(self.path)} {WORDS[moment]}: {shown!r}, not {due!r}")
        return said


def shows(
    *path: str, before: Any = ANYTHING, lasting: Any = ANYTHING, after: Any = ANYTHING
) -> Shows:
    """Such as `shows("settings", "model", lasting="ear-2", after=AS_BEFORE)`."""
    return Shows(path, {"before": before, "lasting": lasting, "after": after})


@dataclass(frozen=True, slots=True)
class Grows:
    """A count that goes up between two moments by so much, or (`by=0`) not at all."""

    path: tuple[str, ...]
    by: Callable[[Any], bool] | int
    since: Moment
    until: Moment

    @property
    def says(self) -> str:
        return f"{' '.join(self.path)}: up by {self.by!r} from {self.since} to {self.until}"

    def of(self, moment: Moment) -> Expect | None:
        return self if moment == self.until else None

    def wrong(self, outside: Outside) -> list[str]:
        began, ended = (outside.at(m, self.path) for m in (self.since, self.until))
        if not isinstance(ended, int | float):
            return [f"{self.says}, and nothing was counted"]
        grown = ended - (began or 0)
        kept = self.by(grown) if callable(self.by) else grown == self.by
        return [] if kept else [f"{self.says}, and it was {grown:g}"]


def grows(
    *path: str,
    by: Callable[[Any], bool] | int,
    since: Moment = "before",
    until: Moment = "after",
) -> Grows:
    """Such as `grows("unit", "restarts", by=1)`. A process that was restarted counts anew."""
    return Grows(path, by, since, until)


@dataclass(frozen=True, slots=True)
class InOrder:
    """Things that happened, each at the time of the one before it or later."""

    names: tuple[str, ...]

    @property
    def says(self) -> str:
        return f"in this order: {', '.join(self.names)}"

    def of(self, moment: Moment) -> Expect | None:
        return self if moment == "after" else None

    def wrong(self, outside: Outside) -> list[str]:
        at = {name: outside.at("after", ("events", name)) for name in self.names}
        never = [f"{name} never happened" for name, time in at.items() if time is None]
        if never:
            return never
        pairs = zip(self.names, self.names[1:], strict=False)
        return [f"{b} ({at[b]}) came before {a} ({at[a]})" for a, b in pairs if at[b] < at[a]]


def in_order(*names: str) -> InOrder:
    """Such as `in_order("initial revoked", "made by ada current")`."""
    return InOrder(names)


@dataclass(frozen=True, slots=True)
class Paced:
    """Calls that arrived at the far side under a limit: no more than it allows in the time that passed.
    A busy machine makes fewer of them, and never more; that there were some, another one says."""

    path: tuple[str, ...]
    per_s: float
    burst: int

    @property
    def says(self) -> str:
        return f"{' '.join(self.path)}: no more than {self.per_s:g} a second while it lasted"

    def of(self, moment: Moment) -> Expect | None:
        return self if moment == "lasting" else None

    def wrong(self, outside: Outside) -> list[str]:
        count = outside.at("lasting", (*self.path, "count"))
        seconds = outside.at("lasting", (*self.path, "seconds"))
        if not isinstance(count, int) or not isinstance(seconds, int | float):
            return [f"{self.says}, and nothing was counted"]
        most = math.ceil(self.per_s * seconds) + self.burst
        return [] if count <= most else [f"{self.says}: {count} in {seconds:.0f} s, not {most}"]


def paced(*path: str, per_s: float, burst: int = 2) -> Paced:
    """Such as `paced("calls", per_s=1)`. `burst`: what was on its way as the limit was set."""
    return Paced(path, per_s, burst)


def unmet(expects: Iterable[Expect], outside: Outside, moment: Moment) -> list[str]:
    """What of the expectations is not there at this moment. Counts of events grow: it is worth waiting
    for them, and no count that must not grow is mended by waiting."""
    parts = (one.of(moment) for one in expects)
    return [line for part in parts if part is not None for line in part.wrong(outside)]


def no_live_call_failed(until: Moment = "after") -> tuple[Expect, ...]:
    """Our service made its calls all the while, and each was answered well."""
    failed = grows("stats", "failed", by=0, until=until)
    return (failed, grows("stats", "ok", by=AtLeast(1), until=until))
