"""From an entry under `channels` to what calls people: one line a kind."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchkeeper.credentials.references import open_source
from watchkeeper.pagers import Pager
from watchkeeper.pagers.apprise_target import AppriseTarget
from watchkeeper.pagers.pagerduty import PagerDuty
from watchkeeper.pagers.webhook import WebhookPager
from watchkeeper.runbook import channels


@dataclass(frozen=True, slots=True)
class Opening:
    """What a channel is opened with. Relative paths count from `base`."""

    spec: Any
    base: Path
    sandbox: bool

    def secret(self, reference: str) -> Callable[[], str]:
        source = open_source(reference, self.base)
        return lambda: source.read().reveal()


@dataclass(frozen=True, slots=True)
class Kind:
    """`folds`: the far side makes one alert of repeats, so that a page may be sent again at will."""

    open: Callable[[Opening], Pager]
    folds: bool


def _pagerduty(to: Opening) -> Pager:
    tls = None
    if to.spec.ca_file is not None:
        tls = ssl.create_default_context(cafile=str(to.base / to.spec.ca_file))
    return PagerDuty(to.secret(to.spec.routing_key), base_url=to.spec.base_url, tls=tls)


def _webhook(to: Opening) -> Pager:
    signed = to.spec.signing_key
    return WebhookPager(
        to.secret(to.spec.url), to.secret(signed) if signed else None, sandbox=to.sandbox
    )


def _apprise(to: Opening) -> Pager:
    return AppriseTarget(to.secret(to.spec.url), sandbox=to.sandbox)


KINDS: dict[type, Kind] = {
    channels.PagerDuty: Kind(_pagerduty, folds=True),
    channels.Webhook: Kind(_webhook, folds=True),
    channels.Apprise: Kind(_apprise, folds=False),
}


def open_channel(spec: channels.ChannelSpec, base: Path, *, sandbox: bool) -> Pager:
    """Asks nothing yet. Raises UserError on a reference that is not known, OSError on a CA file that
    cannot be read."""
    return KINDS[type(spec)].open(Opening(spec, base, sandbox))


def folds_repeats(spec: channels.ChannelSpec) -> bool:
    return KINDS[type(spec)].folds
