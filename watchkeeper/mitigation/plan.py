"""A plan: every effect before anything happens, and a hash that names exactly this plan."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace

from watchkeeper.mitigation.actions import Action, Escalate
from watchkeeper.runbook.mitigations import Autonomy


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedAction:
    """One mitigation of the runbook, bound to this integration as it is now.

    `calls`: everything that is called for it. `cost`: what it takes from people meanwhile. `risk`:
    what may go wrong. `needs`: what must hold, or be done by a person, before. `promise`: what is
    known if a process dies in it. `left_out`: parts of the mitigation, and why:
    `report-generator: paused by a person`.
    """

    name: str
    action: Action
    target: str
    summary: str
    effects: tuple[str, ...]
    calls: tuple[str, ...]
    undo: str
    cost: str
    risk: str
    promise: str
    autonomy: Autonomy
    approvals: int
    needs: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def acts_by_itself(self) -> bool:
        return self.autonomy == "auto"

    @property
    def needs_approval(self) -> bool:
        """Nobody is asked about nothing: jobs that all were paused already wait for no answer."""
        return bool(self.effects) and self.autonomy in ("propose", "approve")

    @property
    def calls_people(self) -> bool:
        """It must stay possible whatever else is held back."""
        return isinstance(self.action, Escalate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every effect before anything happens. The hash names exactly this plan."""

    integration: str
    incident_id: int
    round: int
    cause: str
    actions: tuple[PlannedAction, ...]
    refused: tuple[str, ...] = ()
    # What a person asked for by name, whatever the cause calls for.
    wanted: frozenset[str] = frozenset()

    @property
    def hash(self) -> str:
        """16 hex digits over what would be done; the same plan on the same world hashes the same."""
        said = json.dumps(
            [
                self.integration,
                self.incident_id,
                self.round,
                self.cause,
                sorted((_bare(a) for a in self.actions), key=lambda bare: str(bare["name"])),
            ],
            sort_keys=True,
            default=str,
        )
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def by_itself(self) -> tuple[PlannedAction, ...]:
        return tuple(a for a in self.actions if a.acts_by_itself)

    @property
    def to_approve(self) -> tuple[PlannedAction, ...]:
        return tuple(a for a in self.actions if a.needs_approval)

    @property
    def questions(self) -> tuple[Plan, ...]:
        """What people are asked: once about all that the cause calls for, and about each thing that
        somebody asked for by name. A yes to one is no yes to another."""
        names = [a.name for a in self.to_approve]
        called_for = frozenset(names) - self.wanted
        groups = [called_for, *(frozenset({name}) for name in names if name in self.wanted)]
        return tuple(self.only(group) for group in groups if group)

    @property
    def asked(self) -> Plan:
        """The part that people must allow, as one question."""
        return self.only(frozenset(a.name for a in self.to_approve))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids that people meet: of each question, since an id names what is approved; of the
        whole only where nothing is asked."""
        return tuple(question.hash for question in self.questions) or (self.hash,)

    @property
    def approvals(self) -> int:
        """How many people must say yes to it."""
        return max((max(a.approvals, 1) for a in self.to_approve), default=0)

    @property
    def waits(self) -> bool:
        """Whether the response waits for the answer: a proposal is left standing instead."""
        return any(a.autonomy == "approve" for a in self.to_approve)

    def only(self, names: frozenset[str]) -> Plan:
        return replace(self, actions=tuple(a for a in self.actions if a.name in names))

    def left_to(self, person: str) -> Plan:
        """Nothing is done but what was asked for by name: the rest is for whoever took over."""
        asked = tuple(a for a in self.actions if a.name in self.wanted)
        left = tuple(f"{a.name}: {person} has taken over" for a in self.actions if a not in asked)
        return replace(self, actions=asked, refused=(*self.refused, *left))


def _bare(planned: PlannedAction) -> dict[str, object]:
    """What of an action makes it another action: not its wording, not how it is approved, and not
    how long it holds."""
    action = asdict(planned.action) | {"lease": "", "why": ""}
    return {"name": planned.name, "action": action, "effects": planned.effects}
