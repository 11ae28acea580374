"""A record as one version of one vendor object, its wire bytes and its digest."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Fields = Mapping[str, Any]


def canonical(value: object) -> bytes:
    """Sorted keys, compact separators, UTF-8: equal values have equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(item: bytes) -> str:
    return hashlib.sha256(item).hexdigest()


@dataclass(frozen=True, slots=True)
class Record:
    """`fields` are what a list shows; `extra` is seen only when the record is read by its id.

    `created_at` and `updated_at` are the vendor's own stamps, kept also for the kinds of
    record (users) which do not show them.
    """

    id: int
    created_at: str
    updated_at: str
    fields: Fields
    extra: Fields = field(default_factory=dict)
    item: bytes = b""

    def sort_value(self, name: str) -> str:
        return str(self.fields.get(name) or "")

    @property
    def whole(self) -> dict[str, Any]:
        return {**self.fields, **self.extra}


def record(number: int, created_at: str, updated_at: str, fields: Fields, extra: Fields) -> Record:
    return Record(number, created_at, updated_at, fields, extra, canonical(fields))
