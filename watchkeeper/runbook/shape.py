"""Documents against the typed models: every value of the right kind, every key known."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.phrases import phrase
from watchkeeper.runbook.problems import Problem

M = TypeVar("M", bound=BaseModel)


def shaped(model: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """The typed value, or None and every reason against it; the reader's own problems included."""
    problems = [problem for _, problem in document.problems]
    try:
        return strictly(model, document.data), problems
    except ValidationError as error:
        told = {problem.field for problem in problems}
        more = _problems(model, document, error.errors(include_url=False))
        return None, problems + [problem for problem in more if problem.field not in told]


def strictly(model: type[M], data: object) -> M:
    """Validate as JSON: lists are tuples, but text is never a number and a number never text."""
    return model.model_validate_json(json.dumps(data, default=repr), strict=True)


def alone(model: type[M], data: object) -> M | None:
    """The typed value, or None where it is not well formed by itself."""
    try:
        return strictly(model, data)
    except ValidationError:
        return None


def well_formed(document: Document, section: str, model: type[M]) -> list[tuple[Loc, M]]:
    """The items of a list such as `causes` that are well formed by themselves."""
    found = ((at, alone(model, item)) for at, item in document.items(section))
    return [(at, item) for at, item in found if item is not None]


def _problems(
    model: type[BaseModel], document: Document, errors: list[ErrorDetails]
) -> list[Problem]:
    together: dict[Loc, list[ErrorDetails]] = {}
    for error in filter(_is_told, errors):
        together.setdefault(_written(document.data, error["loc"]), []).append(error)
    return [document.problem(at, phrase(found, at, model)) for at, found in together.items()]


def _is_told(error: ErrorDetails) -> bool:
    """Pydantic calls a list too short when enough items are there and some of them are wrong."""
    if error["type"] != "too_short" or not isinstance(error["input"], list):
        return True
    return bool(len(error["input"]) < error["ctx"]["min_length"])


def _written(data: object, loc: Loc) -> Loc:
    """The part of pydantic's location that exists in the file, without its names for branches."""
    kept: Loc = ()
    for number, part in enumerate(loc, 1):
        if isinstance(data, dict) and part not in data and number < len(loc):
            continue
        if isinstance(data, dict) and isinstance(part, str):
            kept, data = (*kept, part), data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            kept, data = (*kept, part), data[part]
        else:
            break
    return kept
