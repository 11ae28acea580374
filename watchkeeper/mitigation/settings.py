"""Binding what changes a setting of our service while it runs: its model, retries, intake."""

from __future__ import annotations

from watchkeeper.mitigation.actions import ChangeSettings
from watchkeeper.mitigation.bound import READ_BACK, Bound, LeftOut, planned
from watchkeeper.mitigation.lease import LeaseKind, said
from watchkeeper.mitigation.rates import share_of
from watchkeeper.mitigation.world import World
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.mitigations import (
    CacheDnsRow,
    CapServiceRow,
    EnableRetriesRow,
    LimitIntakeRow,
    Mitigation,
    ShedRequestsRow,
    SpreadKeysRow,
    SwitchModelRow,
)
from watchkeeper.runbook.settings_text import calls_of

# The standard names of settings; integrations.yaml says how a service calls them.
MAX_REQUESTS, MAX_RETRIES, REFUSE = "max_requests_per_s", "max_retries", "refuse"
MODEL, KEYS, INTAKE, DNS_CACHE = "model", "keys", "intake_per_s", "dns_cache_s"
NAMES = (MAX_REQUESTS, MAX_RETRIES, REFUSE, MODEL, KEYS, INTAKE, DNS_CACHE)


def bind_service_rate(row: CapServiceRow, watched: Watched, world: World) -> Bound:
    values = {MAX_REQUESTS: f"{row.max_requests_per_s:g}"}
    risk = "work that cannot be sent waits in the service, or is refused by it"
    return _bind(row, values, watched, world, "the service does less at a time", risk)


def bind_retries(row: EnableRetriesRow, watched: Watched, world: World) -> Bound:
    rate = share_of(watched, row.share)
    values = {MAX_RETRIES: f"{row.max_retries}", MAX_REQUESTS: f"{rate:g}"}
    cost = "the service sends fewer requests; some are sent more than once"
    return _bind(row, values, watched, world, cost, "a vendor in trouble gets more requests")


def bind_shed(row: ShedRequestsRow, watched: Watched, world: World) -> Bound:
    refused = " and ".join(row.criticality)
    cost = f"whoever asks for {refused} work is refused"
    values = {REFUSE: ",".join(row.criticality)}
    return _bind(row, values, watched, world, cost, "what is refused is not done later by itself")


def bind_intake(row: LimitIntakeRow, watched: Watched, world: World) -> Bound:
    values = {INTAKE: f"{row.intake_per_s:g}"}
    cost = "what comes in above it is refused"
    return _bind(row, values, watched, world, cost, "what is refused is not done later by itself")


def bind_model(row: SwitchModelRow, watched: Watched, world: World) -> Bound:
    risk = "its answers may be less exact than the usual model's"
    return _bind(row, {MODEL: row.model}, watched, world, "none but the model", risk)


def bind_keys(row: SpreadKeysRow, watched: Watched, world: World) -> Bound:
    risk = "the vendor may count all keys of an account together, or forbid this"
    return _bind(row, {KEYS: f"{row.over}"}, watched, world, "more keys are in use", risk)


def bind_dns(row: CacheDnsRow, watched: Watched, world: World) -> Bound:
    values = {DNS_CACHE: f"{row.keep.total_seconds():g}"}
    return _bind(row, values, watched, world, "none", "a vendor that moves is looked for too late")


def _bind(
    row: Mitigation, values: dict[str, str], watched: Watched, world: World, cost: str, risk: str
) -> Bound:
    wanted = ", ".join(f"{name} {value}" for name, value in values.items())
    spec = watched.integration.settings
    if spec is None:
        return LeftOut(
            f"integrations.yaml names no settings of the service; a person sets {wanted}"
        )
    if (why := world.unread.get("settings")) is not None:
        return LeftOut(f"the service's settings cannot be read: {why}")
    before = {name: _before(name, world) for name in values}
    changed = {name: value for name, value in values.items() if before[name] != value}
    return planned(
        row,
        ChangeSettings(values=tuple(changed.items()), lease=row.lease),
        target=f"the service of {watched.name}",
        effects=tuple(
            f"set {name} of the service to {value}, from {said(before[name])}"
            for name, value in changed.items()
        ),
        calls=calls_of(spec, dict(changed)) if changed else (),
        undo="each setting goes back to what it was, unless a person changed it meanwhile",
        cost=cost,
        risk=risk,
        promise=READ_BACK,
        left_out=tuple(f"{n}: is {v} already" for n, v in values.items() if n not in changed),
    )


def _before(name: str, world: World) -> str | None:
    """What it was before this incident touched it: planned again, it is the same plan."""
    held = world.held(LeaseKind.SETTING, name)
    if held is None:
        return world.settings.get(name)
    prior = held.prior.get("value")
    return None if prior is None else str(prior)
