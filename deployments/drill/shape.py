"""A runbook's vendor as the sandbox's derived simulator wants it told: plain JSON, from data alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from watchkeeper.runbook.api import Resource, StatusPage
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe

RECORDS = 300
# The runbook does not say how its vendor spells them; this is how most do.
RATE_HEADERS = "X-RateLimit"
LIST_FIELDS = (
    *("name", "path", "envelope", "item_path", "item_envelope", "id_field", "version_field"),
    *("paging", "cursor_param", "cursor_field", "cursor_means", "first_page"),
    *("limit_param", "page_size", "since_param", "until_param", "sort_param", "sort"),
)


def vendor_shape(runbook: Runbook, records: int = RECORDS) -> dict[str, Any]:
    """{"shape", "probes", "status_page"}: what `python -m watchkeeper.sandbox.derived` reads, to
    which a caller adds `key`, `seed`, `arrivals`, `list_lag_s` and `rate`.

    `records`: how many each resource holds at the start.
    """
    return {
        "shape": {
            "vendor": runbook.vendor,
            "base_path": urlsplit(runbook.base_url).path.rstrip("/"),
            "auth": runbook.auth.model_dump(mode="json"),
            "rate": {
                "limit": runbook.rate_limit.requests,
                "window_s": runbook.rate_limit.per.total_seconds(),
                "headers": RATE_HEADERS,
                "reset": runbook.rate_limit.reset,
            },
            "max_page_size": runbook.max_page_size,
            "description": runbook.description,
            "resources": [_list(resource, records) for resource in runbook.resources],
        },
        "probes": [_probe(probe) for probe in runbook.probes],
        "status_page": _status_page(runbook.status_page),
    }


# How each kind of page calls a component that is well, in trouble, and down.
PAGE_WORDS: Mapping[str, tuple[str, str, str]] = {
    "betterstack": ("operational", "degraded", "downtime"),
    "statuspage_v2": ("operational", "partial_outage", "major_outage"),
    "incident_io": ("operational", "partial_outage", "full_outage"),
    "instatus": ("OPERATIONAL", "PARTIALOUTAGE", "MAJOROUTAGE"),
    "feed": ("operational", "degraded", "downtime"),
}


def status_page_options(runbook: Runbook) -> list[str]:
    """The options for `python -m watchkeeper.sandbox.status_page`; none without a status page."""
    page = runbook.status_page
    if page is None:
        return []
    components = [page.component, "Website"] if page.component else ["API", "Website"]
    named = ["--company", runbook.display_name, "--components", *components]
    return ["--kind", page.kind, "--path", page.path, *named]


def _list(resource: Resource, records: int) -> dict[str, Any]:
    return {**resource.model_dump(mode="json", include=set(LIST_FIELDS)), "records": records}


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "name": probe.name,
        "method": probe.method,
        "path": probe.path,
        "envelope": probe.envelope,
        "status": list(probe.expect.status),
        "json_path": probe.expect.json_path,
        "equals": probe.expect.equals,
        "record": probe.record,
        "resource": probe.resource,
    }


def _status_page(page: StatusPage | None) -> dict[str, Any] | None:
    return None if page is None else page.model_dump(mode="json", exclude={"url"})
