"""What is recorded of the watch itself, gathered from files and rows. It asks no one anything."""

from __future__ import annotations

from watchkeeper.errors import UserError
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.problems import first_problem
from watchkeeper.store import heartbeats, incidents
from watchkeeper.store.switches import halted
from watchkeeper.watch_state import EntryFact, EntryState, Facts, WatchState, watch_state


def state_of_watch(watch: Watch) -> WatchState:
    return watch_state(facts_of(watch), watch.now())


def facts_of(watch: Watch) -> Facts:
    with watch.store.read() as session:
        beats = heartbeats.listed(session)
        open_ones = incidents.listed(session, only_open=True)
    return Facts(
        entries=entry_facts(watch),
        files_fault=watch.files_fault(),
        beats=beats,
        halted=halted(watch.store, watch.settings.halt_file),
        incidents_on=frozenset(incident.integration for incident in open_ones),
    )


def entry_facts(watch: Watch) -> tuple[EntryFact, ...]:
    """Of every integration to watch, whether its entry can be read or not."""
    try:
        names = watch.named
    except UserError:
        return ()
    return tuple(_fact(watch, name) for name in names)


def _fact(watch: Watch, name: str) -> EntryFact:
    try:
        entry = watch.entry(name)
    except UserError as error:
        return EntryFact(name, EntryState.BROKEN, first_problem(error))
    pager = bool(entry.watched.integration.called_by)
    return EntryFact(name, entry.state, entry.because, entry.kept_at, pager)
