"""A walk through the pages of a list: where it stands, and what it remembers so that it ends.

A cursor is kept as text, whatever it is: a page's number too, so that a walk can go on from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from watchkeeper.errors import Permanent
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.following import all_at_once, by_cursor, goes_on

MOST_EMPTY_PAGES = 20
MOST_PAGES = 1_000_000


class Trail:
    """One walk, from a list's start or from the `cursor` that an earlier walk had come to."""

    def __init__(self, resource: Resource, cursor: str | None = None) -> None:
        self._resource, self._cursor = resource, cursor
        self._asked: set[str] = set()
        self._seen: set[bytes] = set()
        self._empty = self._fullest = 0

    @property
    def params(self) -> dict[str, str]:
        """What the request for this page says beside the list's own parameters."""
        if self._resource.paging == "page_number":
            return {self._resource.cursor_param: str(self._number())}
        return {} if self._cursor is None else {self._resource.cursor_param: self._cursor}

    def step(self, body: Any, ids: Sequence[str]) -> str | None:
        """The cursor of the page after this one, whose records are `ids`; None: it is the last.

        Raises BadBody where the answer does not tell how the list goes on, and Permanent where the
        walk would go in a circle, never end, or end too soon.
        """
        if self._cursor is not None:
            self._asked.add(self._cursor)
        following = self._following(body, ids)
        if following in self._asked:
            raise self._wrong("cursor loop: the vendor sent one a second time")
        self._empty = 0 if ids else self._empty + 1
        if self._empty > MOST_EMPTY_PAGES and following is not None:
            raise self._wrong(f"{self._empty} empty pages in a row, and no end")
        self._fullest = max(self._fullest, len(ids))
        self._cursor = following
        return following

    def _following(self, body: Any, ids: Sequence[str]) -> str | None:
        if self._resource.paging == "none":
            all_at_once(self._resource, len(ids))
            return None
        if self._resource.paging != "page_number":
            return by_cursor(body, self._resource, len(ids))
        number = self._number()
        self._new(ids, number)
        if not self._goes_on(body, len(ids), number):
            return None
        if number >= MOST_PAGES:
            raise self._wrong(f"{number} pages, and no end")
        return str(number + 1)

    def _goes_on(self, body: Any, count: int, number: int) -> bool:
        if self._resource.cursor_field is not None:
            return goes_on(body, self._resource, count, number)
        # Not against page_size: at a vendor that serves fewer than it is asked for, the first page
        # would be the last.
        return count > 0 and count >= self._fullest

    def _number(self) -> int:
        if self._cursor is None:
            return self._resource.first_page
        if not (self._cursor.isascii() and self._cursor.isdigit() and len(self._cursor) < 10):
            raise self._wrong("its cursor is no page number: the list must be walked anew")
        return int(self._cursor)

    def _new(self, ids: Sequence[str], number: int) -> None:
        """A vendor that does not know such a page may send the first or the last one for ever."""
        digest = blake2b("\n".join(sorted(ids)).encode(), digest_size=16).digest()
        if ids and digest in self._seen:
            param = self._resource.cursor_param
            raise self._wrong(
                f"page {number} holds the records of an earlier one: is {param!r} its parameter, "
                "and does cursor_field name the list's end?"
            )
        self._seen.add(digest)

    def _wrong(self, what: str) -> Permanent:
        return Permanent(f"{self._resource.name}: {what}")
