"""What one part of a runbook says about another: names that must exist, and exist once.

Each check looks only at the parts that are well formed by themselves, so that a wrong value in one
place does not hide a wrong name in another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.check_values import VALUE_CHECKS
from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.overrides import NAMED_BY
from watchkeeper.runbook.problems import Problem, quoted, unknown
from watchkeeper.runbook.shape import well_formed
from watchkeeper.signs import FAMILIES, SIGNS


def cross_problems(document: Document) -> list[Problem]:
    """Every disagreement within a runbook, each at the line that a person would mend."""
    return [problem for check in _CHECKS for problem in check(document)]


def _signs(document: Document) -> Iterator[Problem]:
    """Every sign that the symptom table names is one of the vocabulary."""
    known = {"metric": _names(document, "metrics"), "log": _names(document, "logs")}
    for at, cause in well_formed(document, "causes", CauseRule):
        for field in ("symptom", "unless", "confirm", "supported_by"):
            for where, name in _texts(getattr(cause, field), (*at, field)):
                if fault := _unknown_sign(name, known):
                    yield document.problem(where, fault)


def _texts(value: object, at: Loc) -> Iterator[tuple[Loc, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, tuple):
        for index, part in enumerate(value):
            yield from _texts(part, (*at, index))


def _unknown_sign(name: str, known: Mapping[str, set[str]]) -> str | None:
    family, colon, about = name.partition(":")
    if not colon:
        return None if name in SIGNS else unknown(name, "sign", SIGNS)
    if family not in FAMILIES:
        return unknown(family, "family of signs", FAMILIES)
    return None if about in known[family] else unknown(about, family, known[family])


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
    _signs,
    _severity_levels,
    _named_once,
    _references,
    *VALUE_CHECKS,
)


def _names(document: Document, section: str) -> set[str]:
    names = (item.get(NAMED_BY[section]) for _, item in document.items(section))
    return {name for name in names if isinstance(name, str)}
