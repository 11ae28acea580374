"""Asking the vendor: the runbook's probes, and what is left of its budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from watchkeeper import own_clock
from watchkeeper.credentials.reading import current_key, unreachable
from watchkeeper.errors import Ambiguous, Throttled, Transient, UserError
from watchkeeper.evidence import NO_TURN, Kind, Outcome, Reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe
from watchkeeper.signs.answers import NO_KEY_OF_OURS
from watchkeeper.vendor.answers import throttle
from watchkeeper.vendor.client import VendorClient
from watchkeeper.vendor.failures import WORDS, CallFailed
from watchkeeper.vendor.judging import judge
from watchkeeper.vendor.rate_signals import RateSignal
from watchkeeper.vendor.reply import Reply

# Many answers are on their way at once, and each is of one record or a short list.
LARGEST = 1024 * 1024
# The share of a deadline that a call may wait for its turn.
PATIENCE = 0.8


@dataclass(frozen=True, slots=True)
class Asked:
    """What one probe saw, and what the answer told of the vendor's budget."""

    reading: Reading
    rate: RateSignal | None = None


def probes_of(runbook: Runbook, also: tuple[str, ...] = ()) -> tuple[Probe, ...]:
    """Those that may run unasked: none that writes or costs money. `also`: whom a person asked for."""
    return tuple(probe for probe in runbook.probes if not probe.costs or probe.name in also)


async def unsent(
    watch: Watch, watched: Watched, within_s: float, also: tuple[str, ...] = ()
) -> tuple[Asked, ...]:
    """A key of ours that cannot be read is a reading too: it must wake somebody, not end a check."""
    reference, at = watched.integration.credential.reference, watch.now()
    try:
        await current_key(reference, watch.secrets_base, within_s).read()
    except (UserError, Transient) as error:
        probes = probes_of(watched.runbook, also)
        return tuple(Asked(_unread(probe, at, error)) for probe in probes)
    return ()


async def ask(watch: Watch, watched: Watched, client: VendorClient, probe: Probe) -> Asked:
    """One probe; whatever comes of it is a reading."""
    at, began = watch.now(), own_clock.seconds()
    try:
        reply = await _send(client, probe)
    except CallFailed as error:
        nothing = _nothing(probe, at, own_clock.seconds() - began, error.kind)
        # It came, and is more than we read: an odd answer, and no silence.
        return Asked(replace(nothing, status=error.status, detail=_why(error)))
    except Ambiguous:
        said = "sent, and no usable answer came back"
        return Asked(_nothing(probe, at, own_clock.seconds() - began, "timeout", said))
    except Throttled:
        waited_s = own_clock.seconds() - began
        return Asked(replace(_nothing(probe, at, waited_s, NO_TURN), outcome=Outcome.UNKNOWN))
    except (UserError, Transient) as error:
        return Asked(_unread(probe, at, error))
    slow_s = watched.runbook.thresholds.slow.total_seconds()
    return Asked(judge(probe, reply, at, slow_s, _list_of(probe, watched.runbook)), throttle(reply))


def _why(error: CallFailed) -> str:
    return "" if error.status is None else WORDS[error.kind]


async def _send(client: VendorClient, probe: Probe) -> Reply:
    if probe.method == "GET":
        return await client.get(probe.path)
    if probe.method == "HEAD":
        return await client.head(probe.path)
    return await client.send(probe.method, probe.path, probe.body)


def _list_of(probe: Probe, runbook: Runbook) -> str:
    """For a probe of one record, the probe that asks for its list."""
    if not probe.record:
        return ""
    lists = (p.name for p in runbook.probes if p.resource == probe.resource and not p.record)
    return next(lists, probe.name)


def _nothing(probe: Probe, at: datetime, waited_s: float, fault: str, detail: str = "") -> Reading:
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=Outcome.DOWN,
        latency_s=waited_s,
        fault=fault,
        detail=detail,
        critical=probe.critical,
    )


def _unread(probe: Probe, at: datetime, error: UserError | Transient) -> Reading:
    """A store that cannot be asked now does not say that there is no key in it."""
    if isinstance(error, UserError):
        return _nothing(probe, at, 0.0, NO_KEY_OF_OURS, str(error))
    unread = _nothing(probe, at, 0.0, NO_KEY_OF_OURS, unreachable(error))
    return replace(unread, outcome=Outcome.UNKNOWN)


def rate_reading(asked: tuple[Asked, ...], at: datetime) -> tuple[Reading, ...]:
    """What is left of the budget, by the answer that leaves least. No word of it is normal."""
    told = [
        a.rate
        for a in asked
        if a.rate and a.rate.remaining is not None and a.rate.limit is not None
    ]
    if not told:
        return ()
    least = min(told, key=lambda rate: rate.remaining or 0)
    return (
        Reading(
            probe="rate",
            kind=Kind.RATE,
            target="the vendor's budget",
            at=at,
            outcome=Outcome.OK if least.remaining else Outcome.DEGRADED,
            latency_s=0.0,
            detail=f"{least.remaining} of {least.limit} requests left",
            value=least.remaining,
            bound=least.limit,
            unit="requests",
        ),
    )
