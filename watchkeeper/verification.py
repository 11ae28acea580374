"""Whether a repair holds: good looks in a row, and records that move again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from watchkeeper.diagnosis import Diagnosis
from watchkeeper.evidence import Evidence, Kind, Outcome
from watchkeeper.runbook.policy import Verification


@dataclass(frozen=True, slots=True)
class Look:
    """One round of probes during verification, and what it says. `unproven`: what the incident saw
    broken, and this look could not read."""

    at: datetime
    diagnosis: Diagnosis
    unproven: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.diagnosis.healthy and not self.unproven

    @property
    def because(self) -> str:
        if self.diagnosis.healthy and self.unproven:
            return f"not proven well: {self.unproven[0]}"
        return self.diagnosis.because


@dataclass(frozen=True, slots=True)
class Flow:
    """One read of a critical resource: how many rows came, and the newest change among them.

    An empty answer is not a zero: `well_formed` is False unless status, envelope and time bound
    were all as asked (the runbook's own check reads `0` from an error body).
    """

    resource: str
    well_formed: bool
    rows: int
    newest: datetime | None
    said: str


@dataclass(frozen=True, slots=True)
class Recovery:
    """The verdict, with its reasons in words."""

    holds: bool
    reasons: tuple[str, ...]


def unproven(evidence: Evidence, unwell: frozenset[str]) -> tuple[str, ...]:
    """Of our service's probes that were seen unwell, those that this look could not read: what was
    seen broken is repaired once it is seen well, not once it is not understood any more."""
    services = {reading.probe: reading for reading in evidence.of(Kind.SERVICE)}
    return tuple(
        services[name].says() if name in services else f"{name} gave no answer in time"
        for name in sorted(unwell)
        if name not in services or services[name].outcome is Outcome.UNKNOWN
    )


def good_in_a_row(looks: tuple[Look, ...]) -> int:
    """How many of the latest looks found nothing wrong."""
    count = 0
    for look in reversed(looks):
        if not look.good:
            break
        count += 1
    return count


def recovered(looks: tuple[Look, ...], flows: tuple[Flow, ...], rule: Verification) -> Recovery:
    """True only when enough looks passed in a row and every critical resource answers as asked."""
    good = good_in_a_row(looks)
    reasons = [f"{good} of {rule.probes_in_a_row} good looks in a row"]
    if good < rule.probes_in_a_row:
        if looks:
            reasons.append(looks[-1].because)
        return Recovery(False, tuple(reasons))
    reasons.extend(flow.said for flow in flows)
    return Recovery(all(flow.well_formed for flow in flows), tuple(reasons))
