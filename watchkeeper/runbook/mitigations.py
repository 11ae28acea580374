"""The actions that a runbook's causes may name: what each touches, its limit, and its way back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, RootModel

from watchkeeper.runbook.base import Frozen, Name, Span

Criticality = Literal["critical", "normal", "deferrable"]
Autonomy = Literal["observe", "propose", "approve", "auto"]
MissedRuns = Literal["skip", "latest", "all"]
RotationOrder = Literal["overlap", "revoke_first"]


class _Mitigation(Frozen):
    """What every one of them says."""

    performed: ClassVar[bool] = True
    # False: nothing does it in this version. It stays in the file, and is never offered.

    name: Name
    """What causes and overrides call it, such as `pause-deferrable`; used once."""
    summary: str
    """What it does in words, for the person who is asked to allow it."""
    lease: Span = timedelta(hours=4)
    """How long it holds, such as `4 h`: undone after that, if not with the repair. What cannot be
    undone, such as a restart, holds nothing."""
    autonomy: Autonomy = "propose"
    """`observe`: only told. `propose`: shown, and done once a person says yes; nothing waits for it.
    `approve`: the response waits for a yes, and counts silence as a no. `auto`: done at once."""
    approvals: Literal[0, 1, 2] = 1
    """How many people must say yes where anybody is asked; nobody is where autonomy is auto."""


class PauseJobsRow(_Mitigation):
    """Pauses jobs by their criticality."""

    action: Literal["pause_jobs"]
    """`pause_jobs`: pauses scheduled jobs."""
    criticality: tuple[Criticality, ...] = ()
    """The jobs that it pauses, by their criticality, such as `[deferrable]`. None selects none."""
    missed_runs: MissedRuns = "latest"
    """What of the runs they missed is made up for: `skip` none, `latest` one run of each job, `all`
    every one of them."""
    stagger: Span = timedelta(seconds=5)
    """The pause between two jobs that are resumed, such as `5 s`, the critical ones first."""


class CapRateRow(_Mitigation):
    """Caps what our own clients send to the vendor."""

    action: Literal["cap_rate"]
    """`cap_rate`: caps our requests to the vendor."""
    max_requests_per_s: float | None = Field(default=None, gt=0)
    """The most requests a second that are let through, such as `0.2`. Probes are not held back by
    it."""
    share: float | None = Field(default=None, gt=0, le=1)
    """The same as a share of what the vendor allows, such as `0.5`; one of the two is wanted."""


class CapServiceRow(_Mitigation):
    """Has our service send fewer requests to the vendor."""

    action: Literal["cap_service"]
    """`cap_service`: the service caps its own requests."""
    max_requests_per_s: float = Field(gt=0)
    """The most requests a second that it sends, such as `1`."""


class EnableRetriesRow(_Mitigation):
    """Has our service try failed requests again, at a lower rate."""

    action: Literal["enable_retries"]
    """`enable_retries`: the service tries a failed request again, and sends fewer."""
    max_retries: int = Field(default=3, ge=1, le=10)
    """How often a failed request is tried again."""
    share: float = Field(default=0.5, gt=0, le=1)
    """The share of what the vendor allows that it sends meanwhile."""


class ShedRequestsRow(_Mitigation):
    """Has our service refuse work that is not critical."""

    action: Literal["shed_requests"]
    """`shed_requests`: the service refuses work by its criticality."""
    criticality: tuple[Criticality, ...] = Field(default=("deferrable",), min_length=1)
    """What is refused, such as `[deferrable, normal]`."""


class LimitIntakeRow(_Mitigation):
    """Has our service take in less work."""

    action: Literal["limit_intake"]
    """`limit_intake`: the service takes in less."""
    intake_per_s: float = Field(gt=0)
    """The most work items a second that it takes in."""


class SwitchModelRow(_Mitigation):
    """Has our service ask the vendor for another model."""

    action: Literal["switch_model"]
    """`switch_model`: the service asks for another model."""
    model: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=100)
    """The model to ask for, such as `ear-2`."""


class SpreadKeysRow(_Mitigation):
    """Has our service spread its requests over several of its keys."""

    action: Literal["spread_keys"]
    """`spread_keys`: the service sends its requests with several keys in turn."""
    over: int = Field(default=2, ge=2, le=20)
    """Over how many of its keys."""


class CacheDnsRow(_Mitigation):
    """Has our service keep the addresses it has looked up."""

    action: Literal["cache_dns"]
    """`cache_dns`: the service keeps DNS answers."""
    keep: Span = timedelta(minutes=5)
    """How long it keeps one, such as `5 min`."""


class ScaleRow(_Mitigation):
    """Runs more replicas of our service."""

    action: Literal["scale_replicas"]
    """`scale_replicas`: more replicas of each consumer."""
    factor: float = Field(default=2, gt=1, le=10)
    """How many times as many, rounded up."""
    at_most: int = Field(default=10, ge=1, le=1000)
    """No more than so many, whatever the factor says."""


class RestartRow(_Mitigation):
    """Restarts our service."""

    action: Literal["restart_service"]
    """`restart_service`: restarts each consumer, one after the other."""


class RotateKeyRow(_Mitigation):
    """Replaces the vendor's key, in stages."""

    action: Literal["rotate_key"]
    """`rotate_key`: replaces the key."""
    order: RotationOrder = "overlap"
    """`overlap`: the old key is revoked last, once everything is proven on the new one.
    `revoke_first`: for a key that others have; requests fail until the new one is in place."""
    revoke_within: Span = timedelta(hours=1)
    """How long the old key may live on after it was asked to be revoked; then people are called."""


class WaitRow(_Mitigation):
    """Waits for the vendor: its status page is read and it is probed until it is well again."""

    action: Literal["wait_for_vendor"]
    """`wait_for_vendor`: looks until the vendor is well; calls people if that takes too long."""
    good_looks: int = Field(default=3, ge=1, le=100)
    """How many looks in a row must find it well."""


class BufferWritesRow(_Mitigation):
    """Keeps writes to the vendor until it is back. Not available yet."""

    performed: ClassVar[bool] = False

    action: Literal["buffer_writes"]
    """`buffer_writes`: writes are kept and sent later."""


class PollInsteadRow(_Mitigation):
    """Polls while the vendor's webhooks fail. Not available yet."""

    performed: ClassVar[bool] = False

    action: Literal["poll_instead"]
    """`poll_instead`: polls while webhooks fail."""
    every: Span = timedelta(minutes=1)
    """How often, such as `1 min`."""


class EscalateRow(_Mitigation):
    """Calls the next person on the ladder."""

    action: Literal["escalate"]
    """`escalate`: calls the next person."""


Mitigation = Annotated[
    PauseJobsRow
    | CapRateRow
    | CapServiceRow
    | EnableRetriesRow
    | ShedRequestsRow
    | LimitIntakeRow
    | SwitchModelRow
    | SpreadKeysRow
    | CacheDnsRow
    | ScaleRow
    | RestartRow
    | RotateKeyRow
    | WaitRow
    | BufferWritesRow
    | PollInsteadRow
    | EscalateRow,
    Field(discriminator="action"),
]
"""An action the runbook knows, with what it touches, its limit and its way back."""


class AnyMitigation(RootModel[Mitigation]):
    """One of them, read by itself."""
