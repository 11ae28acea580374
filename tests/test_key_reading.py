"""Keys read from async code: a far store is asked in a thread, for so long, and not for each request."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from loopback import RawServer, Script, fresh_store, http, raw_server, store_key, utc_now, watched

from tasks import blocks
from watchkeeper.credentials.current_keys import HELD_S, CurrentKeys
from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.reading import KeyReader, ask_store
from watchkeeper.credentials.references import is_far, register_source
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Transient
from watchkeeper.store.engine import Store
from watchkeeper.vendor.client import VendorClient, vendor_client

OLD, NEW = Secret("test_canary_old_1111"), Secret("test_canary_new_2222")
NUMBERS = count()
FAR = "aws:key"


@dataclass
class FarStore:
    """Counts its reads, and knows on whose threads they were; `gate` holds answers back."""

    key: Secret = OLD
    reads: int = 0
    fails: bool = False
    gate: threading.Event | None = None
    threads: set[int] = field(default_factory=set)

    def read(self) -> Secret:
        """The key as it stands when it is asked for, and another object each time."""
        self.reads += 1
        self.threads.add(threading.get_ident())
        value, fails, gate = self.key.reveal(), self.fails, self.gate
        assert gate is None or gate.wait(10)
        if fails:
            raise Transient(f"{FAR} cannot be reached (Stand-in)")
        return Secret(value)

    def stored(self) -> StoredKey:
        secret = self.read()
        return StoredKey(secret.fingerprint, secret.length, False, {})


REFERENCES = {
    "file:key.json": False,
    "env:KEY": False,
    "": False,
    "aws:key": True,
    "gcp:projects/p/secrets/s": True,
    "prefect-block:key": True,
}


@pytest.mark.parametrize(("reference", "far"), REFERENCES.items())
def test_only_a_far_store_is_asked_in_a_thread(reference: str, far: bool) -> None:
    """A near one answers where it is asked, each time: a thread would take longer than the read."""
    store = FarStore()
    assert is_far(reference) is far
    for reader in (KeyReader(reference, store.read), KeyReader(reference, store.read, kept())):
        assert asyncio.run(reader.read()) == OLD
        assert asyncio.run(reader.read()) == OLD
    assert asyncio.run(ask_store(reference, store.read)) == OLD
    assert (threading.get_ident() not in store.threads) is far
    # The second reader of a far one has taken its second answer from memory.
    assert store.reads == 5 - far


def test_a_store_that_hangs_is_left_to_itself() -> None:
    """Whoever waits is told which one, and when he stopped; the loop goes on meanwhile."""
    store = FarStore(gate=threading.Event())

    async def ask() -> None:
        readers = [
            ask_store(FAR, store.read, 0.05),
            KeyReader(FAR, store.read, None, 0.05).read(),
            KeyReader(FAR, store.read, kept(), 0.05).read(),
        ]
        for reading in readers:
            with pytest.raises(Transient, match=r"aws:key has not answered within 0\.05 s"):
                await reading
        assert store.gate is not None
        store.gate.set()

    asyncio.run(ask())
    assert store.reads == 3


# --- the current keys that are kept --------------------------------------------------------------


@dataclass
class Clock:
    """Seconds that pass when they are told to."""

    s: float = 1000.0

    def monotonic(self) -> float:
        return self.s


def kept(clock: Clock | None = None) -> CurrentKeys:
    return CurrentKeys((clock or Clock()).monotonic)


def test_a_current_key_is_kept_for_some_seconds() -> None:
    """Counted from when it was asked for; each reference has its own."""
    clock, store, other = Clock(), FarStore(), FarStore(key=NEW)
    keys = kept(clock)

    async def read() -> None:
        assert await keys.read(FAR, store.read) == OLD
        assert await keys.read("aws:other", other.read) == NEW

    for passed, reads in ((0.0, 1), (HELD_S - 0.1, 1), (0.2, 2), (HELD_S, 3)):
        clock.s += passed
        asyncio.run(read())
        assert (store.reads, other.reads) == (reads, reads)
    assert "canary" not in repr(vars(keys))


def test_a_failure_is_not_kept() -> None:
    """The next one asks anew, also beyond the end of the loop that asked."""
    store, keys = FarStore(fails=True), kept()
    for _ in range(2):
        with pytest.raises(Transient):
            asyncio.run(keys.read(FAR, store.read))
    store.fails = False
    assert asyncio.run(keys.read(FAR, store.read)) == OLD
    assert store.reads == 3


def test_a_refused_key_is_read_anew() -> None:
    """But not again for a refusal that comes late, of one that was read before."""
    store, keys = FarStore(), kept()

    async def read() -> Secret:
        found = await keys.read(FAR, store.read)
        assert found is not None
        return found

    async def run() -> None:
        first = await read()
        keys.refused(FAR, first)
        second = await read()
        assert (second, store.reads) == (OLD, 2)
        keys.refused(FAR, first)
        keys.refused("aws:other", second)
        assert await read() is second
        keys.refused(FAR, second)
        store.key = NEW
        assert (await read(), store.reads) == (NEW, 3)
        store.key = OLD
        keys.forget(FAR)
        assert (await read(), store.reads) == (OLD, 4)

    asyncio.run(run())


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("it does not come to pass")


def test_those_who_ask_at_once_share_an_answer() -> None:
    """Also where the first of them has lost patience; and a failure is all of theirs."""
    store, keys = FarStore(gate=threading.Event()), kept()

    async def ask(fails: bool) -> list[object]:
        store.fails = fails
        assert store.gate is not None
        store.gate.clear()
        asking = [asyncio.ensure_future(keys.read(FAR, store.read)) for _ in range(7)]
        await until(lambda: bool(store.reads))
        asking[0].cancel()
        await asyncio.sleep(0)
        store.gate.set()
        return await asyncio.gather(*asking, return_exceptions=True)

    first, *others = asyncio.run(ask(fails=True))
    assert isinstance(first, asyncio.CancelledError)
    assert [type(error) for error in others] == [Transient] * 6
    assert store.reads == 1
    store.reads = 0
    assert asyncio.run(ask(fails=False))[1:] == [OLD] * 6
    assert store.reads == 1


def test_what_was_asked_before_a_promotion_is_not_kept() -> None:
    """Its answer comes after the key was made current: it must not bring the old one back."""
    gate = threading.Event()
    store, keys = FarStore(gate=gate), kept()

    async def run() -> None:
        early = asyncio.ensure_future(keys.read(FAR, store.read))
        await until(lambda: store.reads == 1)
        store.key, store.gate = NEW, None
        keys.forget(FAR)
        assert await keys.read(FAR, store.read) == NEW
        gate.set()
        assert await early == OLD
        assert await keys.read(FAR, store.read) == NEW

    asyncio.run(run())
    assert store.reads == 2


# --- requests to a vendor -----------------------------------------------------------------------


@pytest.fixture
def far_store() -> Iterator[FarStore]:
    """What every `prefect-block:` reference opens, for so long."""
    made = FarStore()
    register_source("prefect-block", lambda name: made)
    yield made
    blocks.register()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Store]:
    store = fresh_store(tmp_path)
    yield store
    store.close()


def accepting(valid: Callable[[], Secret], otherwise: int = 401) -> Script:
    async def script(head: str, writer: asyncio.StreamWriter) -> None:
        status = 200 if valid().reveal() in head else otherwise
        writer.write(http({}, status))
        await writer.drain()

    return script


def client_to(url: str, database: Store, folder: Path, reference: str) -> VendorClient:
    """Each test has a reference of its own: what is kept is kept for the whole process."""
    on = watched(f"{url}/v1", reference=reference)
    return vendor_client(on, database, utc_now, "probe", base=folder)


@asynccontextmanager
async def calling(
    script: Script, database: Store, folder: Path, reference: str
) -> AsyncIterator[tuple[RawServer, VendorClient]]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(raw_server(script))
        client = client_to(server.url, database, folder, reference)
        yield server, await stack.enter_async_context(client)


def far_reference() -> str:
    return f"prefect-block:key-{next(NUMBERS)}"


def test_requests_cost_a_far_store_one_read(
    far_store: FarStore, database: Store, tmp_path: Path
) -> None:
    """Whether they go out together or one after the other, by this client or by the next."""

    async def run() -> list[int]:
        async with raw_server(accepting(lambda: OLD)) as server:
            reference = far_reference()
            client = client_to(server.url, database, tmp_path, reference)
            again = client_to(server.url, database, tmp_path, reference)
            async with client, again:
                replies = await asyncio.gather(*(client.get("/x") for _ in range(7)))
                replies += [await again.get("/x") for _ in range(3)]
        return [reply.status for reply in replies]

    assert asyncio.run(run()) == [200] * 10
    assert far_store.reads == 1


@pytest.mark.parametrize(("status", "after"), [(401, 200), (403, 403), (503, 503)])
def test_a_key_that_another_process_promoted_is_used_at_once(
    status: int, after: int, far_store: FarStore, database: Store, tmp_path: Path
) -> None:
    """After the one refusal that shows it; what else the vendor answers says nothing of the key."""
    valid = [OLD]

    async def run() -> list[int]:
        script = accepting(lambda: valid[0], status)
        async with calling(script, database, tmp_path, far_reference()) as (_, client):
            seen = [(await client.get("/x")).status]
            far_store.key = valid[0] = NEW
            seen += [(await client.get("/x")).status for _ in range(3)]
        return seen

    assert asyncio.run(run()) == [200, status, after, after]
    assert far_store.reads == 1 + (after == 200)


def test_a_file_is_read_at_each_request(database: Store, tmp_path: Path) -> None:
    """As before: it costs nothing."""
    store_key(tmp_path, OLD.reveal())
    valid = [OLD]

    async def run() -> list[int]:
        script = accepting(lambda: valid[0])
        async with calling(script, database, tmp_path, "file:key.json") as (_, client):
            seen = [(await client.get("/x")).status]
            store_key(tmp_path, NEW.reveal())
            valid[0] = NEW
            return [*seen, (await client.get("/x")).status]

    assert asyncio.run(run()) == [200, 200]


def test_a_store_that_cannot_be_asked_sends_nothing(
    far_store: FarStore, database: Store, tmp_path: Path
) -> None:
    """The vendor sees no request without a key, and the next one is sent as usual."""
    far_store.fails = True

    async def run() -> tuple[int, int]:
        script = accepting(lambda: OLD)
        async with calling(script, database, tmp_path, far_reference()) as (server, client):
            with pytest.raises(Transient, match="cannot be reached"):
                await client.get("/x")
            before, far_store.fails = len(server.heads), False
            return before, (await client.get("/x")).status

    assert asyncio.run(run()) == (0, 200)
