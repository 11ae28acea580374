"""Trying a vendor's probes and lists, one request at a time, out of one small budget."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from watchkeeper.answer import Answer
from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Outcome, Reading
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import Resource
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.probes import Probe
from watchkeeper.vendor import trial
from watchkeeper.vendor.client import VendorClient
from watchkeeper.vendor.items import Item
from watchkeeper.vendor.judging import judge
from watchkeeper.vendor.listing import Window, list_params
from watchkeeper.vendor.paging import Trail
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.trial import Check, fails, open_, works

T = TypeVar("T")
_WEIGHT = {"not known": 0, "works": 1, "does not work": 2}


class Budget:
    """The one count of all requests, whoever they go to."""

    def __init__(self, most: int) -> None:
        self.most, self.spent = most, 0

    @property
    def left(self) -> int:
        return self.most - self.spent

    async def ask(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send one. Nobody asks without a look at `left` before."""
        assert self.left > 0
        self.spent += 1
        return await request()


@dataclass
class Trial:
    """What is known so far: checks by what they are about, and the vendor's own answers."""

    watch: Watch
    watched: Watched
    client: VendorClient
    budget: Budget
    checks: dict[str, Check] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    known: dict[str, tuple[Item, ...]] = field(default_factory=dict)

    def put(self, *checks: Check) -> None:
        """A later look completes an earlier one, but takes nothing back that was seen."""
        for check in checks:
            held = self.checks.get(check.about)
            if held is None or _WEIGHT[check.verdict] >= _WEIGHT[held.verdict]:
                self.checks[check.about] = check

    def may_ask(self, about: str) -> bool:
        """Whether a request is left for it; says so where none is."""
        if not self.budget.left:
            self.put(open_(about, f"not tried: all {self.budget.most} requests are spent"))
        return self.budget.left > 0


async def try_probes(on: Trial) -> None:
    """Each once, the critical ones first: the budget may end."""
    for probe in sorted(on.watched.runbook.probes, key=lambda probe: not probe.critical):
        about = f"probe {probe.name}"
        if probe.costs:
            on.put(open_(about, "not tried: it costs"))
        elif on.may_ask(about):
            on.put(await _probe(on, probe, about))


async def _probe(on: Trial, probe: Probe, about: str) -> Check:
    at = on.watch.now()
    try:
        reply = await on.budget.ask(lambda: _sent(on.client, probe))
    except WatchkeeperError as error:
        return fails(about, str(error), "is base_url right, and can this machine reach it?")
    on.replies.append(reply)
    reading = judge(probe, reply, at, on.watched.runbook.thresholds.slow.total_seconds())
    on.readings.append(reading)
    if reading.outcome is Outcome.DOWN or reading.answer is Answer.THROTTLED:
        return fails(about, reading.says(), _mend(reply.status, probe))
    if probe.resource is not None and not probe.record:
        resource = on.watched.runbook.resource(probe.resource)
        on.known[probe.resource] = trial.items_in(reply, resource)
    return works(about, reading.says())


async def _sent(client: VendorClient, probe: Probe) -> Reply:
    if probe.method == "GET":
        return await client.get(probe.path)
    if probe.method == "HEAD":
        return await client.head(probe.path)
    return await client.send(probe.method, probe.path, probe.body)


def _mend(status: int, probe: Probe) -> str:
    usual = "hold the answer against the probe's envelope and expect"
    return {
        401: "is it this vendor's key, and do auth.header and auth.scheme fit it?",
        403: "give the key's owner the right to this",
        404: f"is {probe.path!r} right, below base_url?",
        429: "wait, and look again: is somebody else using this key?",
    }.get(status, usual)


async def try_lists(on: Trial) -> None:
    """One page of each; then, of those that can be filtered, what the first page left open."""
    left_open: list[tuple[Resource, datetime | None, Sequence[Item]]] = []
    for resource in on.watched.runbook.resources:
        if not on.may_ask(f"list {resource.name}"):
            continue
        bound = _bound(on, resource)
        items = await _list(on, resource, bound)
        if items is not None and resource.since_param is not None:
            left_open.append((resource, bound, items))
    for resource, bound, items in left_open:
        if bound is None:
            await _filtered(on, resource, trial.bound_within(items))
        elif not items and on.budget.left:
            await _list(on, resource, None)


async def _filtered(on: Trial, resource: Resource, bound: datetime | None) -> None:
    about = f"filter of {resource.name}"
    if bound is None:
        on.put(open_(about, "not tried: no record tells a time to ask from"))
    elif on.may_ask(about):
        await _list(on, resource, bound)


def _bound(on: Trial, resource: Resource) -> datetime | None:
    """What to ask for, where a probe has shown a record that must then not come."""
    if resource.since_param is None:
        return None
    return trial.bound_after(on.known.get(resource.name, ()))


async def _list(on: Trial, resource: Resource, bound: datetime | None) -> Sequence[Item] | None:
    """One page, with what it proves; None where it is no page of this list."""
    asked = {**list_params(resource, Window(bound, None)), **Trail(resource).params}
    try:
        reply = await on.budget.ask(lambda: on.client.get(resource.path, asked))
    except WatchkeeperError as error:
        on.put(fails(f"list {resource.name}", str(error), "look again; do the probes answer?"))
        return None
    on.replies.append(reply)
    checks = trial.list_checks(reply, resource, bound)
    on.put(*checks)
    return None if checks[0].verdict == "does not work" else trial.items_in(reply, resource)
