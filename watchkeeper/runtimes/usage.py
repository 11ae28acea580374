"""What pods use of what they may: processor and memory in Kubernetes' quantities. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BUSY = 0.9
_MIB = 1024**2
_TENS = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_TWOS = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
_TIMES = {u: 10.0**e for u, e in _TENS.items()} | {u: 2.0**e for u, e in _TWOS.items()}
_QUANTITY = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)(n|u|m|k|M|G|T|Ki|Mi|Gi|Ti)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Usage:
    """Of a pod: processor in cores, memory in bytes; None where there is no limit, or no word."""

    cores: float | None = None
    memory: float | None = None

    def busy(self, limits: Usage) -> bool:
        """Close to a limit. Memory close to it is soon killed, a processor at it is slowed."""
        pairs = ((self.cores, limits.cores), (self.memory, limits.memory))
        return any(used >= BUSY * most for used, most in pairs if used is not None and most)

    def says(self, limits: Usage) -> str:
        """`CPU 0.25 of 0.5, memory 500 of 512 MiB`."""
        cores = _of(self.cores, limits.cores, "{:.2f}")
        memory = _of(_mib(self.memory), _mib(limits.memory), "{:.0f}")
        return f"CPU {cores}, memory {memory} MiB"


NOTHING_KNOWN = Usage()


def quantity(text: object) -> float | None:
    """`250m` is 0.25, `512Mi` 536870912; None where it is no quantity."""
    found = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    return float(found[1]) * _TIMES[found[2] or ""] if found else None


def usage_of(text: bytes) -> dict[str, Usage]:
    """By pod, from what `kubectl top pods --no-headers` prints; other lines tell nothing."""
    rows = (line.split() for line in text.decode(errors="replace").splitlines())
    return {row[0]: Usage(quantity(row[1]), quantity(row[2])) for row in rows if len(row) >= 3}


def limits_of(containers: Sequence[Mapping[str, Any]]) -> Usage:
    """A pod's limits are its containers'; where one of them has none, the pod has none."""
    return Usage(_sum(containers, "cpu"), _sum(containers, "memory"))


def _sum(containers: Sequence[Mapping[str, Any]], what: str) -> float | None:
    total = 0.0
    for container in containers:
        resources = container.get("resources")
        limits = resources.get("limits") if isinstance(resources, dict) else None
        limit = quantity(limits.get(what)) if isinstance(limits, dict) else None
        if limit is None:
            return None
        total += limit
    return total or None


def _of(used: float | None, most: float | None, shape: str) -> str:
    shown = "unknown" if used is None else shape.format(used)
    return shown + (f" of {shape.format(most)}" if most else "")


def _mib(size: float | None) -> float | None:
    return None if size is None else size / _MIB
