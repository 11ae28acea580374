"""The text of a `file:` store, for us and for the consumers that read `current.value` from it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from watchkeeper.credentials.protocols import Stage
from watchkeeper.credentials.secret import clean, spaced
from watchkeeper.credentials.versions import STAGES, Held, Stages
from watchkeeper.errors import UserError

SCHEMA = 1


def dump(stages: Stages) -> bytes:
    shown = {stage: _entry(stages.at(stage)) for stage in STAGES}
    return json.dumps({"schema": SCHEMA, **shown}, indent=2).encode() + b"\n"


def parse(text: bytes, reference: str) -> Stages:
    """Raises UserError naming the reference; what is wrong is told without quoting the file."""
    loaded = _load(text)
    if not isinstance(loaded, dict) or loaded.get("schema") != SCHEMA:
        raise UserError(f"{reference} is not a secret file of schema {SCHEMA}; restore it")
    return Stages(**{stage: _held(loaded.get(stage), stage, reference) for stage in STAGES})


def _load(text: bytes) -> Any:
    """None when it is not JSON: the parser's own error carries the whole text, keys included."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _entry(held: Held | None) -> dict[str, object] | None:
    if held is None:
        return None
    since = held.since.isoformat()
    return {"version": held.number, "value": held.secret.reveal(), "since": since}


def _held(entry: object, stage: Stage, reference: str) -> Held | None:
    if entry is None:
        return None
    where = f"{reference} ({stage})"
    fields = entry if isinstance(entry, dict) else {}
    value, since = fields.get("value"), _instant(fields.get("since"))
    if not isinstance(value, str) or since is None:
        raise UserError(f"{where} lacks its value or its aware `since`; restore the file")
    number = fields.get("version")
    number = number if type(number) is int else 0
    return Held(clean(value, where), number, since, spaced(value))


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None
