"""Calling people, and telling them when it is over: one alert a rung under one dedup key, by the first
channel that takes it.

A delivery is an effect of its own. A channel that fails is followed by the next one and tried again
by the sweep until it took the alert or nobody is needed any more. Nothing is written as done before a
channel took it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from enum import StrEnum

from sqlmodel import Session

from watchkeeper.effects import PAGE_RESOLVE, PAGE_TRIGGER, EffectState
from watchkeeper.errors import Ambiguous, WatchkeeperError
from watchkeeper.incident import Incident, Milestone
from watchkeeper.pagers import Page
from watchkeeper.pagers import Severity as PagerSeverity
from watchkeeper.performing.connectors import Channel, channels_of
from watchkeeper.performing.ledger import Duty, perform
from watchkeeper.performing.quiet import quiet_now
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.people import Rung
from watchkeeper.store import effects, incidents, pages
from watchkeeper.store.pages import FINAL, Delivery, DeliveryState, PageEntry, PageState
from watchkeeper.terms import due

logger = logging.getLogger(__name__)

_PAGER_SEVERITY: dict[int, PagerSeverity] = {1: "critical", 2: "error", 3: "warning", 4: "info"}
# A channel that failed while another one took the page is tried again so often.
CHASE = timedelta(minutes=1)
# One that folds no repeats is not tried again before this, twice as long each time, up to the bound.
REPEAT, REPEAT_AT_MOST = timedelta(minutes=1), timedelta(minutes=16)
# After so long an alert that cannot be resolved is left to a person.
RESOLVE_WITHIN = timedelta(hours=24)
NO_CHANNEL = "no channel is set: put one under `channels` in its entry of integrations.yaml"


class Called(StrEnum):
    """What came of calling somebody. `quiet`: maintenance, the sweep tries again; `nobody_due`: the
    severity calls nobody, or every rung was called."""

    TAKEN = "taken"
    UNTAKEN = "untaken"
    QUIET = "quiet"
    NOBODY_DUE = "nobody_due"


def dedup_key(incident: Incident, level: int) -> str:
    """The same from trigger to resolve, in every round, and in no other incident or database."""
    opened = f"{incident.opened_at:%Y%m%dT%H%M%S}"
    return f"watchkeeper/{incident.integration}/{incident.id}/{opened}/{level}"


def target_of(level: int, channel: str) -> str:
    """A delivery's name in the ledger: `1 by pagerduty`."""
    return f"{level} by {channel}"


async def page(watch: Watch, watched: Watched, incident: Incident, rung: Rung) -> Called:
    """Trigger the alert of one rung by the first channel that takes it; sent again, it is the same
    alert."""
    quiet = quiet_now(watch, watched.name)
    if quiet is not None:
        _note_once(watch, incident, f"nobody is paged: {quiet}")
        return Called.QUIET
    key = dedup_key(incident, rung.level)
    with watch.store.write() as session:
        pages.wanted(session, incident.id, rung.level, rung.who, key, watch.now())
    why: list[str] = []
    for channel in channels_of(watch, watched):
        reason = await _deliver(watch, watched, incident, rung, channel, first=not why)
        if reason is None:
            return Called.TAKEN
        named = reason.startswith(channel.name)
        why.append(reason if named else f"{channel.name}: {reason}")
    because = "; ".join(why) or NO_CHANNEL
    with watch.store.write() as session:
        pages.not_taken(session, incident.id, rung.level, because)
    _note_once(watch, incident, f"{rung.who} could not be paged: {because}")
    return Called.UNTAKEN


def why_untaken(watch: Watch, incident: Incident) -> str:
    """Why the first page that waits for a taker has none."""
    with watch.store.read() as session:
        found = [p for p in pages.of_incident(session, incident.id) if p.state is PageState.UNTAKEN]
    return f"{found[0].who} could not be paged: {found[0].reason}" if found else "no page waits"


async def call_next(watch: Watch, watched: Watched, incident: Incident) -> Called:
    """The first rung that was not called yet; a severity that wakes nobody calls nobody."""
    with watch.store.read() as session:
        called = {
            p.level
            for p in pages.of_incident(session, incident.id)
            if p.state in (PageState.TRIGGERED, PageState.RESOLVED)
        }
    ladder = [rung for rung in watched.runbook.escalation if rung.level not in called]
    if ladder and watched.runbook.severity_level(incident.severity).pages:
        return await page(watch, watched, incident, ladder[0])
    return Called.NOBODY_DUE


async def chase(watch: Watch, watched: Watched, incident: Incident) -> list[str]:
    """Bring the alerts that are up to each channel that failed and comes before the one that took
    them: whoever watches only that one must see them when it is back. What came of it, in words."""
    with watch.store.read() as session:
        up = {p.level: p for p in pages.of_incident(session, incident.id) if p.up}
        owed = [
            d
            for d in pages.deliveries(session, incident.id)
            if d.state in (DeliveryState.FAILED, DeliveryState.DOUBTFUL) and d.level in up
        ]
    rungs = {rung.level: rung for rung in watched.runbook.escalation}
    known = {channel.name: channel for channel in channels_of(watch, watched)}
    said = []
    for delivery in owed:
        entry, channel = up[delivery.level], known.get(delivery.channel)
        rung = rungs.get(delivery.level)
        seen_to = entry.acknowledged_at is not None or incident.taken_by is not None
        if channel is None or rung is None or seen_to:
            continue
        if not due(delivery.tried_at, CHASE, watch.now()):
            continue
        if await _deliver(watch, watched, incident, rung, channel, first=False) is None:
            said.append(f"INC-{incident.id}: called {rung.who} through {channel.name} as well")
    return said


async def _deliver(
    watch: Watch,
    watched: Watched,
    incident: Incident,
    rung: Rung,
    channel: Channel,
    *,
    first: bool,
) -> str | None:
    """None where the channel has the alert up; else why it has not."""
    level, name = rung.level, channel.name
    before = _delivery(watch, incident, level, name)
    if before is not None and _too_soon(before, channel, incident, watch.now()):
        return before.reason or "tried a moment ago"

    async def trigger() -> str:
        with watch.store.write() as session:
            pages.trying(session, incident.id, level, name, incident.round, watch.now())
        return await channel.open().trigger(_page(watched, incident, level, rung.who))

    state, reason = DeliveryState.FAILED, "its delivery was ended before"
    try:
        duty = Duty.unfenced(incident)
        done = await perform(watch, duty, PAGE_TRIGGER, target_of(level, name), trigger)
        if done is EffectState.DONE:
            state, reason = DeliveryState.TAKEN, ""
    except WatchkeeperError as error:
        logger.exception("%s did not take the page of INC-%d", name, incident.id)
        doubtful = isinstance(error, Ambiguous)
        state = DeliveryState.DOUBTFUL if doubtful else DeliveryState.FAILED
        reason = str(error)
    except Exception as error:
        # One channel's fault, of whatever kind, must not keep the next one from being tried.
        logger.exception("%s failed over the page of INC-%d", name, incident.id)
        state, reason = DeliveryState.DOUBTFUL, f"failed with {type(error).__name__}"
    with watch.store.write() as session:
        if pages.tried(session, incident.id, level, name, state, watch.now(), reason=reason):
            text = f"paged {rung.who}" + ("" if first else f" through {name}")
            _note_paged(session, incident, level, text, watch.now())
    return None if state is DeliveryState.TAKEN else reason


def _note_paged(session: Session, incident: Incident, level: int, text: str, now: datetime) -> None:
    milestone = Milestone.PAGED if level == 1 else None
    if not incidents.note(session, incident.id, text, now=now, milestone=milestone):
        # An incident has each milestone once; a relapse pages again.
        incidents.note(session, incident.id, text, now=now)


def _too_soon(before: Delivery, channel: Channel, incident: Incident, now: datetime) -> bool:
    """Only of a channel that makes a message of each repeat."""
    if channel.folds or before.round != incident.round or not before.reason:
        return False
    pause = min(REPEAT * (1 << min(before.attempts - 1, 10)), REPEAT_AT_MOST)
    return not due(before.tried_at, pause, now)


def _delivery(watch: Watch, incident: Incident, level: int, channel: str) -> Delivery | None:
    with watch.store.read() as session:
        found = pages.deliveries(session, incident.id)
    return next((d for d in found if (d.level, d.channel) == (level, channel)), None)


async def resolve_pages(
    watch: Watch, watched: Watched, incident: Incident, until: datetime | None = None
) -> bool:
    """End every alert of the incident, or those that were wanted by then; whether all have an end.

    Each channel that has or may have one is told; one that cannot be told is left to the sweep, which
    comes back to it, and after a day to a person.
    """
    with watch.store.read() as session:
        found = {p.level: p for p in pages.of_incident(session, incident.id)}
        lasting = [d for d in pages.deliveries(session, incident.id) if d.state not in FINAL]
    meant = {level: p for level, p in found.items() if _by(p, until)}
    channels = {channel.name: channel for channel in channels_of(watch, watched)}
    open_levels = set()
    for delivery in lasting:
        entry = meant.get(delivery.level)
        if entry is None:
            continue
        if not await _end(watch, watched, incident, entry, delivery, channels):
            open_levels.add(delivery.level)
    for level, entry in meant.items():
        if level in open_levels:
            continue
        with watch.store.write() as session:
            _end_unsent(session, incident, level, watch.now())
            if pages.over(session, incident.id, level, watch.now()) is PageState.MISSED:
                text = f"{entry.who} was never paged, and need not be any more: {entry.reason}"
                incidents.note(session, incident.id, text, now=watch.now())
    return not open_levels


def _end_unsent(session: Session, incident: Incident, level: int, now: datetime) -> None:
    """Of a process that died between the ledger's word and the delivery's: nothing was sent."""
    said = "not sent any more: nobody need be called"
    prefix = target_of(level, "")
    rejected = EffectState.REJECTED
    effects.end_all(session, incident.id, PAGE_TRIGGER.step, prefix, rejected, said, now, also=True)


def _by(entry: PageEntry, until: datetime | None) -> bool:
    since = entry.wanted_at or entry.triggered_at
    return until is None or since is None or since <= until


async def _end(
    watch: Watch,
    watched: Watched,
    incident: Incident,
    entry: PageEntry,
    delivery: Delivery,
    channels: dict[str, Channel],
) -> bool:
    """Whether the delivery has an end now."""
    target = target_of(entry.level, delivery.channel)
    if delivery.state is DeliveryState.FAILED:
        outcome = f"{delivery.reason}; not sent any more: nobody need be called"
        _ended(watch, delivery, PAGE_TRIGGER.step, EffectState.REJECTED, outcome)
        return True
    channel = channels.get(delivery.channel)
    if channel is None:
        why = f"{delivery.channel} is no longer in integrations.yaml"
        return _left_to_a_person(watch, incident, entry, delivery, why)
    over_since = incident.recovered_at or incident.closed_at or watch.now()
    if watch.now() - over_since > RESOLVE_WITHIN:
        return _left_to_a_person(watch, incident, entry, delivery, delivery.reason)
    if delivery.reason and _too_soon(delivery, channel, incident, watch.now()):
        return False

    async def resolve() -> str:
        page = _page(watched, incident, entry.level, entry.who)
        return await channel.open().resolve(page)

    try:
        await perform(watch, Duty.unfenced(incident), PAGE_RESOLVE, target, resolve)
    except Exception as error:
        logger.exception("%s did not resolve the page of INC-%d", delivery.channel, incident.id)
        known = isinstance(error, WatchkeeperError)
        why = str(error) if known else f"failed with {type(error).__name__}"
        with watch.store.write() as session:
            level, now = entry.level, watch.now()
            pages.tried(
                session, incident.id, level, delivery.channel, delivery.state, now, reason=why
            )
        text = f"the page to {entry.who} is not resolved at {delivery.channel}: {why}"
        _note_once(watch, incident, text)
        return False
    outcome = "resolved; whether it had been taken is not known"
    _ended(watch, delivery, PAGE_TRIGGER.step, EffectState.RECONCILED, outcome, resolved=True)
    return True


def _left_to_a_person(
    watch: Watch, incident: Incident, entry: PageEntry, delivery: Delivery, why: str
) -> bool:
    text = f"resolve the page to {entry.who} at {delivery.channel} by hand: {why}"
    _ended(watch, delivery, PAGE_TRIGGER.step, EffectState.ESCALATED, text)
    _ended(watch, delivery, PAGE_RESOLVE.step, EffectState.ESCALATED, text)
    _note_once(watch, incident, text)
    return True


def _ended(
    watch: Watch,
    delivery: Delivery,
    step: str,
    state: EffectState,
    outcome: str,
    *,
    resolved: bool = False,
) -> None:
    target = target_of(delivery.level, delivery.channel)
    with watch.store.write() as session:
        now = watch.now()
        effects.end_all(session, delivery.incident_id, step, target, state, outcome, now)
        pages.tried(
            session,
            delivery.incident_id,
            delivery.level,
            delivery.channel,
            DeliveryState.RESOLVED if resolved else DeliveryState.GIVEN_UP,
            now,
            reason="" if resolved else outcome,
        )


def _page(watched: Watched, incident: Incident, level: int, who: str) -> Page:
    severity = watched.runbook.severity_level(incident.severity)
    title = f"{severity.word} {watched.runbook.display_name} {incident.title}"
    return Page(
        dedup_key=dedup_key(incident, level),
        delivery=f"{dedup_key(incident, level)}/{incident.round}",
        summary=f"{title}: {incident.summary}",
        source=incident.integration,
        severity=_PAGER_SEVERITY[incident.severity],
        details={
            "incident": f"INC-{incident.id}",
            "rung": who,
            "cause": incident.cause or "not known yet",
            "verdict": incident.verdict,
            "next": f"watchkeeper incident show INC-{incident.id}",
        },
        links=tuple((link.url, link.title) for link in watched.runbook.links),
    )


def _note_once(watch: Watch, incident: Incident, text: str) -> None:
    with watch.store.write() as session:
        # The sweep comes by every few seconds; saying it once is enough.
        if text not in {entry.text for entry in incidents.timeline(session, incident.id)}:
            incidents.note(session, incident.id, text, now=watch.now())
