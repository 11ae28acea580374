"""One planted fault, or several, and what a triage must make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from watchkeeper.diagnosis import diagnose
from watchkeeper.evidence import Evidence
from watchkeeper.runbook.model import Runbook

Key = Literal["none", "good", "bad"]
# `due`: a good one that expires in a few days.
Stored = Literal["good", "missing", "due"]
# Among the true causes: whatever the runbook calls it, so long as it has a row.
ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is planted, in the stand-ins' own words, and what is so.

    `causes`: the true ones, the gravest first; none of them for a healthy world. `severity`: that
    of the whole, None where all is well. `proven`: the evidence suffices to confirm the leading
    cause; False: it must not be confirmed. None: either will do. `says`: the line of the source
    runbook that it rehearses, or what is misleading about it.
    """

    name: str
    says: str
    vendor: str
    causes: tuple[str, ...]
    severity: int | None
    proven: bool | None = None
    mitigations: tuple[str, ...] | None = None
    # At the vendor, its status page, our service, the wire to the vendor and that to the control.
    faults: tuple[dict[str, Any], ...] = ()
    page: dict[str, Any] = field(default_factory=dict)
    service: tuple[dict[str, Any], ...] = ()
    wire: dict[str, Any] = field(default_factory=dict)
    control: dict[str, Any] = field(default_factory=dict)
    # Where the vendor is believed to be: by name, or over TLS with another's certificate.
    address: Literal["usual", "unresolvable", "intercepted"] = "usual"
    # What integrations.yaml says of our service's address.
    health: Literal["usual", "typo", "wrong_port", "tls"] = "usual"
    # The wire is a gateway of ours, and the vendor can be asked past it.
    gateway: bool = False
    pending: Key = "none"
    second: Key = "none"
    stored: Stored = "good"
    # What our own record holds before: names of `prepared`.
    record: tuple[str, ...] = ()
    # Our service's metrics and log are read too: two scrapes take longer.
    measured: bool = False
    # Until what was planted shows.
    settle_s: float = 0.5
    mixed: bool = False
    any_severity: bool = False
    # How readings must come out, by their probe's name: `ok`, `degraded`, `down` or `unknown`.
    read_as: Mapping[str, str] = field(default_factory=dict)
    # Another kind of status page than the runbook's.
    page_kind: str = ""
    # A log beside the service's own, which is read in its place: a name of `planted_logs`.
    log: str = ""
    # What else a look may rightly call it: a fault that comes and goes hurts more or less each time.
    or_severities: tuple[int, ...] = ()
    # So many looks until one sees it, as the health check would go on looking.
    looks: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the triage made of it."""

    case: Case
    evidence: Evidence
    causes: tuple[str, ...]
    verdict: str
    severity: int | None
    mitigations: tuple[str, ...]
    took_s: float

    @classmethod
    def of(cls, case: Case, evidence: Evidence, runbook: Runbook, took_s: float = 0.0) -> Found:
        """What this runbook makes of this evidence. Pure: another's rules can be tried on it."""
        diagnosis = diagnose(evidence, runbook)
        return cls(
            case=case,
            evidence=evidence,
            causes=tuple(cause.cause for cause in diagnosis.causes),
            verdict=diagnosis.verdict.value,
            severity=diagnosis.severity,
            mitigations=tuple(m.name for m in runbook.mitigations_for(diagnosis.cause)),
            took_s=took_s,
        )

    @property
    def inconclusive(self) -> bool:
        return self.verdict == "inconclusive"

    @property
    def wrongly_confirmed(self) -> bool:
        """Confirmed, and not so, or not to be known: the one mistake that must never be made."""
        if self.verdict != "confirmed":
            return False
        return not self._leads_rightly or self.case.proven is False

    @property
    def _leads_rightly(self) -> bool:
        """Of several true causes any may lead: which is the gravest, the severity tells."""
        true = self.case.causes if self.case.mixed else self.case.causes[:1]
        return self.causes[:1] != () and (self.causes[0] in true or ANY in true)

    @property
    def right(self) -> bool:
        return not self.faults

    @property
    def faults(self) -> tuple[str, ...]:
        """What is wrong with the answer, in words."""
        case = self.case
        outcomes = {r.probe: r.outcome.value for r in self.evidence.readings}
        said = [
            f"{probe} is {outcomes.get(probe, 'not asked')}, not {wanted}"
            for probe, wanted in case.read_as.items()
            if outcomes.get(probe) != wanted
        ]
        if not case.causes:
            if self.verdict != "healthy":
                said.append(f"{self.verdict} {', '.join(self.causes)} in a healthy world")
            return tuple(said)
        if not self._leads_rightly:
            said.append(f"leads with {self.causes[0] if self.causes else self.verdict}")
        if missed := [c for c in case.causes if c not in self.causes and c != ANY]:
            said.append(f"misses {', '.join(missed)}")
        if not case.mixed and (more := [c for c in self.causes if c not in case.causes]):
            said.append(f"makes up {', '.join(more)}")
        if not case.any_severity and self.severity not in (case.severity, *case.or_severities):
            said.append(f"severity {self.severity}, not {case.severity}")
        if case.proven is not None and (self.verdict == "confirmed") is not case.proven:
            said.append(f"{self.verdict}, which it is {'' if case.proven else 'not '}to be")
        if case.mitigations is not None and self.mitigations != case.mitigations:
            said.append(f"would do {', '.join(self.mitigations) or 'nothing'}")
        return tuple(said)
