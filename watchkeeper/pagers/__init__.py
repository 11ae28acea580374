"""Calling people: what a page says, and what every channel can do. One module a kind of channel, one
line in `opening.py`.

A page is at-least-once: whoever is in doubt sends again, and the far side folds repeats under one
dedup key where it can. The errors say how much doubt there is.
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
    """`summary` is cut to what pagers show; `links` are (address, text). `dedup_key` names the alert for
    as long as its incident lasts; `delivery` one triggering of it, which a relapse repeats."""

    dedup_key: str
    summary: str
    source: str
    severity: Severity = "critical"
    details: Mapping[str, str] = field(default_factory=dict)
    links: tuple[tuple[str, str], ...] = ()
    delivery: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.dedup_key) <= DEDUP_MAX:
            raise ValueError(f"a dedup key has 1 to {DEDUP_MAX} characters")
        if not self.summary or not self.source:
            raise ValueError("a page needs a summary and a source")
        if len(self.summary) > SUMMARY_MAX:
            object.__setattr__(self, "summary", self.summary[: SUMMARY_MAX - 1] + "…")


class Pager(Protocol):
    """Raises PagerUnavailable, PagerUnknown or PagerRefused; their texts hold no secret."""

    async def trigger(self, page: Page) -> str:
        """Open an alert, or join the open one. Returns what the far side calls it."""
        ...

    async def resolve(self, page: Page) -> str:
        """End the alert. One that is not open is no error."""
        ...
