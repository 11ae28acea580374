"""What one part of a runbook says about another: names that must exist, and exist once.

Each check looks only at the parts that are well formed by themselves, so that a wrong value in one
place does not hide a wrong name in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from watchkeeper.runbook.check_values import VALUE_CHECKS
from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.model import CauseRule
from watchkeeper.runbook.overrides import NAMED_BY
from watchkeeper.runbook.problems import Problem, quoted, unknown
from watchkeeper.runbook.shape import well_formed


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
    for at, cause in well_formed(document, "causes", CauseRule):
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


_CHECKS: tuple[Callable[[Document], Iterator[Problem]], ...] = (
    _severity_levels,
    _named_once,
    _references,
    *VALUE_CHECKS,
)


def _names(document: Document, section: str) -> set[str]:
    names = (item.get(NAMED_BY[section]) for _, item in document.items(section))
    return {name for name in names if isinstance(name, str)}
