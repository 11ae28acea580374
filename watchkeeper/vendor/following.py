"""What one answer tells of the page after it. Pure: the walk itself is `paging.Trail`.

No address that a vendor sends is ever called: of a link to the next page only its number is taken.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from watchkeeper.errors import Permanent
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.strict_json import BadBody

LONGEST_CURSOR = 4096


class _Missing:
    """What a body has at a path that it does not have: not the same as a null."""


MISSING: Final = _Missing()


def member(body: Any, path: str) -> Any:
    """What a body holds at a name or a dotted path such as `meta.next`, or MISSING."""
    if not isinstance(body, dict):
        return MISSING
    if path in body:
        return body[path]
    first, dot, rest = path.partition(".")
    return member(body.get(first), rest) if dot else MISSING


def all_at_once(resource: Resource, count: int) -> None:
    """A list without pages is whole. Raises Permanent where it holds as many records as were asked
    for: there may be more."""
    if resource.limit_param is not None and count >= resource.page_size:
        raise Permanent(
            f"{resource.name}: as many records as were asked for, and paging is none: "
            "there may be more"
        )


def by_cursor(body: Any, resource: Resource, count: int) -> str | None:
    """The end is a null. A full page that has lost the field altogether is not believed."""
    field = resource.cursor_field or ""
    value = member(body, field)
    if value is MISSING and count >= resource.page_size:
        raise BadBody(f"{resource.name}: a full page without {field!r}")
    if value is MISSING or value is None or value == "":
        return None
    if _is_int(value):
        return str(value)
    if not isinstance(value, str) or len(value) > LONGEST_CURSOR or not value.isprintable():
        raise BadBody(f"{resource.name}: {field!r} is no cursor")
    return value


def goes_on(body: Any, resource: Resource, count: int, number: int) -> bool:
    """Whether a page follows page `number` of `count` records, by what `cursor_field` says."""
    value = member(body, resource.cursor_field or "")
    if _left_out(value, resource, count):
        return False
    if resource.cursor_means == "more" and isinstance(value, bool):
        return value
    told = _page(value, resource.cursor_param)
    if resource.cursor_means == "last_page" and told is not None:
        return number < told
    if resource.cursor_means == "page_count" and told is not None:
        return number - resource.first_page + 1 < told
    if resource.cursor_means == "next_page" and told == number + 1:
        return True
    raise BadBody(
        f"{resource.name}: {resource.cursor_field!r} is no {_WORDS[resource.cursor_means]}"
    )


_WORDS = {
    "last_page": "number of the last page",
    "page_count": "count of pages",
    "next_page": "number of the next page",
    "more": "true or false",
}


def _left_out(value: Any, resource: Resource, count: int) -> bool:
    """A null ends the list where the next page is told; a null may be left out of a short page."""
    if resource.cursor_means != "next_page":
        return value is MISSING and count == 0
    if value is MISSING:
        return count < resource.page_size
    return value is None or value == "" or value is False


def _page(value: Any, param: str) -> int | None:
    """A number, in digits too, or the one in the query of a link."""
    if _is_int(value):
        return int(value) if value >= 0 else None
    if not isinstance(value, str) or len(value) > LONGEST_CURSOR:
        return None
    text = _asked_in(value, param) if "?" in value else value
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _asked_in(link: str, param: str) -> str:
    try:
        return parse_qs(urlsplit(link).query).get(param, [""])[-1]
    except ValueError:
        return ""


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
