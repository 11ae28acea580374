"""The vocabulary of a symptom table: named, pure predicates over evidence.

A runbook uses them by name, in `symptom`, `unless`, `confirm` and `supported_by`. A family takes
the name of what it is about: `metric:latency_p95`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from watchkeeper.signs import (
    description,
    endpoints,
    keys,
    network,
    ours,
    over_time,
    rates,
    vendors_word,
)
from watchkeeper.signs.finding import Finding, Sign

__all__ = ["FAMILIES", "SIGNS", "Finding", "Sign", "sign_named"]

_MODULES = (endpoints, keys, rates, network, vendors_word, ours, over_time, description)

SIGNS: Mapping[str, Sign] = {sign.__name__: sign for part in _MODULES for sign in part.SIGNS}
FAMILIES: Mapping[str, Callable[[str], Sign]] = {make.__name__: make for make in ours.FAMILIES}


def sign_named(name: str) -> Sign:
    """The predicate of that name. Raises KeyError where the vocabulary has none."""
    family, colon, about = name.partition(":")
    return FAMILIES[family](about) if colon else SIGNS[name]
