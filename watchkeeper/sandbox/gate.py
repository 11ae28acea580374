"""Whether a request gets through to the API, and what it is told about its allowance."""

from dataclasses import dataclass
from datetime import datetime

from watchkeeper.sandbox import api, faults
from watchkeeper.sandbox.api import Answer
from watchkeeper.sandbox.faults import Effect, Facts, KeyExpired, PathMoved
from watchkeeper.sandbox.keys import Key
from watchkeeper.sandbox.making import fraction
from watchkeeper.sandbox.rate import Allowance, judge
from watchkeeper.sandbox.site import Site

OPEN_PATHS = frozenset({"/openapi.json"})


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
        return self.method != "GET"


@dataclass(frozen=True, slots=True)
class Verdict:
    refusal: Answer | None
    delay_s: float = 0.0
    lost: bool = False
    allowance: Allowance | None = None


class Gate:
    """Outermost first: platform, shared limit, key, the key's own limit, permission, path."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def judge(self, caller: Caller, now: datetime) -> Verdict:
        log = self.site.log
        log.arrived(caller.mark, now)
        key = self.site.keyring.find(caller.key)
        draw = fraction(self.site.config.seed, "draw", len(log.arrivals))
        facts = Facts(caller.path, key.made if key else None, log.arrivals, draw, caller.writes)
        effect = faults.effect(self.site.faults, facts, now)
        own = self._own_limit(caller, now)
        refusal = (
            _early(effect)
            or _unknown(caller, key)
            or _caused(effect, KeyExpired.kind)
            or _over(own)
            or _forbidden(caller, key)
            or _caused(effect, PathMoved.kind)
        )
        if key and (refusal is None or refusal.status != 401):
            self.site.keyring.use(key, now)
        lost = effect.lost and refusal is None
        return Verdict(refusal, effect.delay_s, lost, _told(effect, own))

    def _own_limit(self, caller: Caller, now: datetime) -> Allowance | None:
        rate, times = self.site.config.rate, self.site.log.by_key[caller.mark]
        return judge(times, rate, now.timestamp()) if rate and caller.key else None


def _refused(effect: Effect) -> Answer:
    return api.error(effect.status, effect.error)


def _early(effect: Effect) -> Answer | None:
    late = effect.cause in ("", KeyExpired.kind, PathMoved.kind)
    return None if late else _refused(effect)


def _caused(effect: Effect, kind: str) -> Answer | None:
    return _refused(effect) if effect.cause == kind else None


def _unknown(caller: Caller, key: Key | None) -> Answer | None:
    if caller.path in OPEN_PATHS:
        return None
    if not caller.key:
        return api.NO_KEY
    return api.BAD_KEY if key is None or key.revoked else None


def _over(own: Allowance | None) -> Answer | None:
    return api.error(429, faults.too_many(own)) if own and own.refused else None


def _forbidden(caller: Caller, key: Key | None) -> Answer | None:
    return api.FORBIDDEN if caller.writes and key and key.read_only else None


def _told(effect: Effect, own: Allowance | None) -> Allowance | None:
    """A platform that is down adds no headers."""
    return None if effect.cause == faults.Outage.kind else effect.allowance or own
