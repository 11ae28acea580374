"""Every failpoint of every effect: killed there once, and again and again, judged from the far side."""

from __future__ import annotations

import ast
import asyncio
import json
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import failpoint_rows
import pytest
from failpoint_rows import (
    LEVER_POINTS,
    LEVERS_BY_KIND,
    PLANNED,
    ROWS,
    Row,
    Run,
    World,
    carry_out,
    give_back,
    let_old_key_go,
    made,
)
from making import MINUTE
from rotation_lab import Served, serving
from sqlmodel import select

from watchkeeper.effects import REGISTRY, EffectState, Promise
from watchkeeper.failpoints import arm
from watchkeeper.mitigation.lease import LEVERS
from watchkeeper.mitigation.world import StepState
from watchkeeper.performing import connectors, stepping
from watchkeeper.sandbox.pager import Pager, certificates
from watchkeeper.store import effects, incidents, steps
from watchkeeper.store.tables import EffectRow

ROOT = Path(__file__).parents[1]
POINTS = {
    Promise.TRANSACTION: ("after", "committed"),
    Promise.DEDUP: ("before", "after", "committed"),
    Promise.READ_BACK: ("before", "after", "committed"),
}
MOST_REENTRIES = 3


class Killed(BaseException):
    """A death of the process: nobody catches it, nothing after it runs."""


def kill() -> None:
    raise Killed


@dataclass(frozen=True)
class Case:
    step: str
    number: int
    point: str

    @property
    def row(self) -> Row:
        return ROWS[self.step][self.number]

    @property
    def kind(self) -> Any:
        return REGISTRY[self.step]

    def __str__(self) -> str:
        return f"{self.point}{'' if not self.number else '-2'}"


EFFECTS = [
    Case(step, number, f"effect.{step}.{point}")
    for step, rows in ROWS.items()
    if step in REGISTRY
    for number in range(len(rows))
    for point in POINTS[REGISTRY[step].promise]
]
BETWEEN = [
    Case(steps_of[back], 0, f"lease.{kind}.{point}")
    for kind, steps_of in LEVERS_BY_KIND.items()
    for point, back in LEVER_POINTS.items()
] + [Case("job.restore", 0, f"lease.paused_job.{point}") for point in ("undone", "ended")]
CASES = EFFECTS + BETWEEN


@dataclass
class Stands:
    """Servers that all cases share, one after the other."""

    vendor: Served
    pager: Served
    ca_file: Path
    folder: Path


@pytest.fixture(scope="module")
def stands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stands]:
    ca_file = tmp_path_factory.mktemp("pager") / "ca.pem"
    tls: ssl.SSLContext = certificates(ca_file)
    with serving(lambda _ask: None) as vendor, serving(lambda _ask: None, tls) as pager:
        yield Stands(vendor, pager, ca_file, ca_file.parent / "world")


def world_in(stands: Stands, folder: Path) -> World:
    told = {"base_url": stands.pager.url, "ca_file": str(stands.ca_file)}
    folder.mkdir(exist_ok=True)
    world = made(folder, stands.vendor.url, told)
    world.pager = Pager(lambda: world.clock.at)
    stands_for(stands, world)
    return world


def stands_for(stands: Stands, world: World) -> None:
    """The servers are this world's from now on."""
    assert world.far is not None and world.pager is not None
    stands.vendor.app, stands.pager.app = world.far.app, world.pager.app
    arm(world.folder / "failpoints", kill)


@pytest.fixture
def world(stands: Stands) -> World:
    """In one place for all: a runbook that was read from there once need not be read again."""
    shutil.rmtree(stands.folder, ignore_errors=True)
    return world_in(stands, stands.folder)


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    before = dict(connectors.SCHEDULERS)
    yield
    arm(None)
    connectors.SCHEDULERS.clear()
    connectors.SCHEDULERS.update(before)


@contextmanager
def process(world: World) -> Iterator[Run]:
    run = world.enter()
    try:
        yield run
    finally:
        run.watch.store.close()


class End(Enum):
    KILLED = "killed"
    FAILED = "failed"
    DONE = "done"


def enter(world: World, case: Case, *, armed: bool) -> End:
    """One process, and how it ended."""
    point = world.folder / "failpoints" / case.point
    if armed:
        point.touch()
    try:
        with process(world) as run:
            return End.DONE if asyncio.run(carry_out(run, case.row.act)) else End.FAILED
    except Killed:
        return End.KILLED
    finally:
        point.unlink(missing_ok=True)


def begin(world: World, case: Case) -> dict[str, Any]:
    """What was before, and then what the case needs."""
    with process(world) as run:
        before = run.picture()
        asyncio.run(case.row.before(run))
    return before


def judge(world: World, case: Case, most: int, *, again: bool = False) -> None:
    """The effect is there once, or as often as its promise allows, and the ledger knows; `again`: a
    person had it done anew."""
    with process(world) as run:
        assert case.row.there(run)
        count = case.row.count(run)
        assert count == 1 or ((case.row.repeats or again) and 1 <= count <= most)
        with run.watch.store.read() as session:
            assert effects.unsettled(session, run.incident.id) == []
            told = {e.says.split()[0]: e.state for e in effects.entries(session, run.incident.id)}
            (step,) = steps.of_round(session, run.incident)
            words = " ".join(e.text for e in incidents.timeline(session, run.incident.id))
        assert "somebody" not in words and "not made up for" not in words
        settled = {EffectState.DONE, EffectState.RECONCILED}
        assert set(told.values()) <= settled | ({EffectState.ESCALATED} if again else set())
        assert step.state is StepState.DONE


def as_before(world: World, before: dict[str, Any]) -> None:
    """Whatever is held ends, and nothing shows that it was."""
    with process(world) as run:
        asyncio.run(give_back(run))
        asyncio.run(let_old_key_go(run))
        assert run.picture() == before


@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_once_it_converges(world: World, case: Case) -> None:
    before = begin(world, case)
    assert enter(world, case, armed=True) is End.KILLED
    assert enter(world, case, armed=False) is End.DONE
    judge(world, case, most=2)
    as_before(world, before)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_killed_for_ever_it_is_done_or_people_are_called(world: World, case: Case) -> None:
    """With the third time at the latest that another process goes on; nothing was done more often than
    its promise allows, and once a person has seen to it all of it is done, and given back."""
    before = begin(world, case)
    paged = world.alerts("triggered")
    ends = [enter(world, case, armed=True) for _ in range(1 + MOST_REENTRIES)]
    died = ends.count(End.KILLED)
    assert ends == [End.KILLED] * died + [ends[-1]] * (len(ends) - died)
    with process(world) as run:
        with run.watch.store.read() as session:
            (step,) = steps.of_round(session, run.incident)
        count = case.row.count(run)
        assert count <= (died if case.row.repeats else 1)
        assert step.state in (StepState.DONE, StepState.FAILED)
        if case.point.endswith(".before"):
            assert (step.state, count) == (StepState.FAILED, 0)
        if step.state is StepState.FAILED:
            # Where it is the page itself that kills, the status alone can tell of it.
            assert case.step.startswith("page.") or world.alerts("triggered") == paged + 1
            stepping.retry(run.watch, run.incident, PLANNED.name, "ada", "the host is well again")
    assert enter(world, case, armed=False) is End.DONE
    judge(world, case, most=1 + MOST_REENTRIES, again=step.state is StepState.FAILED)
    as_before(world, before)


# --- nothing is left out ------------------------------------------------------------------------


def test_each_step_of_the_registry_has_its_row() -> None:
    """A new effect is killed everywhere, or this fails; and so it does for a row of none."""
    assert set(ROWS) == set(REGISTRY)
    assert set(LEVERS_BY_KIND) == LEVERS


def test_each_failpoint_of_the_code_is_met() -> None:
    """Found by reading it: `effect.{}.before`, whatever stands for the name."""
    ours = {pattern(case.point) for case in CASES}
    assert ours == failpoints_of(ROOT / "watchkeeper") - {"backfill.page"}


def test_all_kill_points_are_enumerated(capsys: pytest.CaptureFixture[str]) -> None:
    """Two or three an effect by its promise, five a lever, two a paused job."""
    effects_met = {case.point for case in EFFECTS}
    expected = {
        f"effect.{kind.step}.{p}" for kind in REGISTRY.values() for p in POINTS[kind.promise]
    }
    assert effects_met == expected
    assert len(BETWEEN) == len({case.point for case in BETWEEN}) == 5 * len(LEVERS) + 2
    with capsys.disabled():
        print(f"\n{len(CASES)} kill points, each once and for ever", end=" ")


def pattern(point: str) -> str:
    first, *_, last = point.split(".")
    return f"{first}.{{}}.{last}"


def failpoints_of(folder: Path) -> set[str]:
    return {
        "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in parts)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "failpoint"
        for parts in [getattr(node.args[0], "values", [node.args[0]])]
    }


# --- real deaths --------------------------------------------------------------------------------

SIGKILLED = [
    Case("job.pause", 0, "effect.job.pause.after"),
    Case("job.restore", 0, "lease.paused_job.undone"),
    Case("schedule.missed", 0, "effect.schedule.missed.after"),
    Case("schedule.restore", 0, "effect.schedule.restore.after"),
    Case("setting.set", 0, "effect.setting.set.after"),
    Case("setting.set", 0, "lease.setting.taken"),
    Case("replicas.restore", 0, "effect.replicas.restore.before"),
    Case("service.restart", 0, "effect.service.restart.after"),
]


def test_a_real_sigkill_leaves_no_more_behind(stands: Stands, tmp_path: Path) -> None:
    """At least one of each promise: a process that runs nothing after it, not even what cleans up."""
    assert {case.kind.promise for case in SIGKILLED} == set(Promise)
    there = [(case, world_in(stands, tmp_path / str(n))) for n, case in enumerate(SIGKILLED)]
    before = [begin(world, case) for case, world in there]
    told = sigkilled([(case, world) for case, world in there])
    assert [t["status"] for t in told] == [-signal.SIGKILL] * len(SIGKILLED)
    for (case, world), was in zip(there, before, strict=True):
        stands_for(stands, world)
        world.clock.advance(MINUTE * 5)
        assert enter(world, case, armed=False) is End.DONE
        judge(world, case, most=2)
        as_before(world, was)


def sigkilled(there: list[tuple[Case, World]]) -> list[dict[str, Any]]:
    lines = [
        {
            "folder": str(world.folder),
            "row": case.step,
            "number": case.number,
            "point": case.point,
            "at": world.clock.at.isoformat(),
        }
        for case, world in there
    ]
    done = subprocess.run(
        [sys.executable, failpoint_rows.__file__],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


# --- a far side that fails for ever -------------------------------------------------------------


def script_fails(world: World, name: str, way: str) -> None:
    (world.folder / f"{name}.sh").write_text("exit 1\n" if way == "transient" else "exec sleep 5\n")


def consumers_fail(world: World, way: str) -> None:
    """Their commands: one that fails, one that is not there, one that does not end."""

    def change(entry: dict[str, Any]) -> None:
        for consumer in entry["consumers"]:
            for what in ("restart", "scale"):
                gone = ["no-such-command-here", "{replicas}"]
                argv = gone if way == "permanent" else ["sh", str(world.folder / "bad.sh")]
                consumer["runtime"][what] = argv if what == "restart" else [*argv, "{replicas}"]
            consumer["runtime"]["timeout"] = "0.2 s"

    script_fails(world, "bad", way)
    world.configure(change)


def settings_fail(world: World, way: str) -> None:
    gone = ["no-such-command-here"]
    argv = gone if way == "permanent" else ["sh", str(world.folder / "bad.sh")]
    script_fails(world, "bad", way)
    world.configure(lambda entry: entry["settings"].update(reload=argv))


def schedule_fails(world: World, way: str) -> None:
    world.scheduler.break_down(way)


def store_fails(world: World, way: str) -> None:
    (world.folder / ".key.json.new" / "in the way").mkdir(parents=True)


ALL = ("transient", "permanent", "ambiguous")
# A reload has half a minute to end: too long to wait for here.
FAILING = {
    "setting.set": (settings_fail, ALL[:2]),
    "setting.restore": (settings_fail, ALL[:2]),
    "replicas.set": (consumers_fail, ALL),
    "replicas.restore": (consumers_fail, ALL),
    "schedule.pause": (schedule_fails, ALL),
    "schedule.restore": (schedule_fails, ALL),
    "service.restart": (consumers_fail, ALL),
    "consumer.restart": (consumers_fail, ALL),
    "key.promote": (store_fails, ("unusable",)),
}
FAILURES = [(step, way) for step, (_, ways) in FAILING.items() for way in ways]
KNOWN = {
    "transient": EffectState.PLANNED,
    "permanent": EffectState.REJECTED,
    "ambiguous": EffectState.UNKNOWN,
    "unusable": EffectState.REJECTED,
}


@pytest.mark.parametrize(("step", "way"), FAILURES, ids=lambda said: said)
def test_a_far_side_that_fails_for_ever_ends_in_a_failed_step(
    world: World, step: str, way: str
) -> None:
    """It is asked as often as a task is retried, and no more: people are called, the ledger says what
    is known, and once it is mended all is given back."""
    case = Case(step, 0, "")
    before, entry = begin(world, case), (world.folder / "integrations.yaml").read_text()
    FAILING[step][0](world, way)
    with process(world) as run:
        assert not asyncio.run(carry_out(run, case.row.act))
        with run.watch.store.read() as session:
            ((_, _, state),) = effects.unsettled(session, run.incident.id)
            (told,) = steps.of_round(session, run.incident)
            (row,) = [r for r in rows_of(session, run.incident.id) if r.step == step]
        assert (state, told.state) == (KNOWN[way], StepState.FAILED)
        assert row.attempts == (5 if way == "transient" else 1)
    assert world.alerts("triggered") == 1
    (world.folder / "integrations.yaml").write_text(entry)
    world.scheduler.break_down(None)
    as_before(world, before)


def rows_of(session: Any, incident_id: int) -> list[EffectRow]:
    return list(session.exec(select(EffectRow).where(EffectRow.incident_id == incident_id)))
