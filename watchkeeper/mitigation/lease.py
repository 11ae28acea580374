"""A mitigation in force: whose it is, what was before, when it ends, and what ending it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from watchkeeper.mitigation.job import Job


class LeaseKind(StrEnum):
    PAUSED_JOB = "paused_job"
    PAUSED_SCHEDULE = "paused_schedule"
    RATE_CAP = "rate_cap"
    SETTING = "setting"
    REPLICAS = "replicas"
    # The vendor is waited for: ends on good looks, calls people when its time is over.
    WAIT = "wait"
    # A replaced key that the vendor still accepts: ends when the vendor refuses it.
    OLD_KEY = "old_key"
    BUFFER = "buffer"
    POLLING = "polling"


# What is far from our database, and changed by a call.
LEVERS = frozenset({LeaseKind.PAUSED_SCHEDULE, LeaseKind.SETTING, LeaseKind.REPLICAS})
# What holds no jobs and no rate: it ends with the proof it waits for, not with the repair.
VIGILS = frozenset({LeaseKind.WAIT, LeaseKind.OLD_KEY})


class LeaseState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """`prior` is what was before, `applied` what we made of it. `heartbeat_at`: when a sweep or a
    responder last saw to it."""

    id: int
    incident_id: int
    integration: str
    kind: LeaseKind
    target: str
    prior: Mapping[str, object]
    applied: Mapping[str, object]
    state: LeaseState
    taken_at: datetime
    expires_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None
    ended_because: str

    @property
    def active(self) -> bool:
        return self.state is LeaseState.ACTIVE

    @property
    def taking(self) -> str:
        """Names this very taking: a row serves every one of its kind and target."""
        return f"{self.target}#{self.taken_at:%H:%M:%S.%f}"

    def same_taking(self, other: Lease) -> bool:
        """Still in force, and not taken again since then."""
        return self.active and self.taken_at == other.taken_at

    @property
    def asked(self) -> bool:
        """Of an old key: whether its revocation is asked for. Until then somebody may need it."""
        return "asked_at" in self.applied

    def over(self, now: datetime) -> bool:
        return self.active and self.expires_at <= now


class Shown(NamedTuple):
    """What a lever shows: its value (None: the default), and a mark that changes with each change
    where it keeps one."""

    value: str | None
    mark: str = ""


class Undo(NamedTuple):
    """What ending a lease does: set the lever back, or leave it, and why."""

    restores: bool
    value: str | None
    words: str


def undo_of(lease: Lease, shown: Shown) -> Undo:
    """Only what this incident changed is changed back: a lever that somebody moved since then is
    left as they left it."""
    prior, ours = lease.prior.get("value"), lease.applied.get("mark")
    if shown.value not in _ours(lease):
        return Undo(False, None, f"left as somebody set it ({said(shown.value)})")
    if ours and shown.mark and shown.mark != ours:
        return Undo(False, None, f"left as somebody left it ({said(shown.value)})")
    back = None if prior is None else str(prior)
    if back == shown.value:
        return Undo(False, None, f"was {said(back)} before")
    return Undo(True, back, f"back to {said(back)}")


def _ours(lease: Lease) -> tuple[object, ...]:
    """What it shows by our hand; until it is seen to be set that may be what we had set before."""
    mine = (lease.applied.get("value"),)
    if "instead" in lease.applied and "mark" not in lease.applied:
        return (*mine, lease.applied["instead"])
    return mine


def said(value: str | None) -> str:
    return "its default" if value is None else value


def undone_job(lease: Lease, job: Job) -> str | None:
    """The state that ending a job's lease gives it back, or None where it must be left alone.

    Only what this incident changed is changed back: a job that a person touched since then is left
    as the person left it.
    """
    if job.revision != lease.applied.get("revision"):
        return None
    prior = str(lease.prior["desired"])
    return None if prior == job.desired else prior
