"""What to do about a cause: typed actions, each with its effects, its limit and its way back.

`plan` is pure. It reads the runbook's row for the cause and the world as it was last seen, and
says what would be done; nothing here does it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchkeeper.incident import Incident
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.policy import Autonomy, Criticality, Mitigation


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseJobs:
    jobs: tuple[str, ...]
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class CapRate:
    max_requests_per_s: float
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    credential: str
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    why: str


Action = PauseJobs | CapRate | RotateKey | Escalate


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """One mitigation of the runbook, bound to this integration as it is now."""

    name: str
    action: Action
    summary: str
    effects: tuple[str, ...]
    calls: tuple[str, ...]
    undo: str
    autonomy: Autonomy
    approvals: int
    # Parts of the mitigation that are left out, and why: `report-generator: paused by a person`.
    left_out: tuple[str, ...] = ()

    @property
    def acts_by_itself(self) -> bool:
        return self.autonomy == "auto"

    @property
    def needs_approval(self) -> bool:
        """Nobody is asked about nothing: jobs that all were paused already wait for no answer."""
        return bool(self.effects) and self.autonomy in ("propose", "approve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every effect before anything happens. The hash names exactly this plan."""

    integration: str
    incident_id: int
    round: int
    cause: str
    actions: tuple[PlannedAction, ...]
    refused: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        """16 hex digits over what would be done; the same plan on the same world hashes the same."""
        said = json.dumps(
            [
                self.integration,
                self.incident_id,
                self.round,
                self.cause,
                [_bare(a) for a in self.actions],
            ],
            sort_keys=True,
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def by_itself(self) -> tuple[PlannedAction, ...]:
        return tuple(a for a in self.actions if a.acts_by_itself)

    @property
    def to_approve(self) -> tuple[PlannedAction, ...]:
        return tuple(a for a in self.actions if a.needs_approval)

    def only(self, names: frozenset[str]) -> Plan:
        return replace(self, actions=tuple(a for a in self.actions if a.name in names))

    def left_to(self, person: str) -> Plan:
        """Nothing is done: whoever took the incident over does it, or asks for it by name."""
        left = tuple(f"{a.name}: {person} has taken over" for a in self.actions)
        return replace(self, actions=(), refused=(*self.refused, *left))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job's desired state, and who last said so."""

    integration: str
    name: str
    criticality: Criticality
    desired: str
    changed_by: str
    reason: str
    changed_at: datetime
    revision: int

    @property
    def paused(self) -> bool:
        return self.desired == PAUSED


RUNNING, PAUSED = "running", "paused"


class LeaseKind(StrEnum):
    PAUSED_JOB = "paused_job"
    RATE_CAP = "rate_cap"


class LeaseState(StrEnum):
    ACTIVE = "active"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A mitigation in force. `prior` is what was before, `applied` what we made of it."""

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
    ended_at: datetime | None
    ended_because: str

    def same_taking(self, other: Lease) -> bool:
        """Still in force, and not taken again since then: a row is used for every taking."""
        return self.state is LeaseState.ACTIVE and self.taken_at == other.taken_at


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a plan depends on: the jobs as they are, and what this incident already did."""

    jobs: tuple[Job, ...]
    leases: tuple[Lease, ...] = ()
    rotations_today: int = 0


def plan(incident: Incident, cause: str, watched: Watched, world: World) -> Plan:
    """The runbook's mitigations for a cause, in its order, bound and capped.

    A cause that no row names has an empty plan: nothing is done, people are asked.
    """
    rule = watched.runbook.cause(cause)
    names = rule.mitigations if rule else ()
    bound = [_bind(watched.runbook.mitigation(name), watched, world) for name in names]
    kept, refused = _capped([b for b in bound if b is not None], watched, world)
    return Plan(
        integration=watched.name,
        incident_id=incident.id,
        round=incident.round,
        cause=cause,
        actions=tuple(kept),
        refused=tuple(refused),
    )


def _bind(mitigation: Mitigation, watched: Watched, world: World) -> PlannedAction | None:
    match mitigation.action:
        case "pause_jobs":
            return _bind_pause(mitigation, world)
        case "cap_rate":
            return _bind_cap(mitigation, watched)
        case "rotate_key":
            return _bind_rotation(mitigation, watched)
        case "escalate":
            return _planned(
                mitigation,
                Escalate(why=mitigation.summary),
                effects=("call the next rung of the escalation ladder",),
                calls=("pager: trigger",),
                undo="none needed",
            )


def _bind_pause(mitigation: Mitigation, world: World) -> PlannedAction | None:
    wanted = [job for job in world.jobs if job.criticality in mitigation.criticality]
    ours = {lease.target for lease in world.leases if lease.kind is LeaseKind.PAUSED_JOB}
    jobs = tuple(job.name for job in wanted if not job.paused or job.name in ours)
    left = tuple(
        f"{job.name}: already paused by {job.changed_by}"
        for job in wanted
        if job.paused and job.name not in ours
    )
    if not wanted:
        return None
    return _planned(
        mitigation,
        PauseJobs(jobs=jobs, lease=mitigation.lease),
        effects=tuple(f"pause job {name}" for name in jobs),
        calls=tuple(f"database: jobs/{name} desired=paused" for name in jobs),
        undo="each job goes back to what it was before, unless a person changed it meanwhile",
        left_out=left,
    )


def _bind_cap(mitigation: Mitigation, watched: Watched) -> PlannedAction:
    limit = mitigation.max_requests_per_s or 1.0
    return _planned(
        mitigation,
        CapRate(max_requests_per_s=limit, lease=mitigation.lease),
        effects=(f"cap requests to {watched.name} at {limit:g} per second",),
        calls=(f"database: lease rate_cap={limit:g}/s",),
        undo="the cap is lifted",
    )


def _bind_rotation(mitigation: Mitigation, watched: Watched) -> PlannedAction:
    name = watched.integration.credential.name
    consumers = tuple(c.name for c in watched.integration.consumers)
    restarts = tuple(f"restart {c.name}" for c in watched.integration.consumers)
    return _planned(
        mitigation,
        RotateKey(credential=name, consumers=consumers),
        effects=(f"make the offered key of {name} current, once the vendor accepts it", *restarts),
        calls=(
            "vendor: GET on every probed endpoint with the offered key",
            f"secret store: promote pending of {watched.integration.credential.reference}",
            *(f"command: {' '.join(c.runtime.restart)}" for c in watched.integration.consumers),
        ),
        undo="the previous key stays in the store and can be made current again until it is revoked",
    )


def _planned(
    mitigation: Mitigation,
    action: Action,
    *,
    effects: tuple[str, ...],
    calls: tuple[str, ...],
    undo: str,
    left_out: tuple[str, ...] = (),
) -> PlannedAction:
    return PlannedAction(
        name=mitigation.name,
        action=action,
        summary=mitigation.summary,
        effects=effects,
        calls=calls,
        undo=undo,
        autonomy=mitigation.autonomy,
        approvals=mitigation.approvals,
        left_out=left_out,
    )


def _capped(
    actions: list[PlannedAction], watched: Watched, world: World
) -> tuple[list[PlannedAction], list[str]]:
    """Leave out what would go over a cap, and say so: a cap never trims an action in half."""
    caps, kept, refused = watched.runbook.caps, [], []
    for planned in actions:
        action = planned.action
        if isinstance(action, PauseJobs) and len(action.jobs) > caps.jobs_paused_per_incident:
            refused.append(
                f"{planned.name}: would pause {len(action.jobs)} jobs, "
                f"the cap is {caps.jobs_paused_per_incident}"
            )
        elif (
            isinstance(action, RotateKey)
            and world.rotations_today >= caps.rotations_per_credential_per_day
        ):
            refused.append(
                f"{planned.name}: {action.credential} was rotated {world.rotations_today} times "
                f"today, the cap is {caps.rotations_per_credential_per_day}"
            )
        else:
            kept.append(planned)
    return kept, refused


def _bare(planned: PlannedAction) -> dict[str, object]:
    """What of an action makes it another action: not its wording, not how it is approved."""
    action = asdict(planned.action) | {"lease": ""}
    return {"name": planned.name, "action": action, "effects": planned.effects}


def undone_job(lease: Lease, job: Job) -> str | None:
    """The state that ending a job's lease gives it back, or None where it must be left alone.

    Only what this incident changed is changed back: a job that a person touched since then is left
    as the person left it.
    """
    if job.revision != lease.applied.get("revision"):
        return None
    prior = str(lease.prior["desired"])
    return None if prior == job.desired else prior
