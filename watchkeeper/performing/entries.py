"""Keeping the last known entry of each integration, and saying once when it has to serve."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from watchkeeper.errors import UserError
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.load import EntryText
from watchkeeper.runbook.problems import first_problem
from watchkeeper.store import entries, incidents
from watchkeeper.watch_state import EntryState

log = logging.getLogger(__name__)
TAKEN_OUT = "is no longer in integrations.yaml"


def mind_entries(watch: Watch) -> tuple[tuple[Watched, ...], list[str]]:
    """The integrations that can be watched, and in words what changed since the last time.

    What changed is told on the timeline of the integration's open incident as well.
    """
    watched: list[Watched] = []
    said: list[str] = []
    for name in watch.named:
        try:
            entry = watch.entry(name)
        except UserError as error:
            log.warning("%s has no entry that can be read", name, exc_info=True)
            said.append(f"{name} is not watched: {first_problem(error)}")
            continue
        watched.append(entry.watched)
        if entry.state is EntryState.READ:
            said += _read(watch, name, entry.text)
        else:
            gone = entry.state is EntryState.REMOVED
            said += _last_known(watch, name, entry.because, gone)
    said += _ended(watch, frozenset(one.name for one in watched))
    return tuple(watched), said


def _read(watch: Watch, name: str, text: EntryText) -> Iterator[str]:
    with watch.store.read() as session:
        if entries.holds(session, name, text):
            return
    with watch.store.write() as session:
        mended = entries.keep(session, name, text, watch.now())
    if mended:
        yield from _tell(watch, name, "its entry can be read again, and serves from now on")


def _last_known(watch: Watch, name: str, because: str, gone: bool) -> Iterator[str]:
    with watch.store.write() as session:
        news = entries.missing(session, name, because, gone, watch.now())
    if not news:
        return
    text = (
        f"{TAKEN_OUT}: its last known entry serves until nothing hangs on it"
        if gone
        else f"its last known entry serves: {because}"
    )
    yield from _tell(watch, name, text)


def _ended(watch: Watch, served: frozenset[str]) -> Iterator[str]:
    """Taken out, with nothing left that hangs on it. Not while the file cannot be read: then what
    is missing from it is not known."""
    if watch.files_fault() is not None:
        return
    with watch.store.read() as session:
        known = [e.name for e in entries.listed(session) if e.name not in served and not e.gone]
        in_file = frozenset(watch.named)
    for name in known:
        if name in in_file:
            continue
        with watch.store.write() as session:
            entries.missing(session, name, TAKEN_OUT, True, watch.now())
        yield f"{name} {TAKEN_OUT}: it is not watched any more"


def _tell(watch: Watch, name: str, text: str) -> Iterator[str]:
    with watch.store.write() as session:
        incident = incidents.current(session, name)
        if incident is not None:
            incidents.note(session, incident.id, text, now=watch.now())
    yield f"{name}: {text}"
