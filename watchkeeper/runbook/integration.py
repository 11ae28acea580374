"""One company's use of a vendor: the shape of an entry in `integrations.yaml`.

An integration is named `vendor@environment` or `vendor@environment/organisation`; everything that
Watchkeeper keeps is keyed by that name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AwareDatetime, Field

from watchkeeper.runbook.acting import RuntimeSpec, ScheduledJob, SettingsSpec
from watchkeeper.runbook.base import Frozen, Name, SecretReference, Span, Url
from watchkeeper.runbook.channels import ChannelSpec, PagerDuty
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.telemetry import Service

INTEGRATION_NAME = r"^[a-z][a-z0-9_-]*@[a-z][a-z0-9_-]*(/[A-Za-z0-9_-]+)?$"
IntegrationName = Annotated[str, Field(pattern=INTEGRATION_NAME)]


class Credential(Frozen):
    """The vendor's key by reference. Rotation needs a store that keeps versions."""

    name: Name
    """What the key is called in plans and on timelines, such as `maintainx-api-key`."""
    reference: SecretReference
    """Where the key is kept, never the key itself. `file:PATH`, `aws:NAME` and `gcp:NAME` can be
    rotated, `env:NAME` and `prefect-block:NAME` only read. A relative path counts from
    integrations.yaml."""
    second: SecretReference | None = None
    """Another key of ours that is independent of it, by reference. It is tried only to tell a bad
    key from a vendor that refuses every key."""
    expires: AwareDatetime | None = None
    """When the vendor lets the key expire, such as `2026-12-31T00:00:00Z`, where that is known."""
    max_age: Span | None = None
    """How old a key may grow, such as `90 d`; it is due for replacement then."""
    warn_before: Span = timedelta(days=14)
    """How long before either a warning comes."""


class Consumer(Frozen):
    """A process of ours that holds the vendor's key and must be restarted to see a new one."""

    name: Name
    """What plans and timelines call it, such as `maintainx-integration`; used once."""
    health_url: Url
    """Where it tells its health as JSON, with the fingerprint of the key it holds."""
    fingerprint_field: str = "keyFingerprint"
    """Member of that answer with the fingerprint: the first 8 hex digits of the key's SHA-256."""
    runtime: RuntimeSpec
    """How it is restarted, and scaled where it can be."""


class Sink(Frozen):
    """Where the vendor's records belong. `store` is Watchkeeper's own table."""

    kind: Literal["store"] = "store"
    """`store`, the only kind."""


class Contact(Frozen):
    """A person or team on the escalation ladder, by the runbook's rung."""

    who: str
    """The rung of the runbook's escalation that is meant, such as `team lead`."""
    name: str
    """Who stands there, such as `Integrations on-call`; for whoever reads the file."""


class Integration(Frozen):
    """One entry of integrations.yaml, before its runbook is laid beneath it."""

    name: IntegrationName
    """The entry's key: `vendor@environment`, or `vendor@environment/organisation`."""
    runbook: str
    """The runbook's file in runbooks/, without `.yaml`, such as `maintainx`."""
    sandbox: bool = False
    """A rehearsal: all addresses are on loopback, and only keys beginning with `test_` are sent."""
    base_url: Url | None = None
    """Another address for the API, such as a gateway of yours; the runbook's where left out."""
    status_page_url: Url | None = None
    """Another address for the status page, without its path; the runbook's where left out."""
    control_url: Url | None = None
    """Another address than the runbook's `control`: reachable whenever our network is well."""
    direct_url: Url | None = None
    """The vendor's own address where base_url is a gateway; the runbook's where left out."""
    organisation: int | None = None
    """Only for a key that spans several organisations: the id of the one meant here."""
    credential: Credential
    """The vendor's key, and where it is kept."""
    sink: Sink = Sink()
    """Where the vendor's records belong."""
    service: Service | None = None
    """Your integration service; without it its faults cannot be told from the vendor's."""
    consumers: tuple[Consumer, ...] = ()
    """Each process that holds the key; they are restarted after a rotation, one by one."""
    settings: SettingsSpec | None = Field(default=None, discriminator="kind")
    """Where settings of your service are changed while it runs, such as its model or its rate;
    without it mitigations that change one are left to people."""
    jobs: tuple[ScheduledJob, ...] = ()
    """Scheduled jobs of yours over this vendor, beside the runbook's: an incident may pause them."""
    pager: PagerDuty | None = None
    """PagerDuty alone, as the first of the channels."""
    channels: tuple[ChannelSpec, ...] = ()
    """How people are called, in this order: the next channel is used where one does not take a page.
    With neither this nor `pager` no page goes out."""
    contacts: tuple[Contact, ...] = ()
    """Who stands on each rung of the runbook's escalation."""
    overrides: dict[str, Any] = Field(default_factory=dict)
    """What you want otherwise than the runbook has it. Things with a name are changed by that name;
    other lists are replaced whole."""

    @property
    def called_by(self) -> tuple[ChannelSpec, ...]:
        """Every channel, in the order in which they are tried."""
        return (*((self.pager,) if self.pager else ()), *self.channels)

    @property
    def vendor(self) -> str:
        return self.name.partition("@")[0]

    @property
    def environment(self) -> str:
        return self.name.partition("@")[2].partition("/")[0]


class Watched(Frozen):
    """An integration with its runbook, overrides applied: all that any decision needs to know."""

    integration: Integration
    """The entry of integrations.yaml."""
    runbook: Runbook
    """Its runbook, with the entry's overrides."""

    @property
    def name(self) -> str:
        return self.integration.name

    @property
    def base_url(self) -> str:
        return self.integration.base_url or self.runbook.base_url

    @property
    def status_url(self) -> str | None:
        page = self.runbook.status_page
        if page is None:
            return None
        return (self.integration.status_page_url or page.url).rstrip("/") + page.path

    @property
    def control_url(self) -> str | None:
        """A rehearsal stays on loopback: the runbook's is not for it."""
        inherited = None if self.integration.sandbox else self.runbook.control
        return self.integration.control_url or inherited

    @property
    def direct_url(self) -> str | None:
        """The vendor's own address, where another stands between it and us."""
        entry = self.integration
        if entry.direct_url is not None:
            return entry.direct_url
        return self.runbook.base_url if self.behind_gateway else None

    @property
    def behind_gateway(self) -> bool:
        """base_url is an address of ours: `direct_url` says so, or another host than the vendor's.
        A rehearsal's is neither, and another region of the vendor's is the vendor's."""
        entry = self.integration
        if entry.direct_url is not None:
            return True
        if entry.sandbox or entry.base_url is None:
            return False
        own, vendors = _host(entry.base_url), _host(self.runbook.base_url)
        return own != vendors and not f".{own}".endswith(f".{_domain(vendors)}")


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


def _domain(host: str) -> str:
    """`example.com` of `api.example.com`; a host of two names is its own."""
    return host.partition(".")[2] if host.count(".") > 1 else host
