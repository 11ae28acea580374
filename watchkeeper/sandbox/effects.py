"""What the faults that hold do to one request. Deciding is here and pure; the front performs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, TypeVar

from watchkeeper.sandbox.fault import Facts, Fault, Layer, Said, is_under
from watchkeeper.sandbox.fault_answers import ClockOff, Empty, Encoded, Huge, PathMoved, RecordGone
from watchkeeper.sandbox.fault_limits import NoRateHeaders, Throttled
from watchkeeper.sandbox.fault_wire import Drip, Drop, Hang, LostReply, Slow
from watchkeeper.sandbox.rate import Allowance, judge

Kind = TypeVar("Kind", bound=Fault)


@dataclass(frozen=True, slots=True)
class Bent:
    """What the API itself answers otherwise. `moved`: new paths by old ones."""

    empty: bool = False
    gone: tuple[RecordGone, ...] = ()
    moved: Mapping[str, str] = field(default_factory=dict)

    def asked(self, path: str) -> str:
        """What a path of now was called before it moved."""
        for old, new in self.moved.items():
            if is_under(path, new):
                return old + path.removeprefix(new)
        return path

    def shown(self, path: str) -> str:
        for old, new in self.moved.items():
            if is_under(path, old):
                return new + path.removeprefix(old)
        return path


def gone(bent: Bent, resource: str, asked: str, otherwise: str) -> bool:
    """`otherwise`: the id that is gone where the fault names none."""
    return any(f.is_of(resource) and asked == (f.id or otherwise) for f in bent.gone)


@dataclass(frozen=True, slots=True)
class Manner:
    """How the answer comes. `wire`: not at all; `pad_to` in bytes, `skew_s` on the Date header."""

    wire: Literal["", "hang", "drop"] = ""
    bytes_per_s: float | None = None
    pad_to: int = 0
    skew_s: float = 0.0
    tells_rate: bool = True
    encoded: Encoded | None = None


STRAIGHT = Bent()
USUAL = Manner()


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
    layer: Layer | None = None
    html: bool = False
    location: str = ""
    whole: Said | None = None
    bent: Bent = STRAIGHT
    manner: Manner = USUAL


def effect(faults: Sequence[Fault], facts: Facts, now: datetime) -> Effect:
    """The outermost layer speaks first: the platform, the gateway's limit, the key, the path."""
    held = [f for f in faults if f.holds(now) and f.strikes(facts)]
    allowance = _shared(held, facts, now)
    throttled = allowance is not None and allowance.refused
    speaking = [f for f in held if f.layer is not None and (f.layer != Layer.LIMIT or throttled)]
    first = min(speaking, key=lambda f: f.layer or Layer.PLATFORM, default=None)
    found = Effect() if first is None else _refused(first, allowance)
    return replace(
        found,
        delay_s=max((f.delay_s + f.spread_s * facts.spread for f in _all(held, Slow)), default=0.0),
        lost=facts.writes and first is None and bool(_all(held, LostReply)),
        allowance=allowance,
        bent=_bent(held, faults, now),
        manner=_manner(held),
    )


def _all(faults: Sequence[Fault], kind: type[Kind]) -> list[Kind]:
    return [f for f in faults if isinstance(f, kind)]


def _shared(held: Sequence[Fault], facts: Facts, now: datetime) -> Allowance | None:
    limits = [judge(facts.arrivals, f.rate, now.timestamp()) for f in _all(held, Throttled)]
    return min(limits, key=lambda a: (not a.refused, a.remaining), default=None)


def _refused(fault: Fault, allowance: Allowance | None) -> Effect:
    limited = fault.layer == Layer.LIMIT and allowance is not None
    said = Said(429, too_many(allowance)) if limited and allowance else fault.said()
    return Effect(
        cause=fault.kind,
        status=said.status,
        error=said.text,
        layer=fault.layer,
        html=said.html,
        location=said.location,
        whole=said if said.whole else None,
    )


def _bent(held: Sequence[Fault], faults: Sequence[Fault], now: datetime) -> Bent:
    moved = {f.path: f.new_path for f in _all(faults, PathMoved) if f.holds(now)}
    return Bent(bool(_all(held, Empty)), tuple(_all(held, RecordGone)), moved)


def _manner(held: Sequence[Fault]) -> Manner:
    return Manner(
        wire="drop" if _all(held, Drop) else "hang" if _all(held, Hang) else "",
        bytes_per_s=min((f.bytes_per_s for f in _all(held, Drip)), default=None),
        pad_to=max((f.bytes for f in _all(held, Huge)), default=0),
        skew_s=sum(f.seconds for f in _all(held, ClockOff)),
        tells_rate=not _all(held, NoRateHeaders),
        encoded=next(iter(_all(held, Encoded)), None),
    )


def too_many(allowance: Allowance) -> str:
    """The wait in words, which some vendors send without a Retry-After."""
    return f"Too many requests. Please retry in {allowance.wait_s} seconds"
