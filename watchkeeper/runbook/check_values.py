"""Values of a runbook that must agree with one another: caps, clocks, rungs, pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise

from watchkeeper.runbook.addresses import url_fault
from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.mitigations import AnyMitigation, CapRateRow, PauseJobsRow
from watchkeeper.runbook.people import Rung
from watchkeeper.runbook.policy import Detection
from watchkeeper.runbook.probes import ContrastProbe, Probe
from watchkeeper.runbook.problems import Problem
from watchkeeper.runbook.shape import alone, well_formed
from watchkeeper.runbook.signals import Log, Metric


def _mitigations(document: Document) -> Iterator[Problem]:
    jobs = {str(item.get("criticality")) for _, item in document.items("jobs")}
    for at, item in well_formed(document, "mitigations", AnyMitigation):
        mitigation = item.root
        if isinstance(mitigation, PauseJobsRow) and not jobs.intersection(mitigation.criticality):
            found = ", ".join(sorted(jobs)) or "none"
            message = (
                f"matches no job; pause_jobs needs a criticality that a job has: {found}; "
                "or take the mitigation out, here and where causes name it"
            )
            yield document.problem((*at, "criticality"), message)
        if isinstance(mitigation, CapRateRow):
            yield from _cap(document, at, mitigation)
        if mitigation.autonomy == "approve" and mitigation.approvals == 0:
            message = "0 is not allowed where autonomy is approve; 1 or 2"
            yield document.problem((*at, "approvals"), message)


def _cap(document: Document, at: Loc, cap: CapRateRow) -> Iterator[Problem]:
    given = (cap.max_requests_per_s, cap.share)
    if given == (None, None):
        message = "is missing; cap_rate needs it, or a share of what the vendor allows"
        yield document.problem((*at, "max_requests_per_s"), message)
    elif None not in given:
        message = "and max_requests_per_s both say how much; one of the two is wanted"
        yield document.problem((*at, "share"), message)


def _ladder(document: Document) -> Iterator[Problem]:
    for (_, lower), (at, rung) in pairwise(well_formed(document, "escalation", Rung)):
        if rung.level < lower.level:
            message = f"{rung.level} does not follow {lower.level}; rungs ascend"
            yield document.problem((*at, "level"), message)
        if rung.after <= lower.after:
            message = f"each rung comes later than the one before ({lower.who})"
            yield document.problem((*at, "after"), message)


def _detection(document: Document) -> Iterator[Problem]:
    detection = alone(Detection, document.get(("detection",)) or {})
    if detection and detection.needed > detection.confirming_probes + 1:
        most = detection.confirming_probes + 1
        message = (
            f"{detection.needed} is not allowed; 1 to {most}: the first probe and those after it"
        )
        yield document.problem(("detection", "needed"), message)


def _pages(document: Document) -> Iterator[Problem]:
    most = document.get(("max_page_size",))
    for at, resource in well_formed(document, "resources", Resource):
        if isinstance(most, int) and resource.limit_param and resource.page_size > most:
            message = (
                f"{resource.page_size} is not allowed; the vendor serves at most {most} a page"
            )
            yield document.problem((*at, "page_size"), message)


def _lists(document: Document) -> Iterator[Problem]:
    for at, resource in well_formed(document, "resources", Resource):
        if resource.sort and not resource.sort_param:
            yield document.problem((*at, "sort"), "is never sent: sort_param is missing")
        if resource.until_param and not resource.since_param:
            yield document.problem((*at, "until_param"), "needs since_param beside it")
        written = document.get((*at, "cursor_means"))
        if written is not None and resource.paging != "page_number":
            message = (
                f"says nothing where paging is {resource.paging}; page_number is what it is for"
            )
            yield document.problem((*at, "cursor_means"), message)
        if "?" in resource.path:
            message = (
                f"{resource.path!r} is not allowed; a list is asked without a query of its own"
            )
            yield document.problem((*at, "path"), message)
        if resource.since_param and resource.overlap == timedelta(0):
            yield document.problem((*at, "overlap"), "0 is not allowed: rows at the edge get lost")


def _causes(document: Document) -> Iterator[Problem]:
    for at, rule in well_formed(document, "causes", CauseRule):
        total, milder = rule.severity_when_total, rule.severity_when_not_critical
        if total is not None and total > rule.severity:
            message = (
                f"{total} is not allowed; where all fails it is no milder: 1 to {rule.severity}"
            )
            yield document.problem((*at, "severity_when_total"), message)
        if milder is not None and milder < rule.severity:
            message = f"{milder} is not allowed; it is no graver there: {rule.severity} to 4"
            yield document.problem((*at, "severity_when_not_critical"), message)


def _measures(document: Document) -> Iterator[Problem]:
    for at, metric in well_formed(document, "metrics", Metric):
        if metric.kind == "share" and metric.of is None:
            yield document.problem((*at, "of"), "is missing; a share is of another counter")
    for at, contrast in well_formed(document, "contrast_probes", ContrastProbe):
        if contrast.path is None and contrast.varies == "direct":
            yield document.problem((*at, "path"), "is missing; the path to ask is wanted")


def _patterns(document: Document) -> Iterator[Problem]:
    for at, log in well_formed(document, "logs", Log):
        for field, groups in (("pattern", None), ("kind_pattern", 1), ("consumer_pattern", 1)):
            if fault := _pattern_fault(getattr(log, field), groups):
                yield document.problem((*at, field), fault)


def _pattern_fault(pattern: str | None, groups: int | None) -> str | None:
    if pattern is None:
        return None
    try:
        found = re.compile(pattern).groups
    except re.error as error:
        return f"is no regular expression: {error}"
    return None if groups in (None, found) else f"{found} groups; one is wanted, what to count by"


def _expectations(document: Document) -> Iterator[Problem]:
    for at, probe in well_formed(document, "probes", Probe):
        if probe.expect.equals is not None and probe.expect.json_path is None:
            message = "is held against nothing: json_path is missing beside it"
            yield document.problem((*at, "expect", "equals"), message)


def _probed_lists(document: Document) -> Iterator[Problem]:
    """A probe that reads another member than the list itself would judge every answer wrong."""
    lists = {r.name: r.envelope for _, r in well_formed(document, "resources", Resource)}
    for at, probe in well_formed(document, "probes", Probe):
        said, member = probe.envelope, lists.get(probe.resource or "")
        if said is not None and member is not None and said != member:
            message = f"{said!r} is not where {probe.resource} has its list: {member!r}"
            yield document.problem((*at, "envelope"), message)


def _addresses(document: Document) -> Iterator[Problem]:
    for at, follows in _ADDRESSES:
        url = document.get(at)
        # One of another shape is told by the model.
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            continue
        if fault := url_fault(url, path_follows=follows):
            yield document.problem(at, fault)


# Where an address stands, and whether a path is put behind it.
_ADDRESSES: tuple[tuple[Loc, bool], ...] = (
    (("base_url",), True),
    (("control",), False),
    (("status_page", "url"), True),
)


VALUE_CHECKS: tuple[Callable[[Document], Iterator[Problem]], ...] = (
    _mitigations,
    _ladder,
    _detection,
    _pages,
    _expectations,
    _probed_lists,
    _lists,
    _causes,
    _measures,
    _patterns,
    _addresses,
)
