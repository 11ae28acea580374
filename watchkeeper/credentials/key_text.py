"""The text that a far store keeps for us: the key alone, or a JSON object with the key in it."""

from __future__ import annotations

import json
from typing import Any

from watchkeeper.credentials.secret import Secret, clean, spaced
from watchkeeper.errors import UserError
from watchkeeper.vendor.strict_json import BadBody, loads


def key_in(text: str, field: str | None, where: str) -> tuple[Secret, bool]:
    """The key, and whether it is stored with white space at its ends. None for `field`: the text
    is the key.

    Raises UserError naming the place, which quotes nothing.
    """
    raw = text if field is None else _member(_object(text, where), field, where)
    if field is None and _is_object(text):
        raise UserError(
            f"{where} holds a JSON object, not a key alone; is it one for ?field=NAME ?"
        )
    return clean(raw, where), spaced(raw)


def text_with(secret: Secret, text: str | None, field: str | None, where: str) -> str:
    """What to store: the key, or the object that was there with the key as its member."""
    if field is None:
        return secret.reveal()
    before = {} if text is None else _object(text, where)
    return json.dumps(before | {field: secret.reveal()})


def _member(found: dict[str, Any], field: str, where: str) -> str:
    value = found.get(field)
    if not isinstance(value, str):
        raise UserError(f"{where} holds a JSON object without a text {field!r}; is that its name?")
    return value


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        found = loads(text.encode("utf-8", "surrogatepass"))
    except BadBody:
        found = None
    if not isinstance(found, dict):
        raise UserError(
            f"{where} holds no JSON object; leave ?field= out where it is the key alone"
        )
    return found


def _is_object(text: str) -> bool:
    try:
        return isinstance(loads(text.encode("utf-8", "surrogatepass")), dict)
    except BadBody:
        return False
