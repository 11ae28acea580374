"""Waking people: what a page says, and what every pager can do.

A page is at-least-once: the far side folds repeats under one dedup key, so whoever is in doubt
sends again. The errors say how much doubt there is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from watchkeeper.errors import Ambiguous, Permanent, Transient

Severity = Literal["critical", "error", "warning", "info"]
SUMMARY_MAX, DEDUP_MAX = 1024, 255


class PagerUnavailable(Transient):
    """Nothing was accepted: another attempt may be."""


class PagerUnknown(Ambiguous):
    """Sent, and no answer came: somebody may have been woken."""


class PagerRefused(Permanent):
    """The far side will not take this, however often it is sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """`summary` is cut to what pagers show; `links` are (address, text)."""

    dedup_key: str
    summary: str
    source: str
    severity: Severity = "critical"
    details: Mapping[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.dedup_key) <= DEDUP_MAX:
            raise ValueError(f"a dedup key has 1 to {DEDUP_MAX} characters")
        if not self.summary or not self.source:
            raise ValueError("a page needs a summary and a source")
        if len(self.summary) > SUMMARY_MAX:
            object.__setattr__(self, "summary", self.summary[: SUMMARY_MAX - 1] + "…")


class Pager(Protocol):
    async def trigger(self, page: Page) -> str:
        """Open an alert, or join the open one. Returns the far side's dedup key."""
        ...

    async def acknowledge(self, dedup_key: str) -> None: ...

    async def resolve(self, dedup_key: str) -> None: ...
