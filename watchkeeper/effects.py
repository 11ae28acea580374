"""Every side effect that Watchkeeper has, and what each one promises when a process dies in it.

A performer may be killed between the effect and its commit. What happens then is decided here,
not where the effect is performed:

- `transaction`: the effect is a row of our own, committed together with its ledger entry
- `dedup`: sent again under the same key; the far side counts it once
- `read_back`: the far side is asked first, and the effect is sent again only where it is missing
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Promise(StrEnum):
    TRANSACTION = "transaction"
    DEDUP = "dedup"
    READ_BACK = "read_back"


class EffectState(StrEnum):
    PLANNED = "planned"
    SENDING = "sending"
    DONE = "done"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    RECONCILED = "reconciled"
    ESCALATED = "escalated"

    @property
    def settled(self) -> bool:
        return self in _SETTLED


_SETTLED = frozenset({EffectState.DONE, EffectState.RECONCILED, EffectState.ESCALATED})


@dataclass(frozen=True, slots=True)
class EffectKind:
    """`stops_when_halted` is False for what must stay possible while the kill switch is on.

    `says` names the target without what tells one taking of a lease from another: `model#09:00`.
    """

    step: str
    promise: Promise
    says: str
    stops_when_halted: bool = True

    def said(self, target: str) -> str:
        return self.says.format(target=target.partition("#")[0])


_OURS, _DEDUP, _READ_BACK = Promise.TRANSACTION, Promise.DEDUP, Promise.READ_BACK

PAGE_TRIGGER = EffectKind("page.trigger", _DEDUP, "page rung {target}", False)
PAGE_RESOLVE = EffectKind("page.resolve", _DEDUP, "resolve the page of rung {target}", False)
JOB_PAUSE = EffectKind("job.pause", _OURS, "pause job {target}")
JOB_RESTORE = EffectKind("job.restore", _OURS, "restore job {target}", False)
SCHEDULE_PAUSE = EffectKind("schedule.pause", _READ_BACK, "pause job {target} where it is run")
SCHEDULE_RESTORE = EffectKind(
    "schedule.restore", _READ_BACK, "resume job {target} where it is run", False
)
MISSED_RUN = EffectKind("schedule.missed", _DEDUP, "run {target} for a time that it missed")
RATE_CAP = EffectKind("rate.cap", _OURS, "cap requests to {target}")
RATE_RESTORE = EffectKind("rate.restore", _OURS, "lift the cap on {target}", False)
LEASE_HOLD = EffectKind("lease.hold", _OURS, "hold {target}")
LEASE_RELEASE = EffectKind("lease.release", _OURS, "let go of {target}", False)
SETTING_SET = EffectKind("setting.set", _READ_BACK, "set {target} of the service")
SETTING_RESTORE = EffectKind("setting.restore", _READ_BACK, "set {target} back", False)
REPLICAS_SET = EffectKind("replicas.set", _READ_BACK, "scale {target}")
REPLICAS_RESTORE = EffectKind("replicas.restore", _READ_BACK, "scale {target} back", False)
SERVICE_RESTART = EffectKind("service.restart", _READ_BACK, "restart {target}")
KEY_PROMOTE = EffectKind("key.promote", _READ_BACK, "make the tested key current: {target}")
CONSUMER_RESTART = EffectKind("consumer.restart", _READ_BACK, "restart {target}")

REGISTRY: dict[str, EffectKind] = {
    kind.step: kind
    for kind in (
        PAGE_TRIGGER,
        PAGE_RESOLVE,
        JOB_PAUSE,
        JOB_RESTORE,
        SCHEDULE_PAUSE,
        SCHEDULE_RESTORE,
        MISSED_RUN,
        RATE_CAP,
        RATE_RESTORE,
        LEASE_HOLD,
        LEASE_RELEASE,
        SETTING_SET,
        SETTING_RESTORE,
        REPLICAS_SET,
        REPLICAS_RESTORE,
        SERVICE_RESTART,
        KEY_PROMOTE,
        CONSUMER_RESTART,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One side effect: the natural key (incident, round, step, target). `incident_id` is None for
    what the watch does on its own behalf."""

    incident_id: int | None
    round: int
    kind: EffectKind
    target: str

    @property
    def dedup_key(self) -> str:
        whose = "watch" if self.incident_id is None else f"inc-{self.incident_id}"
        return f"{whose}:{self.round}:{self.kind.step}:{self.target}"

    def says(self) -> str:
        return self.kind.said(self.target)


class Next(StrEnum):
    """What a performer does with an effect that it finds in the ledger."""

    SEND = "send"
    ASK_FIRST = "ask_first"
    NOTHING = "nothing"


def next_move(state: EffectState, promise: Promise) -> Next:
    """Decide from the ledger alone; the caller may be the second or third process to try."""
    if state.settled:
        return Next.NOTHING
    if state in (EffectState.SENDING, EffectState.UNKNOWN) and promise is Promise.READ_BACK:
        return Next.ASK_FIRST
    return Next.SEND
