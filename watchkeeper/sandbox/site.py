"""Everything one simulated vendor holds: its data, keys, faults and its log of requests."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from watchkeeper.sandbox.clock import Clock
from watchkeeper.sandbox.config import Config
from watchkeeper.sandbox.effects import Bent
from watchkeeper.sandbox.exchange import Answer, Call
from watchkeeper.sandbox.fault import Fault
from watchkeeper.sandbox.fault_answers import Stale
from watchkeeper.sandbox.key_uses import Use
from watchkeeper.sandbox.keys import Keyring
from watchkeeper.sandbox.maintainx import MAINTAINX
from watchkeeper.sandbox.making import Making
from watchkeeper.sandbox.manners import Manners
from watchkeeper.sandbox.requests_log import Entry, RequestLog
from watchkeeper.sandbox.world import World


class Vendor(Protocol):
    """What is one vendor's own. `lists`: the path of each resource's list by its name."""

    @property
    def manners(self) -> Manners: ...
    @property
    def making(self) -> Making: ...
    @property
    def lists(self) -> Mapping[str, str]: ...
    def answer(self, world: World, call: Call, now: datetime, bent: Bent) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Coming:
    """A fault that begins after so many more requests: in the midst of a look, however fast."""

    requests: int
    fault: Fault


class Site:
    """Looking at its clock also lets the world catch up: nobody sees a moment too early."""

    def __init__(self, config: Config, clock: Clock, vendor: Vendor = MAINTAINX) -> None:
        self.config = config
        self.clock = clock
        self.vendor = vendor
        self.world = World(config, clock(), vendor.making)
        self.keyring = Keyring(config.seed)
        self.keyring.make("initial", clock(), config.first_key)
        self.faults: list[Fault] = []
        self.coming: list[Coming] = []
        self.log = RequestLog()

    def now(self) -> datetime:
        now = self.clock()
        self.world.still_since = self._still_since(now)
        self.world.advance(now)
        return now

    def request_came(self, now: datetime) -> None:
        """What was to begin with this request begins with it."""
        due = [one.fault for one in self.coming if one.requests <= 0]
        self.coming = [
            replace(one, requests=one.requests - 1) for one in self.coming if one.requests > 0
        ]
        self.faults += [replace(fault, since=now) for fault in due]

    def answered(self, entry: Entry) -> None:
        """Written down where the vendor counts, and where it shows what a key was used for."""
        self.log.answered(entry)
        use = Use(entry.at, entry.method, entry.path, entry.caller, entry.status)
        self.keyring.answered(entry.key, use)

    def answer(self, call: Call, bent: Bent) -> Answer:
        return self.vendor.answer(self.world, call, self.now(), bent)

    def _still_since(self, now: datetime) -> dict[str, datetime]:
        stale = [f for f in self.faults if isinstance(f, Stale) and f.holds(now)]
        found: dict[str, datetime] = {}
        for name, path in self.vendor.lists.items():
            times = [f.since for f in stale if f.concerns(path)]
            if times:
                found[name] = min(times)
        return found
