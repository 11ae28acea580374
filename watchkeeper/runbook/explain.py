"""A runbook in a screenful of words: what `watchkeeper runbook check` prints when all is well."""

from __future__ import annotations

from collections.abc import Iterator

from watchkeeper.runbook.durations import words
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import CauseRule, Criticality, Runbook

_CRITICALITIES: tuple[Criticality, ...] = ("critical", "normal", "deferrable")


def explain(subject: Watched | Runbook) -> str:
    """Vendor, probes, causes with what is done about them, jobs, caps; plain text."""
    if isinstance(subject, Watched):
        return "\n".join([*_integration(subject), *_runbook(subject.runbook)])
    return "\n".join(_runbook(subject))


def _integration(watched: Watched) -> Iterator[str]:
    integration = watched.integration
    kind = "sandbox" if integration.sandbox else "live"
    yield f"{watched.name} ({kind}) at {watched.base_url}"
    yield f"  key {integration.credential.name} in {integration.credential.reference}"
    consumers = ", ".join(consumer.name for consumer in integration.consumers)
    yield f"  consumers of the key: {consumers or 'none'}"


def _runbook(runbook: Runbook) -> Iterator[str]:
    rate = f"{runbook.rate_limit.requests} requests per {words(runbook.rate_limit.per)}"
    yield f"{runbook.display_name} ({runbook.vendor}), {rate}"
    yield "probes"
    for probe in runbook.probes:
        yield f"  {probe.name}: GET {probe.path}{' (critical)' if probe.critical else ''}"
    for contrast in runbook.contrast_probes:
        yield f"  {contrast.name}: GET {contrast.path} ({contrast.varies.replace('_', ' ')})"
    yield "causes"
    for rule in runbook.causes:
        yield f"  {rule.cause}: {_severity(rule, runbook)} -> {_actions(rule, runbook)}"
    yield "jobs"
    for criticality in _CRITICALITIES:
        names = [job.name for job in runbook.jobs if job.criticality == criticality]
        if names:
            yield f"  {criticality}: {', '.join(names)}"
    yield "caps"
    yield from _caps(runbook)


def _severity(rule: CauseRule, runbook: Runbook) -> str:
    word = runbook.severity_level(rule.severity).word
    if rule.severity_when_not_critical is None:
        return word
    milder = runbook.severity_level(rule.severity_when_not_critical).word
    return f"{word} ({milder} where nothing critical fails)"


def _actions(rule: CauseRule, runbook: Runbook) -> str:
    found = map(runbook.mitigation, rule.mitigations)
    return ", ".join(f"{action.name} [{action.autonomy}]" for action in found) or "people only"


def _caps(runbook: Runbook) -> Iterator[str]:
    caps = runbook.caps
    yield f"  {caps.jobs_paused_per_incident} jobs paused by one incident"
    yield f"  {caps.rotations_per_credential_per_day} key rotation a day for one credential"
    yield f"  an approval waits {words(caps.approval_timeout)}"
