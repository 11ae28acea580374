"""Our own database under watch. While it cannot be used, people are called without it.

This is the one exception to the ledger: the ledger is in that database. The dedup key is fixed for a
home, a call is repeated at most each REPEAT, and what was done is written back once it can be.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from watchkeeper.effects import PAGE_TRIGGER, EffectState
from watchkeeper.errors import StoreBroken, Transient, UserError
from watchkeeper.heartbeat import Part
from watchkeeper.performing.ledger import OwnBehalf
from watchkeeper.performing.own_alarms import (
    Chains,
    alarm_target,
    first_taker,
    own_page,
    own_pagers,
)
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, heartbeats, troubles
from watchkeeper.store.integrity import damage, identity, is_empty
from watchkeeper.trouble import Condition, TroubleKind

logger = logging.getLogger(__name__)

KIND = TroubleKind.DATABASE_BROKEN
# Bad looks in a row before people are called: one may be a backup that is being put in place.
LOOKS = 2
REPEAT = timedelta(minutes=30)
# A call that no pager took is tried again after this.
RETRY = timedelta(minutes=1)
# A database that is only busy is not broken before.
BUSY_FOR = timedelta(minutes=2)
# Who would be called is read while all is well: reading every entry takes longer than a sweep.
PAGERS_EACH_S = 600.0
# SQLite reads its whole file for this: at most a hundredth of the time, at most once a minute.
CHECK_EACH_S, CHECK_SHARE, CHECK_WITHIN_S = 60.0, 100, 20.0


@dataclass(frozen=True, slots=True)
class Broken:
    """`looks`: bad ones in a row. `lost`: the file is another one now, or none.
    `took`: the channels that took a page about it."""

    because: str
    since: datetime
    looks: int = 1
    lost: bool = False
    paged_at: datetime | None = None
    took: tuple[str, ...] = ()
    tried_at: datetime | None = None


class StoreGuard:
    """One for a supervisor. `look` says what is wrong and keeps `broken`; `alarm` calls people."""

    def __init__(self, watch: Watch, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._watch, self._monotonic = watch, monotonic
        self._file = watch.store.file
        self._identity = identity(self._file) if self._file else None
        self._checked_s = self._monotonic()
        self._check_each_s = CHECK_EACH_S
        # Those of before, should the entries not be readable either.
        self._pagers: Chains = own_pagers(watch)
        self._pagers_s = self._monotonic()
        self._busy_since: datetime | None = None
        self.broken: Broken | None = None

    async def look(self) -> str | None:
        """Why the database cannot be used now, or None."""
        now = self._watch.now()
        try:
            await self._try()
        except StoreBroken as error:
            self._found(str(error), now)
        except (Transient, UserError) as error:
            # Busy, or a server that does not answer.
            self._busy_since = self._busy_since or now
            if now - self._busy_since >= BUSY_FOR or isinstance(error, UserError):
                self._found(str(error), now)
        else:
            self._busy_since = None
            if self._monotonic() - self._pagers_s >= PAGERS_EACH_S:
                self._pagers, self._pagers_s = own_pagers(self._watch), self._monotonic()
            if self.broken is not None:
                self._write_back(self.broken, now)
                self.broken = None
        return None if self.broken is None else self.broken.because

    async def alarm(self) -> list[str]:
        """Call people about it where that is due; what was done, in words."""
        broken, now = self.broken, self._watch.now()
        if broken is None or broken.looks < LOOKS:
            return []
        last, pause = (broken.paged_at, REPEAT) if broken.paged_at else (broken.tried_at, RETRY)
        if last is not None and now - last < pause:
            return []
        pagers = self._pagers or own_pagers(self._watch)
        taken = await page_broken(self._watch.settings.home, pagers, broken.because)
        self.broken = replace(
            broken,
            tried_at=now,
            paged_at=now if taken else broken.paged_at,
            took=tuple({*broken.took, *taken}),
        )
        if taken:
            return [f"paged: {KIND.says} ({broken.because})"]
        why = "no channel took it" if pagers else "no channel is set"
        return [f"nobody was paged about this: {KIND.says} ({broken.because}; {why})"]

    def _found(self, because: str, now: datetime) -> None:
        before = self.broken
        lost = self._file is not None and identity(self._file) != self._identity
        if before is None:
            self.broken = Broken(because, now, lost=lost)
        else:
            self.broken = replace(
                before, because=because, looks=before.looks + 1, lost=before.lost or lost
            )

    async def _try(self) -> None:
        """Raises StoreBroken or Transient. A write is the proof: reading works on a full disk."""
        if self._file is not None:
            await self._same_file(self._file)
        if self.broken is not None:
            await asyncio.to_thread(self._watch.store.reconnect)
        every = timedelta(seconds=self._watch.settings.sweep_interval_s)
        with self._watch.store.write() as session:
            heartbeats.beat(session, Part.UP, self._watch.now(), every=every)

    async def _same_file(self, path: Path) -> None:
        there = identity(path)
        if there is None:
            raise StoreBroken(f"the database file {path.name} was deleted")
        if is_empty(path):
            raise StoreBroken(f"the database file {path.name} is empty")
        if there != self._identity:
            known = self.broken
            if known is None or known.looks < LOOKS:
                raise StoreBroken(f"the database file {path.name} was replaced by another one")
            # People know. From here on the new file is the record.
            self._identity = there
        if self.broken is None and self._monotonic() - self._checked_s < self._check_each_s:
            return
        began = self._monotonic()
        wrong = await asyncio.to_thread(damage, path, CHECK_WITHIN_S)
        self._checked_s = self._monotonic()
        self._check_each_s = max(CHECK_EACH_S, (self._checked_s - began) * CHECK_SHARE)
        if wrong is not None:
            raise StoreBroken(f"the database file {path.name} is damaged: {wrong}")

    def _write_back(self, broken: Broken, now: datetime) -> None:
        """Into the record and the ledger, as if they had been there."""
        with self._watch.store.write() as session:
            trouble = troubles.keep(
                session, Condition(kind=KIND, text=broken.because, since=broken.since)
            )
            if broken.paged_at is not None:
                troubles.paged(session, trouble.id, broken.paged_at)
                for name in broken.took:
                    effect = OwnBehalf().effect(PAGE_TRIGGER, alarm_target(trouble, name))
                    outcome = "sent while the database could not be used; written back"
                    effects.settle(session, effect, EffectState.DONE, outcome, 0, broken.paged_at)
            troubles.ended(session, KIND, now)
            if broken.lost:
                # The record of before may be gone: the alert is a person's to resolve.
                troubles.resolved(session, trouble.id, now)


async def page_broken(home: Path, chains: Chains, because: str) -> list[str]:
    """The channels that took it. Nothing is recorded: there is nothing to record it in."""
    page = own_page(home, KIND, because)
    return await first_taker(chains, lambda _, pager: pager.trigger(page))


def note_file(home: Path) -> Path:
    return home / "database-broken-paged-at"


async def page_at_start(watch: Watch, because: str, now: datetime) -> str:
    """`up` cannot open its database: call people, at most each REPEAT over restarts. In words."""
    note = note_file(watch.settings.home)
    if (last := _noted(note)) is not None and timedelta(0) <= now - last < REPEAT:
        return f"people were called about this at {last:%H:%M:%S}Z"
    pagers = own_pagers(watch)
    if not await page_broken(watch.settings.home, pagers, because):
        why = "no channel took it" if pagers else "no channel is set"
        return f"nobody was paged about this ({why})"
    try:
        draft = note.with_suffix(".tmp")
        draft.write_text(now.isoformat())
        os.replace(draft, note)
    except OSError:
        logger.exception("it could not be noted that people were called")
    return f"paged: {KIND.says}"


def _noted(note: Path) -> datetime | None:
    try:
        found = datetime.fromisoformat(note.read_text().strip())
    except (OSError, ValueError):
        return None
    return found if found.tzinfo is not None else None
