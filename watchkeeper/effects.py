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
    """`stops_when_halted` is False for what must stay possible while the kill switch is on."""

    step: str
    promise: Promise
    says: str
    stops_when_halted: bool = True


PAGE_TRIGGER = EffectKind("page.trigger", Promise.DEDUP, "page {target}", False)
PAGE_RESOLVE = EffectKind("page.resolve", Promise.DEDUP, "resolve the page {target}", False)
JOB_PAUSE = EffectKind("job.pause", Promise.TRANSACTION, "pause job {target}")
JOB_RESTORE = EffectKind("job.restore", Promise.TRANSACTION, "restore job {target}", False)
RATE_CAP = EffectKind("rate.cap", Promise.TRANSACTION, "cap requests to {target}")
RATE_RESTORE = EffectKind("rate.restore", Promise.TRANSACTION, "lift the cap on {target}", False)
KEY_PROMOTE = EffectKind("key.promote", Promise.READ_BACK, "make the tested key current: {target}")
CONSUMER_RESTART = EffectKind("consumer.restart", Promise.READ_BACK, "restart {target}")

REGISTRY: dict[str, EffectKind] = {
    kind.step: kind
    for kind in (
        PAGE_TRIGGER,
        PAGE_RESOLVE,
        JOB_PAUSE,
        JOB_RESTORE,
        RATE_CAP,
        RATE_RESTORE,
        KEY_PROMOTE,
        CONSUMER_RESTART,
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One side effect of one incident: the natural key (incident, round, step, target)."""

    incident_id: int
    round: int
    kind: EffectKind
    target: str

    @property
    def dedup_key(self) -> str:
        return f"inc-{self.incident_id}:{self.round}:{self.kind.step}:{self.target}"

    def says(self) -> str:
        return self.kind.says.format(target=self.target)


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
