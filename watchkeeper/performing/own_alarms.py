"""Calling people for the watch itself: its troubles are recorded, paged once under a fixed dedup key,
and resolved when they are over. Like every page these go through the ledger."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from watchkeeper.effects import PAGE_RESOLVE, PAGE_TRIGGER, Effect
from watchkeeper.errors import WatchkeeperError
from watchkeeper.pagers import Page, Pager
from watchkeeper.performing.connectors import Channel, channels_of
from watchkeeper.performing.ledger import OwnBehalf, perform
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, troubles
from watchkeeper.trouble import Condition, Trouble, TroubleKind, dedup_key

logger = logging.getLogger(__name__)

# Of each group of integrations the channels by kind and reference, in the order in which they are tried.
Chains = Sequence[Mapping[str, Pager]]


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
    chains = own_pagers(watch) if due or owing else ()
    for trouble in due:
        said += await _call(watch, chains, trouble)
    for trouble in owing:
        await _resolve(watch, chains, trouble)
    return said


def own_pagers(watch: Watch) -> Chains:
    """The channels of every integration, each chain in the order in which it is tried, without those
    of an earlier chain. An entry that cannot be read is left out: its own alarm says so."""
    chains: list[dict[str, Pager]] = []
    known: set[str] = set()
    for name in watch.named:
        chain: dict[str, Pager] = {}
        for key, channel in _channels(watch, name):
            if key in known:
                continue
            known.add(key)
            try:
                chain[key] = channel.open()
            except (WatchkeeperError, OSError):
                logger.exception("%s of %s cannot be used", key, name)
        if chain:
            chains.append(chain)
    return tuple(chains)


def _channels(watch: Watch, name: str) -> list[tuple[str, Channel]]:
    """By kind and reference: two integrations may share one."""
    try:
        watched = watch.integration(name)
    except (WatchkeeperError, OSError):
        logger.exception("the channels of %s cannot be read", name)
        return []
    specs = watched.integration.called_by
    keys = [" ".join((spec.kind, *spec.secrets)) for spec in specs]
    return list(zip(keys, channels_of(watch, watched), strict=True))


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


async def first_taker(chains: Chains, send: Callable[[str, Pager], Awaitable[object]]) -> list[str]:
    """Of each chain the first channel that takes it, by its name. One that fails is logged."""
    taken = []
    for chain in chains:
        for name, pager in chain.items():
            try:
                await send(name, pager)
            except Exception:
                # Whatever it was, the next channel is tried.
                logger.exception("%s did not take a page about the watch itself", name)
                continue
            taken.append(name)
            break
    return taken


async def _call(watch: Watch, chains: Chains, trouble: Trouble) -> list[str]:
    page = own_page(watch.settings.home, trouble.kind, trouble.text)

    async def send(name: str, pager: Pager) -> None:
        async def trigger() -> str:
            return f"accepted as {await pager.trigger(page)}"

        await perform(watch, OwnBehalf(), PAGE_TRIGGER, alarm_target(trouble, name), trigger)

    if not await first_taker(chains, send):
        why = "no channel took it" if chains else "no channel is set"
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


async def _resolve(watch: Watch, chains: Chains, trouble: Trouble) -> None:
    """At each channel that took it; an alert that is wanted again stays up."""
    page = own_page(watch.settings.home, trouble.kind, trouble.text)
    with watch.store.read() as session:
        lasts_again = any(t.kind is trouble.kind for t in troubles.open_now(session))
        took = {
            name: pager
            for chain in chains
            for name, pager in chain.items()
            if effects.state_of(session, _triggered(trouble, name)).settled
        }
    for name, pager in {} if lasts_again else took.items():

        async def resolve(pager: Pager = pager) -> str:
            return await pager.resolve(page)

        try:
            await perform(watch, OwnBehalf(), PAGE_RESOLVE, alarm_target(trouble, name), resolve)
        except Exception:
            # Tried again with the next sweep.
            logger.exception("%s did not take the end of %s", name, trouble.kind)
            return
    with watch.store.write() as session:
        troubles.resolved(session, trouble.id, watch.now())


def _triggered(trouble: Trouble, channel: str) -> Effect:
    return OwnBehalf().effect(PAGE_TRIGGER, alarm_target(trouble, channel))


def alarm_target(trouble: Trouble, channel: str) -> str:
    """The ledger's name for it."""
    return f"{trouble.kind.value} at {channel}#{trouble.id}"
