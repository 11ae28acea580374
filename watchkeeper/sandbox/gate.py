"""Whether a request gets through to the API, and what it is told about its allowance."""

from dataclasses import dataclass, replace
from datetime import datetime

from watchkeeper.sandbox.effects import Bent, Effect, Manner, effect
from watchkeeper.sandbox.exchange import Answer
from watchkeeper.sandbox.fault import Facts, Layer
from watchkeeper.sandbox.fault_keys import KeyStripped
from watchkeeper.sandbox.fault_limits import own_arrivals, own_rate
from watchkeeper.sandbox.keys import Key
from watchkeeper.sandbox.making import fraction
from watchkeeper.sandbox.rate import Allowance, judge
from watchkeeper.sandbox.site import Site

NO_MARK = "none"


@dataclass(frozen=True, slots=True)
class Caller:
    """`mark`: the fingerprint of the key that came, `none` where none came."""

    method: str
    path: str
    name: str
    key: str
    mark: str

    @property
    def writes(self) -> bool:
        return self.method not in ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`caller` as the vendor sees it: a key may have been lost on the way."""

    caller: Caller
    refusal: Answer | None
    delay_s: float
    lost: bool
    allowance: Allowance | None
    bent: Bent
    manner: Manner


class Gate:
    """Outermost first: platform, shared limit, key, the key's own limit, permission, path."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.manners = site.vendor.manners

    def judge(self, caller: Caller, now: datetime) -> Verdict:
        self.site.request_came(now)
        log = self.site.log
        draws = [fraction(self.site.config.seed, what, len(log.arrivals) + 1) for what in DRAWN]
        caller = self._as_seen(caller, draws[0], now)
        log.arrived(caller.mark, now)
        key = self.site.keyring.find(caller.key)
        found = effect(self.site.faults, self._facts(caller, key, draws), now)
        own = self._own_limit(caller, key, now)
        refusal = self._refusal(caller, key, found, own)
        if key and (refusal is None or refusal.status != 401):
            self.site.keyring.use(key, now)
        return Verdict(
            caller,
            refusal,
            found.delay_s,
            found.lost and refusal is None,
            _told(found, own),
            found.bent,
            found.manner,
        )

    def _as_seen(self, caller: Caller, draw: float, now: datetime) -> Caller:
        facts = Facts(caller.path, None, (), draw)
        lost = (f for f in self.site.faults if isinstance(f, KeyStripped) and f.holds(now))
        if any(fault.strikes(facts) for fault in lost):
            return replace(caller, key="", mark=NO_MARK)
        return caller

    def _facts(self, caller: Caller, key: Key | None, draws: list[float]) -> Facts:
        return Facts(
            path=caller.path,
            key_made=key.made if key else None,
            arrivals=self.site.log.arrivals,
            draw=draws[0],
            writes=caller.writes,
            spread=draws[1],
            is_open=caller.path in self.manners.open_paths,
        )

    def _own_limit(self, caller: Caller, key: Key | None, now: datetime) -> Allowance | None:
        held = [f for f in self.site.faults if f.holds(now)]
        rate = own_rate(held, self.site.config.rate)
        if rate is None or not caller.key:
            return None
        sent = self.site.log.by_key[caller.mark]
        times = own_arrivals(held, sent, key.made if key else None, rate, now)
        return judge(times, rate, now.timestamp())

    def _refusal(
        self, caller: Caller, key: Key | None, found: Effect, own: Allowance | None
    ) -> Answer | None:
        fault, layer = self.manners.refusal(found), found.layer or Layer.PLATFORM
        return (
            (fault if layer < Layer.KEY_SERVICE else None)
            or self._keyless(caller)
            or (fault if layer == Layer.KEY_SERVICE else None)
            or self._unknown(caller, key)
            or (fault if layer == Layer.KEY else None)
            or (self.manners.too_many(own) if own and own.refused else None)
            or self._not_its_own(caller, key, found.bent)
            or fault
        )

    def _keyless(self, caller: Caller) -> Answer | None:
        needs = caller.path not in self.manners.open_paths
        return self.manners.no_key if needs and not caller.key else None

    def _not_its_own(self, caller: Caller, key: Key | None, bent: Bent) -> Answer | None:
        """What no key is needed for, every key may do."""
        if key is None or caller.path in self.manners.open_paths:
            return None
        path, lists = bent.asked(caller.path), self.site.vendor.lists
        allowed = key.rights.allow(path, caller.writes, lists)
        return None if allowed else self.manners.forbidden

    def _unknown(self, caller: Caller, key: Key | None) -> Answer | None:
        bad = key is None or key.revoked is not None
        return self.manners.bad_key if bad and caller.path not in self.manners.open_paths else None


# One number decides whether a fault strikes, another how late an answer comes.
DRAWN = ("draw", "spread")


def _told(found: Effect, own: Allowance | None) -> Allowance | None:
    """A platform that is down adds no headers."""
    return None if found.layer == Layer.PLATFORM else found.allowance or own
