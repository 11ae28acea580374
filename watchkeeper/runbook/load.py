"""Runbooks and integrations from their files, or every problem at once.

Both files are for people: what is wrong is told with its line and with what is allowed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from watchkeeper.errors import UserError
from watchkeeper.runbook.base import Frozen
from watchkeeper.runbook.check import cross_problems
from watchkeeper.runbook.check_integration import entry_problems, watched_problems
from watchkeeper.runbook.document import Document
from watchkeeper.runbook.integration import Integration, Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.overrides import lay_over
from watchkeeper.runbook.problems import BadFile, Problem, unknown
from watchkeeper.runbook.shape import shaped
from watchkeeper.runbook.yaml_lines import read_document

SHIPPED_RUNBOOKS = Path(__file__).resolve().parents[2] / "runbooks"
NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of two files, and what they said: reading them again takes 0.1 s and more, and
    every step of a run asks."""

    said: Mapping[Path, bytes | None]
    watched: Watched


MOST_KEPT = 64
_KEPT: dict[tuple[str, Path, Path | None], _Kept] = {}


class IntegrationsFile(Frozen):
    """The top of integrations.yaml; each entry is judged by itself."""

    integrations: dict[str, Any]


def load_runbook(path: Path, overrides: Mapping[str, object] = NOTHING) -> Runbook:
    """One runbook file, with overrides laid over it. Raises BadFile; UserError without a file."""
    runbook, problems = _runbook(path, Document.of(overrides))
    if runbook is None or problems:
        raise BadFile(problems)
    return runbook


def load_integrations(path: Path) -> dict[str, Integration]:
    """All entries of integrations.yaml by name. Raises BadFile; UserError without a file."""
    document = _integrations(path)
    found: dict[str, Integration] = {}
    problems = [problem for _, problem in document.problems]
    for name in _entries(document):
        integration, faults = _integration(document, name)
        problems += [fault for fault in faults if fault not in problems]
        if integration:
            found[name] = integration
    if problems:
        raise BadFile(problems)
    return found


def named_integrations(path: Path) -> tuple[str, ...]:
    """The names of all entries, unjudged: a mistake in one must not end the watch over the others."""
    return tuple(_entries(_integrations(path)))


def integrations_on_key(path: Path, reference: str) -> tuple[str, ...]:
    """The entries that use the key kept there, unjudged: a key's name says nothing, two may share it."""
    document = _integrations(path)
    return tuple(
        name
        for name in _entries(document)
        if document.get(("integrations", name, "credential", "reference")) == reference
    )


def watch(name: str, integrations: Path, runbooks: Path | None = None) -> Watched:
    """One integration with its runbook and overrides, anew whenever a letter of its files changes.

    Only this entry is judged: a mistake in another's does not end the watch over this one.
    Raises BadFile with the problems of both files; UserError for an unknown name or a lost file.
    """
    asked = (name, integrations, runbooks)
    kept = _KEPT.get(asked)
    if kept is not None and all(_bytes(path) == said for path, said in kept.said.items()):
        return kept.watched
    if len(_KEPT) >= MOST_KEPT:
        _KEPT.clear()
    said: dict[Path, bytes | None] = {integrations: _bytes(integrations)}
    watched = _watched(name, integrations, runbooks, said)
    _KEPT[asked] = _Kept(said, watched)
    return watched


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _watched(
    name: str, integrations: Path, runbooks: Path | None, said: dict[Path, bytes | None]
) -> Watched:
    """What each file says is noted before it is read: what changes in between is then read again."""
    document = _integrations(integrations)
    if name not in _entries(document):
        raise UserError(f"{integrations}: {unknown(name, 'integration', _entries(document))}")
    integration, problems = _integration(document, name)
    if integration is None:
        raise BadFile(problems)
    entry = document.below(("integrations", name))
    path = _runbook_path(integration.runbook, entry, runbooks or SHIPPED_RUNBOOKS)
    said[path] = _bytes(path)
    runbook, faults = _runbook(path, entry.below(("overrides",)))
    watched = Watched(integration=integration, runbook=runbook) if runbook else None
    problems += faults + (list(watched_problems(entry, watched)) if watched else [])
    if watched is None or problems:
        raise BadFile(dict.fromkeys(problems))
    return watched


def _runbook(path: Path, overrides: Document) -> tuple[Runbook | None, list[Problem]]:
    read = read_document(path)
    if isinstance(read.data, dict) and "integrations" in read.data:
        raise UserError(
            f"{path} names integrations: leave the file out to check it, with its runbooks"
        )
    document = lay_over(read, overrides)
    runbook, problems = shaped(Runbook, document)
    disagreements = cross_problems(document)
    told = {(problem.path, problem.field) for problem in disagreements}
    return runbook, [p for p in problems if (p.path, p.field) not in told] + disagreements


def _integrations(path: Path) -> Document:
    if not path.exists():
        raise UserError(
            f"{path} does not exist: copy docs/integrations.sample.yaml there and fill it in, "
            "or try `watchkeeper up --sandbox`"
        )
    document = read_document(path)
    top, problems = shaped(IntegrationsFile, document)
    if top is None or any(len(at) < 2 for at, _ in document.problems):
        raise BadFile(problems)
    return document


def _entries(document: Document) -> dict[str, Any]:
    entries = document.get(("integrations",))
    return entries if isinstance(entries, dict) else {}


def _integration(document: Document, name: str) -> tuple[Integration | None, list[Problem]]:
    """One entry, its key taken for its name, and what is wrong with it."""
    entry = document.below(("integrations", name))
    data = entry.data
    if isinstance(data, dict) and "name" in data:
        return None, [entry.problem(("name",), "the name is the entry's key; leave this out")]
    named = {**data, "name": name} if isinstance(data, dict) else data
    integration, problems = shaped(Integration, Document(named, entry.places, entry.problems))
    if integration:
        problems += entry_problems(entry, integration)
    return integration, problems


def _runbook_path(runbook: str, entry: Document, folder: Path) -> Path:
    known = {path.stem: path for path in sorted(folder.glob("*.yaml"))}
    if runbook not in known:
        raise BadFile(
            [entry.problem(("runbook",), unknown(runbook, f"runbook in {folder}", known))]
        )
    return known[runbook]
