"""Which rows of the runbook's symptom table the evidence matches, and how sure we are.

A row names signs (`watchkeeper.signs`): what is seen, what rules it out, what proves it. Everything
here is pure: total, and independent of the order in which probes answered.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.model import Runbook
from watchkeeper.signs import Finding, sign_named
from watchkeeper.signs.answers import WELL, Answer, answer_of, failing, those


class Verdict(StrEnum):
    CONFIRMED = "confirmed"
    LIKELY = "likely"
    INCONCLUSIVE = "inconclusive"
    HEALTHY = "healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One matching row: the cause, how bad and why, how sure, and what speaks for and against."""

    cause: str
    verdict: Verdict
    severity: int
    severity_because: str
    because: str
    evidence: tuple[str, ...]
    counter_evidence: tuple[str, ...]
    # The vendor has announced it.
    planned: bool = False


@dataclass(frozen=True, slots=True)
class RuledOut:
    """`weighed`: it had a sign of its own, or a reading speaks against it. The others are rows of which
    nothing was seen."""

    cause: str
    because: str
    weighed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """The answer of a triage: causes ranked, worst and surest first, and what was announced last;
    what was ruled out and why; what no cause explains."""

    integration: str
    verdict: Verdict
    causes: tuple[Cause, ...]
    ruled_out: tuple[RuledOut, ...]
    because: str
    unexplained: tuple[str, ...] = ()
    # No endpoint answers well, now or when asked again.
    total: bool = False

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
    def planned(self) -> bool:
        """All that is wrong was announced by the vendor."""
        return bool(self.causes) and not self.unexplained and all(c.planned for c in self.causes)

    @property
    def severity(self) -> int | None:
        if self.healthy:
            return None
        open_ends = [TOTAL_SEVERITY if self.total and not self.causes else UNEXPLAINED_SEVERITY]
        unexplained = open_ends if self.unexplained or not self.causes else []
        return min([*(cause.severity for cause in self.causes), *unexplained])


CONTRADICT = "answers_contradict"
# Whatever the cause: when nothing answers well, the whole integration has failed.
TOTAL_SEVERITY = 1
# Of these an endpoint may be said to work no more. Who is throttled will be let in again.
_BROKEN = tuple(a for a in Answer if a not in WELL | {Answer.THROTTLED})
# Something fails and no row explains it: people look within the hour.
UNEXPLAINED_SEVERITY = 2


def diagnose(evidence: Evidence, runbook: Runbook) -> Diagnosis:
    """Match every row of the runbook's symptom table against the evidence of one look."""
    look = _Look(evidence, runbook)
    causes, ruled_out, explained = [], [], set[Reading]()
    for rule in runbook.causes:
        seen = look.any_of(rule.symptoms)
        excluded = look.first(rule.unless)
        if seen.holds and excluded is None and not look.contradicted(seen):
            causes.append(look.cause(rule, seen))
            explained.update(seen.supports)
        else:
            weighed = bool(seen.holds or seen.against)
            ruled_out.append(RuledOut(rule.cause, look.why_not(rule, seen, excluded), weighed))
    causes.sort(key=lambda c: (c.planned, c.severity, c.verdict is not Verdict.CONFIRMED))
    unexplained = _unexplained(look.evidence, explained)
    verdict, because = _overall(causes, unexplained, look)
    return Diagnosis(
        integration=evidence.integration,
        verdict=verdict,
        causes=tuple(causes),
        ruled_out=tuple(ruled_out),
        because=because,
        unexplained=tuple(r.says() for r in unexplained),
        total=look.total(),
    )


class _Look:
    """The evidence of one look as this runbook reads it; each sign is judged once."""

    def __init__(self, evidence: Evidence, runbook: Runbook) -> None:
        self.evidence = replace(
            evidence,
            slow=runbook.thresholds.slow,
            tells_missing_key=runbook.auth.tells_missing_key,
        )
        self._found: dict[str, Finding] = {}

    def sign(self, name: str) -> Finding:
        if name not in self._found:
            self._found[name] = sign_named(name)(self.evidence)
        return self._found[name]

    def any_of(self, names: tuple[str, ...]) -> Finding:
        """All that is seen of a row's symptoms; where none is, what speaks against them."""
        signs = [self.sign(name) for name in names]
        seen = [f for f in signs if f.holds]
        supports = _once(r for f in seen for r in f.supports)
        against = _once(r for f in (seen or signs) for r in f.against)
        return Finding(bool(seen), supports, against)

    def contradicted(self, seen: Finding) -> bool:
        """It goes by what the endpoints answer, and they contradict each other."""
        of_endpoints = any(r.kind in (Kind.ENDPOINT, Kind.CONTRAST) for r in seen.supports)
        return of_endpoints and self.sign(CONTRADICT).holds is True

    def first(self, names: tuple[str, ...]) -> str | None:
        return next((name for name in names if self.sign(name).holds), None)

    def cause(self, rule: CauseRule, seen: Finding) -> Cause:
        proven = next((way for way in rule.ways if all(self.sign(s).holds for s in way)), None)
        tried = [self.sign(s) for way in rule.ways for s in way]
        more = [*tried, *(self.sign(s) for s in rule.supported_by)]
        supports = _once((*seen.supports, *(r for f in more if f.holds for r in f.supports)))
        against = _once((*seen.against, *(r for f in more if f.holds is False for r in f.against)))
        severity, why = self.severity(rule, seen)
        return Cause(
            cause=rule.cause,
            verdict=Verdict.LIKELY if proven is None else Verdict.CONFIRMED,
            severity=severity,
            severity_because=why,
            because=self.because(rule, seen),
            evidence=tuple(r.says() for r in supports),
            counter_evidence=tuple(r.says() for r in _once(against, but=supports)),
            planned=rule.planned,
        )

    def because(self, rule: CauseRule, seen: Finding) -> str:
        hit = [r for r in seen.supports if r.kind is Kind.ENDPOINT]
        if not hit:
            return rule.likely_cause
        return f"{len(hit)} of {len(self.evidence.endpoints)} endpoints: {rule.likely_cause}"

    def severity(self, rule: CauseRule, seen: Finding) -> tuple[int, str]:
        """By how much is hurt. A worse endpoint counts with those that the cause is seen at, so
        that nothing gets milder because an endpoint got worse."""
        endpoints = self.evidence.endpoints
        hit = {r for r in seen.supports if r.kind is Kind.ENDPOINT}
        mildest = min((self._badness(r) for r in hit), default=2)
        hurt = [r for r in endpoints if r in hit or self._badness(r) > mildest]
        if hit and (len(hurt) == len(endpoints) or self.total()):
            level = self._when_total(rule)
            if level is not None:
                return level, "no endpoint answers well"
        milder = rule.severity_when_not_critical
        if milder is not None and hit and not any(r.critical for r in hurt):
            return milder, f"nothing critical is concerned: {_names(hurt)}"
        critical = [r for r in hurt if r.critical]
        return rule.severity, f"critical: {_names(critical)}" if critical else rule.likely_cause

    def total(self) -> bool:
        """Nothing works, whatever the causes: no endpoint answers well, now or when asked again."""
        if self.sign(CONTRADICT).holds:
            return True
        broken = those(self.evidence, *_BROKEN)
        in_between = (
            self.sign("answers_in_between").holds or self.sign("key_accepted_in_between").holds
        )
        return bool(broken) and len(broken) == len(self.evidence.endpoints) and not in_between

    def _when_total(self, rule: CauseRule) -> int | None:
        if rule.severity_when_total is not None or rule.planned:
            return rule.severity_when_total
        return TOTAL_SEVERITY if self.total() else None

    def _badness(self, reading: Reading) -> int:
        kind = answer_of(reading, self.evidence.slow.total_seconds())
        return 0 if kind is Answer.OK else 1 if kind is Answer.SLOW else 2

    def why_not(self, rule: CauseRule, seen: Finding, excluded: str | None) -> str:
        if seen.holds and excluded is None:
            return "the answers contradict each other"
        if seen.holds and excluded is not None:
            proof = self.sign(excluded).supports
            return f"{_words(excluded)}{': ' + proof[0].says() if proof else ''}"
        if seen.against:
            return seen.against[0].says()
        return f"not seen: {_words(rule.symptoms[0])}"


def _overall(
    causes: list[Cause], unexplained: tuple[Reading, ...], look: _Look
) -> tuple[Verdict, str]:
    evidence = look.evidence
    if causes:
        return causes[0].verdict, causes[0].because
    if look.sign(CONTRADICT).holds:
        kinds = sorted({r.answer or str(r.status) for r in failing(evidence)})
        return Verdict.INCONCLUSIVE, f"the answers contradict each other: {', '.join(kinds)}"
    if unexplained:
        return Verdict.INCONCLUSIVE, f"no row of the runbook explains: {unexplained[0].says()}"
    if not evidence.endpoints:
        return Verdict.INCONCLUSIVE, "no endpoint was probed"
    count = len(evidence.endpoints)
    return Verdict.HEALTHY, f"{count} of {count} endpoints answer"


def _unexplained(evidence: Evidence, explained: set[Reading]) -> tuple[Reading, ...]:
    """What is not well and belongs to no cause that was found. A service of ours that is unwell
    while the vendor is has its reason."""
    open_ends = [r for r in failing(evidence) if r not in explained]
    service = [r for r in evidence.of(Kind.SERVICE) if _bad(r) and r not in explained]
    return tuple(open_ends if explained else [*open_ends, *service])


def _bad(reading: Reading) -> bool:
    return reading.outcome in (Outcome.DOWN, Outcome.DEGRADED)


def _once(readings: Iterable[Reading], but: tuple[Reading, ...] = ()) -> tuple[Reading, ...]:
    kept = dict.fromkeys(readings)
    for reading in but:
        kept.pop(reading, None)
    return tuple(kept)


def _names(readings: list[Reading]) -> str:
    return ", ".join(sorted(r.probe for r in readings)) or "none"


def _words(sign: str) -> str:
    return sign.replace("_", " ").replace(":", " ")
