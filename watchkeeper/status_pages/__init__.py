"""What a vendor's status page says, whoever hosts it. Pure.

A kind of page has a module of its own: it turns what was served into a `Page`, and nothing else.
What a page means for one component is decided once, in `judging`. The kinds are in `reading`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from watchkeeper.evidence import Outcome

# Of the largest pages that are known, some have thousands of components.
MOST_ITEMS = 5000


@dataclass(frozen=True, slots=True)
class Served:
    """A page as it came: its bytes, and their JSON value where they are JSON."""

    raw: bytes
    json: Any


@dataclass(frozen=True, slots=True)
class Component:
    """A line of the page. `ids`: its own and those of the groups that it is in; `names`: what it may
    be called, in any case, such as `api` and `europe / api`."""

    names: frozenset[str]
    ids: frozenset[str]
    outcome: Outcome
    word: str
    maintenance: bool = False
    # When the page last changed it.
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One that is open. `outcome`: how bad by its own word, UNKNOWN where that is not understood.
    Without ids and names it concerns the whole page."""

    headline: str
    outcome: Outcome
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Maintenance:
    """[since, until); until None: its end is not said. One that is over may still be listed."""

    headline: str
    since: datetime | None
    until: datetime | None
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`components`: None where the page lists none. `overall`: its word on the whole, None where it
    has none. `lists_the_affected`: it names components in incidents alone, so that silence on one
    says as much as the page can."""

    components: tuple[Component, ...] | None = None
    overall: Component | None = None
    incidents: tuple[Incident, ...] = ()
    maintenances: tuple[Maintenance, ...] = ()
    lists_the_affected: bool = False


class Unreadable(ValueError):
    """What was served is no page of this kind. Its text quotes nothing."""


class Reader(Protocol):
    """One kind of page. `component`: as the runbook has it, for those whose text is searched."""

    def __call__(self, served: Served, component: str | None, now: datetime) -> Page:
        """Raises Unreadable."""
        ...


def plain(name: object) -> str:
    """A name as it is compared: `REST API ` is `rest api`."""
    return " ".join(str(name).split()).casefold()


def overall(outcome: Outcome, word: str, maintenance: bool = False) -> Component:
    return Component(frozenset(), frozenset(), outcome, word, maintenance)


def instant(text: object) -> datetime | None:
    """Aware UTC; None for anything odd."""
    if not isinstance(text, str) or len(text) > 40:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def mappings(value: object) -> Iterator[dict[str, Any]]:
    listed = value[:MOST_ITEMS] if isinstance(value, list) else []
    return (item for item in listed if isinstance(item, dict))


def body_of(served: Served, *lists: str) -> dict[str, Any]:
    """The JSON object that was served. Raises Unreadable where it is none, or where a member of
    `lists` is there and holds something else than a list."""
    if not isinstance(served.json, dict):
        raise Unreadable("the page cannot be read")
    for name in lists:
        if served.json.get(name) is not None and not isinstance(served.json[name], list):
            raise Unreadable(f"the page's {name} cannot be read")
    return served.json
