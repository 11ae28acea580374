"""What was seen of a drill, from outside where it can be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deployments.drill.expects import Outside

# What our pacing lets through at once after a rest, and what was on its way.
BURST = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderCap:
    """Our live requests, as the simulator counted them, in a walk under the cap."""

    count: int
    seconds: float
    cap_per_s: float

    @property
    def most(self) -> int:
        return math.ceil(self.cap_per_s * self.seconds) + BURST


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Times are aware UTC. `consumers`: the fingerprint of the key that each shows, by name."""

    incident: dict[str, Any] | None
    verdicts: tuple[str, ...] = ()
    milestones: dict[str, datetime] = field(default_factory=dict)
    opened_at: datetime | None = None
    opened_by: str = ""
    job_states: dict[str, str] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    jobs_paused_in_incident: frozenset[str] = frozenset()
    leases_left: int = 0
    pages: dict[str, Any] = field(default_factory=dict)
    data: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_key: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    service_key: str | None = None
    restarts: int = 0
    key_tested_at: datetime | None = None
    key_promoted_at: datetime | None = None
    consumers: Mapping[str, str | None] = field(default_factory=dict)
    under_cap: UnderCap | None = None
    synced_while_capped: int = 0
    held: tuple[str, ...] = ()
    outside: Outside = field(default_factory=Outside)
    killed: bool = False
    responders: int = 0
    report: str | None = None
    artifact: str | None = None
    off_loopback: tuple[str, ...] = ()
    leaks: tuple[str, ...] = ()

    @property
    def active_keys(self) -> frozenset[str]:
        """Fingerprints of the keys that the vendor accepts."""
        return frozenset(key["fingerprint"] for key in self.keys if key["state"] == "active")
