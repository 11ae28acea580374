"""What can be wrong with the vendor, by kind, and each fault as JSON."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import instant, iso
from watchkeeper.sandbox.fault import Fault
from watchkeeper.sandbox.fault_answers import (
    Answers,
    BadRequest,
    ClockOff,
    Empty,
    Encoded,
    ErrorBody,
    Html,
    Huge,
    NotFound,
    Outage,
    PathMoved,
    RecordGone,
    Redirected,
    Stale,
)
from watchkeeper.sandbox.fault_keys import AuthDown, Forbidden, KeyExpired, KeyRefused, KeyStripped
from watchkeeper.sandbox.fault_limits import LimitLowered, NoRateHeaders, OtherCaller, Throttled
from watchkeeper.sandbox.fault_wire import Drip, Drop, Hang, LostReply, Slow, SlowModel

KINDS: dict[str, type[Fault]] = {
    kind.kind: kind
    for kind in (
        *(KeyExpired, KeyRefused, KeyStripped, AuthDown, Forbidden),
        *(Throttled, LimitLowered, OtherCaller, NoRateHeaders),
        *(Outage, Answers, Encoded, Html, Redirected, NotFound, PathMoved, BadRequest, RecordGone),
        *(ErrorBody, Empty, Stale, Huge, ClockOff),
        *(Slow, SlowModel, LostReply, Hang, Drop, Drip),
    )
}


def ended(fault: Fault, now: datetime) -> Fault:
    """Over from now on; what was over already keeps the time it ended."""
    if fault.until is not None and fault.until <= now:
        return fault
    return replace(fault, until=max(now, fault.since))


def to_json(fault: Fault, now: datetime) -> dict[str, Any]:
    values = {f.name: getattr(fault, f.name) for f in fields(fault)}
    stamps = {k: iso(v) for k, v in values.items() if isinstance(v, datetime)}
    return {"kind": fault.kind, **values, **stamps, "active": fault.holds(now)}


def from_json(raw: Mapping[str, Any], now: datetime) -> Fault:
    """The inverse of `to_json`; without `since`, from now on. ValueError says what is wrong."""
    values = {k: v for k, v in raw.items() if k != "active"}
    kind = KINDS.get(str(values.pop("kind", "")))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    values["since"] = instant(values["since"]) if values.get("since") else now
    values["until"] = instant(values["until"]) if values.get("until") else None
    if "endpoints" in values:
        values["endpoints"] = tuple(values["endpoints"])
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{kind.kind}: {error}") from error
