"""What people at the vendor have declared on their status page, which may lag what is so."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, get_args

from watchkeeper.sandbox.clock import instant

Broken = Literal["html", "500", "hang", "other_company"]


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Announced for one component. `state`: in the page's own words; null: by its times."""

    component: str
    starts_at: datetime
    ends_at: datetime | None = None
    state: str | None = None

    def holds(self, now: datetime) -> bool:
        return self.starts_at <= now and (self.ends_at is None or now < self.ends_at)

    def is_over(self, now: datetime) -> bool:
        return self.ends_at is not None and self.ends_at <= now


@dataclass(frozen=True, slots=True)
class Incident:
    """Open, and written by people: the components' states may say nothing of it. `component`: null
    where it names none. `status` and `impact` are Statuspage's words; each page has its own."""

    name: str
    component: str | None = None
    status: str = "investigating"
    impact: str = "minor"


INCIDENT_STATUSES = ("investigating", "identified", "monitoring", "resolved")
INCIDENT_IMPACTS = ("none", "minor", "major", "critical")


@dataclass(frozen=True, slots=True)
class Words:
    """The states that one kind of page knows: of a component, worst last, and of a maintenance."""

    components: tuple[str, ...]
    maintenance: tuple[str, ...]
    during: str


@dataclass(frozen=True, slots=True)
class Declared:
    """`broken`: how the page itself fails, null where it serves. `twins`: components that have the
    same name as another, and a state of their own."""

    company: str
    states: Mapping[str, str]
    updated: datetime
    maintenance: Maintenance | None = None
    broken: Broken | None = None
    incident: Incident | None = None
    twins: Mapping[str, str] = field(default_factory=dict)

    def listed(self, now: datetime, during: str) -> list[tuple[str, str]]:
        """Each component with its state, in the page's order: a twin follows the other."""
        shown = self.shown(now, during)
        pairs = [((name, state), (name, self.twins.get(name))) for name, state in shown.items()]
        return [(name, state) for both in pairs for name, state in both if state is not None]

    def shown(self, now: datetime, during: str) -> dict[str, str]:
        """The states as the page shows them: a well component under maintenance is `during`."""
        planned = self.maintenance
        if planned is None or not planned.holds(now):
            return dict(self.states)
        well = self.states[planned.component].lower() == "operational"
        return {**self.states, **({planned.component: during} if well else {})}


def declare(page: Declared, told: Mapping[str, Any], words: Words, now: datetime) -> Declared:
    """`told`: states by component, and beside them `maintenance`, `incident`, `twins` and `broken`,
    null to end either.

    Raises ValueError saying what is allowed.
    """
    beside = ("maintenance", "incident", "twins", "broken")
    states = {k: v for k, v in told.items() if k not in beside}
    if states.keys() - page.states.keys() or not {*states.values()} <= {*words.components}:
        raise ValueError(f"{list(page.states)} take one of {list(words.components)}")
    changes: dict[str, Any] = {"states": {**page.states, **states}, "updated": now}
    if "maintenance" in told:
        raw = told["maintenance"]
        changes["maintenance"] = None if raw is None else _maintenance(page, raw, words)
    if "incident" in told:
        raw = told["incident"]
        changes["incident"] = None if raw is None else _incident(page, raw)
    if "twins" in told:
        twins = told["twins"] or {}
        if twins.keys() - page.states.keys() or not {*twins.values()} <= {*words.components}:
            raise ValueError(f"twins: {list(page.states)} take one of {list(words.components)}")
        changes["twins"] = twins
    if "broken" in told:
        if told["broken"] not in (None, *get_args(Broken)):
            raise ValueError(f"broken is null or one of {list(get_args(Broken))}")
        changes["broken"] = told["broken"]
    return replace(page, **changes)


def _incident(page: Declared, raw: Mapping[str, Any]) -> Incident:
    try:
        found = Incident(**raw)
    except TypeError as error:
        raise ValueError("an incident has name, component, status and impact") from error
    if found.component not in (None, *page.states):
        raise ValueError(f"component is null or one of {list(page.states)}")
    if found.status not in INCIDENT_STATUSES or found.impact not in INCIDENT_IMPACTS:
        raise ValueError(f"{INCIDENT_STATUSES} and {INCIDENT_IMPACTS} are what an incident can be")
    return found


def _maintenance(page: Declared, raw: Mapping[str, Any], words: Words) -> Maintenance:
    try:
        ends_at = instant(raw["ends_at"]) if raw.get("ends_at") else None
        found = Maintenance(raw["component"], instant(raw["starts_at"]), ends_at, raw.get("state"))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("maintenance has component, starts_at, ends_at and state") from error
    if found.component not in page.states:
        raise ValueError(f"component is one of {list(page.states)}")
    if found.state not in (None, *words.maintenance):
        raise ValueError(f"a maintenance's state is one of {list(words.maintenance)}")
    return found


def elsewhere(now: datetime, well: str) -> Declared:
    """The page of somebody else, to whom all is well."""
    return Declared("Somebody Else", dict.fromkeys(("Shop", "Payments"), well), now)
