"""An RSS or Atom feed: a history of incidents, in words for people.

It says least of all kinds. An item counts as open or closed only where its text states so, the
newest update first, as feeds of Statuspage do (`<strong>Resolved</strong> - ...`), or in its title
(`[RESOLVED] ...`). A recent item that states neither leaves the page unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate

from watchkeeper.evidence import Outcome
from watchkeeper.status_pages import (
    Incident,
    Page,
    Served,
    Unreadable,
    instant,
    overall,
    plain,
)

PATH = "/history.rss"
LARGEST = 2 * 1024 * 1024
DEEPEST, MOST_ELEMENTS, MOST_ITEMS = 32, 50_000, 100
LONGEST_TEXT = 20_000
# An item that states nothing is history after so long.
RECENT = timedelta(days=7)

_OPEN = frozenset({"investigating", "identified", "monitoring", "update", "in progress"})
_CLOSED = frozenset({"resolved", "completed", "postmortem", "cancelled", "canceled"})
_PLANNED = frozenset({"scheduled"})
_STRONG = re.compile(r"<(?:strong|b)>\s*([A-Za-z ]{4,20}?)\s*:?\s*</(?:strong|b)>", re.IGNORECASE)
_TITLE = re.compile(
    r"^\W{0,3}(resolved|completed|investigating|identified|monitoring)\b", re.IGNORECASE
)
_END = re.compile(r"\[(resolved|completed)\]\W*$", re.IGNORECASE)
_EVENT = re.compile(r"THIS IS A SCHEDULED EVENT|scheduled maintenance", re.IGNORECASE)


@dataclass(slots=True)
class Item:
    """An item of the feed by its plain element names."""

    texts: dict[str, str] = field(default_factory=dict)

    def first(self, *names: str) -> str:
        return next((self.texts[name] for name in names if self.texts.get(name)), "")

    @property
    def title(self) -> str:
        return " ".join(unescape(self.first("title")).split())

    @property
    def text(self) -> str:
        return unescape(self.first("encoded", "content", "description", "summary"))

    @property
    def at(self) -> datetime | None:
        """When it was last changed, or began."""
        text = self.first("updated", "pubdate", "published", "date").strip()
        try:
            found = instant(text) or parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        return found if found.tzinfo is not None else None

    @property
    def state(self) -> str:
        """The word of its newest update, or of its title; empty where it states none."""
        for found in (
            _STRONG.search(self.text),
            _TITLE.search(self.title),
            _END.search(self.title),
        ):
            if found and (word := found[1].lower()) in _OPEN | _CLOSED | _PLANNED:
                return word
        return ""


def read(served: Served, component: str | None, now: datetime) -> Page:
    items = _latest(_items(served.raw))
    if not items:
        return Page(
            overall=overall(Outcome.UNKNOWN, "a feed without items"), lists_the_affected=True
        )
    incidents = tuple(i for item in items if (i := _incident(item, component, now)) is not None)
    newest = items[0]
    closed = newest.state in _CLOSED | _PLANNED
    word = f"no open incident in the feed, the last one {newest.state or 'states nothing'}"
    return Page(
        overall=overall(Outcome.OK if closed else Outcome.UNKNOWN, word),
        incidents=incidents,
        lists_the_affected=True,
    )


def _incident(item: Item, component: str | None, now: datetime) -> Incident | None:
    state, at = item.state, item.at
    if state in _CLOSED | _PLANNED:
        return None
    said = f"{item.title} ({state or 'says neither open nor resolved'})"
    if not state:
        old = at is not None and now - at > RECENT
        return None if old else Incident(said, Outcome.UNKNOWN)
    # In a feed's words nothing tells reliably whom it concerns, nor when a maintenance ends.
    planned = _EVENT.search(item.text) is not None or state == "in progress"
    named = component is None or plain(component) in plain(f"{item.title} {item.text}")
    return Incident(said, Outcome.DEGRADED if named and not planned else Outcome.UNKNOWN)


def _latest(items: list[Item]) -> list[Item]:
    """The newest first; of several about the same thing, the newest alone."""
    dated = sorted(
        enumerate(items), key=lambda p: (-(p[1].at.timestamp() if p[1].at else 0.0), p[0])
    )
    kept: dict[str, Item] = {}
    for number, item in dated:
        about = item.first("guid", "id", "link") or plain(item.title) or str(number)
        kept.setdefault(about, item)
    return list(kept.values())


def _items(raw: bytes) -> list[Item]:
    """Raises Unreadable on what is no feed, on a DTD or an entity, and beyond the bounds."""
    if len(raw) > LARGEST:
        raise Unreadable("the feed is larger than we read")
    reading = _Reading()
    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.text
    parser.StartDoctypeDeclHandler = reading.refuse
    parser.EntityDeclHandler = reading.refuse
    try:
        parser.Parse(raw, True)
    except (ExpatError, ValueError, LookupError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("the page is no feed") from None
    if reading.root not in ("rss", "feed", "rdf"):
        raise Unreadable("the page is no feed")
    return reading.items


@dataclass(slots=True)
class _Reading:
    root: str = ""
    items: list[Item] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    elements: int = 0
    inside: int = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        plain_name = name.rpartition(" ")[2].lower()
        self.elements += 1
        if self.elements > MOST_ELEMENTS or len(self.path) >= DEEPEST:
            raise Unreadable("the feed is larger than we read")
        self.root = self.root or plain_name
        self.path.append(plain_name)
        if plain_name in ("item", "entry") and not self.inside and len(self.items) < MOST_ITEMS:
            self.items.append(Item())
            self.inside = len(self.path)
        elif self.inside and plain_name == "link" and attributes.get("href"):
            self.items[-1].texts.setdefault("link", attributes["href"][:LONGEST_TEXT])

    def end(self, name: str) -> None:
        if len(self.path) == self.inside:
            self.inside = 0
        self.path.pop()

    def text(self, data: str) -> None:
        if self.inside and len(self.path) > self.inside:
            name = self.path[self.inside]
            texts = self.items[-1].texts
            texts[name] = (texts.get(name, "") + data)[:LONGEST_TEXT]

    def refuse(self, *_: Any) -> None:
        raise Unreadable("the feed declares a document type, which is not read")
