"""From an integration's configuration to the connectors it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from watchkeeper.controls import ServiceSettings
from watchkeeper.controls.opening import open_settings
from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.credentials.references import open_rotatable, open_source
from watchkeeper.errors import UserError
from watchkeeper.pagers import Pager
from watchkeeper.pagers.opening import folds_repeats, open_channel
from watchkeeper.performing.stopping import Heed, halt_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.acting import HttpSettings, PrefectDeployment
from watchkeeper.runbook.channels import called
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.runtimes import Runtime
from watchkeeper.runtimes.acting import open_acting
from watchkeeper.schedulers import JobScheduler
from watchkeeper.schedulers.opening import open_scheduler
from watchkeeper.sinks import Sink
from watchkeeper.sinks.store import StoreSink
from watchkeeper.vendor.client import KeyChoice, VendorClient, vendor_client
from watchkeeper.vendor.guard import MAX_BYTES
from watchkeeper.vendor.pacing import nothing_stops
from watchkeeper.vendor.purpose import Purpose


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to call people, by the name that timelines give it. `open` may raise: a channel that
    cannot be opened must not keep the next one from being tried."""

    name: str
    folds: bool
    open: Callable[[], Pager]


def channels_of(watch: Watch, watched: Watched) -> tuple[Channel, ...]:
    """In the order in which they are tried; empty where no page can go out."""
    sandbox = watched.integration.sandbox
    return tuple(
        Channel(
            called(spec),
            folds_repeats(spec),
            partial(open_channel, spec, watch.secrets_base, sandbox=sandbox),
        )
        for spec in watched.integration.called_by
    )


def sink_of(watch: Watch, watched: Watched) -> Sink:
    return StoreSink(watch, watched.name)


def runtime_of(watch: Watch, consumer: Consumer) -> Runtime:
    return open_acting(consumer.runtime, watch.secrets_base, watch.now)


def settings_of(watch: Watch, watched: Watched) -> ServiceSettings:
    """Raises UserError where the integration names none."""
    spec = watched.integration.settings
    if spec is None:
        raise UserError(f"{watched.name} has no settings in integrations.yaml any more")
    return open_settings(spec, watch.secrets_base)


def scheduler_of(watch: Watch, watched: Watched, name: str) -> JobScheduler:
    """What runs a job of the integration's own. Raises UserError where it has no such job."""
    job = next((j for j in watched.integration.jobs if j.name == name), None)
    if job is None:
        raise UserError(f"{watched.name} has no scheduled job {name!r} any more")
    return open_scheduler(job.scheduler, watch.secrets_base, watch.now, SCHEDULERS)


# Kinds of schedulers that are beyond this package: whoever starts the process fills them in.
SCHEDULERS: dict[str, Callable[[Any], JobScheduler]] = {}


def keys_of(watch: Watch, watched: Watched) -> RotatableStore:
    """The store to rotate in. Raises UserError where the credential is a mere source."""
    return open_rotatable(watched.integration.credential.reference, watch.secrets_base, watch.now)


def client_of(
    watch: Watch,
    watched: Watched,
    purpose: Purpose,
    *,
    key_stage: KeyChoice = "current",
    dry_run: bool = False,
    deadline_s: float | None = None,
    max_wait_s: float | None = None,
    max_bytes: int = MAX_BYTES,
    consumer: str = "",
    heed: Heed | None = None,
) -> VendorClient:
    """The one way to the vendor. Whatever is no probe heeds the kill switch, or what `heed` says."""
    limit = watched.runbook.thresholds.probe_deadline.total_seconds()
    return vendor_client(
        watched,
        watch.store,
        watch.now,
        purpose,
        base=watch.secrets_base,
        key_stage=key_stage,
        dry_run=dry_run,
        deadline_s=deadline_s or limit,
        max_wait_s=max_wait_s,
        max_bytes=max_bytes,
        consumer=consumer,
        heed=nothing_stops if purpose == "probe" else heed or halt_of(watch),
    )


def check_references(base: Path, watched: Watched) -> None:
    """Raises UserError on a reference that no store can be opened by; asks none of them."""
    entry = watched.integration
    named = [entry.credential.reference, entry.credential.second]
    named += [secret for channel in entry.called_by for secret in channel.secrets]
    if isinstance(entry.settings, HttpSettings):
        named.append(entry.settings.token)
    named += [j.scheduler.auth for j in entry.jobs if isinstance(j.scheduler, PrefectDeployment)]
    for reference in dict.fromkeys(name for name in named if name is not None):
        try:
            open_source(reference, base)
        except UserError as error:
            raise UserError(f"{watched.name}: {error}") from None
