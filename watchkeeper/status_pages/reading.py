"""The kinds of status pages, and reading one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from watchkeeper.evidence import Outcome
from watchkeeper.status_pages import (
    Reader,
    Served,
    Unreadable,
    betterstack,
    feed,
    incident_io,
    instatus,
    statuspage_v2,
)
from watchkeeper.status_pages.judging import Told, judge

# The names are those of `status_page.kind` in a runbook.
KINDS: Mapping[str, Reader] = {
    "betterstack": betterstack.read,
    "statuspage_v2": statuspage_v2.read,
    "incident_io": incident_io.read,
    "instatus": instatus.read,
    "feed": feed.read,
}


def read_status(kind: str, served: Served, component: str | None, now: datetime) -> Told:
    """Total: whatever the page serves."""
    try:
        page = KINDS[kind](served, component, now)
    except Unreadable as error:
        return Told(Outcome.UNKNOWN, str(error))
    return judge(page, component, now)
