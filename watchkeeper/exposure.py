"""A key that others may have: from when to when it was good, and whether its use was audited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.runbook.durations import words


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """`exposed_at`: since when others may have had it, as a person told. `last_accepted_at`,
    `refused_at`: when the vendor was last seen to let it in, and first to refuse it."""

    incident_id: int
    integration: str
    credential: str
    fingerprint: str
    exposed_at: datetime
    place: str
    told_by: str
    told_at: datetime
    last_accepted_at: datetime | None
    refused_at: datetime | None
    audited_by: str | None
    audited_at: datetime | None
    finding: str

    @property
    def audited(self) -> bool:
        return self.audited_at is not None

    def good_for(self, now: datetime) -> timedelta:
        """How long it has been good in others' hands: until the vendor was seen to refuse it."""
        return (self.refused_at or now) - self.exposed_at

    def says(self, now: datetime) -> str:
        """The window, in words."""
        since = f"key {self.fingerprint} was good in others' hands from {_z(self.exposed_at)}"
        until = f"to {_z(self.refused_at)}" if self.refused_at else "on, and still is"
        return f"{since} {until} ({words(_whole(self.good_for(now)))}); {self.place}"


def _z(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=max(int(span.total_seconds()), 0))
