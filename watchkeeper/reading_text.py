"""All that was read beside the endpoints, in few lines: what is not well by itself, the rest by kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watchkeeper.evidence import ASKED, Evidence, Kind, Outcome, Reading

_GROUPS: tuple[tuple[str, tuple[Kind, ...]], ...] = (
    ("status page", (Kind.STATUS_PAGE,)),
    ("service", (Kind.SERVICE,)),
    ("network", (Kind.NETWORK,)),
    ("key", (Kind.KEY,)),
    ("budget", (Kind.RATE, Kind.VOLUME)),
    ("metrics", (Kind.METRIC,)),
    ("logs", (Kind.LOG,)),
    ("runtime", (Kind.RUNTIME,)),
    ("clock", (Kind.CLOCK,)),
    ("data", (Kind.DATA,)),
    ("history", (Kind.HISTORY,)),
    ("changes", (Kind.CHANGE,)),
)
_BAD = (Outcome.DOWN, Outcome.DEGRADED)
_MEASURED = frozenset({Kind.NETWORK, Kind.METRIC, Kind.VOLUME, Kind.RUNTIME, Kind.LOG})
MOST_CHANGES = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One line about one group of readings."""

    group: str
    outcome: Outcome
    says: str


def around(evidence: Evidence, *, everything: bool = False) -> tuple[Line, ...]:
    """What is well, and what is not known, is one line of each group, unless `everything` is asked."""
    return tuple(
        Line(group, outcome, says)
        for group, kinds in _GROUPS
        if (readings := [r for kind in kinds for r in evidence.of(kind)])
        for outcome, says in _lines(readings, everything)
    )


def _lines(readings: list[Reading], everything: bool) -> Iterator[tuple[Outcome, str]]:
    if everything or readings[0].kind is Kind.CHANGE:
        # The newest first; `evidence.of` goes by name.
        newest = sorted(readings, key=lambda r: r.value or 0) if not everything else readings
        yield from ((r.outcome, r.says()) for r in newest[: None if everything else MOST_CHANGES])
        return
    yield from ((r.outcome, r.says()) for r in readings if r.outcome in _BAD)
    if well := [r for r in readings if r.outcome is Outcome.OK]:
        yield Outcome.OK, _well(well)
    unknown = [r for r in readings if r.outcome is Outcome.UNKNOWN]
    # What answered and cannot be read is another matter than what could not be asked.
    for said, answered in (("not understood", True), ("not known", False)):
        if those := [r for r in unknown if (r.kind in ASKED and r.answered) is answered]:
            yield Outcome.UNKNOWN, f"{said}: {_unknown(those)}"


def _well(readings: list[Reading]) -> str:
    if len(readings) == 1:
        return _alone(readings[0])
    return f"well: {', '.join(map(_brief, readings))}"


def _brief(reading: Reading) -> str:
    """`dns 0.01 s`: what it is called, and the number where that says something."""
    if reading.kind in ASKED:
        return f"{reading.probe} {reading.status} in {reading.latency_s:.2f} s"
    if reading.kind is Kind.RATE:
        return reading.detail
    if reading.kind in _MEASURED and reading.value is not None:
        return f"{reading.probe} {_number(reading, reading.value)}".rstrip()
    more = {Kind.CLOCK: reading.detail, Kind.KEY: reading.signature}.get(reading.kind, "")
    return f"{reading.probe} {more}".rstrip()


def _alone(reading: Reading) -> str:
    """The group's name tells already what it is about."""
    named = reading.kind in (Kind.STATUS_PAGE, Kind.SERVICE) and reading.detail
    return reading.detail if named else reading.says()


def _number(reading: Reading, value: float) -> str:
    if reading.unit == "s":
        return f"{value:.2f} s"
    # Whose unit is long, and the same for all of them.
    return f"{value:.3g}" if reading.kind is Kind.VOLUME else f"{value:.3g} {reading.unit}"


def _unknown(readings: list[Reading]) -> str:
    """Those of which the same is said stand together."""
    names: dict[str, list[str]] = {}
    for r in readings:
        names.setdefault(r.detail or r.fault or "could not be read", []).append(r.probe)
    return "; ".join(f"{', '.join(who)} ({why})" for why, who in names.items())
