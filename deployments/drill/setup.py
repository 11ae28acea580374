"""What a drill's world has beyond the usual, as data: a scenario says it, the world is built so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# For `entry`: our service's metrics and log are read too.
MEASURED: Mapping[str, Any] = MappingProxyType(
    {
        "service": {
            "metrics": {"kind": "text", "url": "{service}/metrics"},
            "logs": {"kind": "file", "path": "{here}/service.log"},
        }
    }
)
# For `entry`: our service takes settings while it runs.
SETTINGS: Mapping[str, Any] = MappingProxyType(
    {"settings": {"kind": "http", "url": "{service}/settings"}}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """`overrides` are laid over the drill's own overlay of the runbook, `entry` over the entry of
    integrations.yaml, `simulator` and `service` over what these are set up with; `unit` are options
    of the service's manager.

    `second_key`: we hold another key, independent of the first. `keys`: further ones that our
    service holds too, each in a file store of that name. `wired`: every way out of ours leads over a
    wire that can fail. `stand_ins`: further programs of the sandbox, by a name of our choice, with
    their options. `deploys`: jobs (`flow/name`) that Prefect runs beside ours. `looks_at`: further
    addresses whose JSON is looked at before, while it lasts, and after; `commands`: public ones, by
    a name of our choice, whose JSON is looked at once there is an incident.

    The texts of `entry`, `service`, `stand_ins` and `looks_at` may name places of the world:
    `{service}`, `{unit}`, `{vendor}`, `{api}`, `{python}`, its folder as `{folder}`, or from the
    home as `{here}`, and each stand-in. `service` and `stand_ins` are told before there is a
    service or a unit.
    """

    overrides: Mapping[str, Any] = field(default_factory=dict)
    entry: Mapping[str, Any] = field(default_factory=dict)
    simulator: Mapping[str, Any] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    unit: tuple[str, ...] = ()
    second_key: bool = False
    keys: tuple[str, ...] = ()
    wired: bool = False
    stand_ins: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    deploys: tuple[str, ...] = ()
    looks_at: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """The same JSON with each `{place}` in its texts replaced; braces around anything else stay."""
    if isinstance(value, str):
        for name, place in places.items():
            value = value.replace(f"{{{name}}}", place)
        return value
    if isinstance(value, Mapping):
        return {name: filled(inner, places) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled(inner, places) for inner in value]
    return value


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, deep in mappings; lists are replaced whole. Neither is changed."""
    both = {name: filled(value, {}) for name, value in base.items()}
    for name, value in over.items():
        inner = both.get(name)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            both[name] = merged(inner, value)
        else:
            both[name] = filled(value, {})
    return both
