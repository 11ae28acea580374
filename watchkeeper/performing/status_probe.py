"""Reading what the vendor's status page says of itself: bounded in bytes and time."""

from __future__ import annotations

from datetime import datetime

from watchkeeper.evidence import MAINTENANCE, Kind, Outcome, Reading
from watchkeeper.fetching import DEADLINE_S, Fetched, fetch, read_json
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import StatusPage
from watchkeeper.runbook.integration import Watched
from watchkeeper.status_pages import Served
from watchkeeper.status_pages.reading import read_status


async def status_page_reading(watch: Watch, watched: Watched, deadline_s: float) -> Reading:
    """The vendor's public word."""
    page, url = watched.runbook.status_page, watched.status_url
    assert page is not None and url is not None
    at = watch.now()
    return status_reading(page, await fetch(url, min(deadline_s, DEADLINE_S)), at)


def status_reading(page: StatusPage, got: Fetched, at: datetime) -> Reading:
    """Only a page that is understood counts. `got`: bytes; whether they are JSON is seen here."""
    value = read_json(got)
    told = read_status(page.kind, Served(got.raw, value.body), page.component, at)
    read = got.status == 200 and got.fault is None
    # A feed is no JSON, and is read all the same.
    fault = got.fault or (value.fault if told.outcome is Outcome.UNKNOWN else None)
    return Reading(
        probe="status_page",
        kind=Kind.STATUS_PAGE,
        target="status page",
        at=at,
        outcome=told.outcome if read else Outcome.UNKNOWN,
        latency_s=got.latency_s,
        status=got.status,
        fault=fault or (MAINTENANCE if told.maintenance and read else None),
        detail=told.said if read else "",
        skew_s=None if got.date is None else (got.date - at).total_seconds(),
    )
