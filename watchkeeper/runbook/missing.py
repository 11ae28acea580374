"""What a runbook leaves open: not wrong, but something that Watchkeeper will then not know or do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import get_args

from watchkeeper.diagnosis import diagnose
from watchkeeper.runbook.api import Resource, StatusPage
from watchkeeper.runbook.failures import failures
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import ContrastProbe

PLACEHOLDER = "example.com"


def gaps_in(runbook: Runbook) -> tuple[str, ...]:
    """One line for each thing that is left open, with what follows from it."""
    return tuple(chain.from_iterable(find(runbook) for find in _FINDERS))


def _status_page(page: StatusPage) -> Iterator[str]:
    if page.component is None:
        yield "status_page names no component: trouble anywhere on the page counts as the API's"
    elif page.kind == "instatus" and page.path.endswith("/summary.json"):
        yield "status_page.path: Instatus names components at /v2/components.json, not in its summary"
    if page.kind == "feed":
        yield "status_page.kind feed: what it says is unknown, unless an item states its state"


def _addresses(runbook: Runbook) -> Iterator[str]:
    if runbook.status_page is None:
        yield "no status_page: the vendor's own word on itself is not heard"
    else:
        yield from _status_page(runbook.status_page)
    if runbook.control is None:
        yield "no control: that our own network is down cannot be told from the vendor's silence"
    if runbook.description is None:
        yield "no description: whether a path was withdrawn is not looked up"
    if not runbook.support:
        yield "no support: nobody learns here how to reach the vendor's people"
    if not runbook.escalation:
        yield "no escalation: nobody is paged at all"


def _probes(runbook: Runbook) -> Iterator[str]:
    if not any(probe.critical for probe in runbook.probes):
        yield "no probe is critical: nothing that fails is grave"
    if len(runbook.probes) == 1:
        yield "only one probe: one endpoint that fails cannot be told from all of them"
    for probe in runbook.probes:
        if probe.costs:
            yield f"probe {probe.name} costs: it runs only when a person asks for it by name"


def _contrasts(runbook: Runbook) -> Iterator[str]:
    known = set(get_args(ContrastProbe.model_fields["varies"].annotation))
    # The one is for who has a gateway, the other for a vendor that describes its API.
    wanted = known - {"direct"} - ({"description"} if runbook.description is None else set())
    unused = wanted - {contrast.varies for contrast in runbook.contrast_probes}
    if unused:
        yield f"no contrast probe for {', '.join(sorted(unused))}: what they tell apart stays open"


def _resources(runbook: Runbook) -> Iterator[str]:
    if not runbook.resources:
        yield "no resources: nothing is synced, and no gap can be filled"
    probed = {probe.resource for probe in runbook.probes}
    moved = {name for job in runbook.jobs for name in job.resources}
    for resource in runbook.resources:
        for what in _of_resource(resource):
            yield f"resource {resource.name}: {what}"
        if resource.name not in probed:
            yield f"resource {resource.name}: no probe, so that nobody sees its list break"
        if resource.name not in moved:
            yield f"resource {resource.name}: no job moves it"


def _of_resource(resource: Resource) -> Iterator[str]:
    if resource.item_path is None:
        yield "no item_path: a deleted record cannot be told from one that its list leaves out"
    if resource.since_param is None:
        yield "no since_param: it is walked whole each time"
    if resource.version_field is None:
        yield "no version_field: of two states of a record the later cannot be told"


def _telemetry(runbook: Runbook) -> Iterator[str]:
    for name, found, lost in (
        ("metrics", runbook.metrics, "what our own service measures is not looked at"),
        ("volume", runbook.volume, "who spends the vendor's budget cannot be told"),
        ("logs", runbook.logs, "what our own service logs is not looked at"),
    ):
        if not found:
            yield f"no {name}: {lost}"


def _causes(runbook: Runbook) -> Iterator[str]:
    unproven = [rule.cause for rule in runbook.causes if not rule.confirm]
    if unproven:
        yield f"causes without confirm are never more than likely: {', '.join(unproven)}"
    for what, looks in failures(runbook):
        everywhere, *alone = (bool(diagnose(look, runbook).causes) for look in looks)
        if not everywhere:
            yield f"no cause row for {what} everywhere: it would be inconclusive"
        if not all(alone):
            yield f"no cause row for {what} at one endpoint: it would be inconclusive"


def _placeholders(runbook: Runbook) -> Iterator[str]:
    """What `runbook new` wrote, and nobody has made his own."""
    data = runbook.model_dump(mode="json", warnings=False)
    left = [where for where, text in _texts(data, "") if PLACEHOLDER in text]
    if left:
        yield f"still the skeleton's: {', '.join(left)}"


def _texts(data: object, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield where, data
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _texts(value, f"{where}.{key}" if where else str(key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _texts(value, f"{where}[{index}]")


_FINDERS = (_placeholders, _addresses, _probes, _contrasts, _resources, _telemetry, _causes)
