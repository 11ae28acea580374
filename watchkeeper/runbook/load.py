"""Runbooks and integrations from their files, or every problem at once.

Both files are for people: what is wrong is told with its line and with what is allowed there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
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
from watchkeeper.shipped_files import shipped

SHIPPED_RUNBOOKS = shipped("runbooks")
NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class EntryText:
    """An entry of integrations.yaml and its runbook as JSON text: enough to read both again when
    their files are gone. References to secrets alone: comments stay behind."""

    entry: str
    runbook: str

    @property
    def reference(self) -> str:
        """Where its key is kept."""
        return str(json.loads(self.entry)["credential"]["reference"])

    @property
    def digest(self) -> str:
        return sha256(f"{self.entry}\n{self.runbook}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Loaded:
    """An integration as its files say it now."""

    watched: Watched
    text: EntryText


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of two files, good or bad, and what they said: reading them again takes 0.1 s
    and more, and every step of a run asks."""

    said: Mapping[Path, bytes | None]
    outcome: Loaded | UserError


MOST_KEPT = 256
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
    """One integration with its runbook and overrides, read again whenever its files change.

    Only this entry is judged: a mistake in another's does not end the watch over this one.
    Raises BadFile with the problems of both files; UserError for an unknown name or a lost file.
    """
    return load_entry(name, integrations, runbooks).watched


def load_entry(name: str, integrations: Path, runbooks: Path | None = None) -> Loaded:
    """The same, with the text that `entry_from` reads it back from. Raises as `watch` does."""
    asked = (name, integrations, runbooks)
    kept = _KEPT.get(asked)
    if kept is None or any(_bytes(path) != said for path, said in kept.said.items()):
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        said: dict[Path, bytes | None] = {integrations: _bytes(integrations)}
        kept = _KEPT[asked] = _Kept(said, _outcome(name, integrations, runbooks, said))
    if isinstance(kept.outcome, UserError):
        raise kept.outcome.with_traceback(None)
    return kept.outcome


@lru_cache(maxsize=MOST_KEPT)
def entry_from(name: str, text: EntryText) -> Watched:
    """The integration as it was when its text was taken. Raises BadFile where this program does not
    understand the text of an earlier one."""
    document = Document.of({"integrations": {name: json.loads(text.entry)}}, LAST_KNOWN)
    integration, problems = _integration(document, name)
    if integration is None:
        raise BadFile(problems)
    entry = document.below(("integrations", name))
    read = Document.of(json.loads(text.runbook), LAST_KNOWN)
    runbook, faults = _laid(read, entry.below(("overrides",)))
    if runbook is None or problems or faults:
        raise BadFile(dict.fromkeys(problems + faults))
    return Watched(integration=integration, runbook=runbook)


LAST_KNOWN = "the last known entry"


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _outcome(
    name: str, integrations: Path, runbooks: Path | None, said: dict[Path, bytes | None]
) -> Loaded | UserError:
    """What each file says is noted before it is read: what changes in between is then read again."""
    try:
        return _loaded(name, integrations, runbooks, said)
    except UserError as error:
        return error


def _loaded(
    name: str, integrations: Path, runbooks: Path | None, said: dict[Path, bytes | None]
) -> Loaded:
    document = _integrations(integrations)
    if name not in _entries(document):
        raise UserError(f"{integrations}: {unknown(name, 'integration', _entries(document))}")
    integration, problems = _integration(document, name)
    if integration is None:
        raise BadFile(problems)
    entry = document.below(("integrations", name))
    folder = runbooks or SHIPPED_RUNBOOKS
    path = folder / f"{integration.runbook}.yaml"
    said[path] = _bytes(path)
    path = _runbook_path(integration.runbook, entry, folder)
    read = _document(path)
    runbook, faults = _laid(read, entry.below(("overrides",)))
    watched = Watched(integration=integration, runbook=runbook) if runbook else None
    problems += faults + (list(watched_problems(entry, watched)) if watched else [])
    if watched is None or problems:
        raise BadFile(dict.fromkeys(problems))
    return Loaded(watched, EntryText(json.dumps(entry.data), json.dumps(read.data)))


# Every entry of a file is looked up in the same text: it is parsed once.
_PARSED: dict[Path, tuple[bytes, Document]] = {}


def _document(path: Path) -> Document:
    said = _bytes(path)
    parsed = _PARSED.get(path)
    if parsed is not None and parsed[0] == said:
        return parsed[1]
    document = read_document(path)
    if said is not None:
        if len(_PARSED) >= MOST_KEPT:
            _PARSED.clear()
        _PARSED[path] = (said, document)
    return document


def _runbook(path: Path, overrides: Document) -> tuple[Runbook | None, list[Problem]]:
    read = _document(path)
    if isinstance(read.data, dict) and "integrations" in read.data:
        raise UserError(
            f"{path} names integrations: leave the file out to check it, with its runbooks"
        )
    return _laid(read, overrides)


def _laid(read: Document, overrides: Document) -> tuple[Runbook | None, list[Problem]]:
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
    document = _document(path)
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
