"""Which keys were accepted at which instant: every change of the key table, in order."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.fault import Fault
from watchkeeper.sandbox.fault_keys import is_expired
from watchkeeper.sandbox.keys import Key, fingerprint

Change = tuple[datetime, str, str]


def history(keys: Iterable[Key], faults: Sequence[Fault], now: datetime) -> list[dict[str, Any]]:
    """Each {"time", "event", "fingerprint", "accepted"}: the fingerprints accepted from then on.

    Events: `created`, `revoked`, `expired`, and `restored` where an expiry was taken back.
    """
    table = list(keys)
    found = sorted(c for key in table for c in changes(key, faults) if c[0] <= now)
    return [
        {"time": iso(at), "event": event, "fingerprint": mark, "accepted": at_instant}
        for at, event, mark in found
        for at_instant in [accepted(table, faults, at)]
    ]


def accepted(keys: Iterable[Key], faults: Sequence[Fault], at: datetime) -> list[str]:
    return [fingerprint(k.value) for k in keys if k.made <= at and k.state(faults, at) == "active"]


def changes(key: Key, faults: Sequence[Fault]) -> Iterator[Change]:
    mark = fingerprint(key.value)
    yield key.made, "created", mark
    if key.revoked is not None:
        yield key.revoked, "revoked", mark
    for fault in faults:
        if is_expired(fault, key.made) and not _is_empty(fault):
            yield fault.since, "expired", mark
            if fault.until is not None:
                yield fault.until, "restored", mark


def _is_empty(fault: Fault) -> bool:
    return fault.until is not None and fault.until <= fault.since
