"""What one part of a runbook says about another: names that must exist, numbers that must agree.

Each check looks only at the parts that are well formed by themselves, so that a wrong value in one
place does not hide a wrong name in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from pydantic import ValidationError

from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.model import CauseRule, Detection, Mitigation, Resource, Rung
from watchkeeper.runbook.overrides import NAMED_BY
from watchkeeper.runbook.problems import Problem, quoted, unknown
from watchkeeper.runbook.shape import M, strictly


@dataclass(frozen=True)
class Vocabulary:
    """The names that a symptom table may use."""

    symptoms: frozenset[str]
    confirmations: frozenset[str]


def cross_problems(document: Document, vocabulary: Vocabulary) -> list[Problem]:
    """Every disagreement within a runbook, each at the line that a person would mend."""
    found = list(_vocabulary(document, vocabulary))
    for check in _CHECKS:
        found += check(document)
    return found


def _vocabulary(document: Document, vocabulary: Vocabulary) -> Iterator[Problem]:
    for at, cause in _typed(document, "causes", CauseRule):
        if cause.symptom not in vocabulary.symptoms:
            message = unknown(cause.symptom, "symptom", vocabulary.symptoms)
            yield document.problem((*at, "symptom"), message)
        for index, name in enumerate(cause.confirm):
            if name not in vocabulary.confirmations:
                message = unknown(name, "confirmation", vocabulary.confirmations)
                yield document.problem((*at, "confirm", index), message)


def _named_once(document: Document) -> Iterator[Problem]:
    for section, key in NAMED_BY.items():
        first: dict[object, Loc] = {}
        for at, item in document.items(section):
            name = item.get(key)
            if not isinstance(name, str | int):
                continue
            if name in first:
                line = document.place((*first[name], key)).line
                message = f"{quoted(name)} is used twice; first on line {line}"
                yield document.problem((*at, key), message)
            first.setdefault(name, at)


# (list, key in it, the list that must hold what the key names)
_REFERENCES = (
    ("probes", "resource", "resources"),
    ("jobs", "resources", "resources"),
    ("causes", "mitigations", "mitigations"),
)


def _references(document: Document) -> Iterator[Problem]:
    for section, key, target in _REFERENCES:
        known = _names(document, target)
        for at, item in document.items(section):
            value = item.get(key)
            many = isinstance(value, list)
            for index, name in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(name, str) and name not in known:
                    where = (*at, key, index) if many else (*at, key)
                    yield document.problem(where, unknown(name, target.removesuffix("s"), known))


def _severity_levels(document: Document) -> Iterator[Problem]:
    listed = [item.get("level") for _, item in document.items("severity")]
    missing = [level for level in (1, 2, 3, 4) if level not in listed]
    if missing:
        names = ", ".join(map(str, missing))
        message = f"level {names} is missing; levels 1 to 4 are wanted, each once"
        yield document.problem(("severity",), message)


def _mitigations(document: Document) -> Iterator[Problem]:
    jobs = {item.get("criticality") for _, item in document.items("jobs")}
    for at, mitigation in _typed(document, "mitigations", Mitigation):
        if mitigation.action == "pause_jobs" and not jobs.intersection(mitigation.criticality):
            found = ", ".join(sorted(str(job) for job in jobs if isinstance(job, str))) or "none"
            message = f"matches no job; pause_jobs needs a criticality that a job has: {found}"
            yield document.problem((*at, "criticality"), message)
        if mitigation.action == "cap_rate" and mitigation.max_requests_per_s is None:
            message = "is missing; cap_rate needs the most requests a second that it lets through"
            yield document.problem((*at, "max_requests_per_s"), message)
        if mitigation.autonomy == "approve" and mitigation.approvals == 0:
            message = "0 is not allowed where autonomy is approve; 1 or 2"
            yield document.problem((*at, "approvals"), message)


def _ladder(document: Document) -> Iterator[Problem]:
    for (_, lower), (at, rung) in pairwise(_typed(document, "escalation", Rung)):
        if rung.level <= lower.level:
            message = f"{rung.level} does not follow {lower.level}; rungs ascend"
            yield document.problem((*at, "level"), message)
        if rung.after <= lower.after:
            message = f"each rung comes later than the one before ({lower.who})"
            yield document.problem((*at, "after"), message)


def _detection(document: Document) -> Iterator[Problem]:
    detection = _alone(Detection, document.get(("detection",)) or {})
    if detection and detection.needed > detection.confirming_probes + 1:
        most = detection.confirming_probes + 1
        message = (
            f"{detection.needed} is not allowed; 1 to {most}: the first probe and those after it"
        )
        yield document.problem(("detection", "needed"), message)


def _pages(document: Document) -> Iterator[Problem]:
    most = document.get(("max_page_size",))
    for at, resource in _typed(document, "resources", Resource):
        if isinstance(most, int) and resource.page_size > most:
            message = (
                f"{resource.page_size} is not allowed; the vendor serves at most {most} a page"
            )
            yield document.problem((*at, "page_size"), message)


def _clocks(document: Document) -> Iterator[Problem]:
    for at, resource in _typed(document, "resources", Resource):
        if resource.sort and not resource.sort_param:
            yield document.problem((*at, "sort"), "is never sent: sort_param is missing")
        if resource.until_param and not resource.since_param:
            yield document.problem((*at, "until_param"), "needs since_param beside it")
        if resource.since_param and resource.overlap == timedelta(0):
            yield document.problem((*at, "overlap"), "0 is not allowed: rows at the edge get lost")


_CHECKS: tuple[Callable[[Document], Iterator[Problem]], ...] = (
    _severity_levels,
    _named_once,
    _references,
    _mitigations,
    _ladder,
    _detection,
    _pages,
    _clocks,
)


def _names(document: Document, section: str) -> set[str]:
    names = (item.get(NAMED_BY[section]) for _, item in document.items(section))
    return {name for name in names if isinstance(name, str)}


def _typed(document: Document, section: str, model: type[M]) -> list[tuple[Loc, M]]:
    found = ((at, _alone(model, item)) for at, item in document.items(section))
    return [(at, item) for at, item in found if item is not None]


def _alone(model: type[M], data: object) -> M | None:
    try:
        return strictly(model, data)
    except ValidationError:
        return None
