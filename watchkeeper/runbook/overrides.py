"""An integration's overrides laid over its runbook: deep, and lists of named things by name."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from watchkeeper.runbook.document import Document, Loc, Place
from watchkeeper.runbook.problems import Problem, unknown

# The runbook's lists of named things, with the key that names them. Other lists are replaced whole.
NAMED_BY: Mapping[str, str] = {
    "probes": "name",
    "contrast_probes": "name",
    "metrics": "name",
    "logs": "name",
    "resources": "name",
    "severity": "level",
    "causes": "cause",
    "mitigations": "name",
    "jobs": "name",
    "escalation": "level",
}


def lay_over(base: Document, overrides: Document) -> Document:
    """The runbook with the overrides applied; each overridden value keeps its own place.

    An override that names an unknown thing is a problem of the result, at the override's line.
    """
    layer = _Layer(base, overrides)
    if isinstance(layer.data, dict) and isinstance(overrides.data, dict):
        layer.merge(layer.data, overrides.data, (), ())
    return Document(layer.data, layer.places, (*base.problems, *layer.problems))


class _Layer:
    """A copy of the base that grows into the result."""

    def __init__(self, base: Document, overrides: Document) -> None:
        self.data = copy.deepcopy(base.data)
        self.places: dict[Loc, Place] = dict(base.places)
        self.overrides = overrides
        self.problems: list[tuple[Loc, Problem]] = list(overrides.problems)

    def merge(self, target: dict[str, object], over: dict[str, object], at: Loc, src: Loc) -> None:
        """Lay `over` (at `src` in the overrides) on `target` (at `at` in the runbook)."""
        for key, value in over.items():
            here, there = (*at, key), (*src, key)
            held = target.get(key)
            if not at and key in NAMED_BY and isinstance(held, list):
                self.named(held, NAMED_BY[key], value, here, there)
            elif isinstance(held, dict) and isinstance(value, dict):
                self.merge(held, value, here, there)
            else:
                target[key] = value
                self.replace_places(here, there)

    def named(self, held: list[object], by: str, value: object, at: Loc, src: Loc) -> None:
        """Overrides of a list of named things: a mapping of name to what changes."""
        if not isinstance(value, dict):
            self.report(src, f"override by {by}: a mapping of {by} to what changes is wanted")
            return
        known = {str(item.get(by)): n for n, item in enumerate(held) if isinstance(item, dict)}
        for name, partial in value.items():
            item = held[known[name]] if name in known else None
            if not isinstance(item, dict):
                self.report((*src, name), unknown(name, str(at[0]).removesuffix("s"), known))
            elif not isinstance(partial, dict):
                self.report((*src, name), "a mapping of what changes is wanted")
            elif by in partial:
                self.report((*src, name, by), f"{by} names the thing and cannot be overridden")
            else:
                self.merge(item, partial, (*at, known[name]), (*src, name))

    def replace_places(self, at: Loc, src: Loc) -> None:
        for old in [loc for loc in self.places if loc[: len(at)] == at]:
            del self.places[old]
        self.places[at] = self.overrides.place(src)
        for loc, place in self.overrides.places.items():
            if loc[: len(src)] == src:
                self.places[(*at, *loc[len(src) :])] = place

    def report(self, src: Loc, message: str) -> None:
        self.problems.append((src, self.overrides.problem(src, message)))
