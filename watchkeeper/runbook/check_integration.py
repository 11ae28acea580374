"""What an entry of integrations.yaml must keep to: by itself, and with its runbook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from watchkeeper.runbook.acting import CloudRunService, HttpSettings, PrefectDeployment
from watchkeeper.runbook.addresses import url_fault
from watchkeeper.runbook.channels import PagerDuty, called
from watchkeeper.runbook.document import Document, Loc
from watchkeeper.runbook.integration import Integration, Watched
from watchkeeper.runbook.problems import Problem, unknown
from watchkeeper.runbook.telemetry import MetricsText, PrometheusServer

# Mere sources: one key each, and no other to go back to.
ONE_KEY_ONLY = ("env:", "prefect-block:")
LOOPBACK = "a sandbox stays on loopback: http://127.0.0.1:PORT is wanted"
PAGERDUTY_HTTPS = "PagerDuty's client speaks https alone, to a stand-in too: https:// is wanted"
# A path is put behind these.
PATH_FOLLOWS = ("base_url", "status_page_url", "api")
HTTPS = "a live integration speaks https with everyone outside: https:// is wanted"


def entry_problems(document: Document, integration: Integration) -> Iterator[Problem]:
    """Faults that the entry shows by itself."""
    for loc, url, ours in _urls(integration):
        follows = loc[-1] in PATH_FOLLOWS
        fault = _url_fault(url, sandbox=integration.sandbox, ours=ours, path_follows=follows)
        if fault:
            yield document.problem(loc, fault)
    for section, names in (
        ("consumers", [consumer.name for consumer in integration.consumers]),
        ("contacts", [contact.who for contact in integration.contacts]),
        ("jobs", [job.name for job in integration.jobs]),
        ("channels", [called(channel) for channel in integration.called_by]),
    ):
        for name in (name for name, count in Counter(names).items() if count > 1):
            yield document.problem((section,), f"{name!r} is named twice")
    for loc, channel in _pagerduties(integration):
        if not channel.base_url.startswith("https://"):
            yield document.problem((*loc, "base_url"), PAGERDUTY_HTTPS)


def watched_problems(document: Document, watched: Watched) -> Iterator[Problem]:
    """Faults that show only with the runbook laid beneath the entry."""
    integration, runbook = watched.integration, watched.runbook
    if runbook.vendor != integration.vendor:
        message = f"{integration.runbook!r} is the runbook of {runbook.vendor}, not of {{}}"
        yield document.problem(("runbook",), message.format(integration.vendor))
    if integration.organisation is not None and runbook.auth.organisation_header is None:
        message = "would never be sent: the runbook's auth has no organisation_header"
        yield document.problem(("organisation",), message)
    yield from _inherited_urls(document, watched)
    yield from _rotation(document, watched)
    taken = {job.name for job in runbook.jobs}
    for index, job in enumerate(integration.jobs):
        if job.name in taken:
            message = f"{job.name!r} is a job of the runbook; another name is wanted"
            yield document.problem(("jobs", index, "name"), message)
    rungs = {rung.who for rung in runbook.escalation}
    for index, contact in enumerate(integration.contacts):
        if contact.who not in rungs:
            message = unknown(contact.who, "rung of the escalation", rungs)
            yield document.problem(("contacts", index, "who"), message)


def _inherited_urls(document: Document, watched: Watched) -> Iterator[Problem]:
    """The addresses that come from the runbook where the entry names none."""
    integration = watched.integration
    for field, given, url in (
        ("base_url", integration.base_url, watched.base_url),
        ("status_page_url", integration.status_page_url, watched.status_url),
        ("control_url", integration.control_url, watched.control_url),
        ("direct_url", integration.direct_url, watched.direct_url),
    ):
        fault = url and not given and _url_fault(url, sandbox=integration.sandbox, ours=False)
        if fault:
            yield document.problem((field,), f"is missing, and the runbook's will not do: {fault}")


def _rotation(document: Document, watched: Watched) -> Iterator[Problem]:
    rotating = [
        mitigation.name
        for mitigation in watched.runbook.mitigations
        if mitigation.action == "rotate_key" and mitigation.autonomy != "observe"
    ]
    if rotating and watched.integration.credential.reference.startswith(ONE_KEY_ONLY):
        named = f"mitigation{'s' if len(rotating) > 1 else ''} {' and '.join(rotating)}"
        message = (
            "rotation needs a store that keeps versions: file:PATH, aws:NAME or "
            "gcp:projects/PROJECT/secrets/NAME "
            f"(or override the {named} to autonomy: observe)"
        )
        yield document.problem(("credential", "reference"), message)


def _urls(integration: Integration) -> Iterator[tuple[Loc, str | None, bool]]:
    """Each address in the entry, and whether it is one of our own services'."""
    yield ("base_url",), integration.base_url, False
    yield ("status_page_url",), integration.status_page_url, False
    yield ("control_url",), integration.control_url, False
    yield ("direct_url",), integration.direct_url, False
    for loc, channel in _pagerduties(integration):
        yield (*loc, "base_url"), channel.base_url, False
    if integration.service:
        yield ("service", "health_url"), integration.service.health_url, True
        for name, url in integration.service.health_urls.items():
            yield ("service", "health_urls", name), url, True
        if isinstance(integration.service.metrics, MetricsText | PrometheusServer):
            yield ("service", "metrics", "url"), integration.service.metrics.url, True
    for index, consumer in enumerate(integration.consumers):
        yield ("consumers", index, "health_url"), consumer.health_url, True
        if isinstance(consumer.runtime, CloudRunService):
            yield ("consumers", index, "runtime", "api"), consumer.runtime.api, False
    yield from _levers(integration)


def _pagerduties(integration: Integration) -> Iterator[tuple[Loc, PagerDuty]]:
    if integration.pager:
        yield ("pager",), integration.pager
    for index, channel in enumerate(integration.channels):
        if isinstance(channel, PagerDuty):
            yield ("channels", index), channel


def _levers(integration: Integration) -> Iterator[tuple[Loc, str | None, bool]]:
    """What is sent a secret of ours is spoken to as the outside is."""
    settings = integration.settings
    if isinstance(settings, HttpSettings):
        yield ("settings", "url"), settings.url, settings.token is None
    for index, job in enumerate(integration.jobs):
        if isinstance(job.scheduler, PrefectDeployment):
            server = job.scheduler
            yield ("jobs", index, "scheduler", "api"), server.api, server.auth is None


def _url_fault(
    url: str | None, *, sandbox: bool, ours: bool, path_follows: bool = False
) -> str | None:
    """Why a URL will not do. Never repeats it: somebody may have put a password in it."""
    if url is None:
        return None
    if fault := url_fault(url, path_follows=path_follows):
        return fault
    parts = urlsplit(url)
    host = parts.hostname or ""
    if sandbox:
        return None if _on_loopback(host) else LOOPBACK
    return None if ours or parts.scheme == "https" else HTTPS


def _on_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        # A name under .invalid never resolves: so that the look-up can be rehearsed as well.
        return host == "localhost" or host.endswith(".invalid")
