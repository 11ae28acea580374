"""The vendor's API keys: made and revoked by a person in its settings, never over its API."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.fault import Fault
from watchkeeper.sandbox.fault_keys import is_expired


def fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Key:
    """`read_only`: the person behind the key may look and not touch, so writes meet a 403."""

    value: str
    label: str
    made: datetime
    read_only: bool = False
    revoked: datetime | None = None
    last_used: datetime | None = None

    def state(self, faults: Sequence[Fault], now: datetime) -> str:
        if self.revoked is not None:
            return "revoked"
        expired = any(f.holds(now) and is_expired(f, self.made) for f in faults)
        return "expired" if expired else "active"

    def to_json(self, faults: Sequence[Fault], now: datetime) -> dict[str, Any]:
        return {
            "fingerprint": fingerprint(self.value),
            "label": self.label,
            "state": self.state(faults, now),
            "read_only": self.read_only,
            "created": iso(self.made),
            "last_used": iso(self.last_used) if self.last_used else None,
        }


class Keyring:
    """All keys there ever were, by fingerprint."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.keys: dict[str, Key] = {}

    def make(self, label: str, now: datetime, value: str = "", read_only: bool = False) -> Key:
        text = value or self._next_value()
        key = self.keys[fingerprint(text)] = Key(text, label, now, read_only)
        return key

    def find(self, value: str) -> Key | None:
        return self.keys.get(fingerprint(value)) if value else None

    def use(self, key: Key, now: datetime) -> None:
        self.keys[fingerprint(key.value)] = replace(key, last_used=now)

    def revoke(self, mark: str, now: datetime) -> bool:
        if (key := self.keys.get(mark)) is None:
            return False
        self.keys[mark] = replace(key, revoked=key.revoked or now)
        return True

    def _next_value(self) -> str:
        """Drawn from the seed, so that a run can be repeated; it opens nothing but this vendor."""
        drawn = hashlib.sha256(f"{self.seed}/key/{len(self.keys)}".encode()).hexdigest()
        return f"test_{drawn[:32]}"
