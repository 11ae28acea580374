"""What every performer stands on: settings, database, clock, and the integrations it watches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from watchkeeper.errors import UserError
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.load import (
    integrations_on_key,
    load_integrations,
    named_integrations,
    watch,
)
from watchkeeper.settings import Settings
from watchkeeper.store import jobs
from watchkeeper.store.engine import Store, open_store
from watchkeeper.store.switches import keep_ready
from watchkeeper.store.tables import IntegrationRow

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Watch:
    """Opened once a process. `now` is handed in, so that tests own the clock."""

    settings: Settings
    store: Store
    now: Clock = field(default=utc_now)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every integration of integrations.yaml."""
        return tuple(load_integrations(self.settings.integrations))

    @property
    def named(self) -> tuple[str, ...]:
        """The same names, read anew and unjudged: each entry is judged when it is watched."""
        return named_integrations(self.settings.integrations)

    def on_same_key(self, watched: Watched) -> tuple[str, ...]:
        """The integrations that use this one's key, itself among them."""
        kept = watched.integration.credential.reference
        return integrations_on_key(self.settings.integrations, kept)

    @property
    def secrets_base(self) -> Path:
        """Relative `file:` references are relative to the folder of integrations.yaml."""
        return self.settings.integrations.resolve().parent

    def integration(self, name: str) -> Watched:
        """The integration with its runbook. Raises UserError naming the ones there are."""
        return watch(name, self.settings.integrations, self.settings.runbooks)

    def jobs_there(self, tell: Callable[[str], None]) -> dict[str, str]:
        """The jobs of all integrations, name -> criticality. One whose entry cannot be read is
        told and left out: it must not end the watch over the others."""
        found: dict[str, str] = {}
        for name in self.named:
            try:
                found |= {job.name: job.criticality for job in self.integration(name).runbook.jobs}
            except UserError as error:
                tell(f"{name} is not watched: {str(error).splitlines()[0]}")
        return found

    def registered(self, name: str) -> Watched:
        """The same, with its rows made in the database: jobs keep the state they have."""
        watched = self.integration(name)
        with self.store.write() as session:
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
    chosen.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    keep_ready(chosen.halt_file)
    return Watch(chosen, open_store(chosen.database))
