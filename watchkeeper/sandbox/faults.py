"""What is wrong with the vendor, as values, and what that does to one request.

Deciding is here and pure; the app performs the decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, ClassVar

from watchkeeper.sandbox.clock import instant, iso
from watchkeeper.sandbox.rate import Allowance, Rate, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Holds from `since` until `until`; without `until`, until somebody ends it."""

    kind: ClassVar[str] = ""
    since: datetime
    until: datetime | None = None

    def holds(self, now: datetime) -> bool:
        return self.since <= now and (self.until is None or now < self.until)

    def concerns(self, _path: str) -> bool:
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExpired(Fault):
    """Every key made up to `since` is refused; a key made later is accepted."""

    kind: ClassVar[str] = "key_expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled(Fault):
    """Past `limit` requests in the window, from everybody together, each request is refused."""

    kind: ClassVar[str] = "throttled"
    limit: int
    window_s: float

    @property
    def rate(self) -> Rate:
        return Rate(self.limit, self.window_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Somewhere(Fault):
    """Concerns the paths under `endpoints` (`/workorders`), or all where none is named."""

    endpoints: tuple[str, ...] = ()

    def concerns(self, path: str) -> bool:
        under = (path == e or path.startswith(f"{e}/") for e in self.endpoints)
        return not self.endpoints or any(under)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(_Somewhere):
    """A `share` of the requests meets `status`; below 1.0 the failure is intermittent."""

    kind: ClassVar[str] = "outage"
    status: int = 503
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow(_Somewhere):
    kind: ClassVar[str] = "slow"
    delay_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LostReply(_Somewhere):
    """A write takes effect and its answer never comes: the caller cannot know."""

    kind: ClassVar[str] = "lost_reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMoved(Fault):
    kind: ClassVar[str] = "path_moved"
    path: str

    def concerns(self, path: str) -> bool:
        return path == self.path or path.startswith(f"{self.path}/")


KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (KeyExpired, Throttled, Outage, Slow, LostReply, PathMoved)
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One request. `path` is below the base path; `arrivals` are all requests' epoch seconds,
    this one's last; `draw` is a number in [0, 1); `key_made` is null where no known key came.
    """

    path: str
    key_made: datetime | None
    arrivals: Sequence[float]
    draw: float = 0.0
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Effect:
    """`cause`: the fault's kind, empty where the request goes through (perhaps late, perhaps
    `lost` on the way back).
    """

    cause: str = ""
    status: int = 200
    error: str = ""
    delay_s: float = 0.0
    lost: bool = False
    allowance: Allowance | None = None


def effect(faults: Sequence[Fault], facts: Facts, now: datetime) -> Effect:
    """The outermost layer speaks first: the platform, the gateway's limit, the key, the path."""
    held = [f for f in faults if f.holds(now) and f.concerns(facts.path)]
    delay_s = max((f.delay_s for f in held if isinstance(f, Slow)), default=0.0)
    rates = [f.rate for f in held if isinstance(f, Throttled)]
    limits = [judge(facts.arrivals, rate, now.timestamp()) for rate in rates]
    allowance = min(limits, key=lambda a: (not a.refused, a.remaining), default=None)
    found = _outage(held, facts) or _throttle(allowance) or _key(held, facts) or _path(held)
    lost = facts.writes and found is None and any(isinstance(f, LostReply) for f in held)
    return replace(found or Effect(), delay_s=delay_s, lost=lost, allowance=allowance)


def _outage(held: Sequence[Fault], facts: Facts) -> Effect | None:
    hit = (f for f in held if isinstance(f, Outage) and facts.draw < f.share)
    return next((Effect(f.kind, f.status, "Internal server error.") for f in hit), None)


def _throttle(allowance: Allowance | None) -> Effect | None:
    if allowance is None or not allowance.refused:
        return None
    return Effect(Throttled.kind, 429, too_many(allowance))


def _key(held: Sequence[Fault], facts: Facts) -> Effect | None:
    expired = any(is_expired(f, facts.key_made) for f in held)
    return Effect(KeyExpired.kind, 401, "Invalid token") if expired else None


def _path(held: Sequence[Fault]) -> Effect | None:
    moved = any(isinstance(f, PathMoved) for f in held)
    return Effect(PathMoved.kind, 404, "Not Found.") if moved else None


def is_expired(fault: Fault, key_made: datetime | None) -> bool:
    return isinstance(fault, KeyExpired) and key_made is not None and key_made <= fault.since


def too_many(allowance: Allowance) -> str:
    """The wait is in the words alone: the vendor sends no Retry-After."""
    return f"Too many requests. Please retry in {allowance.wait_s} seconds"


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
        fault = kind(**values)
    except TypeError as error:
        raise ValueError(f"{kind.kind}: {error}") from error
    _check(fault)
    return fault


def _check(fault: Fault) -> None:
    if isinstance(fault, Throttled):
        Rate(fault.limit, fault.window_s)
    if isinstance(fault, Outage) and not (500 <= fault.status <= 599 and 0 <= fault.share <= 1):
        raise ValueError("outage: status is 5xx, share is between 0 and 1")
    if isinstance(fault, Slow) and fault.delay_s < 0:
        raise ValueError("slow: delay_s cannot be negative")
