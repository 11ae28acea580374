"""What is done about an incident, and within which bounds: actions, jobs, caps, proofs."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Name, Span

Criticality = Literal["critical", "normal", "deferrable"]


Autonomy = Literal["observe", "propose", "approve", "auto"]


class Mitigation(Frozen):
    """An action the runbook knows, with what it touches, its cap and its way back."""

    name: Name
    """What causes and overrides call it, such as `pause-deferrable`; used once."""
    action: Literal["rotate_key", "pause_jobs", "cap_rate", "escalate"]
    """What it does: replaces the key, pauses jobs, caps our requests, or calls the next person."""
    summary: str
    """What it does in words, for the person who is asked to allow it."""
    criticality: tuple[Criticality, ...] = ()
    """The jobs that `pause_jobs` pauses, by their criticality, such as `[deferrable]`."""
    max_requests_per_s: float | None = Field(default=None, gt=0)
    """The most requests a second that `cap_rate` lets through, such as `0.2`; it cannot do without.
    Probes are not held back by it."""
    lease: Span = timedelta(hours=4)
    """How long a pause or a cap holds, such as `4 h`: undone after that, if not with the repair."""
    autonomy: Autonomy = "propose"
    """`observe`: only told; `propose`, `approve`: a person is asked; `auto`: done at once."""
    approvals: int = Field(default=1, ge=0, le=1)
    """People who must say yes, 0 or 1; 1 where autonomy is approve. It is autonomy that decides
    whether anybody is asked."""


class Job(Frozen):
    """A scheduled job over this vendor: the resources it moves and how much it matters."""

    name: Name
    """What its deployment and overrides call it, such as `workorder-sync`; used once."""
    criticality: Criticality
    """How much it matters: jobs are paused by it, and a repair is proven on the critical ones."""
    resources: tuple[Name, ...] = Field(min_length=1)
    """The lists of `resources` that it moves, by name."""


class Caps(Frozen):
    """The most this runbook may do by itself."""

    jobs_paused_per_incident: int = Field(default=5, ge=0)
    """The most jobs that one action may pause; one that would pause more is left out whole."""
    rotations_per_credential_per_day: int = Field(default=1, ge=0)
    """The most rotations of one key in 24 hours; a further one is left out."""
    approval_timeout: Duration = timedelta(hours=1)
    """How long a question waits for a person's answer; without one nothing of it is done."""


class Detection(Frozen):
    """How a first failure becomes an incident, and how long a closed one may come back."""

    confirming_probes: int = Field(default=3, ge=1)
    """How many more looks follow a first one that fails."""
    confirm_within: Duration = timedelta(seconds=15)
    """The time that the confirming looks are spread over, such as `15 s`."""
    needed: int = Field(default=2, ge=1)
    """How many of the looks, the first included, must fail: at most confirming_probes + 1."""
    occasional_needed: int = Field(default=3, ge=1)
    """So many failures in an endpoint's last occasional_of checks: a fault that comes and goes."""
    occasional_of: int = Field(default=12, ge=1)
    """How many of an endpoint's last checks are looked back at for a fault that comes and goes."""
    reopen_within: Duration = timedelta(minutes=30)
    """A failure within this time after an incident was closed opens the same one again."""


class Verification(Frozen):
    """What proves a repair: good probes in a row, and records that move again."""

    probes_in_a_row: int = Field(default=3, ge=1)
    """How many looks in a row must find nothing wrong; a cause's soak may ask for more."""
    interval: Duration = timedelta(seconds=10)
    """The pause between two looks, such as `10 s`; the soak, too, where no row names the cause."""
    give_up_after: Duration = timedelta(minutes=15)
    """After so long without a proof it is left to the next try; a longer soak is waited for."""
