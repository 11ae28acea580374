"""From a proven repair to a closed incident: bound the gaps, give back, settle, compare, close."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.errors import UserError
from watchkeeper.gaps import Gap, GapState, Window, plan_windows, settles_at
from watchkeeper.incident import Incident, Milestone, State
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.paging import resolve_pages
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.walking import compare
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, gaps, incidents, leases, locks, pages
from watchkeeper.verification import Recovery

# After a comparison that was not whole: what it moved must show, and nobody is helped by hurry.
COMPARE_AGAIN = timedelta(minutes=1)


def mark_recovered(
    watch: Watch, duty: Duty, watched: Watched, incident: Incident, recovery: Recovery
) -> Incident:
    """The service is well again: this is where every gap of the incident ends."""
    now = watch.now()
    with watch.store.write() as session:
        duty.check(session)
        for gap in gaps.of_incident(session, incident.id):
            if not gap.state.over:
                gaps.bound(session, gap.id, now)
        names = [gap.resource for gap in gaps.of_incident(session, incident.id)]
        resources = tuple(watched.runbook.resource(name) for name in names)
        incidents.recovered(session, incident.id, now, settles_at(resources, now))
        for question in approvals.unanswered(session, incident.id):
            approvals.withdraw(session, question.id, "the service is well again", now)
        said = "; ".join(recovery.reasons)
        incidents.note(session, incident.id, said, now=now, milestone=Milestone.VERIFIED)
        return incidents.move(session, incident.id, State.RESOLVED, now)


async def all_clear(watch: Watch, watched: Watched, incident: Incident) -> None:
    """Resolve the pages: nobody need stay awake while data is filled in. A channel that cannot be told
    is left to the sweep, and keeps nothing else back."""
    over = await resolve_pages(watch, watched, incident, until=incident.recovered_at)
    with watch.store.write() as session:
        up = [p for p in pages.of_incident(session, incident.id) if p.resolved_at is not None]
        said = "pages resolved" if up else "no page was up"
        incidents.note(
            session,
            incident.id,
            f"service well, {said if over else 'not every page is resolved yet'}",
            now=watch.now(),
            milestone=Milestone.RESOLVED,
        )


def windows_of(watch: Watch, watched: Watched, gap: Gap) -> tuple[Window, ...]:
    """The gap's windows, sliced once."""
    resource = watched.runbook.resource(gap.resource)
    with watch.store.write() as session:
        return gaps.slice_gap(session, gap.id, plan_windows(resource, gap.since, gap.until))


def gaps_to_fill(watch: Watch, incident_id: int) -> tuple[Gap, ...]:
    with watch.store.read() as session:
        found = gaps.of_incident(session, incident_id)
    return tuple(g for g in found if g.state in (GapState.BOUNDED, GapState.FILLING))


def mark_filled(watch: Watch, gap: Gap) -> None:
    with watch.store.write() as session:
        gaps.filled(session, gap.id)


def begin_settling(watch: Watch, duty: Duty, incident: Incident) -> Incident:
    """Jobs run again; now only the vendor's list lag stands between us and the last comparison."""
    with watch.store.write() as session:
        duty.check(session)
        until = incident.settles_at or watch.now()
        text = f"settling until {until:%H:%M:%S}Z, when the vendor's lists have caught up"
        incidents.note(session, incident.id, text, now=watch.now())
        return incidents.move(session, incident.id, State.SETTLING, watch.now())


async def judge_gap(watch: Watch, watched: Watched, gap: Gap) -> Gap:
    """Vendor against sink, record by record; only a whole gap is reconciled."""
    result = await compare(watch, watched, gap)
    with watch.store.write() as session:
        judged = gaps.judged(session, gap.id, result, watch.now())
        if gap.incident_id is not None:
            text = f"gap in {gap.resource}: {result.says()}"
            incidents.note(session, gap.incident_id, text, now=watch.now())
    return judged


@dataclass(frozen=True, slots=True)
class Closing:
    """Whether the incident could be closed, and what stands in its way."""

    closed: bool
    in_the_way: tuple[str, ...]


def close(watch: Watch, duty: Duty, incident: Incident) -> Closing:
    """Close only what is whole: every gap reconciled or waived, every lease given back."""
    with watch.store.write() as session:
        duty.check(session)
        if incidents.get(session, incident.id).state is State.CLOSED:
            return Closing(True, ())
        behind = [g for g in gaps.of_incident(session, incident.id) if not g.state.over]
        held = leases.active(session, incident.id)
        way = tuple(f"gap in {g.resource} is {g.state}" for g in behind)
        way += tuple(f"{lease.kind} on {lease.target} is still in force" for lease in held)
        now = watch.now()
        if way:
            incidents.note(session, incident.id, f"not closed: {'; '.join(way)}", now=now)
            incidents.settles(session, incident.id, now + COMPARE_AGAIN)
            return Closing(False, way)
        said = _whole(gaps.of_incident(session, incident.id))
        incidents.note(session, incident.id, said, now=now, milestone=Milestone.CLOSED)
        incidents.move(session, incident.id, State.CLOSED, now)
    return Closing(True, ())


def _whole(over: tuple[Gap, ...]) -> str:
    waived = sorted(g.resource for g in over if g.state is GapState.WAIVED)
    if not waived:
        return "data whole, nothing held"
    return f"data whole but for the waived {', '.join(waived)}, nothing held"


def close_by_hand(watch: Watch, incident: Incident, by: str, reason: str) -> None:
    """A person ends the incident, whatever its integration's files say. Its responder is fenced off;
    the sweep resolves its pages and writes its report.

    Raises UserError naming what is in the way: a gap neither whole nor waived, or a lease in force.
    """
    with watch.store.write() as session:
        name = lock_name(incident.id)
        # The lock before the incident, as everyone takes them.
        locks.revoke(session, name, watch.now())
        found = incidents.get(session, incident.id)
        if not found.is_open:
            raise UserError(f"INC-{incident.id} is closed already")
        behind = [g for g in gaps.of_incident(session, incident.id) if not g.state.over]
        if behind:
            waive = (
                f"watchkeeper incident waive INC-{incident.id} {behind[0].resource} --reason ..."
            )
            raise UserError(
                f"INC-{incident.id} is not closed: the gap in {behind[0].resource} is "
                f"{behind[0].state}; wait until it is filled, or: {waive}"
            )
        held = leases.active(session, incident.id)
        if held:
            raise UserError(
                f"INC-{incident.id} is not closed: {held[0].kind} on {held[0].target} is still in "
                f"force; give it back: watchkeeper lease release {held[0].id} --reason ..."
            )
        now = watch.now()
        for question in approvals.unanswered(session, incident.id):
            approvals.withdraw(session, question.id, f"{by} closed the incident", now)
        text = f"closed by hand: {reason}"
        incidents.note(session, incident.id, text, now=now, actor=by, milestone=Milestone.CLOSED)
        for state in LIFE[LIFE.index(found.state) + 1 :]:
            incidents.move(session, incident.id, state, now)


LIFE = tuple(State)


def gap_asked_for(
    watch: Watch,
    watched: Watched,
    resource: str,
    since: datetime | None,
    until: datetime | None,
) -> Gap:
    """A gap of no incident. Raises UserError on a resource or window that makes no sense."""
    known = {r.name for r in watched.runbook.resources}
    if resource not in known:
        raise UserError(f"{watched.name} has no resource {resource!r}: {', '.join(sorted(known))}")
    end = until or watch.now()
    if any(time is not None and time.tzinfo is None for time in (since, end)):
        raise UserError("a window's times need their zone, such as 2026-01-31T09:00:00Z")
    if since is not None and since >= end:
        raise UserError(f"the window ends ({end:%H:%M:%SZ}) before it begins ({since:%H:%M:%SZ})")
    with watch.store.write() as session:
        gap = gaps.open_gap(
            session,
            incident_id=None,
            integration=watched.name,
            resource=resource,
            since=since,
            now=watch.now(),
        )
        return gaps.bound(session, gap.id, end)
