"""One company's use of a vendor: the shape of an entry in `integrations.yaml`.

An integration is named `vendor@environment` or `vendor@environment/organisation`; everything that
Watchkeeper keeps is keyed by that name.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from watchkeeper.runbook.base import Frozen, Name, Span, Url
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.telemetry import Service

INTEGRATION_NAME = r"^[a-z][a-z0-9_-]*@[a-z][a-z0-9_-]*(/[A-Za-z0-9_-]+)?$"
SECRET_REFERENCE = r"^(file|env):\S+$"
IntegrationName = Annotated[str, Field(pattern=INTEGRATION_NAME)]
SecretReference = Annotated[str, Field(pattern=SECRET_REFERENCE)]


class Credential(Frozen):
    """The vendor's key by reference. Rotation needs a store that keeps versions (`file:`).

    `second`: another key of ours that is independent of it. It is tried only to tell a bad key from
    a vendor that refuses every key.
    """

    name: Name
    reference: SecretReference
    second: SecretReference | None = None


class CommandRuntime(Frozen):
    """A restart by a local command; it must return 0 once the consumer runs again."""

    kind: Literal["command"] = "command"
    restart: tuple[str, ...] = Field(min_length=1)
    timeout: Span = timedelta(seconds=60)


class Consumer(Frozen):
    """A process of ours that holds the vendor's key and must be restarted to see a new one."""

    name: Name
    health_url: Url
    fingerprint_field: str = "keyFingerprint"
    runtime: CommandRuntime


class Sink(Frozen):
    """Where the vendor's records belong. `store` is Watchkeeper's own table."""

    kind: Literal["store"] = "store"


class PagerDuty(Frozen):
    """PagerDuty Events v2; base_url and ca_file only for a stand-in."""

    kind: Literal["pagerduty"] = "pagerduty"
    routing_key: SecretReference
    base_url: Url = "https://events.pagerduty.com"
    ca_file: str | None = None


class Contact(Frozen):
    """A person or team on the escalation ladder, by the runbook's rung."""

    who: str
    name: str


class Integration(Frozen):
    """One entry of integrations.yaml, before its runbook is laid beneath it."""

    name: IntegrationName
    runbook: str
    sandbox: bool = False
    base_url: Url | None = None
    status_page_url: Url | None = None
    # Another address than the runbook's `control`: reachable whenever our network is well.
    control_url: Url | None = None
    # The vendor's own address where base_url is a gateway of ours; the runbook's when left out.
    direct_url: Url | None = None
    organisation: int | None = None
    credential: Credential
    sink: Sink = Sink()
    service: Service | None = None
    consumers: tuple[Consumer, ...] = ()
    pager: PagerDuty | None = None
    contacts: tuple[Contact, ...] = ()
    overrides: dict[str, Any] = Field(default_factory=dict)

    @property
    def vendor(self) -> str:
        return self.name.partition("@")[0]

    @property
    def environment(self) -> str:
        return self.name.partition("@")[2].partition("/")[0]


class Watched(Frozen):
    """An integration with its runbook, overrides applied: all that any decision needs to know."""

    integration: Integration
    runbook: Runbook

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
        gateway = entry.base_url is not None and not entry.sandbox
        return (
            self.runbook.base_url if gateway and entry.base_url != self.runbook.base_url else None
        )
