"""What is wrong with a file a person wrote: where it is, and what is allowed there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from watchkeeper.errors import UserError


@dataclass(frozen=True)
class Problem:
    """One fault in a file. Line 0 means that the value did not come from a file's line."""

    path: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        where = f"{_shown(self.path)}:{self.line}" if self.line else _shown(self.path)
        return (
            f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"
        )


class BadFile(UserError):
    """Every problem of a file at once, in the order of its lines: one heading, a line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (str(p.path), p.line)))
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        paths = ", ".join(dict.fromkeys(_shown(problem.path) for problem in self.problems))
        heading = f"{paths}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join([heading, *map(str, self.problems)])


def first_problem(error: Exception) -> str:
    """One line: the first of a file's problems, or what the error says."""
    if isinstance(error, BadFile) and error.problems:
        return str(error.problems[0])
    return next(iter(str(error).splitlines()), type(error).__name__)


def unknown(name: object, what: str, known: Iterable[str]) -> str:
    """`'pobes' is not a known key; did you mean 'probes'? known: ...`."""
    names = sorted(known)
    close = get_close_matches(str(name), names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{quoted(name)} is not a known {what}; {hint}known: {', '.join(names) or 'none'}"


def quoted(value: object) -> str:
    """A value as a person wrote it, cut short; for true and false as YAML spells them."""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
