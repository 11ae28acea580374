"""A runbook in words: what `watchkeeper runbook check` prints when all is well."""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper.runbook.causes import CauseRule
from watchkeeper.runbook.channels import called
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.explain_vendor import vendor_lines
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import Criticality
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.telemetry import Service

_CRITICALITIES: tuple[Criticality, ...] = ("critical", "normal", "deferrable")

NOT_YET = "not available yet"


def explain(subject: Watched | Runbook) -> str:
    """Vendor, probes, resources, severities, causes with what is done about them, jobs, caps."""
    if isinstance(subject, Watched):
        return "\n".join([*_integration(subject), *_runbook(subject.runbook)])
    return "\n".join(_runbook(subject))


def _integration(watched: Watched) -> Iterator[str]:
    integration = watched.integration
    kind = "sandbox" if integration.sandbox else "live"
    yield f"{watched.name} ({kind}) at {watched.base_url}"
    credential = integration.credential
    yield f"  key {credential.name} in {credential.reference}"
    if credential.second is not None:
        yield f"  a second key in {credential.second}, tried only to tell causes apart"
    consumers = ", ".join(consumer.name for consumer in integration.consumers)
    yield f"  consumers of the key: {consumers or 'none'}"
    if integration.service is None:
        yield "  our service: none, so that its faults cannot be told from the vendor's"
    else:
        yield from _service(integration.service)
    channels = ", ".join(called(channel) for channel in integration.called_by)
    yield f"  people are called by: {channels or 'none: no page goes out'}"


def _service(service: Service) -> Iterator[str]:
    more = "".join(f", {name} {url}" for name, url in service.health_urls.items())
    yield f"  our service: {service.health_url}{more}"
    sources = {
        "metrics": service.metrics and service.metrics.kind,
        "logs": service.logs and service.logs.kind,
        "runtime": service.runtime and service.runtime.kind,
        "disk": service.disk and service.disk.path,
    }
    for name, source in sources.items():
        yield f"    {name} from {source}" if source else f"    {name}: no source"


def _runbook(runbook: Runbook) -> Iterator[str]:
    yield from vendor_lines(runbook)
    yield "severities"
    for level in sorted(runbook.severity, key=lambda level: level.level):
        within = level.respond_within
        clock = within if isinstance(within, str) else words(within)
        pages = "pages" if level.pages else "wakes nobody"
        yield f"  {level.level} is {level.word}: {level.definition} ({clock}, {pages})"
    yield "causes"
    for rule in runbook.causes:
        yield f"  {rule.cause}: {_severity(rule, runbook)} -> {_actions(rule, runbook)}"
    if undone := [m.name for m in runbook.mitigations if not m.performed]:
        yield f"{NOT_YET}, and never proposed: {', '.join(undone)}"
    yield "jobs"
    for criticality in _CRITICALITIES:
        names = [job.name for job in runbook.jobs if job.criticality == criticality]
        if names:
            yield f"  {criticality}: {', '.join(names)}"
    yield from _clocks(runbook)
    yield "caps"
    yield from _caps(runbook)


def _severity(rule: CauseRule, runbook: Runbook) -> str:
    word = runbook.severity_level(rule.severity).word
    others = [
        f"{runbook.severity_level(level).word} where {when}"
        for level, when in (
            (rule.severity_when_total, "no endpoint answers well"),
            (rule.severity_when_not_critical, "nothing critical fails"),
        )
        if level is not None
    ]
    return f"{word} ({', '.join(others)})" if others else word


def _actions(rule: CauseRule, runbook: Runbook) -> str:
    found = map(runbook.mitigation, rule.mitigations)
    return (
        ", ".join(f"{m.name} [{m.autonomy if m.performed else NOT_YET}]" for m in found)
        or "people only"
    )


def _clocks(runbook: Runbook) -> Iterator[str]:
    found, proven = runbook.detection, runbook.verification
    yield "clocks"
    looks = found.confirming_probes + 1
    yield f"  an incident: {found.needed} of {looks} looks fail, within {words(found.confirm_within)}"
    yield f"  closed, it comes back within {words(found.reopen_within)}"
    every, patience = words(proven.interval), words(proven.give_up_after)
    yield f"  a repair: {proven.probes_in_a_row} good looks, every {every}, for up to {patience}"
    rungs = ", ".join(
        f"{rung.who} {f'after {words(rung.after)}' if rung.after else 'at once'}"
        for rung in runbook.escalation
    )
    yield f"  called: {rungs or 'nobody'}"
    yield "  in maintenance, ours or the vendor's announced one, incidents open and nobody is paged"


def _caps(runbook: Runbook) -> Iterator[str]:
    caps = runbook.caps
    yield f"  {caps.actions_per_incident_per_hour} actions begun by one incident in an hour"
    yield f"  {caps.jobs_paused_per_incident} jobs paused by one incident"
    if caps.vendors_down_at_once:
        yield f"  {caps.vendors_down_at_once} other vendors down at once, and only people act"
    yield f"  {caps.rotations_per_credential_per_day} key rotation a day for one credential"
    yield f"  an approval waits {words(caps.approval_timeout)}"
