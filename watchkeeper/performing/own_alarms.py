"""Calling people for the watch itself: its troubles are recorded, paged once under a fixed dedup key,
and resolved when they are over. Like every page these go through the ledger."""

from __future__ import annotations

import logging
import socket
from collections.abc import Collection, Mapping
from pathlib import Path

from watchkeeper.effects import PAGE_RESOLVE, PAGE_TRIGGER
from watchkeeper.errors import WatchkeeperError
from watchkeeper.pagers import Page, Pager
from watchkeeper.performing.connectors import pager_of
from watchkeeper.performing.ledger import OwnBehalf, perform
from watchkeeper.performing.watch import Watch
from watchkeeper.store import troubles
from watchkeeper.trouble import Condition, Trouble, TroubleKind, dedup_key

logger = logging.getLogger(__name__)


async def follow_troubles(watch: Watch, seen: Collection[Condition]) -> list[str]:
    """Bring the record and the pagers to what is seen now; what was done, in words.

    A pager that does not answer is tried again at the next call, and does not stop the others.
    """
    said: list[str] = []
    now = watch.now()
    due: list[Trouble] = []
    for condition in seen:
        with watch.store.write() as session:
            trouble = troubles.keep(session, condition)
        if trouble.paged_at is None and condition.pages(now):
            due.append(trouble)
    said += _end(watch, {condition.kind for condition in seen})
    with watch.store.read() as session:
        owing = troubles.owing_resolve(session)
    # Reading every entry takes longer than a sweep.
    pagers = own_pagers(watch) if due or owing else {}
    for trouble in due:
        said += await _call(watch, pagers, trouble)
    for trouble in owing:
        await _resolve(watch, pagers, trouble)
    return said


def own_pagers(watch: Watch) -> dict[str, Pager]:
    """Every pager that an integration names, once, by its reference. An entry that cannot be read
    is left out: its own alarm says so."""
    found: dict[str, Pager] = {}
    for name in watch.named:
        try:
            watched = watch.integration(name)
            spec = watched.integration.pager
            pager = pager_of(watch, watched)
        except (WatchkeeperError, OSError):
            logger.exception("the pager of %s cannot be used", name)
            continue
        if spec is not None and pager is not None:
            found.setdefault(f"{spec.kind} {spec.routing_key}", pager)
    return found


def home_key(home: Path, kind: TroubleKind) -> str:
    return dedup_key(socket.gethostname(), home.resolve(), kind)


def own_page(home: Path, kind: TroubleKind, text: str) -> Page:
    """What people read about a trouble of the watch itself."""
    return Page(
        dedup_key=home_key(home, kind),
        summary=f"Watchkeeper on {socket.gethostname()}: {kind.says} ({text})",
        source="watchkeeper",
        severity="critical",
        details={"trouble": kind.value, "home": str(home), "next": "watchkeeper status"},
    )


async def _call(watch: Watch, pagers: Mapping[str, Pager], trouble: Trouble) -> list[str]:
    taken = []
    page = own_page(watch.settings.home, trouble.kind, trouble.text)
    for name, pager in pagers.items():

        async def trigger(pager: Pager = pager) -> str:
            return f"accepted as {await pager.trigger(page)}"

        try:
            await perform(watch, OwnBehalf(), PAGE_TRIGGER, alarm_target(trouble, name), trigger)
        except WatchkeeperError:
            logger.exception("%s did not take the page about %s", name, trouble.kind)
        else:
            taken.append(name)
    if not taken:
        why = "its pager did not take it" if pagers else "no pager is set"
        return [f"nobody was paged about this: {trouble.kind.says} ({why})"]
    with watch.store.write() as session:
        troubles.paged(session, trouble.id, watch.now())
    return [f"paged: {trouble.kind.says}"]


def _end(watch: Watch, lasting: Collection[TroubleKind]) -> list[str]:
    said = []
    with watch.store.read() as session:
        over = [t.kind for t in troubles.open_now(session) if t.kind not in lasting]
    for kind in over:
        with watch.store.write() as session:
            if troubles.ended(session, kind, watch.now()) is not None:
                said.append(f"over: {kind.says}")
    return said


async def _resolve(watch: Watch, pagers: Mapping[str, Pager], trouble: Trouble) -> None:
    key = home_key(watch.settings.home, trouble.kind)
    with watch.store.read() as session:
        lasts_again = any(t.kind is trouble.kind for t in troubles.open_now(session))
    if not lasts_again:
        for name, pager in pagers.items():

            async def resolve(pager: Pager = pager) -> str:
                await pager.resolve(key)
                return f"resolved {key}"

            try:
                await perform(
                    watch, OwnBehalf(), PAGE_RESOLVE, alarm_target(trouble, name), resolve
                )
            except WatchkeeperError:
                logger.exception("%s did not take the end of %s", name, trouble.kind)
                return
    with watch.store.write() as session:
        troubles.resolved(session, trouble.id, watch.now())


def alarm_target(trouble: Trouble, pager: str) -> str:
    """The ledger's name for it."""
    return f"{trouble.kind.value} at {pager}#{trouble.id}"
