"""A rotation's far side on loopback: the vendor's key table, and consumers that hold what they read
when they were restarted last; and a process that rotates, one move at a time.

The vendor judges by the simulator's own key table and writes down what came with each key; a
consumer is restarted by a local command, which may fail or change nothing.
"""

from __future__ import annotations

import shlex
import shutil
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import loopback
from conftest import Clock

from watchkeeper.credentials.protocols import RotatableStore
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Permanent, Transient, WatchkeeperError
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import RotateKey
from watchkeeper.mitigation.plan import PlannedAction
from watchkeeper.performing import key_test, old_keys, rotating, rotation_stand
from watchkeeper.performing.key_test import KeyTest
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.responding import lock_name
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import Move, NextMove, Stand, next_move
from watchkeeper.runbook.acting import CommandRuntime
from watchkeeper.runbook.integration import Consumer, Watched
from watchkeeper.runbook.probes import Probe
from watchkeeper.sandbox.key_uses import Use
from watchkeeper.sandbox.keys import Keyring, fingerprint
from watchkeeper.sandbox.plain import NOT_FOUND, App, Ask, Reply, Server, as_json
from watchkeeper.sandbox.serving import listen, port_of
from watchkeeper.store import locks

FIRST_KEY = loopback.CANARY
PATHS = ("/workorders", "/assets", "/locations")
CONSUMERS = ("sync", "writer")
TTL = timedelta(seconds=60)
STEP = "the-step"
PLANNED = PlannedAction(
    name=STEP,
    action=RotateKey(credential="api-key", consumers=()),
    target="",
    summary="",
    effects=(),
    calls=(),
    undo="",
    cost="",
    risk="",
    promise="",
    autonomy="auto",
    approvals=0,
)
# A restart counts, and does what its mode says once: fail, keep the key that it had, or read anew.
RESTART = """\
cd {folder}
echo restart >> restarts-$1
mode=well; test -e mode-$1 && read mode < mode-$1 && rm mode-$1
case $mode in fails) echo no such unit >&2; exit 1;; keeps) exit 0;; esac
cp -f key.json held-$1.json
"""


class Waiting(Exception):
    """A person is at it: nothing failed, and nothing was done."""


@dataclass
class Served:
    """An app over loopback, for whatever stands behind it now."""

    url: str
    app: App

    def answer(self, ask: Ask) -> Reply | None:
        return self.app(ask)


@contextmanager
def serving(app: App, tls: ssl.SSLContext | None = None) -> Iterator[Served]:
    sock = listen()
    served = Served(f"http{'s' if tls else ''}://127.0.0.1:{port_of(sock)}", app)
    server = Server(sock, served.answer, tls)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class FarSide:
    """`troubles`: what the next requests to the vendor meet instead of an answer, a status or None
    for a lost one. `meanwhile`: what somebody does when so many more requests have come."""

    folder: Path
    clock: Clock
    ring: Keyring = field(default_factory=lambda: Keyring(3))
    troubles: list[int | None] = field(default_factory=list)
    meanwhile: tuple[int, Callable[[], object]] | None = None
    shown: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.ring.make("first", self.clock.at, FIRST_KEY)
        self.store.promote(self.store.offer(Secret(FIRST_KEY)))
        script = RESTART.format(folder=shlex.quote(str(self.folder)))
        (self.folder / "restart.sh").write_text(script)
        for name in CONSUMERS:
            shutil.copy(self.folder / "key.json", self.folder / f"held-{name}.json")

    @property
    def store(self) -> RotatableStore:
        return open_rotatable("file:key.json", self.folder, lambda: self.clock.at)

    def app(self, ask: Ask) -> Reply | None:
        if ask.path.startswith("/health/"):
            return self.health(ask.path.removeprefix("/health/"))
        with self.lock:
            self._happen()
            if self.troubles:
                status = self.troubles.pop(0)
                return None if status is None else as_json(status, {"error": "trouble"})
            return self.vendor(ask)

    def vendor(self, ask: Ask) -> Reply:
        path, now = ask.path.removeprefix("/v1"), self.clock.at
        key = self.ring.find(ask.headers.get("authorization", "").removeprefix("Bearer "))
        if path == ask.path:
            return NOT_FOUND
        if key is None:
            return as_json(401, {"error": "Invalid token"})
        status = 200 if key.state((), now) == "active" else 401
        if status == 200 and not key.rights.allow(path, ask.method != "GET", {}):
            status = 403
        self.ring.answered(fingerprint(key.value), Use(now, ask.method, path, "", status))
        return as_json(status, {"workOrders": []} if status == 200 else {"error": "no"})

    def health(self, name: str) -> Reply:
        held = self.held(name)
        self.shown.append((name, held))
        return as_json(200, {"status": "ok", "keyFingerprint": held})

    def _happen(self) -> None:
        if self.meanwhile is None:
            return
        left, act = self.meanwhile
        self.meanwhile = (left - 1, act) if left > 0 else None
        if left <= 0:
            act()

    def held(self, name: str) -> str:
        """The key that a consumer holds."""
        secret = open_rotatable(f"file:held-{name}.json", self.folder).read("current")
        assert secret is not None
        return secret.fingerprint

    def current(self) -> str:
        secret = self.store.read("current")
        assert secret is not None
        return secret.fingerprint

    def restarts(self, name: str) -> int:
        path = self.folder / f"restarts-{name}"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def next_restart(self, name: str, mode: str) -> None:
        (self.folder / f"mode-{name}").write_text(f"{mode}\n")

    def asked_with(self, mark: str) -> list[tuple[str, int]]:
        """(path, status) of whatever the vendor answered to a key."""
        return [(use.path, use.status) for use in self.ring.uses[mark].calls]

    def accepts(self, mark: str) -> bool:
        """By the key table alone: it is active, and may read wherever ours is used."""
        key = self.ring.keys[mark]
        active = key.state((), self.clock.at) == "active"
        return active and all(key.rights.allow(path, False, {}) for path in PATHS)

    # What people do.

    def make(self, **rights: Any) -> str:
        return self.ring.make("new", self.clock.at, **rights).value

    def offer(self, value: str, replace: bool = False) -> str:
        with suppress(WatchkeeperError):
            self.store.offer(Secret(value), replace)
        return fingerprint(value)

    def revoke(self, mark: str) -> None:
        self.ring.revoke(mark, self.clock.at)


def watched_at(url: str, folder: Path, consumers: tuple[str, ...] = CONSUMERS) -> Watched:
    """An integration whose vendor and consumers answer there."""
    bare = loopback.watched(f"{url}/v1")
    probes = tuple(Probe(name=path[1:], path=path) for path in PATHS)
    runbook = bare.runbook.model_copy(update={"probes": probes})
    runs = [
        Consumer(
            name=name,
            health_url=f"{url}/health/{name}",
            runtime=CommandRuntime(restart=("sh", str(folder / "restart.sh"), name)),
        )
        for name in consumers
    ]
    entry = bare.integration.model_copy(update={"consumers": tuple(runs)})
    return Watched(integration=entry, runbook=runbook)


def take_over(watch: Watch, incident: Incident, holder: str) -> Duty:
    """Whoever held it before is fenced off."""
    name, now = lock_name(incident.id), watch.now()
    with watch.store.write() as session:
        locks.revoke(session, name, now)
        fence = locks.acquire(session, name, holder, now, TTL)
    assert fence is not None
    return Duty(incident.id, incident.round, name, fence)


@dataclass(frozen=True)
class Machine:
    """The shipped one; a test may plant a fault in a copy."""

    decide: Callable[[Stand], NextMove] = next_move
    test: Callable[[Watch, Watched], Awaitable[KeyTest]] = key_test.test_offered


async def at_once(_seconds: float) -> None:
    """Patience that takes no time."""


@dataclass(frozen=True)
class Rotator:
    """One process that rotates: as tasks/rotating.py does, a move at a time, and never waiting."""

    watch: Watch
    watched: Watched
    incident: Incident
    duty: Duty
    order: Any = "overlap"
    machine: Machine = Machine()

    @property
    def action(self) -> RotateKey:
        names = tuple(c.name for c in self.watched.integration.consumers)
        return RotateKey(credential="api-key", consumers=names, order=self.order)

    def renewed(self, holder: str) -> Rotator:
        """Another process, which has taken over."""
        return replace(self, duty=take_over(self.watch, self.incident, holder))

    async def all_moves(self, most: int = 30) -> None:
        for _ in range(most):
            if await self.move() is Move.DONE:
                return
        raise Permanent("the rotation does not come to an end: a person must see to it")

    async def move(self) -> Move:
        """The next one. Raises what it raised, and Waiting where it is a person's."""
        shown = await rotation_stand.shown_by(self.watched, self.action.consumers)
        stand = rotation_stand.stand_of(
            self.watch, self.watched, self.incident, self.action, shown, self.duty.tries
        )
        found = self.machine.decide(stand)
        await self._make(found)
        return found.move

    async def _make(self, found: NextMove) -> None:
        watch, watched, duty = self.watch, self.watched, self.duty
        match found.move:
            case Move.AWAIT_KEY:
                raise Waiting(found.move)
            case Move.TEST:
                await self._test()
            case Move.PROMOTE:
                overlap = self.action.order == "overlap"
                within = self.action.revoke_within if overlap else None
                await rotating.promote(watch, duty, watched, found.target, within)
            case Move.RESTART:
                await self._restart(found.target)
            case Move.RETIRE | Move.AWAIT_REVOCATION:
                length = self.action.revoke_within
                lease = old_keys.ask_for_end(watch, duty, watched, found.target, length)
                old = await old_keys.mind(watch, watched, lease)
                if found.move is Move.AWAIT_REVOCATION and old.accepted is not False:
                    raise Waiting(found.move)

    async def _test(self) -> None:
        tested = await self.machine.test(self.watch, self.watched)
        if not tested.accepted:
            raise Transient(tested.says()) if tested.unclear else Permanent(tested.says())
        rotating.choose(self.watch, self.duty, self.watched, tested.fingerprint)

    async def _restart(self, name: str) -> None:
        consumer = next(c for c in self.watched.integration.consumers if c.name == name)
        chosen = rotation_stand.chosen_in_round(self.watch, self.watched, self.incident) or ""
        await rotating.restart_consumer(self.watch, self.duty, consumer, chosen, at_once)
