"""Sequences of events around a rotation, played against the shipped machine and judged at the far
side: after every move, and whenever somebody asks the vendor or a consumer.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from conftest import Clock
from hypothesis import strategies as st
from loopback import fresh_store
from making import opened
from rotation_lab import (
    CONSUMERS,
    FIRST_KEY,
    PATHS,
    PLANNED,
    STEP,
    FarSide,
    Machine,
    Rotator,
    Served,
    Waiting,
    serving,
    take_over,
    watched_at,
)
from sqlalchemy import event

from watchkeeper.effects import EffectState
from watchkeeper.errors import StaleFence, Transient, WatchkeeperError
from watchkeeper.failpoints import arm
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.mitigation.world import StepState
from watchkeeper.performing import stepping
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import Move
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.settings import Settings
from watchkeeper.store import changes, effects, exposures, incidents, leases, steps

Event = tuple[Any, ...]
MOST_TRIES = 5
MOST_MOVES, MOST_RESCUES = 40, 3
POINTS = tuple(
    f"effect.{step}.{point}"
    for step, points in {
        "key.promote": ("before", "after", "committed"),
        "consumer.restart": ("before", "after", "committed"),
        "lease.hold": ("after", "committed"),
    }.items()
    for point in points
)
RIGHTS: dict[str, dict[str, Any]] = {
    "good": {},
    "lacking": {"lacks": ("locations",)},
    "read_only": {"read_only": True},
    "expired": {},
}
PEOPLE: tuple[Event, ...] = (
    *(("offer", kind) for kind in RIGHTS),
    *(("replace", kind) for kind in RIGHTS),
    ("withdraw",),
    ("revoke", "old"),
    ("revoke", "new"),
)


class Killed(BaseException):
    """A death of the process: nobody catches it, nothing after it runs."""


def die() -> None:
    raise Killed


@dataclass
class Bench:
    """What many sequences share: a database, a server; each has an integration of its own."""

    folder: Path
    served: Served
    clock: Clock
    watch: Watch
    numbers: Iterator[int] = field(default_factory=count)


@contextmanager
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as name, serving(lambda _ask: None) as served:
        folder, clock = Path(name), Clock(tick=timedelta(microseconds=100))
        store = fresh_store(folder)
        # No power is cut here, and syncing takes as long as all else.
        event.listen(store.engine, "connect", _unsynced)
        store.engine.dispose()
        (folder / "failpoints").mkdir()
        settings = Settings(home=folder, integrations=folder / "integrations.yaml")
        try:
            yield Bench(folder, served, clock, Watch(settings, store, clock.now))
        finally:
            arm(None)
            store.close()


def _unsynced(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def begun(rotator: Rotator) -> Rotator:
    """Under the duty of a step that is begun: of a person's third try, if it is that."""
    duty = stepping.begin(rotator.watch, rotator.duty, PLANNED)
    assert duty is not None
    return replace(rotator, duty=duty)


@dataclass
class Play:
    """One rotation, and what was seen of it. `broken`: the promises that were not kept. `tries`: of
    the move that failed last, `retries`: a person's."""

    bench: Bench
    far: FarSide
    rotator: Rotator
    current: str
    promoted: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)
    failed: str = ""
    tries: int = 0
    retries: int = 0
    waits_for: str = ""
    deaths: int = 0
    entered: dict[int, Rotator] = field(default_factory=dict)

    # What happens.

    def happen(self, told: Event) -> None:
        name, *given = told
        self.far.clock.advance(timedelta(seconds=1))
        getattr(self, f"on_{name}")(*given)
        self.look()

    def on_moves(self, most: int) -> None:
        for _ in range(most):
            if not self.move():
                return

    def on_offer(self, kind: str, replacing: bool = False) -> None:
        value = self.far.make(**RIGHTS[kind])
        if kind == "expired":
            self.far.revoke(fingerprint(value))
        self.far.offer(value, replacing)

    def on_replace(self, kind: str) -> None:
        self.on_offer(kind, replacing=True)

    def on_withdraw(self) -> None:
        with suppress(WatchkeeperError):
            self.far.store.withdraw()

    def on_revoke(self, which: str) -> None:
        """The old one, or by mistake the new one; early or late."""
        held = {version.stage: version.fingerprint for version in self.far.store.versions()}
        old = {"old": fingerprint(FIRST_KEY), "new": held.get("pending") or self.far.current()}
        self.far.revoke(old[which])

    def on_restart(self, consumer: str, mode: str) -> None:
        self.far.next_restart(consumer, mode)

    def on_die(self, point: str, most: int) -> None:
        armed = self.bench.folder / "failpoints" / point
        armed.touch()
        self.on_moves(most)
        armed.unlink(missing_ok=True)

    def on_trouble(self, *statuses: int | None) -> None:
        self.far.troubles.extend(statuses)

    def on_overtaken(self, after: int) -> None:
        """In the midst of a move: it ends with a stale fence."""
        stale = self.rotator
        self.far.meanwhile = (after, self.on_another)
        self.move(stale)
        self.far.meanwhile = None

    def on_two(self) -> None:
        """At once: the stale one and the one that has taken over."""
        stale, self.rotator = self.rotator, self.rotator.renewed("two")

        async def newer() -> Move:
            return await self.begun(self.rotator).move()

        async def both() -> list[Any]:
            return await asyncio.gather(stale.move(), newer(), return_exceptions=True)

        if not self.failed:
            for came in asyncio.run(both()):
                self.came(came)

    def on_another(self) -> None:
        self.rotator = self.rotator.renewed("another")

    def on_meanwhile(self, after: int, act: Event) -> None:
        name, *given = act
        self.far.meanwhile = (after, lambda: getattr(self, f"on_{name}")(*given))

    def on_store(self, word: str) -> None:
        """Its next file cannot be written while a folder is in its place."""
        blocked = self.far.folder / ".key.json.new"
        if word == "breaks":
            (blocked / "in the way").mkdir(parents=True, exist_ok=True)
        elif blocked.is_dir():
            (blocked / "in the way").rmdir()
            blocked.rmdir()

    def on_retry(self) -> None:
        if self.failed:
            rotator = self.rotator
            stepping.retry(rotator.watch, rotator.incident, STEP, "ann", "seen to")
            self.failed, self.tries = "", 0
            self.retries += 1
            self.entered.clear()

    # One move, and what came of it.

    def begun(self, rotator: Rotator) -> Rotator:
        """A process begins the step once, whatever it moves then."""
        fence = rotator.duty.fence
        if fence not in self.entered:
            self.entered[fence] = begun(rotator)
        return self.entered[fence]

    def move(self, rotator: Rotator | None = None) -> bool:
        """Whether there may be another one."""
        if self.failed:
            return False
        chosen = rotator or self.rotator
        try:
            came: object = asyncio.run(self.begun(chosen).move())
        except (Killed, Exception) as error:
            came = error
        self.look()
        return self.came(came)

    def came(self, came: object) -> bool:
        if isinstance(came, Move):
            self.tries, self.waits_for = 0, ""
            return came is not Move.DONE
        if isinstance(came, Killed):
            self.deaths += 1
            self.on_another()
            return False
        if isinstance(came, Waiting):
            self.waits_for = str(came)
            return False
        if isinstance(came, StaleFence):
            return False
        if isinstance(came, WatchkeeperError):
            self.tries += 1
            if not isinstance(came, Transient) or self.tries == MOST_TRIES:
                self.fail(str(came))
            return not self.failed
        assert isinstance(came, BaseException)
        raise came

    def fail(self, why: str) -> None:
        self.failed = why
        stepping.failed(self.rotator.watch, self.rotator.duty, PLANNED, why)

    # What must hold at every instant.

    def look(self) -> None:
        current = self.far.current()
        if current != self.current:
            self.current = current
            self.promoted.append(current)
            self.judge_promotion(current)
        for mark in self.vigils() - self.asked:
            self.asked.add(mark)
            self.judge_asking(mark)

    def judge_promotion(self, mark: str) -> None:
        answered = set(self.far.asked_with(mark))
        if not answered >= {(path, 200) for path in PATHS}:
            self.broken.append(f"{mark} is current, and was not accepted wherever it is used")
        if len(self.promoted) > 1:
            self.broken.append(f"promoted in one round: {self.promoted}")
        if self.rotator.order == "revoke_first" and not self.seen_dead():
            self.broken.append("promoted before the leaked key was seen refused")

    def seen_dead(self) -> bool:
        return any(s in (401, 403) for _, s in self.far.asked_with(fingerprint(FIRST_KEY)))

    def judge_asking(self, mark: str) -> None:
        if self.rotator.order == "revoke_first":
            return
        if mark == self.current:
            self.broken.append(f"{mark} is current, and is to be revoked")
        for name in CONSUMERS:
            if (name, self.current) not in self.far.shown or self.far.held(name) == mark:
                self.broken.append(f"{mark} is to be revoked before {name} was proven")

    def vigils(self) -> set[str]:
        with self.rotator.watch.store.read() as session:
            taken = leases.of_incident(session, self.rotator.incident.id)
        return {lease.target for lease in taken if lease.kind is LeaseKind.OLD_KEY and lease.asked}

    # The end, in a quiet world.

    def quiet(self) -> None:
        self.far.troubles.clear()
        self.far.meanwhile = None
        self.on_store("mends")
        for name in CONSUMERS:
            (self.far.folder / f"mode-{name}").unlink(missing_ok=True)

    def end(self) -> str:
        """`done`, or `failed` with people told; who is asked for something does it, and nothing
        else."""
        self.quiet()
        self.on_another()
        for _ in range(MOST_MOVES):
            if self.failed:
                self.judge_failed()
                return "failed"
            if not self.move() and not self.failed:
                if not self.waits_for:
                    self.judge_done()
                    return "done"
                self.person_helps()
        self.broken.append("does not come to an end")
        return "endless"

    def rescued(self) -> str:
        """How it ends where a person sees to what failed: a good key is offered, and tried."""
        for _ in range(MOST_RESCUES):
            if self.failed:
                self.on_replace("good")
                self.on_retry()
            ended = self.end()
            if ended != "failed":
                return ended
        self.broken.append(f"cannot be rescued: {self.failed}")
        return "failed"

    def person_helps(self) -> None:
        if self.waits_for == Move.AWAIT_KEY:
            self.on_offer("good")
        else:
            # Its refusal proves its end only once another key is let in.
            self.on_revoke("old")
            self.on_replace("good")

    def judge_failed(self) -> None:
        with self.rotator.watch.store.read() as session:
            (step,) = steps.of_round(session, self.rotator.incident)
            told = [e.text for e in incidents.timeline(session, self.rotator.incident.id)]
        if step.state is not StepState.FAILED or not any("automation stops" in t for t in told):
            self.broken.append("failed, and nobody is told")

    def judge_done(self) -> None:
        watch, incident = self.rotator.watch, self.rotator.incident
        if {self.far.held(name) for name in CONSUMERS} != {self.current}:
            self.broken.append("done, and a consumer holds another key")
        what = f"api-key is {self.current} (INC-{incident.id})"
        with watch.store.read() as session:
            left = effects.unsettled(session, incident.id)
            posted = changes.posted(session, incident.integration, what, "rotation")
        now = f"#{self.retries}" if self.retries else ""
        ours = [e for e in left if not self.retries or e[1].endswith(now)]
        if open_ones := [e for e in ours if e[2] is not EffectState.REJECTED]:
            self.broken.append(f"done, and the ledger does not know: {open_ones}")
        if not posted:
            self.broken.append("done, and the change was not posted")


@contextmanager
def playing(on: Bench, order: str = "overlap", machine: Machine | None = None) -> Iterator[Play]:
    number = next(on.numbers)
    folder = on.folder / str(number)
    folder.mkdir()
    far = FarSide(folder, on.clock)
    watched = watched_at(on.served.url, folder)
    entry = watched.integration
    credential = entry.credential.model_copy(update={"reference": f"file:{folder}/key.json"})
    name = f"maintainx@test/{number}"
    entry = entry.model_copy(update={"name": name, "credential": credential})
    watched = watched.model_copy(update={"integration": entry})
    incident = opened(on.watch, name)
    duty = take_over(on.watch, incident, "first")
    rotator = Rotator(on.watch, watched, incident, duty, order, machine or Machine())
    if order == "revoke_first":
        _leak(on.watch, rotator)
    play = Play(on, far, rotator, far.current())
    on.served.app = far.app
    arm(on.folder / "failpoints", die)
    yield play
    arm(None)


def _leak(watch: Watch, rotator: Rotator) -> None:
    with watch.store.write() as session:
        exposures.tell(
            session,
            rotator.incident.id,
            rotator.incident.integration,
            "api-key",
            fingerprint(FIRST_KEY),
            exposed_at=watch.now(),
            place="a public log",
            by="ann",
            now=watch.now(),
        )


def played(
    on: Bench, told: list[Event], order: str = "overlap", machine: Machine | None = None
) -> tuple[Play, str]:
    with playing(on, order, machine) as play:
        for one in told:
            play.happen(one)
        ended = play.end()
        if ended == "failed":
            play.rescued()
        return play, ended


# --- what is drawn ------------------------------------------------------------------------------

_MOVES = st.tuples(st.just("moves"), st.integers(1, 8))
EVENTS: st.SearchStrategy[Event] = st.one_of(
    _MOVES,
    _MOVES,
    st.sampled_from(PEOPLE),
    st.sampled_from([("offer", "good"), ("retry",), ("another",), ("two",)]),
    st.tuples(st.just("restart"), st.sampled_from(CONSUMERS), st.sampled_from(["fails", "keeps"])),
    st.tuples(st.just("die"), st.sampled_from(POINTS), st.just(8)),
    st.lists(st.sampled_from([503, 429, None]), min_size=1, max_size=6).map(
        lambda statuses: ("trouble", *statuses)
    ),
    st.tuples(st.just("overtaken"), st.integers(0, 4)),
    st.tuples(st.just("store"), st.sampled_from(["breaks", "mends"])),
    st.tuples(st.just("meanwhile"), st.integers(0, 6), st.sampled_from(PEOPLE)),
)
# Most begin with a key that is good, and with a leaked one that is revoked: else little is done but
# waiting.
_OFFERS: list[Event] = [("offer", "good")] * 3 + [("offer", kind) for kind in RIGHTS]
_LEAKS: list[Event] = [("revoke", "old")] * 3 + [("moves", 2)]


def sequences(order: str = "overlap") -> st.SearchStrategy[list[Event]]:
    first = st.sampled_from(_LEAKS if order == "revoke_first" else [("moves", 1)])
    more = st.lists(EVENTS, min_size=4, max_size=14)
    return st.builds(lambda a, b, c: [a, b, *c], first, st.sampled_from(_OFFERS), more)
