"""One GET of what our own services tell, bounded in bytes and time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from watchkeeper.fetching import DEADLINE_S, fetch
from watchkeeper.metrics.promtext import LARGEST


@dataclass(frozen=True, slots=True)
class Page:
    """What came: a status and a whole body, or the kind of fault."""

    status: int | None
    body: bytes
    fault: str | None
    latency_s: float


class Fetch(Protocol):
    async def __call__(
        self, url: str, *, accept: str, query: str | None = None, deadline_s: float = DEADLINE_S
    ) -> Page:
        """`query` goes into the address by that name. Never raises for what the far side does."""
        ...


async def fetch_page(
    url: str, *, accept: str, query: str | None = None, deadline_s: float = DEADLINE_S
) -> Page:
    """A Fetch with no credential, no redirects."""
    got = await fetch(url, deadline_s, LARGEST, accept=accept, query=query)
    return Page(None if got.fault else got.status, got.raw, got.fault, got.latency_s)


def fault_told(page: Page) -> str | None:
    """Why there is no good answer, in words; None where there is one."""
    if page.fault is not None:
        return f"no answer ({page.fault})"
    return None if page.status == 200 else f"status {page.status}"
