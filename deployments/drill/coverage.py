"""Which causes of the runbooks are rehearsed end to end, and which are only diagnosed, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from deployments.drill.cases.case import Case
from deployments.drill.scenario import Scenario
from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.model import Runbook

PEOPLE_ONLY = "people only"
NOTHING_TO_DO = "nothing to do"
OTHER_VENDOR = "drilled with another vendor"
NO_FAULT = "no fault for it"
NO_DRILL = "no drill yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """One cause of one runbook. `reason`: why no drill sees it through; empty where one does."""

    vendor: str
    cause: str
    drills: tuple[str, ...]
    cases: tuple[str, ...]
    reason: str = ""

    @property
    def end_to_end(self) -> bool:
        return bool(self.drills)

    @property
    def by_nothing(self) -> bool:
        return not (self.drills or self.cases)


def coverage(
    runbooks: Iterable[Runbook], scenarios: Collection[Scenario], cases: Collection[Case]
) -> tuple[Covered, ...]:
    """Every cause of every runbook, in their order. A cause that several runbooks name is shown by
    the cases of any of them: its rows are judged by the same signs."""
    return tuple(
        _covered(runbook, rule, scenarios, cases) for runbook in runbooks for rule in runbook.causes
    )


def _covered(
    runbook: Runbook, rule: CauseRule, scenarios: Collection[Scenario], cases: Collection[Case]
) -> Covered:
    rehearsed = [scenario for scenario in scenarios if scenario.cause == rule.cause]
    drills = tuple(s.name for s in rehearsed if s.vendor == runbook.vendor)
    showing = [case for case in cases if rule.cause in case.causes]
    return Covered(
        vendor=runbook.vendor,
        cause=rule.cause,
        drills=drills,
        cases=tuple(case.name for case in showing),
        reason="" if drills else _reason(runbook, rule, showing, bool(rehearsed)),
    )


def _reason(runbook: Runbook, rule: CauseRule, showing: Iterable[Case], elsewhere: bool) -> str:
    """What stands in the way first; `elsewhere`: another vendor is drilled in it."""
    named = runbook.mitigations_for(rule.cause)
    acting = [mitigation for mitigation in named if mitigation.action != "escalate"]
    if not named:
        return NOTHING_TO_DO
    if not acting:
        return PEOPLE_ONLY
    if elsewhere:
        return OTHER_VENDOR
    ours = [case for case in showing if case.vendor == runbook.vendor]
    return NO_DRILL if any(_plantable(case) for case in ours) else NO_FAULT


def _plantable(case: Case) -> bool:
    """A drill can break the vendor, its status page, the wires and our service: neither what our
    record or our store holds, nor where the vendor is believed to be."""
    return case.stored == "good" and case.address == "usual" and not case.record


def says(covered: Iterable[Covered]) -> Iterator[str]:
    """The whole in lines: what is rehearsed, then what is only diagnosed, by the reason."""
    listed = list(covered)
    done = [one for one in listed if one.end_to_end]
    cases_only = [one for one in listed if one.cases and not one.end_to_end]
    rest = sorted(cases_only, key=lambda one: one.reason)
    yield f"end to end: {len(done)} of {len(listed)} causes: {_names(done)}"
    for reason, some in groupby(rest, key=lambda one: one.reason):
        yield f"only diagnosed, {reason}: {_names(some)}"
    if nothing := [one for one in listed if one.by_nothing]:
        yield f"covered by nothing: {_names(nothing)}"


def _names(some: Iterable[Covered]) -> str:
    vendors = groupby(sorted(some, key=lambda one: one.vendor), key=lambda one: one.vendor)
    return "; ".join(f"{vendor}: {', '.join(c.cause for c in ones)}" for vendor, ones in vendors)
