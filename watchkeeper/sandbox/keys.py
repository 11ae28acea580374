"""The vendor's API keys: made and revoked by a person in its settings, never over its API."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.fault import Fault, is_under
from watchkeeper.sandbox.fault_keys import is_expired
from watchkeeper.sandbox.key_uses import Use, Uses


def fingerprint(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Rights:
    """What the person behind a key may do. `read_only`: look and not touch. `scopes`: the resources
    it is for, null for all of them; `lacks`: those it is not for. All else meets a 403."""

    read_only: bool = False
    scopes: tuple[str, ...] | None = None
    lacks: tuple[str, ...] = ()

    def allow(self, path: str, writes: bool, lists: Mapping[str, str]) -> bool:
        """`lists`: the path of a resource by its name; another name is its path's first part."""

        def named(names: tuple[str, ...]) -> bool:
            return any(is_under(path, lists.get(name, f"/{name}")) for name in names)

        if (writes and self.read_only) or named(self.lacks):
            return False
        return self.scopes is None or named(self.scopes)


@dataclass(frozen=True, slots=True)
class Key:
    value: str
    label: str
    made: datetime
    rights: Rights = field(default_factory=Rights)
    revoked: datetime | None = None
    last_used: datetime | None = None

    def state(self, faults: Sequence[Fault], now: datetime) -> str:
        """At an instant: what came after it is not known yet."""
        if self.revoked is not None and self.revoked <= now:
            return "revoked"
        return "expired" if self.expired(faults, now) else "active"

    def expired(self, faults: Sequence[Fault], now: datetime) -> datetime | None:
        """Since when, where it is."""
        times = [f.since for f in faults if f.holds(now) and is_expired(f, self.made)]
        return min(times, default=None)

    def to_json(self, faults: Sequence[Fault], now: datetime, uses: Uses) -> dict[str, Any]:
        scopes = self.rights.scopes
        return {
            "fingerprint": fingerprint(self.value),
            "label": self.label,
            "state": self.state(faults, now),
            "read_only": self.rights.read_only,
            "scopes": None if scopes is None else list(scopes),
            "lacks": list(self.rights.lacks),
            "created": iso(self.made),
            "expired_at": _iso(self.expired(faults, now)),
            "revoked_at": _iso(self.revoked),
            "last_used": _iso(self.last_used),
            "uses": uses.to_json(),
        }


def _iso(at: datetime | None) -> str | None:
    return iso(at) if at else None


class Keyring:
    """All keys there ever were, by fingerprint."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.keys: dict[str, Key] = {}
        self.uses: dict[str, Uses] = {}

    def make(
        self,
        label: str,
        now: datetime,
        value: str = "",
        read_only: bool = False,
        scopes: tuple[str, ...] | None = None,
        lacks: tuple[str, ...] = (),
    ) -> Key:
        text = value or self._next_value()
        rights, mark = Rights(read_only, scopes, lacks), fingerprint(text)
        key = self.keys[mark] = Key(text, label, now, rights)
        self.uses[mark] = Uses()
        return key

    def find(self, value: str) -> Key | None:
        return self.keys.get(fingerprint(value)) if value else None

    def use(self, key: Key, now: datetime) -> None:
        self.keys[fingerprint(key.value)] = replace(key, last_used=now)

    def answered(self, mark: str, use: Use) -> None:
        """Also a call that was refused; what came with a key nobody made is not kept."""
        if mark in self.uses:
            self.uses[mark].add(use)

    def revoke(self, mark: str, now: datetime) -> bool:
        if (key := self.keys.get(mark)) is None:
            return False
        self.keys[mark] = replace(key, revoked=key.revoked or now)
        return True

    def _next_value(self) -> str:
        """Drawn from the seed, so that a run can be repeated; it opens nothing but this vendor."""
        drawn = hashlib.sha256(f"{self.seed}/key/{len(self.keys)}".encode()).hexdigest()
        return f"test_{drawn[:32]}"
