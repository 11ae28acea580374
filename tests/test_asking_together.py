"""Many ask at once: one transaction grants what single ones would, and no call waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from conftest import T0, Clock
from sqlalchemy import event
from sqlmodel import Session

from watchkeeper.errors import Throttled, Transient
from watchkeeper.runbook.api import RateLimit
from watchkeeper.store import rates, volume
from watchkeeper.store.engine import Store
from watchkeeper.store.rates import Asker, Grant
from watchkeeper.vendor.pacing import RateGate, decide
from watchkeeper.vendor.purpose import Purpose
from watchkeeper.vendor.wires import Wires

ALONE, TOGETHER = "maintainx@alone", "maintainx@together"
# Five at once, and then one each 0.625 s.
LIMIT = RateLimit(requests=100, per="60s")
MIXES: list[list[Purpose]] = [
    ["probe"],
    ["probe"] * 12,
    ["live", "probe"] * 4,
    ["backfill", "live", "replay", "probe", "backfill"] * 3,
]


def asker(purpose: Purpose) -> Asker:
    return Asker(lambda bucket, now: decide(bucket, now, LIMIT, purpose), purpose)


def counted(store: Store, name: str) -> dict[str, int]:
    with store.read() as session:
        return volume.by_consumer(session, name, T0)


@pytest.mark.parametrize("mix", MIXES, ids=[str(len(mix)) for mix in MIXES])
@pytest.mark.parametrize("tick", [timedelta(0), timedelta(milliseconds=130)])
def test_together_they_get_what_each_would_alone(
    store: Store, mix: list[Purpose], tick: timedelta
) -> None:
    """Grants, waits, the bucket afterwards, and what is counted as whose. A clock that runs does so
    by the same steps for both: each asker reads it once more."""
    at = iter(range(1_000))
    clock = Clock(tick=tick)

    def together() -> list[Grant]:
        return rates.ask(store, TOGETHER, clock.now, [asker(purpose) for purpose in mix])

    def alone() -> list[Grant]:
        # After the two looks at the clock that any transaction takes.
        def now() -> Any:
            return T0 + tick * (3 + number)

        found = []
        for purpose in mix:
            number = next(at)
            found += rates.ask(store, ALONE, now, [asker(purpose)])
        return found

    assert together() == alone()
    assert counted(store, TOGETHER) == counted(store, ALONE) != {}


@contextmanager
def transactions(store: Store) -> Iterator[list[int]]:
    """One entry for each that was committed."""
    seen: list[int] = []

    def note(_connection: object) -> None:
        seen.append(1)

    event.listen(store.engine, "commit", note)
    try:
        yield seen
    finally:
        event.remove(store.engine, "commit", note)


async def at_once(gate: RateGate, times: int) -> list[object]:
    asking = (gate.admit("probe", 0) for _ in range(times))
    return list(await asyncio.gather(*asking, return_exceptions=True))


def test_who_asks_at_once_shares_a_transaction(store: Store, clock: Clock) -> None:
    gate = RateGate(store, TOGETHER, LIMIT, clock.now, clock.sleep)
    with transactions(store) as committed:
        told = asyncio.run(at_once(gate, 20))
    assert len(committed) == 1
    assert told[:5] == [None] * 5
    assert all(isinstance(answer, Throttled) for answer in told[5:]) and len(told) == 20
    assert counted(store, TOGETHER) == {"probe": 5}


def test_who_has_given_up_takes_nobodys_turn(store: Store, clock: Clock) -> None:
    gate = RateGate(store, TOGETHER, LIMIT, clock.now, clock.sleep)

    async def run() -> list[object]:
        gone = [asyncio.ensure_future(gate.admit("probe", 0)) for _ in range(5)]
        others = asyncio.ensure_future(at_once(gate, 5))
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        return await others

    assert asyncio.run(run()) == [None] * 5
    assert counted(store, TOGETHER) == {"probe": 5}


class Unreachable(Store):
    @contextmanager
    def write(self) -> Iterator[Session]:
        raise Transient("the database did not answer")
        yield


def test_everybody_hears_of_a_database_that_does_not_answer(
    lite_store: Store, clock: Clock
) -> None:
    gate = RateGate(Unreachable(lite_store.engine), TOGETHER, LIMIT, clock.now, clock.sleep)
    told = asyncio.run(at_once(gate, 3))
    assert [type(answer) for answer in told] == [Transient] * 3
    well = RateGate(lite_store, TOGETHER, LIMIT, clock.now, clock.sleep)
    assert asyncio.run(at_once(well, 1)) == [None]


ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Waiting:
    """Answers nobody before so many have asked at the same time."""

    def __init__(self, together: int) -> None:
        self.together = together
        self.connections: list[asyncio.Task[Any] | None] = []
        self._asked, self._all = 0, asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        while await reader.readline():
            while await reader.readline() != b"\r\n":
                pass
            self._asked += 1
            if self._asked >= self.together:
                self._all.set()
            await self._all.wait()
            writer.write(ANSWER)
            await writer.drain()
        writer.close()
        await writer.wait_closed()


async def call(wires: Wires, url: str) -> int:
    with wires.taken() as wire:
        response = await wire.handle_async_request(httpx.Request("GET", url))
        stream = response.stream
        assert isinstance(stream, httpx.AsyncByteStream)
        body = b"".join([part async for part in parts(stream)])
        await response.aclose()
    assert body == b"{}"
    return response.status_code


async def parts(stream: httpx.AsyncByteStream) -> AsyncIterator[bytes]:
    async for part in stream:
        yield part


@pytest.mark.parametrize(("together", "afterwards"), [(1, 3), (150, 2)])
def test_no_call_waits_for_another_and_the_next_one_finds_a_connection(
    together: int, afterwards: int
) -> None:
    """More than a pool would let out; it would wait for ever here."""
    far_side = Waiting(together)

    async def run() -> None:
        server = await asyncio.start_server(far_side.serve, "127.0.0.1", 0, backlog=256)
        async with server, asyncio.timeout(30):
            ask = partial(call, Wires(), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
            assert set(await asyncio.gather(*(ask() for _ in range(together)))) == {200}
            for _ in range(afterwards):
                assert await ask() == 200
            await ask.args[0].aclose()
            await asyncio.wait([task for task in far_side.connections if task is not None])

    asyncio.run(run())
    assert len(far_side.connections) == together
