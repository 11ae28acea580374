"""Pydantic's complaints in the words of the person who wrote the file: what is allowed there.

Values that stand where a secret is named are never repeated: somebody may have pasted the secret.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from watchkeeper.runbook.base import FILE, NAME, PATH, SECRET_REFERENCE, SIGN, URL, WORD
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import INTEGRATION_NAME
from watchkeeper.runbook.problems import quoted, unknown

DURATION = "a duration reads like 15s, 5 min, 1h30m or 2d"

_SHAPES = {
    NAME: "a name is lower-case letters, digits, - and _, beginning with a letter",
    URL: "a URL begins with http:// or https:// and has no spaces",
    FILE: "a path is wanted, without control characters",
    WORD: "a word of a command holds no NUL",
    SIGN: "a sign is a name such as all_endpoints_401, or metric:NAME and log:NAME",
    PATH: "a path begins with / and has no spaces",
    SECRET_REFERENCE: (
        "a secret is named by reference: file:PATH, aws:NAME, gcp:NAME, env:NAME or "
        "prefect-block:NAME"
    ),
    INTEGRATION_NAME: "an integration is vendor@environment or vendor@environment/organisation",
}
_SECRET_FIELDS = frozenset({"credential", "reference", "routing_key"})
HIDDEN = "what stands here is not allowed"
_QUOTE = "'_()"
_KINDS = {"model_type": "a mapping", "dict_type": "a mapping", "tuple_type": "a list"}

# Error type -> what is allowed instead, from the error's context and the field's bounds.
_ALLOWED: dict[str, Callable[[dict[str, Any], str], str]] = {
    "literal_error": lambda ctx, _: str(ctx["expected"]),
    "string_pattern_mismatch": lambda ctx, _: _SHAPES.get(ctx["pattern"], ctx["pattern"]),
    "string_too_long": lambda ctx, _: f"at most {ctx['max_length']} characters",
    "string_type": lambda ctx, _: "text is wanted, in quotes where it looks like something else",
    "value_error": lambda ctx, _: str(ctx["error"]),
    "time_delta_type": lambda ctx, _: DURATION,
    "time_delta_parsing": lambda ctx, _: DURATION,
    "union_tag_not_found": lambda ctx, _: (
        f"its {str(ctx['discriminator']).strip(_QUOTE)} is wanted first"
    ),
    "union_tag_invalid": lambda ctx, _: (
        f"its {str(ctx['discriminator']).strip(_QUOTE)} is {ctx['expected_tags']}"
    ),
    "bool_type": lambda ctx, _: "true or false",
    "int_type": lambda ctx, bounds: f"a whole number{bounds and ', '}{bounds}",
    "float_type": lambda ctx, bounds: f"a number{bounds and ', '}{bounds}",
    **dict.fromkeys(
        ("greater_than", "greater_than_equal", "less_than", "less_than_equal"),
        lambda ctx, bounds: bounds,
    ),
}


def phrase(
    errors: Sequence[ErrorDetails], loc: tuple[str | int, ...], model: type[BaseModel]
) -> str:
    """One sentence for all of the errors at one location; a union's branches are joined by `or`."""
    first = errors[0]
    owner = owner_of(loc, model, frozenset(map(str, first["loc"])))
    if first["type"] == "missing":
        return _missing(_field(loc, owner))
    if first["type"] == "extra_forbidden":
        return unknown(loc[-1], "key", owner.model_fields if owner else ())
    allowed = "; or ".join(dict.fromkeys(_allowed(error, loc, owner) for error in errors))
    secret = any(error.get("ctx", {}).get("pattern") == SECRET_REFERENCE for error in errors)
    given = HIDDEN if secret else _given(first["input"], loc)
    return f"{given}; {allowed}"


def owner_of(
    loc: tuple[str | int, ...], model: type[BaseModel], tags: frozenset[str] = frozenset()
) -> type[BaseModel] | None:
    """The model that the last key of a location belongs to; `tags` say which of several is meant."""
    here: type[BaseModel] | None = model
    for key in (part for part in loc[:-1] if isinstance(part, str)):
        field = here.model_fields.get(key) if here else None
        here = _chosen(_models_within(field.annotation), tags) if field else None
    return here


def _allowed(error: ErrorDetails, loc: tuple[str | int, ...], owner: type[BaseModel] | None) -> str:
    kind, ctx = error["type"], error.get("ctx", {})
    if kind in _KINDS:
        return f"{_KINDS[kind]} is wanted"
    if kind == "too_short":
        return f"at least {ctx['min_length']} wanted"
    if kind == "too_long":
        return f"at most {ctx['max_length']} wanted"
    tell = _ALLOWED.get(kind)
    return tell(ctx, _bounds(_field(loc, owner))) if tell else error["msg"]


def _field(loc: tuple[str | int, ...], owner: type[BaseModel] | None) -> FieldInfo | None:
    return owner.model_fields.get(str(loc[-1])) if owner and loc else None


def _missing(field: FieldInfo | None) -> str:
    """What goes in, by the first sentence of the field's description."""
    told = " ".join(((field.description if field else None) or "").split())
    sentence = told.replace("`", "").partition(". ")[0].removesuffix(".")
    return f"is missing: {sentence}" if sentence else "is missing"


def _given(value: object, loc: tuple[str | int, ...]) -> str:
    if value is None:
        return "is empty"
    if isinstance(value, dict | list):
        return (
            f"a {'mapping' if isinstance(value, dict) else 'list'} of {len(value)} is not allowed"
        )
    if _SECRET_FIELDS.intersection(loc):
        return HIDDEN
    return f"{quoted(value)} is not allowed"


def _bounds(field: FieldInfo | None) -> str:
    """`1 to 4`, `1 or more`, `more than 0`: from the bounds declared on a field."""
    found: dict[str, object] = {}
    for mark in field.metadata if field else ():
        found |= {name: getattr(mark, name) for name in ("ge", "gt", "le") if hasattr(mark, name)}
    low, high = found.get("ge"), found.get("le")
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    above = found.get("gt")
    if above is None:
        return ""
    return f"more than {words(above) if isinstance(above, timedelta) else above}"


def _models_within(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_within(part)]


def _chosen(models: list[type[BaseModel]], tags: frozenset[str]) -> type[BaseModel] | None:
    tagged = (m for m in models if any(tags & _words(f) for f in m.model_fields.values()))
    return next(tagged, models[0] if models else None)


def _words(field: FieldInfo) -> set[str]:
    """What a field that tells one kind from another may say: its one literal."""
    said = get_args(field.annotation)
    return {str(said[0])} if len(said) == 1 and isinstance(said[0], str) else set()
