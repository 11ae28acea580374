"""MaintainX as a vendor that a site can be: its API is written by hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.sandbox import api
from watchkeeper.sandbox.effects import Bent
from watchkeeper.sandbox.exchange import Answer, Call
from watchkeeper.sandbox.making import MAKING, Making
from watchkeeper.sandbox.manners import Manners
from watchkeeper.sandbox.resources import RESOURCES
from watchkeeper.sandbox.world import World


@dataclass(frozen=True, slots=True)
class Maintainx:
    manners: Manners = api.MANNERS
    making: Making = MAKING
    lists: Mapping[str, str] = field(
        default_factory=lambda: {name: f"/{name}" for name in RESOURCES}
    )

    def answer(self, world: World, call: Call, now: datetime, bent: Bent) -> Answer:
        return api.answer(world, call, now, bent)


MAINTAINX = Maintainx()
