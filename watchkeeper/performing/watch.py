"""What every performer stands on: settings, database, clock, and the integrations it watches."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from watchkeeper.errors import UserError, WatchkeeperError
from watchkeeper.homes import make_home
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.load import (
    EntryText,
    entry_from,
    integrations_on_key,
    load_entry,
    named_integrations,
)
from watchkeeper.runbook.problems import first_problem
from watchkeeper.settings import Settings
from watchkeeper.store import entries, jobs
from watchkeeper.store.engine import Store, open_store
from watchkeeper.store.switches import keep_ready
from watchkeeper.store.tables import IntegrationRow
from watchkeeper.watch_state import EntryState

log = logging.getLogger(__name__)
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """An integration to watch, and where it is from. `because` and `kept_at`: why its last known
    entry serves, and when that was read."""

    name: str
    state: EntryState
    watched: Watched
    text: EntryText
    because: str = ""
    kept_at: datetime | None = None


@dataclass(frozen=True)
class Watch:
    """Opened once a process. `now` is handed in, so that tests own the clock."""

    settings: Settings
    store: Store
    now: Clock = field(default=utc_now)

    @property
    def named(self) -> tuple[str, ...]:
        """The integrations to watch, read again each time and not judged: those of
        integrations.yaml, and those taken out of it on which an incident still hangs. While the file
        cannot be read, those last known. Raises UserError where none are known either."""
        known, needed = self._known_and_needed()
        try:
            names = named_integrations(self.settings.integrations)
        except UserError:
            names = tuple(name for name, gone in known.items() if not gone)
            if not names and not needed:
                raise
        return (*names, *sorted(needed - set(names)))

    def _known_and_needed(self) -> tuple[dict[str, bool], frozenset[str]]:
        """Whether each known entry was taken out, and those that something hangs on. Without our
        database neither is known, and the files alone say what to watch."""
        if self.store is None:
            return {}, frozenset()
        try:
            with self.store.read() as session:
                known = {entry.name: entry.gone for entry in entries.listed(session)}
                return known, entries.needed(session) & known.keys()
        except WatchkeeperError:
            log.warning("the last known entries cannot be read", exc_info=True)
            return {}, frozenset()

    def files_fault(self) -> str | None:
        """Why integrations.yaml cannot be read at all, or None."""
        try:
            named_integrations(self.settings.integrations)
        except UserError as error:
            return first_problem(error)
        return None

    def on_same_key(self, watched: Watched) -> tuple[str, ...]:
        """The integrations that use this one's key, itself among them."""
        kept = watched.integration.credential.reference
        try:
            found = integrations_on_key(self.settings.integrations, kept)
        except UserError:
            found = ()
        with self.store.read() as session:
            last_known = entries.listed(session)
        known = tuple(e.name for e in last_known if e.fault and e.text.reference == kept)
        return tuple(dict.fromkeys((*found, *known)))

    @property
    def secrets_base(self) -> Path:
        """Relative `file:` references are relative to the folder of integrations.yaml."""
        return self.settings.integrations.resolve().parent

    def integration(self, name: str) -> Watched:
        """The integration with its runbook; the last known one where the files cannot be read, or
        where it was taken out and an incident still hangs on it. Raises UserError naming the ones
        there are."""
        return self.entry(name).watched

    def entry(self, name: str) -> Entry:
        """The same, with where it is from."""
        try:
            loaded = load_entry(name, self.settings.integrations, self.settings.runbooks)
        except UserError as error:
            last_known = self._last_known(name, error)
            if last_known is None:
                raise
            return last_known
        return Entry(name, EntryState.READ, loaded.watched, loaded.text)

    def of_record(self, name: str) -> Watched:
        """The integration of an incident that may be closed: its last known entry serves for reading
        even where it is no longer watched."""
        try:
            return self.integration(name)
        except UserError:
            with self.store.read() as session:
                known = entries.known(session, name)
            if known is None:
                raise
            return entry_from(name, known.text)

    def _last_known(self, name: str, error: UserError) -> Entry | None:
        if self.store is None:
            return None
        gone = self._was_taken_out(name)
        with self.store.read() as session:
            known = entries.known(session, name)
            if known is None or (gone and name not in entries.needed(session)):
                return None
        state = EntryState.REMOVED if gone else EntryState.KEPT
        because = f"not in {self.settings.integrations} any more" if gone else first_problem(error)
        watched = entry_from(name, known.text)
        return Entry(name, state, watched, known.text, because, known.read_at)

    def _was_taken_out(self, name: str) -> bool:
        try:
            return name not in named_integrations(self.settings.integrations)
        except UserError:
            return False

    def jobs_there(self, tell: Callable[[str], None]) -> dict[str, str]:
        """The jobs of all integrations, name -> criticality. One whose entry cannot be read is
        told and left out: it must not end the watch over the others."""
        found: dict[str, str] = {}
        for name in self.named:
            try:
                found |= {job.name: job.criticality for job in self.integration(name).runbook.jobs}
            except UserError as error:
                tell(f"{name} is not watched: {first_problem(error)}")
        return found

    def registered(self, name: str) -> Watched:
        """The same, with its rows made in the database: jobs keep the state they have, and the entry
        is kept for the time when its files cannot be read."""
        entry = self.entry(name)
        watched = entry.watched
        with self.store.write() as session:
            if entry.state is EntryState.READ and not entries.holds(session, name, entry.text):
                entries.keep(session, name, entry.text, self.now())
            if session.get(IntegrationRow, name) is None:
                session.add(
                    IntegrationRow(
                        name=name,
                        vendor=watched.integration.vendor,
                        environment=watched.integration.environment,
                        first_seen_at=self.now(),
                    )
                )
            jobs.register(session, watched, self.now())
        return watched


def open_watch(settings: Settings | None = None) -> Watch:
    """The watch of this process, from `WATCHKEEPER_*` unless settings are handed in."""
    chosen = settings or Settings()
    make_home(chosen.home)
    keep_ready(chosen.halt_file)
    return Watch(chosen, open_store(chosen.database))
