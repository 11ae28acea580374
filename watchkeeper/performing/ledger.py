"""Performing a side effect so that any process may die in it and any other may go on.

The ledger says SENDING before the call and what came of it afterwards. Whoever finds SENDING
knows that the effect may have happened, and does what its promise allows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

from watchkeeper.effects import Effect, EffectKind, EffectState, Next, Promise, next_move
from watchkeeper.errors import Ambiguous, Halted, Permanent, Transient, UserError
from watchkeeper.failpoints import failpoint
from watchkeeper.incident import Incident
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, locks
from watchkeeper.store.switches import halted

Do = Callable[[], Awaitable[str]]
_BEGUN = frozenset({EffectState.SENDING, EffectState.UNKNOWN})
# Asks the far side: what it shows if the effect is there, None if it is not.
ReadBack = Callable[[], Awaitable[str | None]]


class Right(Protocol):
    """On whose behalf an effect is performed."""

    @property
    def fence(self) -> int: ...
    def check(self, session: Session) -> None: ...
    def effect(self, kind: EffectKind, target: str) -> Effect: ...
    def set_aside(self, session: Session, kind: EffectKind, target: str, now: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class OwnBehalf:
    """The watch acts for itself, outside any incident; only for what the far side dedups."""

    fence: int = 0

    def check(self, session: Session) -> None:
        """Nothing to hold: the far side folds repeats."""

    def effect(self, kind: EffectKind, target: str) -> Effect:
        return Effect(incident_id=None, round=0, kind=kind, target=target)

    def set_aside(self, session: Session, kind: EffectKind, target: str, now: datetime) -> None:
        """No person has one of these tried again."""


@dataclass(frozen=True, slots=True)
class Duty:
    """The right to act for an incident: the lock and the fence under which it was taken.

    Fence 0 stands for acts that need no exclusive right because the far side dedups them. `tries`:
    how often a person has had this step tried again; each try has effects of its own.
    """

    incident_id: int
    round: int
    lock: str = ""
    fence: int = 0
    tries: int = 0

    @classmethod
    def unfenced(cls, incident: Incident) -> Duty:
        return cls(incident.id, incident.round)

    def check(self, session: Session) -> None:
        if self.fence:
            locks.check(session, self.lock, self.fence)

    def effect(self, kind: EffectKind, target: str) -> Effect:
        again = f"#{self.tries}" if self.tries else ""
        return Effect(
            incident_id=self.incident_id, round=self.round, kind=kind, target=f"{target}{again}"
        )

    def set_aside(self, session: Session, kind: EffectKind, target: str, now: datetime) -> None:
        """What came of earlier tries is a person's word by now: they had it tried again."""
        for tries in range(self.tries):
            effect = replace(self, tries=tries).effect(kind, target)
            known = effects.known_state_of(session, effect)
            if known is not None and not known.settled:
                said = "a person looked, and had it tried again"
                effects.settle(session, effect, EffectState.ESCALATED, said, self.fence, now)


def in_doubt(watch: Watch, effect: Effect) -> bool:
    """It was sent, and what came of it was not written down: performing it settles that."""
    with watch.store.read() as session:
        return effects.state_of(session, effect) in _BEGUN


async def perform(
    watch: Watch,
    duty: Right,
    kind: EffectKind,
    target: str,
    do: Do,
    read_back: ReadBack | None = None,
) -> EffectState:
    """Bring the effect about once, whatever happened before.

    Raises what `do` raised, with the ledger saying what is known: Transient leaves it planned,
    Permanent and UserError rejected, Ambiguous and whatever else unknown.
    """
    effect = duty.effect(kind, target)
    with watch.store.write() as session:
        state = effects.state_of(session, effect)
        move = next_move(state, kind.promise)
        if move is Next.NOTHING:
            return state
        allow(watch, kind)
        duty.check(session)
        duty.set_aside(session, kind, target, watch.now())
        if move is Next.SEND:
            effects.sending(session, effect, duty.fence, watch.now())
    if move is Next.ASK_FIRST:
        if read_back is not None and (shown := await read_back()) is not None:
            return _settle(watch, duty, effect, EffectState.RECONCILED, shown)
        with watch.store.write() as session:
            duty.check(session)
            effects.sending(session, effect, duty.fence, watch.now())
    try:
        return await _send(watch, duty, effect, do)
    except Ambiguous:
        # Whether it was done may show at once: then nobody need be called for it.
        if read_back is None or kind.promise is not Promise.READ_BACK:
            raise
        if (shown := await read_back()) is None:
            raise
        return _settle(watch, duty, effect, EffectState.RECONCILED, shown)


def transact(
    watch: Watch, duty: Duty, kind: EffectKind, target: str, change: Callable[[Session], str]
) -> EffectState:
    """An effect that is a change of our own rows: it and its ledger entry commit together."""
    effect = duty.effect(kind, target)
    with watch.store.write() as session:
        state = effects.state_of(session, effect)
        if state.settled:
            return state
        allow(watch, kind)
        duty.check(session)
        duty.set_aside(session, kind, target, watch.now())
        outcome = change(session)
        effects.settle(session, effect, EffectState.DONE, outcome, duty.fence, watch.now())
        failpoint(f"effect.{kind.step}.after")
    failpoint(f"effect.{kind.step}.committed")
    return EffectState.DONE


async def _send(watch: Watch, duty: Right, effect: Effect, do: Do) -> EffectState:
    step = effect.kind.step
    failpoint(f"effect.{step}.before")
    try:
        outcome = await do()
    except Ambiguous as error:
        _settle(watch, duty, effect, EffectState.UNKNOWN, str(error))
        raise
    except Transient as error:
        _settle(watch, duty, effect, EffectState.PLANNED, str(error))
        raise
    except (Permanent, UserError) as error:
        _settle(watch, duty, effect, EffectState.REJECTED, str(error))
        raise
    except Exception as error:
        # A fault of ours: what it did before it failed is not known. Its text may hold anything.
        _settle(watch, duty, effect, EffectState.UNKNOWN, f"failed with {type(error).__name__}")
        raise
    failpoint(f"effect.{step}.after")
    return _settle(watch, duty, effect, EffectState.DONE, outcome)


def _settle(
    watch: Watch, duty: Right, effect: Effect, state: EffectState, outcome: str
) -> EffectState:
    # Not fenced: what happened did happen, and the ledger must say so whoever writes it.
    with watch.store.write() as session:
        effects.settle(session, effect, state, outcome, duty.fence, watch.now())
    failpoint(f"effect.{effect.kind.step}.committed")
    return state


def allow(watch: Watch, kind: EffectKind) -> None:
    """Raises Halted while the kill switch is on, but for what must stay possible."""
    if not kind.stops_when_halted:
        return
    why = halted(watch.store, watch.settings.halt_file)
    if why is not None:
        raise Halted(f"the kill switch is on ({why}): {kind.step} was not done")
