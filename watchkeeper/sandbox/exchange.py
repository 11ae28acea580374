"""One call to a vendor and one answer, as values."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from watchkeeper.sandbox.query import Pairs

JSON, HTML = "application/json", "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    pairs: Pairs = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """`costs`: a real vendor would bill it."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    costs: bool = False


def as_json(status: int, value: object) -> Answer:
    return Answer(status, json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())


def error(status: int, text: str) -> Answer:
    return as_json(status, {"error": text})


def page(status: int, title: str) -> Answer:
    """What a person would see in a browser."""
    head = f"<!doctype html>\n<html><head><title>{title}</title></head>"
    return Answer(status, f"{head}<body><h1>{title}</h1></body></html>\n".encode(), HTML)
