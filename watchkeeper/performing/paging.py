"""Waking people, and telling the pager when it is over: one alert a rung, under one dedup key."""

from __future__ import annotations

from datetime import datetime

from watchkeeper.effects import PAGE_RESOLVE, PAGE_TRIGGER
from watchkeeper.incident import Incident, Milestone
from watchkeeper.pagers import Page, Pager
from watchkeeper.pagers import Severity as PagerSeverity
from watchkeeper.performing.connectors import pager_of
from watchkeeper.performing.ledger import Duty, perform
from watchkeeper.performing.quiet import quiet_now
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.people import Rung
from watchkeeper.store import incidents, pages

_PAGER_SEVERITY: dict[int, PagerSeverity] = {1: "critical", 2: "error", 3: "warning", 4: "info"}


def dedup_key(incident: Incident, level: int) -> str:
    """The same from trigger to resolve, in every round, and in no other incident or database."""
    opened = f"{incident.opened_at:%Y%m%dT%H%M%S}"
    return f"watchkeeper/{incident.integration}/{incident.id}/{opened}/{level}"


async def page(
    watch: Watch, watched: Watched, incident: Incident, rung: Rung, *, announced: bool = False
) -> bool:
    """Trigger the alert of one rung; sent again, it is the same alert.

    False where nobody is paged, as while maintenance lasts (`announced`: the vendor tells of its
    own): the sweep tries again.
    """
    quiet = quiet_now(watch, watched.name, announced=announced)
    if quiet is not None:
        _note_once(watch, incident, f"nobody is paged: {quiet}")
        return False
    pager = pager_of(watch, watched)
    key = dedup_key(incident, rung.level)
    if pager is None:
        _note_once(watch, incident, f"{rung.who} was not paged: no pager is set")
        return False

    async def trigger() -> str:
        await pager.trigger(_page(watched, incident, rung, key))
        return f"accepted as {key}"

    await perform(watch, Duty.unfenced(incident), PAGE_TRIGGER, str(rung.level), trigger)
    with watch.store.write() as session:
        now = watch.now()
        pages.triggered(session, incident.id, rung.level, rung.who, key, now)
        milestone = Milestone.PAGED if rung.level == 1 else None
        incidents.note(session, incident.id, f"paged {rung.who}", now=now, milestone=milestone)
    return True


async def call_next(watch: Watch, watched: Watched, incident: Incident) -> None:
    """The first rung that was not called yet; a severity that wakes nobody calls nobody."""
    with watch.store.read() as session:
        called = {p.level for p in pages.of_incident(session, incident.id)}
    ladder = [rung for rung in watched.runbook.escalation if rung.level not in called]
    if ladder and watched.runbook.severity_level(incident.severity).pages:
        await page(watch, watched, incident, ladder[0])


async def resolve_pages(
    watch: Watch, watched: Watched, incident: Incident, until: datetime | None = None
) -> None:
    """Resolve every alert of the incident that is still up, or those that came up by then."""
    pager = pager_of(watch, watched)
    if pager is None:
        return
    with watch.store.read() as session:
        up = [p for p in pages.of_incident(session, incident.id) if p.state == pages.TRIGGERED]
    for entry in up:
        if until is None or entry.triggered_at is None or entry.triggered_at <= until:
            await _resolve(watch, incident, pager, entry)


async def _resolve(watch: Watch, incident: Incident, pager: Pager, entry: pages.PageEntry) -> None:
    async def resolve() -> str:
        await pager.resolve(entry.dedup_key)
        return f"resolved {entry.dedup_key}"

    duty = Duty.unfenced(incident)
    await perform(watch, duty, PAGE_RESOLVE, str(entry.level), resolve)
    with watch.store.write() as session:
        pages.resolved(session, incident.id, entry.level, watch.now())


def _page(watched: Watched, incident: Incident, rung: Rung, key: str) -> Page:
    level = watched.runbook.severity_level(incident.severity)
    return Page(
        dedup_key=key,
        summary=f"{level.word} {watched.runbook.display_name} {incident.title}: {incident.summary}",
        source=incident.integration,
        severity=_PAGER_SEVERITY[incident.severity],
        details={
            "incident": f"INC-{incident.id}",
            "rung": rung.who,
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
