"""How people are called: the shape of an entry under `channels` in integrations.yaml, one a kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from watchkeeper.runbook.base import FilePath, Frozen, Name, SecretReference, Url


class _Channel(Frozen):
    name: Name | None = None
    """What timelines and `status` call it; its kind where left out. Used once."""


class PagerDuty(_Channel):
    """PagerDuty Events v2; base_url and ca_file only for a stand-in."""

    kind: Literal["pagerduty"] = "pagerduty"
    """`pagerduty`."""
    routing_key: SecretReference
    """Where the integration key of a PagerDuty service is kept: `env:NAME` or `file:PATH`."""
    base_url: Url = "https://events.pagerduty.com"
    """Address of the Events API; another one only for a stand-in. PagerDuty's client speaks https
    alone."""
    ca_file: FilePath | None = None
    """PEM file of the authority that a stand-in's certificate is from; a relative path counts from
    integrations.yaml."""

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.routing_key,)


class Webhook(_Channel):
    """A JSON POST to an address of yours when a page is triggered and when it is resolved."""

    kind: Literal["webhook"]
    """`webhook`."""
    url: SecretReference
    """Where its address is kept, which often holds a token: `env:NAME` or `file:PATH`."""
    signing_key: SecretReference | None = None
    """Where the key is kept that signs each request as Standard Webhooks has it (`whsec_...`)."""

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.url, *((self.signing_key,) if self.signing_key else ()))


class Apprise(_Channel):
    """One target of Apprise: chat, mail, SMS and some hundred more, by its URL."""

    kind: Literal["apprise"]
    """`apprise`."""
    url: SecretReference
    """Where the target's URL is kept, such as one of `slack://` or `mailto://`: it holds the
    credentials."""

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.url,)


ChannelSpec = Annotated[PagerDuty | Webhook | Apprise, Field(discriminator="kind")]


def called(spec: PagerDuty | Webhook | Apprise) -> str:
    """The channel's name on timelines and in the ledger."""
    return spec.name or spec.kind
