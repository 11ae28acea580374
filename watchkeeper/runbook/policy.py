"""Within which bounds an incident is responded to: jobs, caps, detection, proofs."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from watchkeeper.runbook.base import Duration, Frozen, Name
from watchkeeper.runbook.mitigations import Criticality


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

    actions_per_incident_per_hour: int = Field(default=12, ge=0)
    """The most actions that one incident may begin within an hour; a further one is left out."""
    jobs_paused_per_incident: int = Field(default=5, ge=0)
    """The most jobs that one incident may hold paused; an action that would pause more is left out
    whole."""
    rotations_per_credential_per_day: int = Field(default=1, ge=0)
    """The most rotations of one key in 24 hours; a further one is left out."""
    vendors_down_at_once: int = Field(default=2, ge=0)
    """With incidents at so many other vendors, opened within ten minutes of this one, our own
    network is the likelier cause: only people act. 0 turns this off."""
    approvers: Literal["names", "accounts"] = "names"
    """Where two people are wanted: `names` are told apart by the name that each gives, and the record
    says so where both used one account; with `accounts` a second yes from the same account of the
    operating system, or from a form, is refused."""
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
