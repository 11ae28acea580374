"""A small scenario for each step of the registry: its real performer against a real far side.

python failpoint_rows.py     with cases as JSON lines on stdin, {folder, row, point, at}

Carries each case out in a forked child, which dies of SIGKILL at its point, and answers with the
child's exit status. All that a far side knows is in files of the case's folder, or behind an
address that its integrations.yaml names.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import loopback
import yaml
from conftest import Clock
from making import NAME, opened
from rotation_lab import CONSUMERS, PLANNED, FarSide, Rotator, at_once, take_over

from watchkeeper.errors import Ambiguous, Permanent, Transient, WatchkeeperError
from watchkeeper.failpoints import arm
from watchkeeper.incident import Incident
from watchkeeper.mitigation.actions import CapRate, PauseJobs, Restart
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import (
    connectors,
    leasing,
    old_keys,
    paging,
    pulling,
    restarting,
    resuming,
    stepping,
)
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import lever_of
from watchkeeper.performing.responding import Given
from watchkeeper.performing.watch import Watch
from watchkeeper.rotation import Move
from watchkeeper.runbook.integration import Watched
from watchkeeper.sandbox.pager import Pager
from watchkeeper.schedulers import Schedule
from watchkeeper.settings import Settings
from watchkeeper.store import incidents, jobs, leases, rates
from watchkeeper.store.engine import Store, open_store
from watchkeeper.store.rates import Asker, Bucket, Grant

HOUR = timedelta(hours=1)
JOB, NIGHTLY, SETTING = "asset-sync", "nightly", "model"
ROUTING_KEY = "0123456789abcdef" * 2
TRIES = 5
FAILURES = {"transient": Transient, "permanent": Permanent, "ambiguous": Ambiguous}
# Where no effect is under way: (its name, whether it is met while the lever is set or set back).
LEVER_POINTS = {"taken": 0, "proven": 0, "marked": 0, "undone": 1, "ended": 1}


@dataclass(frozen=True)
class FileScheduler:
    """A JobScheduler whose job is a file: it counts changes, and keeps the runs it was asked for by
    their keys. `fails` in it is met by the next changes."""

    path: Path

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found

    def _tell(self, **more: Any) -> None:
        self.path.write_text(json.dumps({**self.told(), **more}))

    def break_down(self, way: str | None) -> None:
        """Until it is mended: None."""
        told = {name: value for name, value in self.told().items() if name != "fails"}
        self.path.write_text(json.dumps({**told, **({"fails": way} if way else {})}))

    async def state(self) -> Schedule:
        told = self.told()
        return Schedule(told["paused"], str(told["changes"]))

    async def pause(self) -> Schedule:
        return await self._switched(True)

    async def resume(self) -> Schedule:
        return await self._switched(False)

    async def _switched(self, paused: bool) -> Schedule:
        told = self.told()
        if "fails" in told:
            self._tell(refused=told.get("refused", 0) + 1)
            raise FAILURES[told["fails"]]("the scheduler does not")
        if told["paused"] is not paused:
            self._tell(paused=paused, changes=told["changes"] + 1)
        return await self.state()

    async def missed(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        """It runs each full hour."""
        first = since.replace(minute=0, second=0, microsecond=0)
        times = [first + n * HOUR for n in range(100)]
        return tuple(at for at in times if since <= at < until)

    async def run_for(self, at: datetime, key: str) -> str:
        runs = self.told()["runs"]
        self._tell(runs={**runs, key: [*runs.get(key, []), at.isoformat()]})
        return f"runs for {at}"


@dataclass(frozen=True)
class FileExecutor:
    """An Executor: a key starts a run once."""

    path: Path

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        with self.path.open("a") as file:
            file.write(f"{key}\n")

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        return ()

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        raise AssertionError("nobody waits")

    def keys(self) -> set[str]:
        return set(self.path.read_text().splitlines()) if self.path.exists() else set()


@cache
def store_at(url: str) -> Store:
    """Closed after each process, and opened anew by the next: only what was compiled is kept."""
    return open_store(url)


@dataclass
class World:
    """A folder, and all that is in it. `far`: vendor and consumers, where they are of this process;
    `pager`: its stand-in."""

    folder: Path
    clock: Clock
    far: FarSide | None = None
    pager: Pager | None = None

    @property
    def scheduler(self) -> FileScheduler:
        return FileScheduler(self.folder / "schedule.json")

    @property
    def executor(self) -> FileExecutor:
        return FileExecutor(self.folder / "started")

    def lines(self, name: str) -> int:
        path = self.folder / name
        return len(path.read_text().splitlines()) if path.exists() else 0

    def setting(self) -> str:
        return str(json.loads((self.folder / "service.json").read_text())[SETTING])

    def replicas(self) -> int:
        return int((self.folder / "replicas").read_text())

    def alerts(self, state: str) -> int:
        assert self.pager is not None
        told = self.pager.alerts.values()
        return sum(one.alerts for one in told if one.state == state)

    def configure(self, change: Callable[[dict[str, Any]], object]) -> None:
        """Change the integration's entry."""
        path = self.folder / "integrations.yaml"
        told = yaml.safe_load(path.read_text())
        change(told["integrations"][NAME])
        path.write_text(yaml.safe_dump(told))

    def enter(self) -> Run:
        """A new process: nothing of the one before is left but its database."""
        self.clock.advance(timedelta(minutes=2))
        connectors.SCHEDULERS["prefect"] = lambda _spec: self.scheduler
        store = store_at(f"sqlite:///{self.folder / 'watchkeeper.db'}")
        settings = Settings(home=self.folder, integrations=self.folder / "integrations.yaml")
        watch = Watch(settings, store, self.clock.now)
        with store.read() as session:
            found = incidents.get(session, 1)
        duty = take_over(watch, found, f"at {self.clock.at}")
        return Run(self, watch, watch.integration(NAME), found, duty)


@dataclass
class Run:
    """One process at work."""

    world: World
    watch: Watch
    watched: Watched
    incident: Incident
    duty: Duty

    @property
    def rotator(self) -> Rotator:
        return Rotator(self.watch, self.watched, self.incident, self.duty)

    def job(self) -> Any:
        with self.watch.store.read() as session:
            return jobs.get(session, NAME, JOB)

    def held(self, kind: LeaseKind | None = None) -> int:
        with self.watch.store.read() as session:
            found = leases.active(session)
        return sum(kind in (None, lease.kind) for lease in found)

    def cap(self) -> float | None:
        seen: list[Bucket] = []

        def look(bucket: Bucket, now: object) -> Grant:
            seen.append(bucket)
            return Grant(False, bucket.next_at, 1.0)

        rates.ask(self.watch.store, NAME, self.watch.now, [Asker(look)])
        return seen[0].cap_per_s

    def picture(self) -> dict[str, Any]:
        """All that a lease may hold, as it is now."""
        world, job = self.world, self.job()
        return {
            "job": (job.desired, job.changed_by),
            "schedule": world.scheduler.told()["paused"],
            "setting": world.setting(),
            "replicas": world.replicas(),
            "cap": self.cap(),
            "held": self.held(),
        }


def made(folder: Path, url: str, pager: dict[str, Any]) -> World:
    """A world in which nothing has happened yet but an incident."""
    clock = Clock(tick=timedelta(microseconds=100))
    far = FarSide(folder, clock)
    loopback.fresh_store(folder).close()
    loopback.store_key(folder, ROUTING_KEY, "pager.json")
    (folder / "failpoints").mkdir()
    (folder / "replicas").write_text("2")
    (folder / "service.json").write_text(json.dumps({SETTING: "ear-1"}))
    (folder / "schedule.json").write_text('{"paused": false, "changes": 0, "runs": {}}')
    place = f"cd {shlex.quote(str(folder))}\n"
    (folder / "reload.sh").write_text(f"{place}echo reload >> reloads\n")
    (folder / "scale.sh").write_text(f"{place}echo $1 >> scales\necho $1 > replicas\n")
    (folder / "integrations.yaml").write_text(yaml.safe_dump(entry(folder, url, pager)))
    settings = Settings(home=folder, integrations=folder / "integrations.yaml")
    watch = Watch(settings, open_store(f"sqlite:///{folder / 'watchkeeper.db'}"), clock.now)
    watch.registered(NAME)
    assert opened(watch, NAME).id == 1
    watch.store.close()
    return World(folder, clock, far)


def entry(folder: Path, url: str, pager: dict[str, Any]) -> dict[str, Any]:
    def consumer(name: str) -> dict[str, Any]:
        runtime = {
            "restart": ["sh", str(folder / "restart.sh"), name],
            "replicas": ["cat", str(folder / "replicas")],
            "scale": ["sh", str(folder / "scale.sh"), "{replicas}"],
        }
        return {"name": name, "health_url": f"{url}/health/{name}", "runtime": runtime}

    nightly = {"kind": "prefect", "deployment": "export/nightly"}
    said = {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": f"{url}/v1",
        "status_page_url": "http://127.0.0.1:9",
        "credential": {"name": "api-key", "reference": "file:key.json"},
        "consumers": [consumer(name) for name in CONSUMERS],
        "settings": {
            "kind": "file",
            "path": "service.json",
            "reload": ["sh", str(folder / "reload.sh")],
        },
        "jobs": [{"name": NIGHTLY, "criticality": "deferrable", "scheduler": nightly}],
        "pager": {"kind": "pagerduty", "routing_key": "file:pager.json", **pager},
        "overrides": {"rate_limit": {"requests": 1_000_000, "per": "1 s"}},
    }
    return {"integrations": {NAME: said}}


# --- what is done -------------------------------------------------------------------------------

Act = Callable[[Run], Awaitable[object]]


async def nothing(_run: Run) -> None: ...


async def page(run: Run) -> None:
    await paging.page(run.watch, run.watched, run.incident, run.watched.runbook.escalation[0])


async def resolve(run: Run) -> None:
    await paging.resolve_pages(run.watch, run.watched, run.incident)


async def pause_job(run: Run) -> None:
    action = PauseJobs(jobs=(JOB,), lease=8 * HOUR, stagger=timedelta(0))
    leasing.pause_jobs(run.watch, run.duty, NAME, action)


async def cap(run: Run) -> None:
    action = CapRate(max_requests_per_s=0.5, lease=8 * HOUR)
    leasing.cap_rate(run.watch, run.duty, NAME, action)


async def hold(run: Run) -> None:
    leasing.hold(run.watch, run.duty, NAME, LeaseKind.POLLING, NAME, {}, 8 * HOUR)


async def pull(run: Run, kind: LeaseKind, target: str, value: str) -> None:
    lever = lever_of(run.watch, run.watched, kind, target)
    also: dict[str, object] = {"missed_runs": "latest", "stagger_s": 0}
    await pulling.pull(run.watch, run.duty, NAME, lever, value, 8 * HOUR, also)


pause_nightly = partial(pull, kind=LeaseKind.PAUSED_SCHEDULE, target=NIGHTLY, value="paused")
set_model = partial(pull, kind=LeaseKind.SETTING, target=SETTING, value="ear-2")
scale = partial(pull, kind=LeaseKind.REPLICAS, target="sync", value="4")


async def give_back(run: Run) -> None:
    executor = run.world.executor
    await resuming.give_back(run.watch, run.duty, executor, "well again", at_once)


async def restart(run: Run) -> None:
    action = Restart(consumers=("sync",))
    await restarting.restart_all(run.watch, run.duty, run.watched, action, at_once)


async def offer_and_test(run: Run) -> None:
    far = run.world.far
    assert far is not None
    far.offer(far.make())
    assert await run.rotator.move() is Move.TEST


async def promoted(run: Run) -> None:
    await offer_and_test(run)
    assert await run.rotator.move() is Move.PROMOTE


async def rotate(run: Run) -> None:
    await run.rotator.all_moves()


async def let_old_key_go(run: Run) -> None:
    with run.watch.store.read() as session:
        vigils = [x for x in leases.active(session) if x.kind is LeaseKind.OLD_KEY]
    for lease in vigils:
        assert run.world.far is not None
        run.world.far.revoke(lease.target)
        await old_keys.mind(run.watch, run.watched, lease)


async def hours_later(run: Run, act: Act) -> None:
    await act(run)
    run.world.clock.advance(2 * HOUR)


async def pause_job_and_make_up(run: Run) -> None:
    action = PauseJobs(jobs=(JOB,), lease=8 * HOUR, missed_runs="latest", stagger=timedelta(0))
    leasing.pause_jobs(run.watch, run.duty, NAME, action)


# --- the rows -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """`before` is done by a process that lives, `act` by one that is killed. `count`: how often the
    far side has the effect, `there`: whether it is in force. `repeats`: its promise lets it happen
    again, harmlessly; `sent` then says how often it was asked for."""

    act: Act
    count: Callable[[Run], int]
    before: Act = nothing
    there: Callable[[Run], bool] = lambda _run: True
    repeats: bool = False


def _model(run: Run) -> bool:
    return run.world.setting() == "ear-2"


def _runs(run: Run) -> int:
    return len(run.world.scheduler.told()["runs"])


def _switches(run: Run) -> int:
    changes: int = run.world.scheduler.told()["changes"]
    return changes


def _promotions(run: Run) -> int:
    """Since the first key, which is made current before all else."""
    stages = [v.stage for v in connectors.keys_of(run.watch, run.watched).versions()]
    return stages.count("previous")


ROWS: dict[str, tuple[Row, ...]] = {
    "page.trigger": (Row(page, lambda run: run.world.alerts("triggered")),),
    "page.resolve": (Row(resolve, lambda run: run.world.alerts("resolved"), page),),
    "job.pause": (Row(pause_job, lambda run: run.job().revision, there=lambda r: r.job().paused),),
    "job.restore": (
        Row(
            give_back,
            lambda run: run.job().revision - 1,
            partial(hours_later, act=pause_job_and_make_up),
            lambda run: not run.job().paused and len(run.world.executor.keys()) == 1,
        ),
    ),
    "schedule.pause": (
        Row(pause_nightly, _switches, there=lambda run: run.world.scheduler.told()["paused"]),
    ),
    "schedule.restore": (
        Row(
            give_back,
            lambda run: _switches(run) - 1,
            partial(hours_later, act=pause_nightly),
            lambda run: not run.world.scheduler.told()["paused"] and _runs(run) == 1,
        ),
    ),
    "schedule.missed": (
        Row(give_back, _runs, partial(hours_later, act=pause_nightly)),
        Row(
            give_back,
            lambda run: len(run.world.executor.keys()),
            partial(hours_later, act=pause_job_and_make_up),
            lambda run: not run.job().paused,
        ),
    ),
    "rate.cap": (
        Row(cap, lambda run: run.held(LeaseKind.RATE_CAP), there=lambda r: r.cap() == 0.5),
    ),
    "rate.restore": (
        Row(
            give_back, lambda run: 1 - run.held(LeaseKind.RATE_CAP), cap, lambda r: r.cap() is None
        ),
    ),
    "lease.hold": (Row(hold, lambda run: run.held(LeaseKind.POLLING)),),
    "lease.release": (Row(give_back, lambda run: 1 - run.held(LeaseKind.POLLING), hold),),
    "setting.set": (Row(set_model, lambda run: run.world.lines("reloads"), there=_model),),
    "setting.restore": (
        Row(
            give_back,
            lambda run: run.world.lines("reloads") - 1,
            set_model,
            lambda run: not _model(run),
        ),
    ),
    "replicas.set": (
        Row(scale, lambda run: run.world.lines("scales"), there=lambda r: r.world.replicas() == 4),
    ),
    "replicas.restore": (
        Row(
            give_back,
            lambda run: run.world.lines("scales") - 1,
            scale,
            lambda run: run.world.replicas() == 2,
        ),
    ),
    # A command leaves no trace: in doubt it is restarted again.
    "service.restart": (Row(restart, lambda run: run.world.lines("restarts-sync"), repeats=True),),
    "key.promote": (Row(rotate, _promotions, offer_and_test),),
    "consumer.restart": (Row(rotate, lambda run: run.world.lines("restarts-sync"), promoted),),
}
LEVERS_BY_KIND = {
    LeaseKind.PAUSED_SCHEDULE: ("schedule.pause", "schedule.restore"),
    LeaseKind.SETTING: ("setting.set", "setting.restore"),
    LeaseKind.REPLICAS: ("replicas.set", "replicas.restore"),
}


async def carry_out(run: Run, act: Act) -> bool:
    """As tasks/acting.py does, with its retries at once: what is over ends as a failed step."""
    try:
        duty = stepping.begin(run.watch, run.duty, PLANNED)
        if duty is None:
            return True
        await _retried(replace(run, duty=duty), act)
    except WatchkeeperError as error:
        stepping.failed(run.watch, run.duty, PLANNED, str(error))
        await paging.call_next(run.watch, run.watched, run.incident)
        return False
    stepping.done(run.watch, run.duty, PLANNED)
    return True


async def _retried(run: Run, act: Act) -> None:
    for left in reversed(range(TRIES)):
        try:
            await act(run)
        except Transient:
            if not left:
                raise
        else:
            return


def die(folder: Path, name: str, number: int, point: str, at: str) -> None:
    """In a child: one process of the case's world, killed at its point."""
    world = World(folder, Clock(datetime.fromisoformat(at), timedelta(microseconds=100)))
    run = world.enter()
    arm(folder / "failpoints")
    (folder / "failpoints" / point).touch()
    asyncio.run(carry_out(run, ROWS[name][number].act))


def main() -> None:
    for line in sys.stdin:
        case = json.loads(line)
        child = os.fork()
        if child == 0:
            die(Path(case["folder"]), case["row"], case["number"], case["point"], case["at"])
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps({**case, "status": os.waitstatus_to_exitcode(status)}) + "\n")


if __name__ == "__main__":
    main()
