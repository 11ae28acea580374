"""How our key stands by our own record: told to have leaked, or soon to be replaced."""

from __future__ import annotations

from datetime import datetime, timedelta

from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.harmless import LONGEST
from watchkeeper.mitigation.world import StepState
from watchkeeper.performing.connectors import keys_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import changes, exposures, incidents, steps


def key_standing(watch: Watch, watched: Watched) -> tuple[Reading, ...]:
    """`leak` while an incident's leaked key is alive or still ours; `age` where integrations.yaml
    says when the key expires, or how old it may grow."""
    readings = (_leak(watch, watched), _age(watch, watched))
    return tuple(reading for reading in readings if reading is not None)


def _leak(watch: Watch, watched: Watched) -> Reading | None:
    with watch.store.read() as session:
        incident = incidents.current(session, watched.name)
        told = exposures.of_incident(session, incident.id) if incident else ()
    if not told:
        return None
    leaked, current = told[-1], _current(watch, watched)
    since = f"others may have {leaked.fingerprint} since {leaked.exposed_at:%Y-%m-%d %H:%M}Z"
    if leaked.refused_at is not None and current != leaked.fingerprint:
        return _reading("leak", watch.now(), Outcome.OK, None, f"{since}; dead and replaced")
    said = "dead, and not replaced" if leaked.refused_at else "not yet seen to be dead"
    return _reading("leak", watch.now(), Outcome.DOWN, "leaked", f"{since}; {said}")


def _current(watch: Watch, watched: Watched) -> str | None:
    try:
        found = {v.stage: v.fingerprint for v in keys_of(watch, watched).versions()}
    except WatchkeeperError:
        return None
    return found.get("current")


def _age(watch: Watch, watched: Watched) -> Reading | None:
    credential = watched.integration.credential
    if credential.expires is None and credential.max_age is None:
        return None
    try:
        since = {v.stage: v.since for v in keys_of(watch, watched).versions()}.get("current")
    except WatchkeeperError as error:
        return _reading("age", watch.now(), Outcome.UNKNOWN, None, str(error))
    told, now = credential.expires, watch.now()
    if told is not None and _rotated(watch, watched, told - credential.warn_before):
        # The one that was written down as expiring has been replaced: this is another.
        told = None
    ends = ends_of(told, since, credential.max_age)
    if _half_replaced(watch, watched):
        said = "it was to be replaced, and that is not finished"
        return _reading("age", now, Outcome.DEGRADED, "due", said)
    if ends is None:
        return None
    when = f"it is to be replaced by {ends:%Y-%m-%d %H:%M}Z"
    if ends - credential.warn_before > now:
        return _reading("age", now, Outcome.OK, None, when)
    left = f"in {_left(ends - now)}" if ends > now else "that is over"
    return _reading("age", now, Outcome.DEGRADED, "due", f"{when}, {left}")


def _half_replaced(watch: Watch, watched: Watched) -> bool:
    """A rotation of the open incident is neither done nor skipped: a new key in the store is no proof
    that our services hold it, and the old one is still good."""
    rotations = {m.name for m in watched.runbook.mitigations if m.action == "rotate_key"}
    with watch.store.read() as session:
        incident = incidents.current(session, watched.name)
        found = steps.of_round(session, incident) if incident else ()
    over = (StepState.DONE, StepState.SKIPPED)
    return any(step.name in rotations and step.state not in over for step in found)


def ends_of(
    expires: datetime | None, since: datetime | None, max_age: timedelta | None
) -> datetime | None:
    """When the key is to be replaced: where it expires, or is as old as it may grow."""
    grown = since + max_age if since and max_age else None
    return min((end for end in (expires, grown) if end is not None), default=None)


def _rotated(watch: Watch, watched: Watched, since: datetime) -> bool:
    """Whether we have made another key current since then."""
    with watch.store.read() as session:
        found = changes.since(session, watched.name, since, watch.now())
    return any(change.source == "rotation" for change in found)


def _left(span: timedelta) -> str:
    """Without what nobody reads."""
    if span >= timedelta(days=2):
        return f"{span.days} days"
    return words(timedelta(minutes=max(span // timedelta(minutes=1), 1)))


def _reading(probe: str, at: datetime, outcome: Outcome, fault: str | None, said: str) -> Reading:
    return Reading(
        probe=probe,
        kind=Kind.KEY,
        target="our key",
        at=at,
        outcome=outcome,
        latency_s=0.0,
        fault=fault,
        detail=said[:LONGEST],
    )
