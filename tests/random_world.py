"""A world in which schedules of faults, crashes and human acts are played: shipped state machine,
store and sweep; its own clock, far sides and executor. What must always hold is judged after each
act, and what must hold in the end once everything is well and nothing changes any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from making import endpoint
from random_far import JOB, REPLICAS, SETTINGS
from random_ground import NAME, Ground
from random_life import Died, Life, MortalStore
from random_people import People
from random_responder import AS_SHIPPED, GiveBack, Responder, Suspended
from random_runs import Asked, Runs, Slow

from watchkeeper.diagnosis import Cause, Diagnosis, Verdict
from watchkeeper.errors import StaleFence, WatchkeeperError
from watchkeeper.evidence import Evidence
from watchkeeper.incident import Incident, State
from watchkeeper.performing import detecting, mitigating, paging
from watchkeeper.performing.detecting import Check
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.releasing import UNDOABLE
from watchkeeper.performing.responding import Executor, dispatch, wake
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.triaging import Triage
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import approvals, incidents, jobs, leases, locks, pages

# Long before any report is written: whether one is final is told by its file's own time.
T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
JOBS = ("workorder-sync", "asset-sync", "report-generator")
CAUSES = (
    "rate_limit_exceeded",
    "slow_service",
    "vendor_maintenance",
    "intermittent_errors",
    "slow_network",
    "api_key_expired",
    "vendor_outage",
)
AT_REST = 60
Sweep = Callable[[Watch, Executor], Awaitable[tuple[str, ...]]]


@dataclass
class Clock:
    """It goes on by a little each time that somebody looks: no two things are of one moment."""

    at: datetime = T0

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at


class World:
    """One schedule's. `sweep` and `give_back` are as shipped, unless a fault is planted in them;
    `deaf`: the planted fault is that processes look for the kill switch elsewhere."""

    def __init__(
        self,
        ground: Ground,
        sweep: Sweep = sweep,
        give_back: GiveBack = AS_SHIPPED,
        deaf: bool = False,
    ) -> None:
        ground.fresh()
        self.ground, self.far, self.clock = ground, ground.far, Clock()
        self.sweep, self.give_back, self.deaf = sweep, give_back, deaf
        elsewhere = {"home": ground.home / "elsewhere"} if deaf else {}
        self.settings = ground.settings.model_copy(update=elsewhere)
        self.runs, self.parked = Runs(), list[tuple[asyncio.Task[None], Slow]]()
        self.cause: str | None = None
        self.halted = False
        # The last word of a person on each thing, or what was there before anybody spoke.
        self.words = {
            **dict.fromkeys((*JOBS, JOB), "running"),
            "replicas": REPLICAS,
            **{name: str(value) for name, value in SETTINGS.items()},
        }
        self.problems: list[str] = []
        self.watch = self.process(None)
        self.people = People(self)
        self.watch.registered(NAME)
        self.before = self.taken()

    # --- processes ------------------------------------------------------------------------------

    def process(self, dies_after: int | None) -> Watch:
        store = MortalStore(self.ground.store.engine, Life(dies_after))
        return Watch(self.settings, store, self.clock.now)

    @property
    def watched(self) -> Watched:
        return self.watch.integration(NAME)

    async def passes(self, watch: Watch, duty: Duty, length: timedelta) -> None:
        """Time goes by in a run that lives: its heart beats meanwhile."""
        self.clock.at += length
        with suppress(StaleFence), watch.store.write() as session:
            ttl = timedelta(seconds=watch.settings.responder_lease_s)
            locks.extend(session, duty.lock, duty.fence, watch.now(), ttl, "responding")

    async def run(self, dies_after: int | None, parks_after: int | None) -> None:
        """The process of the run that was asked for first."""
        if not self.runs.waiting:
            return
        asked, slow = self.runs.waiting.pop(0), Slow(parks_after)
        watch = self.process(dies_after)
        responder = Responder(self, watch, asked.run_id, slow.turn)
        task = asyncio.create_task(self._lives(responder, asked))
        await self._until_rest(task, slow)

    async def _until_rest(self, task: asyncio.Task[None], slow: Slow) -> None:
        parks = asyncio.create_task(slow.parked.wait())
        await asyncio.wait({task, parks}, return_when=asyncio.FIRST_COMPLETED)
        parks.cancel()
        if not task.done():
            self.parked.append((task, slow))
        else:
            task.result()

    async def _lives(self, responder: Responder, asked: Asked) -> None:
        try:
            await responder.respond(asked.incident, asked.epoch)
        except Suspended:
            self.runs.suspended[asked.run_id] = asked
        except (Died, WatchkeeperError):
            # The process is gone, or its run has failed: the sweep's concern.
            return
        except Exception as error:
            self.problems.append(f"a run ended with {error!r}")

    async def go_on(self) -> None:
        """Whoever was parked first goes on to its end."""
        if self.parked:
            task, slow = self.parked.pop(0)
            slow.parked.clear()
            slow.goes_on.set()
            await self._until_rest(task, slow)

    async def sweeps(self, dies_after: int | None = None) -> tuple[str, ...]:
        """One that is whole, with everything within reach, leaves no lease that is over."""
        watch = self.process(dies_after)
        with self.watch.store.read() as session:
            another = locks.held(session, "sweep", self.clock.now())
        reachable = self.runs.reachable and not self.runs.lossy
        try:
            said = await self.sweep(watch, self.runs)
        except Died:
            return ()
        if not another and self.far.is_well:
            over = [
                x for x in self.taken().values() if x.kind in UNDOABLE and x.over(self.clock.now())
            ]
            self.problems += [f"{x.kind} {x.target}: over, swept, and in force" for x in over]
            undone = [word for word in said if word.startswith("not done")]
            self.problems += undone if reachable else []
        return said

    async def checks(self, dies_after: int | None = None) -> None:
        """The health flow: open or join, page, start a responder; or spare a person the answer."""
        watch = self.process(dies_after)
        with suppress(Died, WatchkeeperError):
            if self.cause is None:
                await self._spares(watch)
                return
            found = self.triage()
            now = self.clock.now()
            check = Check(watch.integration(NAME), found.evidence, found.diagnosis, now, 2, 2)
            incident, _ = detecting.open_incident(watch, check)
            ladder = check.watched.runbook.escalation
            await paging.page(watch, check.watched, incident, ladder[0])
            await dispatch(watch, incident, self.runs)

    async def _spares(self, watch: Watch) -> None:
        with watch.store.read() as session:
            incident = incidents.current(session, NAME)
            asked = approvals.unanswered(session, incident.id) if incident else ()
        if incident is not None and any(question.waits for question in asked):
            mitigating.withdraw_questions(watch, incident, "well again by itself")
            await wake(watch, incident, self.runs)

    def triage(self) -> Triage:
        """What a close look would find."""
        now, cause = self.clock.now(), self.cause
        evidence = Evidence(
            integration=NAME,
            at=now,
            readings=(endpoint("workorders", 500 if cause else 200, at=now),),
        )
        if cause is None:
            well = Diagnosis(
                integration=NAME, verdict=Verdict.HEALTHY, causes=(), ruled_out=(), because="well"
            )
            return Triage(evidence, well)
        found = Cause(
            cause=cause,
            verdict=Verdict.CONFIRMED,
            severity=1,
            severity_because="-",
            because=f"{cause} is seen",
            evidence=(),
            counter_evidence=(),
        )
        diagnosis = Diagnosis(
            integration=NAME,
            verdict=Verdict.CONFIRMED,
            causes=(found,),
            ruled_out=(),
            because=found.because,
        )
        return Triage(evidence, diagnosis)

    # --- what must always hold ------------------------------------------------------------------

    def taken(self) -> dict[tuple[int, datetime], Any]:
        """Every lease in force, by this very taking."""
        with self.watch.store.read() as session:
            return {(x.id, x.taken_at): x for x in leases.active(session)}

    def now_is(self) -> dict[str, str]:
        """Each thing that an incident may change, as it is."""
        with self.watch.store.read() as session:
            rows = {job.name: job.desired for job in jobs.listed(session, NAME)}
        return {
            **rows,
            JOB: "paused" if self.far.job.paused else "running",
            "replicas": self.far.replicas,
            **{name: str(value) for name, value in self.far.settings.items()},
        }

    def judge_now(self, halted: bool) -> None:
        """`halted`: the kill switch was on during the act."""
        now, held = self.now_is(), self.taken()
        covered = {x.target for x in held.values()}
        for name, word in self.words.items():
            if word == "paused" and now[name] != "paused":
                self.problems.append(f"{name} runs, and a person had paused it")
            if now[name] != word and word != "paused" and name not in covered:
                self.problems.append(f"{name} is {now[name]}, not {word}, under no lease")
        written = self.far.changes()
        if halted:
            new = [x for key, x in held.items() if key not in self.before]
            self.problems += [f"{x.kind} {x.target} was taken while halted" for x in new]
            for what, value in written:
                if value not in (self.words.get(what), *OF_PEOPLE.get(what, ())):
                    self.problems.append(f"{what} was set to {value} while halted")
        self.before = held

    # --- what must hold in the end --------------------------------------------------------------

    async def comes_to_rest(self) -> None:
        """All is well again; sweeps and runs until nothing changes, and past every lease."""
        self.cause = None
        self.runs.reachable, self.runs.lossy = True, False
        self.far.all_well()
        self.people.halt(False)
        quiet = 0
        for _ in range(AT_REST):
            while self.parked:
                await self.go_on()
            said = await self.sweeps()
            await self.checks()
            await self.people.see_to_old_keys()
            while self.runs.waiting:
                await self.run(None, None)
            quiet = quiet + 1 if not said and not self._open() and not self.taken() else 0
            if quiet == 2:
                break
            self.clock.at = self._next_moment()
        self.clock.at += timedelta(hours=30)
        await self.sweeps()
        self.judge_now(False)
        self._judge_rest()

    def _open(self) -> list[Incident]:
        with self.watch.store.read() as session:
            return incidents.listed(session, only_open=True)

    def _next_moment(self) -> datetime:
        """When the sweep has something to do again."""
        settling = [
            i.settles_at for i in self._open() if i.state is State.SETTLING and i.settles_at
        ]
        soon = self.clock.now() + timedelta(seconds=125)
        return max([soon, *settling])

    def _judge_rest(self) -> None:
        now = self.now_is()
        wrong = {name: is_ for name, is_ in now.items() if is_ != self.words[name]}
        self.problems += [f"{n} is left {v}, not {self.words[n]}" for n, v in wrong.items()]
        self.problems += [f"{x.kind} {x.target} is left in force" for x in self.taken().values()]
        for incident in self._open():
            with self.watch.store.read() as session:
                called = [
                    p for p in pages.of_incident(session, incident.id) if p.state == "triggered"
                ]
            text = "people called" if called else "nobody called"
            self.problems.append(f"INC-{incident.id} is left {incident.state}, {text}")


# What a person may set, and no incident ever does.
OF_PEOPLE = {
    "replicas": ("3", "5"),
    "max_requests_per_s": ("7", "9"),
    "max_retries": ("8",),
    "dns_cache_s": ("11",),
}
