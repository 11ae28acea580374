"""What a triage could not ask or read: said first, for a verdict proves nothing by its silence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watchkeeper.evidence import ASKED, NO_TURN, Evidence, Kind, Outcome, Reading
from watchkeeper.signs.ours import NOT_REACHED

# Of these too little measured is no failure to ask.
_MEASURED = frozenset({Kind.METRIC, Kind.LOG, Kind.RUNTIME, Kind.VOLUME})
# A stage after one that failed could not be tried, and that is no secret.
_STAGES = frozenset({"tcp", "tls"})
_WHY = {"dns": "its name does not resolve", NO_TURN: "no turn in our budget"}


@dataclass(frozen=True, slots=True)
class NotChecked:
    """`what` in plain words, and `why` it is not known."""

    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.what} ({self.why})"


def not_checked(evidence: Evidence) -> tuple[NotChecked, ...]:
    """The vendor's endpoints first, then what else was to be asked; each thing once."""
    return tuple(dict.fromkeys(_listed(evidence)))


def _listed(evidence: Evidence) -> Iterator[NotChecked]:
    for kind in _ORDER:
        for reading in evidence.of(kind):
            if _is_open(reading):
                yield NotChecked(_what(reading), _why(reading))


_ORDER = (
    *(Kind.ENDPOINT, Kind.STATUS_PAGE, Kind.SERVICE, Kind.KEY, Kind.NETWORK),
    *(Kind.CONTRAST, Kind.RUNTIME, Kind.LOG, Kind.METRIC, Kind.VOLUME),
)


def _is_open(reading: Reading) -> bool:
    if reading.kind is Kind.SERVICE and not reading.answered and reading.fault in NOT_REACHED:
        return True
    if reading.outcome is not Outcome.UNKNOWN:
        return False
    if reading.kind in _MEASURED:
        return reading.fault is not None
    return not (reading.kind is Kind.NETWORK and reading.probe in _STAGES)


def _what(reading: Reading) -> str:
    if reading.kind is Kind.ENDPOINT:
        return reading.probe
    if reading.kind is Kind.CONTRAST:
        return f"contrast {reading.probe.replace('_', ' ')}"
    return reading.target


def _why(reading: Reading) -> str:
    """A word for what kept us from it; where nothing did, what was read instead."""
    if reading.fault in _WHY:
        return _WHY[reading.fault]
    said = reading.detail.removeprefix("not asked: ")
    if reading.kind in ASKED and not reading.answered and reading.fault:
        return reading.fault.replace("_", " ")
    return said or (reading.fault or "not known").replace("_", " ")
