"""What kind of thing an answer's body is, and what it says of an error. Pure and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from watchkeeper.vendor.strict_json import BadBody, loads

# What says why it refuses says so in few words; a list of records is not looked through.
LARGEST_ERROR = 64 * 1024
LONGEST_HEAD = 4096
MOST_TEXTS = 60

_BOM = b"\xef\xbb\xbf"
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|h1|center)\b", re.IGNORECASE)
_TITLE = re.compile(r"<(title|h[12])\b[^<>]*>(.{0,300}?)</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_PASSWORD = re.compile(r"type\s*=\s*[\"']?password", re.IGNORECASE)


class Body(StrEnum):
    EMPTY = "empty"
    OBJECT = "object"
    LIST = "list"
    VALUE = "value"  # `null`, `"text"`, `3`
    PAGE = "page"  # HTML
    MARKUP = "markup"  # XML, SOAP
    TEXT = "text"
    BROKEN = "broken"  # begins as JSON and is none
    LARGE = "large"  # begins as JSON, and is too large to be an error's


@dataclass(frozen=True, slots=True)
class Said:
    """`value`: the JSON, where it is some. `words`: what it says of an error, or a page's title."""

    body: Body
    value: Any = None
    words: str = ""
    asks_password: bool = False


def read_body(body: bytes) -> Said:
    """Total: whatever the bytes are."""
    bare = body.removeprefix(_BOM).lstrip()
    if not bare:
        return Said(Body.EMPTY)
    if bare[:1] == b"<":
        if not _PAGE.search(bare[:LONGEST_HEAD]):
            return Said(Body.MARKUP, words=_text(bare[:LONGEST_HEAD]))
        return _page(bare)
    begins = bare[:1] in b'{["'
    if begins and len(bare) > LARGEST_ERROR:
        return Said(Body.LARGE)
    try:
        value = loads(bare, LARGEST_ERROR)
    except BadBody:
        return Said(Body.BROKEN if begins else Body.TEXT, words=_text(bare[:LONGEST_HEAD]))
    if isinstance(value, dict):
        return Said(Body.OBJECT, value, " ".join(error_texts(value))[:LONGEST_HEAD])
    if isinstance(value, list):
        items = (text for item in value[:8] for text in error_texts(item))
        return Said(Body.LIST, value, " ".join(items)[:LONGEST_HEAD])
    return Said(Body.VALUE, value)


def _text(body: bytes) -> str:
    return " ".join(_TAG.sub(" ", body.decode("utf-8", "replace")).split())


def _page(body: bytes) -> Said:
    """Its title and headings: a page's small print names every reason there can be."""
    text = body[: 4 * LONGEST_HEAD].decode("utf-8", "replace")
    heads = (" ".join(_TAG.sub(" ", found[2]).split()) for found in _TITLE.finditer(text))
    return Said(Body.PAGE, None, " ".join(heads), bool(_PASSWORD.search(text)))


# --- a body that is nothing but an error ------------------------------------------------------------

_ERROR_NAMES = ("error", "errors", "fault", "exception")
# Beside an error these say more of it. A body with any other member may be a record that has one.
_OF_AN_ERROR = frozenset(
    [
        "error",
        "errors",
        "fault",
        "exception",
        "message",
        "messages",
        "msg",
        "code",
        "status",
        "statuscode",
        "success",
        "ok",
        "detail",
        "details",
        "title",
        "type",
        "requestid",
        "traceid",
        "correlationid",
        "timestamp",
        "time",
        "path",
        "instance",
        "data",
        "extensions",
        "documentationurl",
        "helpurl",
        "moreinfo",
        "help",
        "reason",
        "retryafter",
        "retryafterms",
        "wait",
        "errorcode",
        "errormessage",
        "errordescription",
        "errortype",
        "errorsource",
        "developermessage",
        "usermessage",
        "localizedmessage",
        "severity",
    ]
)


def is_only_an_error(value: Any) -> bool:
    """`{"error": …}`, `{"ok": false, …}`, `{"code": 503, "message": …}` and nothing besides."""
    if not isinstance(value, dict) or not value:
        return False
    flat = {_flat(name): told for name, told in value.items()}
    if flat.keys() - _OF_AN_ERROR or flat.get("data"):
        return False
    return (
        any(flat.get(name) for name in _ERROR_NAMES)
        or any(flat.get(name) is False for name in ("success", "ok"))
        or inner_status(value) is not None
        or str(flat.get("status", "")).lower() in ("error", "fail", "failed", "failure")
    )


def has_errors_beside(value: Any) -> bool:
    """A list under `errors`, or an `error`, that is not empty: told beside what else is there."""
    if not isinstance(value, dict):
        return False
    errors, error = value.get("errors"), value.get("error")
    return (isinstance(errors, list | dict) and bool(errors)) or (
        isinstance(error, str | dict) and bool(error)
    )


def inner_status(value: Any) -> int | None:
    """The status that an error's body names, such as `{"error": {"code": 503}}`."""
    for node in _nodes(value):
        for name in ("status", "statusCode", "status_code", "code", "http_status", "httpStatus"):
            told = node.get(name)
            number = int(told) if isinstance(told, str) and told.isdecimal() else told
            if isinstance(number, int) and not isinstance(number, bool) and 400 <= number < 600:
                return number
    return None


def error_texts(value: Any) -> Iterator[str]:
    """The texts of an error's members, codes and messages alike, the outermost first."""
    count = 0
    for node in _nodes(value):
        for name, told in node.items():
            if _flat(str(name)) in _OF_AN_ERROR and isinstance(told, str) and count < MOST_TEXTS:
                count += 1
                yield told[:LONGEST_HEAD]
            if isinstance(told, list) and _flat(str(name)) in _OF_AN_ERROR:
                yield from (t[:LONGEST_HEAD] for t in told[:8] if isinstance(t, str))


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    """The body and the errors in it: `error`, `errors[…]`, `details[…]`, `extensions`."""
    level = [value] if isinstance(value, dict) else []
    for _ in range(4):
        yield from level
        inner = [
            told
            for node in level
            for name, told in node.items()
            if _flat(str(name)) in _OF_AN_ERROR and isinstance(told, list | dict)
        ]
        level = [
            found
            for told in inner
            for found in (told[:8] if isinstance(told, list) else (told,))
            if isinstance(found, dict)
        ][:32]


def _flat(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
