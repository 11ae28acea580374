"""From stages to readings `dns`, `tcp`, `tls`: which of them is well, slow, half there or down."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.network.stages import Attempt, Fault, Handshake, Lookup, Place, Split

LONGEST_DETAIL = 160
# In one and in several.
VERBS: dict[Fault | None, tuple[str, str]] = {
    "refused": ("refuses", "refuse"),
    "timeout": ("does not answer", "do not answer"),
    "unreachable": ("is out of reach", "are out of reach"),
    "reset": ("breaks off", "break off"),
    None: ("fails", "fail"),
}


def stage_readings(split: Split, at: datetime, slow_s: float) -> tuple[Reading, ...]:
    """`tls` only where the place speaks TLS. A stage that could not be tried is UNKNOWN."""
    place = split.place
    found = [_dns(place, split.lookup, at, slow_s), _tcp(place, split.attempts, at, slow_s)]
    if place.tls:
        found.append(_tls(place, split.handshake, at, slow_s))
    return tuple(found)


def network_reading(
    probe: str,
    target: str,
    at: datetime,
    *,
    took_s: float | None = None,
    slow_s: float | None = None,
    fault: str | None = None,
    partly: bool = False,
    unknown: bool = False,
    detail: str = "",
) -> Reading:
    """A fault is DOWN unless it is only `partly` there. `value` is how long it took where it
    worked: a stage that failed was not slow."""
    worked = (fault is None or partly) and not unknown
    slow = worked and took_s is not None and slow_s is not None and took_s > slow_s
    return Reading(
        probe=probe,
        kind=Kind.NETWORK,
        target=target,
        at=at,
        outcome=_outcome(worked, slow or partly, unknown),
        latency_s=took_s or 0.0,
        fault=fault,
        detail=detail[:LONGEST_DETAIL],
        value=took_s if worked else None,
        bound=slow_s,
        unit="s" if slow_s is not None else "",
    )


def _outcome(worked: bool, impaired: bool, unknown: bool) -> Outcome:
    if unknown:
        return Outcome.UNKNOWN
    if not worked:
        return Outcome.DOWN
    return Outcome.DEGRADED if impaired else Outcome.OK


def _dns(place: Place, lookup: Lookup, at: datetime, slow_s: float) -> Reading:
    shown = "an address, nothing to look up" if lookup.literal else ", ".join(lookup.addresses)
    return network_reading(
        "dns",
        f"DNS of {place.host}",
        at,
        took_s=lookup.took_s,
        slow_s=slow_s,
        fault=lookup.fault,
        detail=lookup.why or shown,
    )


def _tcp(place: Place, attempts: tuple[Attempt, ...], at: datetime, slow_s: float) -> Reading:
    target = f"TCP to {place.host} port {place.port}"
    if not attempts:
        return _untried("tcp", target, at, slow_s, "no address to connect to")
    reached = tuple(a for a in attempts if a.fault is None)
    failed = _failed(attempts)
    fault = _fault(failed)
    quickest = min((a.took_s for a in reached), default=max(a.took_s for a in attempts))
    return network_reading(
        "tcp",
        target,
        at,
        took_s=quickest,
        slow_s=slow_s,
        fault=fault,
        partly=bool(reached and failed),
        detail=_said(failed, len(attempts)) if failed else ", ".join(a.address for a in reached),
    )


def _failed(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """An IPv6 address does not count against the vendor on a host that has no IPv6 at all, nor the
    other way round."""
    reached = {_family(a) for a in attempts if a.fault is None}
    failed = tuple(a for a in attempts if a.fault is not None)
    tried = tuple(a for a in failed if not a.no_way or _family(a) in reached)
    return tried if reached or tried else failed


def _family(attempt: Attempt) -> int:
    return 6 if ":" in attempt.address else 4


def _fault(failed: tuple[Attempt, ...]) -> Fault | None:
    """The most frequent one; among equals the one that came first."""
    counted = Counter(a.fault for a in failed)
    return counted.most_common(1)[0][0] if counted else None


def _said(failed: tuple[Attempt, ...], total: int) -> str:
    """`2 of 3 addresses refuse: 203.0.113.5, 203.0.113.6`."""
    faults = {a.fault for a in failed}
    verb = VERBS[faults.pop() if len(faults) == 1 else None][len(failed) > 1]
    counted = f"{len(failed)} of {total} addresses" if total > 1 else "the address"
    return f"{counted} {verb}: {', '.join(a.address for a in failed)}"


def _tls(place: Place, handshake: Handshake | None, at: datetime, slow_s: float) -> Reading:
    target = f"TLS of {place.host}"
    if handshake is None:
        return _untried("tls", target, at, slow_s, "no connection to try it on")
    presented = "" if handshake.presented is None else str(handshake.presented)
    return network_reading(
        "tls",
        target,
        at,
        took_s=handshake.took_s,
        slow_s=slow_s,
        fault=handshake.fault,
        detail=": ".join(filter(None, (handshake.why, presented))),
    )


def _untried(probe: str, target: str, at: datetime, slow_s: float, why: str) -> Reading:
    return network_reading(probe, target, at, slow_s=slow_s, unknown=True, detail=why)
