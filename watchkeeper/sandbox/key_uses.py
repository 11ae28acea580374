"""What a key was used for, as the vendor's dashboard shows it: counts, and its newest calls."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso

KEPT, SHOWN = 20_000, 20


@dataclass(frozen=True, slots=True)
class Use:
    """One call that came with the key. `status` 0: nothing was answered."""

    at: datetime
    method: str
    path: str
    caller: str
    status: int

    @property
    def refused(self) -> bool:
        return self.status in (401, 403)

    @property
    def accepted(self) -> bool:
        """A platform that is down, or silent, has not looked at the key."""
        return 0 < self.status < 500 and not self.refused

    def to_json(self) -> dict[str, Any]:
        return {
            "time": iso(self.at),
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "accepted": self.accepted,
            "caller": self.caller,
        }


@dataclass(slots=True)
class Uses:
    """The counts are of all calls, and `calls` are the newest of them."""

    accepted: int = 0
    refused: int = 0
    calls: deque[Use] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, use: Use) -> None:
        self.accepted += use.accepted
        self.refused += use.refused
        self.calls.append(use)

    def since(self, at: datetime | None) -> Iterator[Use]:
        return (use for use in self.calls if at is None or use.at >= at)

    def to_json(self) -> dict[str, Any]:
        newest = list(self.calls)[-SHOWN:]
        calls = [use.to_json() for use in newest]
        return {"accepted": self.accepted, "refused": self.refused, "calls": calls}
