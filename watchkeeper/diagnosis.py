"""Which row of the runbook's symptom table the evidence matches, and how sure we are.

`SYMPTOMS` says what is seen; `CONFIRMATIONS` are the counter-checks without which no cause is
more than likely. Both are the vocabulary that a runbook file may use. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from watchkeeper.evidence import Evidence, Outcome, Reading
from watchkeeper.runbook.model import CauseRule, Runbook

NETWORK_FAULTS = frozenset({"timeout", "dns", "refused", "reset", "tls", "protocol", "unreachable"})


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a symptom or counter-check holds, with the readings that speak for and against."""

    holds: bool
    supports: tuple[Reading, ...] = ()
    against: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One matching row: the cause, how bad, how sure, and why."""

    cause: str
    verdict: Verdict
    severity: int
    because: str
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuledOut:
    cause: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer of a triage: causes ranked, worst and surest first; what was ruled out and why."""

    integration: str
    verdict: Verdict
    causes: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...]
    because: str

    @property
    def healthy(self) -> bool:
        return self.verdict is Verdict.HEALTHY

    @property
    def leading(self) -> Cause | None:
        return self.causes[0] if self.causes else None

    @property
    def cause(self) -> str | None:
        return self.causes[0].cause if self.causes else None

    @property
    def severity(self) -> int | None:
        if self.causes:
            return self.causes[0].severity
        return None if self.healthy else UNEXPLAINED_SEVERITY


# Something fails and no row explains it: people look within the hour.
UNEXPLAINED_SEVERITY = 2


def diagnose(evidence: Evidence, runbook: Runbook) -> Diagnosis:
    """Match every row of the runbook's symptom table; total, and independent of probe order."""
    causes, ruled_out = [], []
    for rule in runbook.causes:
        finding = SYMPTOMS[rule.symptom](evidence)
        if finding.holds:
            causes.append(_cause(rule, finding, evidence))
        else:
            ruled_out.append(RuledOut(rule.cause, _why_not(rule, finding)))
    causes.sort(key=lambda c: (c.severity, c.verdict is not Verdict.CONFIRMED))
    verdict, because = _overall(causes, evidence)
    return Diagnosis(
        integration=evidence.integration,
        verdict=verdict,
        causes=tuple(causes),
        ruled_out=tuple(ruled_out),
        because=because,
    )


def _overall(causes: list[Cause], evidence: Evidence) -> tuple[Verdict, str]:
    if causes:
        return causes[0].verdict, causes[0].because
    failing = [r for r in (*evidence.endpoints, *_one(evidence.service)) if not r.succeeded]
    if failing:
        return Verdict.INCONCLUSIVE, f"no row of the runbook explains: {failing[0].says()}"
    if not evidence.endpoints:
        return Verdict.INCONCLUSIVE, "no endpoint was probed"
    return (
        Verdict.HEALTHY,
        f"{len(evidence.endpoints)} of {len(evidence.endpoints)} endpoints answer",
    )


def _cause(rule: CauseRule, finding: Finding, evidence: Evidence) -> Cause:
    checks = [CONFIRMATIONS[name](evidence) for name in rule.confirm]
    confirmed = bool(checks) and all(check.holds for check in checks)
    supports = (*finding.supports, *(r for c in checks if c.holds for r in c.supports))
    against = (*finding.against, *(r for c in checks for r in c.against))
    return Cause(
        cause=rule.cause,
        verdict=Verdict.CONFIRMED if confirmed else Verdict.LIKELY,
        severity=_severity(rule, finding),
        because=f"{len(finding.supports)} of {len(evidence.endpoints)} endpoints: {rule.likely_cause}"
        if finding.supports and finding.supports[0] in evidence.endpoints
        else rule.likely_cause,
        evidence=tuple(r.says() for r in supports),
        counter_evidence=tuple(r.says() for r in against),
    )


def _severity(rule: CauseRule, finding: Finding) -> int:
    milder = rule.severity_when_not_critical
    if milder is not None and not any(r.critical for r in finding.supports):
        return milder
    return rule.severity


def _why_not(rule: CauseRule, finding: Finding) -> str:
    if finding.against:
        return finding.against[0].says()
    return f"not seen: {rule.symptom.replace('_', ' ')}"


def _one(reading: Reading | None) -> tuple[Reading, ...]:
    return () if reading is None else (reading,)


# --- what is seen -------------------------------------------------------------------------------


def _every_endpoint(evidence: Evidence, has: Callable[[Reading], bool]) -> Finding:
    with_it = tuple(r for r in evidence.endpoints if has(r))
    without = tuple(r for r in evidence.endpoints if not has(r))
    return Finding(bool(with_it) and not without, with_it, without)


def _some_endpoints(evidence: Evidence, has: Callable[[Reading], bool]) -> Finding:
    with_it = tuple(r for r in evidence.endpoints if has(r))
    without = tuple(r for r in evidence.endpoints if not has(r))
    return Finding(bool(with_it and without), with_it, without)


def all_endpoints_401(evidence: Evidence) -> Finding:
    return _every_endpoint(evidence, lambda r: r.status == 401)


def all_endpoints_5xx(evidence: Evidence) -> Finding:
    return _every_endpoint(evidence, lambda r: r.status is not None and r.status >= 500)


def intermittent_5xx(evidence: Evidence) -> Finding:
    return _some_endpoints(evidence, lambda r: r.status is not None and r.status >= 500)


def all_requests_429(evidence: Evidence) -> Finding:
    """429 on most requests: a budget that frees a slot now and then lets a probe through."""
    throttled = tuple(r for r in evidence.endpoints if r.status == 429)
    other = tuple(r for r in evidence.endpoints if r.status != 429)
    failing_otherwise = [r for r in other if not r.succeeded]
    holds = 2 * len(throttled) >= len(evidence.endpoints) > 0 and not failing_otherwise
    return Finding(holds, throttled, other)


def endpoint_404(evidence: Evidence) -> Finding:
    return _some_endpoints(evidence, lambda r: r.status == 404)


def timeouts(evidence: Evidence) -> Finding:
    """No answer at all from most endpoints."""
    silent = tuple(r for r in evidence.endpoints if r.fault in NETWORK_FAULTS)
    answering = tuple(r for r in evidence.endpoints if r.answered)
    return Finding(len(silent) > len(answering), silent, answering)


def service_crashed(evidence: Evidence) -> Finding:
    """Our own service is down while the vendor answers it and us alike."""
    service = evidence.service
    if service is None or service.outcome is not Outcome.DOWN or service.answered:
        return Finding(False, against=_one(service))
    return Finding(True, (service,), ())


def slow_responses(evidence: Evidence) -> Finding:
    slow_s = evidence.slow.total_seconds()
    slow = tuple(r for r in evidence.endpoints if _is_2xx(r) and r.latency_s > slow_s)
    quick = tuple(r for r in evidence.endpoints if _is_2xx(r) and r.latency_s <= slow_s)
    return Finding(bool(slow), slow, quick)


def _is_2xx(reading: Reading) -> bool:
    return reading.status is not None and 200 <= reading.status < 300


SYMPTOMS: Mapping[str, Callable[[Evidence], Finding]] = {
    "all_endpoints_401": all_endpoints_401,
    "all_endpoints_5xx": all_endpoints_5xx,
    "all_requests_429": all_requests_429,
    "endpoint_404": endpoint_404,
    "timeouts": timeouts,
    "service_crashed": service_crashed,
    "slow_responses": slow_responses,
    "intermittent_5xx": intermittent_5xx,
}


# --- counter-checks -----------------------------------------------------------------------------


def other_key_accepted(evidence: Evidence) -> Finding:
    """Another key is let in where ours is refused: it is the key, not the vendor's door."""
    other = evidence.contrast("other_key")
    if other is None:
        return Finding(False)
    return Finding(True, (other,)) if _is_2xx(other) else Finding(False, against=(other,))


def vendor_status_down(evidence: Evidence) -> Finding:
    page = evidence.status_page
    if page is None or page.outcome is Outcome.UNKNOWN:
        return Finding(False)
    if page.outcome is Outcome.DOWN:
        return Finding(True, (page,))
    return Finding(False, against=(page,))


def vendor_says_throttled(evidence: Evidence) -> Finding:
    told = tuple(r for r in evidence.endpoints if r.status == 429 and r.wait_s is not None)
    return Finding(bool(told), told)


def others_answer(evidence: Evidence) -> Finding:
    fine = tuple(r for r in evidence.endpoints if _is_2xx(r))
    return Finding(bool(fine), fine)


def vendor_healthy(evidence: Evidence) -> Finding:
    return _every_endpoint(evidence, _is_2xx)


def service_unreachable(evidence: Evidence) -> Finding:
    service = evidence.service
    holds = service is not None and not service.answered
    return Finding(holds, _one(service) if holds else ())


CONFIRMATIONS: Mapping[str, Callable[[Evidence], Finding]] = {
    "other_key_accepted": other_key_accepted,
    "vendor_status_down": vendor_status_down,
    "vendor_says_throttled": vendor_says_throttled,
    "others_answer": others_answer,
    "vendor_healthy": vendor_healthy,
    "service_unreachable": service_unreachable,
}
