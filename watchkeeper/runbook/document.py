"""Plain data from a file, with the place each value was written at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watchkeeper.runbook.problems import Problem

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """Where a value stands: file, line, and the field as a person would name it."""

    path: Path
    line: int
    field: str


@dataclass(frozen=True)
class Document:
    """Data as YAML gives it (`dict`, `list`, text, numbers), and where each part was written.

    `problems` are those that reading alone found, each with the location it concerns.
    """

    data: object
    places: Mapping[Loc, Place] = field(repr=False)
    problems: tuple[tuple[Loc, Problem], ...] = ()

    @staticmethod
    def of(data: Mapping[str, object], source: str = "overrides") -> Document:
        """A document made in memory: its problems name the field, but no line."""
        return Document(dict(data), {(): Place(Path(source), 0, "")})

    def place(self, loc: Loc) -> Place:
        """The place of a location; for a missing one, that of what should have held it."""
        for end in range(len(loc), -1, -1):
            held = self.places.get(loc[:end])
            if held is not None:
                return Place(held.path, held.line, field_text(loc[end:], held.field))
        return Place(Path(), 0, field_text(loc))

    def problem(self, loc: Loc, message: str) -> Problem:
        place = self.place(loc)
        return Problem(place.path, place.line, place.field, message)

    def get(self, loc: Loc) -> object:
        """The value at a location, None where there is none."""
        here = self.data
        for part in loc:
            if isinstance(here, dict) and isinstance(part, str):
                here = here.get(part)
            elif isinstance(here, list) and isinstance(part, int) and part < len(here):
                here = here[part]
            else:
                return None
        return here

    def items(self, section: str) -> Iterator[tuple[Loc, dict[str, object]]]:
        """The mappings in a list such as `causes` with their locations; others are passed over."""
        listed = self.get((section,))
        for index, item in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(item, dict):
                yield (section, index), item

    def below(self, loc: Loc) -> Document:
        """The part at a location as a document of its own; places keep their full field names."""
        size = len(loc)
        places = {at[size:]: place for at, place in self.places.items() if at[:size] == loc}
        places.setdefault((), self.place(loc))
        problems = tuple((at[size:], p) for at, p in self.problems if at[:size] == loc)
        return Document(self.get(loc), places, problems)


def field_text(loc: Loc, start: str = "") -> str:
    """`causes[2].severity` for ("causes", 2, "severity")."""
    text = start
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
