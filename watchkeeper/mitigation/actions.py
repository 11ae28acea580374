"""The actions, as values: what is to be done, bound to what is there. Nothing here does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from watchkeeper.runbook.mitigations import MissedRuns, RotationOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseJobs:
    """`jobs` are the runbook's, which obey our row; `schedules` those that something else runs."""

    jobs: tuple[str, ...]
    schedules: tuple[str, ...] = ()
    lease: timedelta
    missed_runs: MissedRuns = "latest"
    stagger: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapRate:
    max_requests_per_s: float
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSettings:
    """Settings of our service by their standard names, with the values they are to have."""

    values: tuple[tuple[str, str], ...]
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """(consumer, how many replicas it is to have)."""

    replicas: tuple[tuple[str, int], ...]
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    credential: str
    consumers: tuple[str, ...]
    order: RotationOrder = "overlap"
    revoke_within: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    good_looks: int
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    why: str


Action = PauseJobs | CapRate | ChangeSettings | Scale | Restart | RotateKey | Wait | Escalate
