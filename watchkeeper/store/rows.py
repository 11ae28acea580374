"""From rows to values: by field name, with enums and tuples made whole; and one way back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import fields
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel

Value = TypeVar("Value")


def value_of(kind: type[Value], row: SQLModel) -> Value:
    """The frozen value of a row. A column that the value does not name stays behind."""
    makers = _makers(cast(Hashable, kind))
    return kind(**{name: make(getattr(row, name)) for name, make in makers})


def add_first(session: Session, row: SQLModel) -> bool:
    """Insert the row; False where another transaction wrote one of the same key meanwhile."""
    session.flush()
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        return False
    return True


@cache
def _makers(kind: Any) -> tuple[tuple[str, Any], ...]:
    hints = get_type_hints(kind)
    return tuple((field.name, _maker(hints[field.name])) for field in fields(kind))


def _maker(hint: Any) -> Any:
    options = [arg for arg in get_args(hint) if arg is not NoneType]
    enum = next((h for h in (hint, *options) if isinstance(h, type) and issubclass(h, Enum)), None)
    if enum is not None:
        return lambda value: None if value is None else enum(value)
    if get_origin(hint) is tuple:
        return tuple
    return lambda value: value
