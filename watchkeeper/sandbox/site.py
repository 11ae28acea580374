"""Everything one simulated vendor holds: its data, keys, faults and its log of requests."""

from datetime import datetime

from watchkeeper.sandbox.clock import Clock
from watchkeeper.sandbox.config import Config
from watchkeeper.sandbox.faults import Fault
from watchkeeper.sandbox.keys import Keyring
from watchkeeper.sandbox.requests_log import RequestLog
from watchkeeper.sandbox.world import World


class Site:
    """Looking at its clock also lets the world catch up: nobody sees a moment too early."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.world = World(config, clock())
        self.keyring = Keyring(config.seed)
        self.keyring.make("initial", clock(), config.first_key)
        self.faults: list[Fault] = []
        self.log = RequestLog()

    def now(self) -> datetime:
        now = self.clock()
        self.world.advance(now)
        return now
