"""What a runbook says of its vendor, in lines: addresses, probes, resources, what is measured."""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper.runbook.api import Auth, Resource
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Expectation, Probe
from watchkeeper.runbook.signals import Metric


def vendor_lines(runbook: Runbook) -> Iterator[str]:
    """Everything that is asked of the vendor, and of our own service because of it."""
    limit = runbook.rate_limit
    rate = f"{limit.requests} requests per {words(limit.per)}"
    yield f"{runbook.display_name} ({runbook.vendor}), {rate}"
    if runbook.unverified:
        yield f"  unverified: {runbook.unverified}"
    yield f"  key in {_key(runbook.auth)}; reset header counts as {limit.reset}"
    yield from _addresses(runbook)
    yield "probes"
    for probe in runbook.probes:
        yield f"  {probe.name}: {probe.method} {probe.path}{_marks(probe)}{_good(probe, runbook)}"
    if runbook.contrast_probes:
        yield "contrast probes, where something fails"
    for contrast in runbook.contrast_probes:
        path = f"GET {contrast.path}" if contrast.path else "no path of its own"
        yield f"  {contrast.name}: {path} ({contrast.varies.replace('_', ' ')})"
    yield "resources" if runbook.resources else "resources: none"
    for resource in runbook.resources:
        yield f"  {resource.name}: {_walk(resource)}"
    yield from _measured(runbook)


def _key(auth: Auth) -> str:
    value = f"{auth.scheme} KEY".strip()
    more = f" and {auth.organisation_header}" if auth.organisation_header else ""
    return f"{auth.header}: {value}{more}"


def _addresses(runbook: Runbook) -> Iterator[str]:
    page = runbook.status_page
    if page is not None:
        component = f", component {page.component!r}" if page.component else ""
        yield f"  status page {page.url.rstrip('/')}{page.path} ({page.kind}{component})"
    if runbook.control is not None:
        yield f"  control {runbook.control}"
    if runbook.description is not None:
        yield f"  description of its API {runbook.description}"


def _marks(probe: Probe) -> str:
    marks = [
        word
        for word, holds in (
            ("critical", probe.critical),
            ("one record", probe.record),
            ("costs: only when asked for by name", probe.costs),
        )
        if holds
    ]
    return f" ({', '.join(marks)})" if marks else ""


def _good(probe: Probe, runbook: Runbook) -> str:
    expect = probe.expect
    wanted = [" or ".join(map(str, expect.status)) or "any 2xx"]
    if probe.envelope:
        wanted.append(f"a list in {probe.envelope}")
    if expect.json_path:
        wanted.append(_value(expect))
    wanted.append(f"within {words(expect.slow or runbook.thresholds.slow)}")
    return f", good is {', '.join(wanted)}"


def _value(expect: Expectation) -> str:
    if expect.equals is None:
        return f"a value at {expect.json_path}"
    return f"{expect.json_path} = {expect.equals!r}"


def _walk(resource: Resource) -> str:
    size = f" of {resource.page_size}" if resource.limit_param else ""
    since = f"since {resource.since_param}" if resource.since_param else "walked whole"
    deleted = "deletions told by its item_path" if resource.item_path else "deletions not told"
    lag = f", shows a write after {words(resource.list_lag)}" if resource.list_lag else ""
    return f"{resource.path}, {_pages(resource)}{size}, {since}, {deleted}{lag}"


def _pages(resource: Resource) -> str:
    if resource.paging == "none":
        return "all in one answer"
    if resource.paging != "page_number":
        shifting = " (rows may shift)" if resource.paging == "offset_cursor" else ""
        return f"pages by cursor {resource.cursor_field}{shifting}"
    ends = {
        "last_page": "ends at page {}",
        "page_count": "ends after {} pages",
        "next_page": "next page in {}",
        "more": "more pages if {}",
    }
    field = resource.cursor_field
    end = ends[resource.cursor_means].format(field) if field else "ends with a shorter page"
    return f"pages by number from {resource.first_page} ({end})"


def _measured(runbook: Runbook) -> Iterator[str]:
    if runbook.metrics or runbook.volume or runbook.logs:
        yield "measured at our own service"
    for metric in runbook.metrics:
        yield f"  metric {metric.name}: {_metric(metric)}"
    if runbook.volume is not None:
        by = f" by {runbook.volume.by}" if runbook.volume.by else ""
        yield f"  requests: {runbook.volume.metric}{by}"
    for log in runbook.logs:
        lines = f"{log.bound} line{'s' if log.bound > 1 else ''}"
        yield f"  log {log.name}: {lines} like {log.pattern!r} within {words(log.within)}"


def _metric(metric: Metric) -> str:
    of = f" of {metric.of}" if metric.of else ""
    side, unit = "below" if metric.below else "above", f" {metric.unit}" if metric.unit else ""
    warn = f", degraded {side} {metric.warn:g}{unit}" if metric.warn is not None else ""
    return f"{metric.kind} {metric.metric}{of}, down {side} {metric.bound:g}{unit}{warn}"
