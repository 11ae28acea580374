"""What a sign says: it holds, it does not, or it cannot be known from what was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a sign holds, with the readings that speak for and against. `holds` is None where
    nothing was asked that could tell: that rules nothing out and confirms nothing."""

    holds: bool | None
    supports: tuple[Reading, ...] = ()
    against: tuple[Reading, ...] = ()


Sign = Callable[[Evidence], Finding]

UNKNOWN = Finding(None)


def found(supports: tuple[Reading, ...], against: tuple[Reading, ...] = ()) -> Finding:
    """Holds where there is anything that speaks for it."""
    return Finding(bool(supports), supports, against)


def of_one(reading: Reading | None, holds: Callable[[Reading], bool]) -> Finding:
    """What one reading says; unknown where it is missing or could not be read."""
    if reading is None or reading.outcome is Outcome.UNKNOWN:
        return UNKNOWN
    return Finding(True, (reading,)) if holds(reading) else Finding(False, (), (reading,))


def of_any(readings: tuple[Reading, ...], holds: Callable[[Reading], bool]) -> Finding:
    """Holds where any of them has it; unknown where none could be read."""
    read = tuple(r for r in readings if r.outcome is not Outcome.UNKNOWN)
    if not read:
        return UNKNOWN
    having = tuple(r for r in read if holds(r))
    return Finding(bool(having), having, () if having else read)


def both(first: Finding, *others: Finding) -> Finding:
    """Holds where all hold; one that does not decides it; else one unknown leaves it open."""
    every = (first, *others)
    against = tuple(r for f in every for r in f.against)
    if any(f.holds is False for f in every):
        return Finding(False, (), against)
    supports = tuple(r for f in every for r in f.supports)
    return Finding(None if any(f.holds is None for f in every) else True, supports, against)


def down(kind: Kind, probe: str) -> Sign:
    """The sign that one reading is down."""

    def sign(evidence: Evidence) -> Finding:
        return of_one(evidence.one(kind, probe), lambda r: r.outcome is Outcome.DOWN)

    return sign
