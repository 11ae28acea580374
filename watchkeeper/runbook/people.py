"""Who is called, whom the vendor has, and what people do beside us."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Url


class Rung(Frozen):
    """One step of the escalation ladder: who is called after so long without acknowledgement."""

    level: int = Field(ge=1)
    """Number of the rung: 1 is the first, and each is higher than the one before."""
    who: str
    """Who is called, such as `on-call engineer`; `contacts` of integrations.yaml tell the name."""
    after: Duration
    """Time since the page without acknowledgement, such as `15 min`. Each rung comes later than the
    one before; the first is the page itself."""


class Link(Frozen):
    """A page a person may want at 3 a.m."""

    title: str
    """What the page is, such as `Status page`."""
    url: Url
    """Its address, such as `https://status.example.com`."""


class Support(Frozen):
    """A way to reach the vendor's people."""

    title: str
    """Whom one reaches there, such as `Enterprise support`."""
    contact: str
    """An address for mail or of a page, such as `support@example.com`."""


class Checklist(Frozen):
    """What people do beside us: when, and item by item."""

    title: str
    """When it is for, such as `Within a week`. A triage tells only those that begin with
    `First five minutes`."""
    items: tuple[str, ...] = Field(min_length=1)
    """What is to be done, in order."""
