"""What people at the vendor have declared on their status page, which may lag what is so."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
class Words:
    """The states that one kind of page knows: of a component, worst last, and of a maintenance."""

    components: tuple[str, ...]
    maintenance: tuple[str, ...]
    during: str


@dataclass(frozen=True, slots=True)
class Declared:
    """`broken`: how the page itself fails, null where it serves."""

    company: str
    states: Mapping[str, str]
    updated: datetime
    maintenance: Maintenance | None = None
    broken: Broken | None = None

    def shown(self, now: datetime, during: str) -> dict[str, str]:
        """The states as the page shows them: a well component under maintenance is `during`."""
        planned = self.maintenance
        if planned is None or not planned.holds(now):
            return dict(self.states)
        well = self.states[planned.component] == "operational"
        return {**self.states, **({planned.component: during} if well else {})}


def declare(page: Declared, told: Mapping[str, Any], words: Words, now: datetime) -> Declared:
    """`told`: states by component, and beside them `maintenance` and `broken`, null to end either.

    Raises ValueError saying what is allowed.
    """
    states = {k: v for k, v in told.items() if k not in ("maintenance", "broken")}
    if states.keys() - page.states.keys() or not {*states.values()} <= {*words.components}:
        raise ValueError(f"{list(page.states)} take one of {list(words.components)}")
    changes: dict[str, Any] = {"states": {**page.states, **states}, "updated": now}
    if "maintenance" in told:
        raw = told["maintenance"]
        changes["maintenance"] = None if raw is None else _maintenance(page, raw, words)
    if "broken" in told:
        if told["broken"] not in (None, *get_args(Broken)):
            raise ValueError(f"broken is null or one of {list(get_args(Broken))}")
        changes["broken"] = told["broken"]
    return replace(page, **changes)


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


def elsewhere(now: datetime) -> Declared:
    """The page of somebody else, to whom all is well."""
    return Declared("Somebody Else", dict.fromkeys(("Shop", "Payments"), "operational"), now)
