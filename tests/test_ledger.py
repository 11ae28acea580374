"""Any process may die in an effect and any other may go on: counted at the far side."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import ledger_lab
import pytest
from conftest import Clock
from making import MINUTE, opened
from sqlmodel import Session

from watchkeeper.effects import (
    CONSUMER_RESTART,
    JOB_PAUSE,
    KEY_PROMOTE,
    PAGE_TRIGGER,
    RATE_CAP,
    REGISTRY,
    EffectKind,
    EffectState,
    Promise,
)
from watchkeeper.errors import Ambiguous, Halted, Permanent, StaleFence, Transient
from watchkeeper.incident import Incident
from watchkeeper.performing.ledger import Duty, perform, transact
from watchkeeper.performing.watch import Watch
from watchkeeper.store import effects, incidents, locks, switches

S = EffectState
# The ledger goes by promise and by whether the kill switch stops it: one kind for each of these. Every
# kind with its own performer and far side is in test_failpoints.py.
KINDS = list({(k.promise, k.stops_when_halted): k for k in REGISTRY.values()}.values())
OURS = [k for k in KINDS if k.promise is Promise.TRANSACTION]
SENT = [k for k in KINDS if k.promise is not Promise.TRANSACTION]


class Killed(BaseException):
    """A death of the process: nobody catches it, nothing after it runs."""


@dataclass
class Far:
    """The far side: what arrived, and what it does with the next call."""

    keys: list[str] = field(default_factory=list)
    script: list[Callable[[Far], None]] = field(default_factory=list)
    asked: int = 0

    def doing(self, duty: Duty, kind: EffectKind, target: str) -> Callable[[], Awaitable[str]]:
        async def do() -> str:
            step = self.script.pop(0) if self.script else None
            self.at = duty.effect(kind, target).dedup_key
            if step is not None:
                step(self)
            else:
                self.arrive()
            return "done"

        return do

    async def read_back(self) -> str | None:
        self.asked += 1
        return "it is there" if self.keys else None

    def arrive(self) -> None:
        self.keys.append(self.at)


def killed_before(_far: Far) -> None:
    raise Killed


def killed_after(far: Far) -> None:
    far.arrive()
    raise Killed


def lost(_far: Far) -> None:
    raise Ambiguous("no answer")


def done_and_lost(far: Far) -> None:
    far.arrive()
    raise Ambiguous("no answer")


def busy(_far: Far) -> None:
    raise Transient("come back later")


def refused(_far: Far) -> None:
    raise Permanent("never")


@pytest.fixture
def incident(any_watch: Watch) -> Incident:
    return opened(any_watch)


@dataclass
class Bench:
    """One effect, tried as often as a test likes, by processes that may die in it."""

    watch: Watch
    duty: Duty
    kind: EffectKind
    far: Far
    target: str = "t"

    def attempt(self) -> EffectState | type[BaseException]:
        do = self.far.doing(self.duty, self.kind, self.target)
        try:
            return asyncio.run(
                perform(self.watch, self.duty, self.kind, self.target, do, self.far.read_back)
            )
        except (Killed, Ambiguous, Transient, Permanent) as error:
            return type(error)

    @property
    def state(self) -> EffectState:
        with self.watch.store.read() as session:
            return effects.state_of(session, self.duty.effect(self.kind, self.target))


def bench(watch: Watch, incident: Incident, kind: EffectKind, *script: Any) -> Bench:
    return Bench(watch, Duty.unfenced(incident), kind, Far(script=list(script)))


# What happens in the first attempt -> what the ledger says of it.
FIRST = {
    killed_before: (Killed, S.SENDING),
    killed_after: (Killed, S.SENDING),
    lost: (Ambiguous, S.UNKNOWN),
    done_and_lost: (Ambiguous, S.UNKNOWN),
    busy: (Transient, S.PLANNED),
    refused: (Permanent, S.REJECTED),
}


@pytest.mark.parametrize("kind", SENT, ids=lambda k: k.step)
@pytest.mark.parametrize("first", FIRST, ids=lambda f: f.__name__)
def test_whatever_became_of_the_first_attempt_the_second_converges(
    any_watch: Watch, incident: Incident, kind: EffectKind, first: Callable[[Far], None]
) -> None:
    """The effect is there, under one key; where the far side does not dedup, it was sent once."""
    case = bench(any_watch, incident, kind, first)
    error, state = FIRST[first]
    if kind.promise is Promise.READ_BACK and first is done_and_lost:
        # It shows at once that it was done: nobody is left in doubt.
        error = state = S.RECONCILED
    assert case.attempt() is error
    assert case.state is state
    second = case.attempt()
    arrived_before = first in (killed_after, done_and_lost)
    found_there = arrived_before and kind.promise is Promise.READ_BACK
    assert second is (S.RECONCILED if found_there else S.DONE)
    assert set(case.far.keys) == {f"inc-{incident.id}:1:{kind.step}:t"}
    if kind.promise is Promise.READ_BACK:
        assert len(case.far.keys) == 1
    else:
        assert len(case.far.keys) == (2 if arrived_before else 1)
    arrived = len(case.far.keys)
    assert case.attempt() is second
    assert len(case.far.keys) == arrived


@pytest.mark.parametrize("kind", SENT, ids=lambda k: k.step)
def test_however_often_it_dies_it_converges(
    any_watch: Watch, incident: Incident, kind: EffectKind
) -> None:
    """Five deaths and losses in a row, then one that goes through."""
    case = bench(any_watch, incident, kind, killed_before, lost, busy, killed_before, killed_after)
    for _ in range(5):
        assert not isinstance(case.attempt(), EffectState)
    assert isinstance(case.attempt(), EffectState)
    assert case.state.settled
    once = kind.promise is Promise.READ_BACK
    assert len(case.far.keys) == (1 if once else 2)


def test_the_far_side_is_asked_only_in_doubt(any_watch: Watch, incident: Incident) -> None:
    """A first attempt, and one after a clean refusal, need no question."""
    case = bench(any_watch, incident, CONSUMER_RESTART, busy)
    case.attempt()
    case.attempt()
    assert case.far.asked == 0
    doubtful = bench(any_watch, incident, CONSUMER_RESTART, killed_before)
    doubtful.target = "u"
    doubtful.attempt()
    doubtful.attempt()
    assert doubtful.far.asked == 1


def test_a_question_that_fails_leaves_the_doubt(any_watch: Watch, incident: Incident) -> None:
    """When the far side cannot be asked, nothing is sent and the next attempt asks again."""
    case = bench(any_watch, incident, KEY_PROMOTE, killed_after)
    case.attempt()

    async def unanswered() -> str | None:
        raise Transient("no answer")

    do = case.far.doing(case.duty, case.kind, "t")
    with pytest.raises(Transient):
        asyncio.run(perform(any_watch, case.duty, case.kind, "t", do, unanswered))
    assert case.state is S.SENDING
    assert case.attempt() is S.RECONCILED
    assert len(case.far.keys) == 1


@pytest.mark.parametrize("kind", OURS, ids=lambda k: k.step)
def test_a_change_of_our_own_rows_commits_with_its_entry(
    any_watch: Watch, incident: Incident, kind: EffectKind
) -> None:
    """Killed in it, nothing is there; done once, it is not done again."""
    duty, changes = Duty.unfenced(incident), 0

    def change(session: Session) -> str:
        nonlocal changes
        changes += 1
        incidents.note(session, incident.id, "changed", now=any_watch.now())
        if changes == 1:
            session.flush()
            raise Killed
        return "changed"

    with pytest.raises(Killed):
        transact(any_watch, duty, kind, "t", change)
    assert [line.text for line in notes(any_watch, incident)] == []
    assert [transact(any_watch, duty, kind, "t", change) for _ in range(3)] == [S.DONE] * 3
    assert [line.text for line in notes(any_watch, incident)] == ["changed"]


def notes(watch: Watch, incident: Incident) -> tuple[Any, ...]:
    with watch.store.read() as session:
        return incidents.timeline(session, incident.id)


def test_a_new_round_is_a_new_effect(any_watch: Watch, incident: Incident) -> None:
    """After a relapse the same step is taken again, under another key."""
    case = bench(any_watch, incident, KEY_PROMOTE)
    assert case.attempt() is S.DONE
    case.duty = Duty(incident.id, 2)
    assert case.attempt() is S.DONE
    assert len(set(case.far.keys)) == 2


# --- the kill switch and the fence --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.step)
@pytest.mark.parametrize("state", [S.PLANNED, S.SENDING])
def test_the_kill_switch_stops_what_is_new_and_nothing_else(
    any_watch: Watch, incident: Incident, kind: EffectKind, state: EffectState
) -> None:
    """While it is on nothing new is changed; people are still called, and undoing goes on."""
    case = bench(any_watch, incident, kind)
    with any_watch.store.write() as session:
        if state is S.SENDING:
            effects.sending(session, case.duty.effect(kind, "t"), 0, any_watch.now())
        switches.set_halt(session, True, by="ann", reason="odd", now=any_watch.now())

    def act() -> EffectState | type[BaseException]:
        if kind.promise is not Promise.TRANSACTION:
            return case.attempt()
        try:
            return transact(any_watch, case.duty, kind, "t", lambda _: "changed")
        except Halted:
            return Halted

    if not kind.stops_when_halted:
        assert act() is S.DONE
        return
    assert act() is Halted
    assert case.far.keys == []
    assert case.state is state
    with any_watch.store.write() as session:
        switches.set_halt(session, False, by="ann", reason="fine", now=any_watch.now())
    assert act() is S.DONE


def test_what_was_done_is_done_though_the_kill_switch_is_on(
    any_watch: Watch, incident: Incident
) -> None:
    """Re-entry of a finished step is not refused: there is nothing left to refuse."""
    case = bench(any_watch, incident, KEY_PROMOTE)
    case.attempt()
    any_watch.settings.halt_file.touch()
    assert case.attempt() is S.DONE


@pytest.mark.parametrize("kind", SENT, ids=lambda k: k.step)
@pytest.mark.parametrize("state", [S.PLANNED, S.SENDING])
def test_a_stale_fence_is_refused_before_anything_is_sent(
    any_watch: Watch, incident: Incident, kind: EffectKind, state: EffectState, clock: Clock
) -> None:
    """A run that was slow, and was replaced, sends nothing more and writes nothing."""
    case = bench(any_watch, incident, kind)
    case.duty = fenced(any_watch, incident, "slow")
    with any_watch.store.write() as session:
        if state is S.SENDING:
            effects.sending(session, case.duty.effect(kind, "t"), 1, any_watch.now())
    clock.advance(2 * MINUTE)
    fresh = fenced(any_watch, incident, "fresh")
    assert fresh.fence == 2
    assert case.attempt() is StaleFence
    assert (case.far.keys, case.state) == ([], state)
    case.duty = fresh
    assert isinstance(case.attempt(), EffectState)


def fenced(watch: Watch, incident: Incident, holder: str) -> Duty:
    with watch.store.write() as session:
        fence = locks.acquire(session, "respond", holder, watch.now(), timedelta(seconds=60))
    assert fence is not None
    return Duty(incident.id, incident.round, "respond", fence)


def test_a_stale_fence_changes_no_row_of_ours(
    any_watch: Watch, incident: Incident, clock: Clock
) -> None:
    """The same for changes in our own database."""
    old = fenced(any_watch, incident, "slow")
    clock.advance(2 * MINUTE)
    fenced(any_watch, incident, "fresh")
    with pytest.raises(StaleFence):
        transact(any_watch, old, JOB_PAUSE, "t", lambda _: "changed")
    with any_watch.store.read() as session:
        assert effects.entries(session, incident.id) == ()


def test_what_did_happen_is_written_whoever_held_the_fence(
    any_watch: Watch, incident: Incident, clock: Clock
) -> None:
    """A call that was on its way when its sender was replaced is told as what it was: done."""
    case = bench(any_watch, incident, CONSUMER_RESTART)
    case.duty = fenced(any_watch, incident, "slow")

    def replaced(far: Far) -> None:
        clock.advance(2 * MINUTE)
        fenced(any_watch, incident, "fresh")
        far.arrive()

    case.far.script.append(replaced)
    assert case.attempt() is S.DONE
    assert case.state is S.DONE


# --- what the ledger tells ----------------------------------------------------------------------


def test_the_ledger_tells_what_is_open_and_what_was_begun(
    any_watch: Watch, incident: Incident
) -> None:
    """Open effects are listed for people; begun targets let a run go on with the same key."""
    for target, script in (("key:aa", killed_before), ("key:bb", refused), ("key:cc", None)):
        case = bench(any_watch, incident, KEY_PROMOTE, *([script] if script else []))
        case.target = target
        case.attempt()
    with any_watch.store.read() as session:
        left = effects.unsettled(session, incident.id)
        assert left == [
            ("key.promote", "key:aa", S.SENDING),
            ("key.promote", "key:bb", S.REJECTED),
        ]
        assert effects.begun_targets(session, incident, "key.promote") == ("key:aa", "key:cc")
        said = [(e.says, e.state) for e in effects.entries(session, incident.id)]
    assert said[2] == ("make the tested key current: key:cc", "done")


def test_a_cap_counts_what_other_rounds_did(any_watch: Watch, incident: Incident) -> None:
    """Re-entry of this very round is not counted against its own cap; rejected ones never are."""
    since = any_watch.now() - MINUTE
    case = bench(any_watch, incident, KEY_PROMOTE)
    case.target = "key:aa"
    case.attempt()
    later = replace(incident, round=2)
    here = [incident.integration]
    with any_watch.store.read() as session:

        def count(prefix: str, of: Incident) -> int:
            return effects.others_since(session, "key.promote", prefix, since, of, here)

        assert count("key:", incident) == 0
        assert count("key:", later) == 1
        assert count("k_y:", later) == 0
        assert count("other:", later) == 0
        since += 2 * MINUTE
        assert count("key:", later) == 0


def test_a_cap_does_not_count_what_was_done_to_another_integrations_key(
    any_watch: Watch, incident: Incident
) -> None:
    """Two integrations may call two keys by one name; only the incident says whose it was."""
    case = bench(any_watch, incident, KEY_PROMOTE)
    case.target = "key:aa"
    case.attempt()
    later, since = replace(incident, round=2), any_watch.now() - MINUTE
    with any_watch.store.read() as session:
        for among, counted in [([incident.integration], 1), (["other@prod"], 0), ([], 0)]:
            told = effects.others_since(session, "key.promote", "key:", since, later, among)
            assert told == counted


def test_two_who_page_at_once_send_under_one_key(any_watch: Watch, incident: Incident) -> None:
    """Health check and sweep may both page: the far side sees one key, and neither breaks."""
    far = Far()

    async def both() -> list[Any]:
        duty = Duty.unfenced(incident)

        def act() -> Any:
            do = far.doing(duty, PAGE_TRIGGER, "1")
            return asyncio.run(perform(any_watch, duty, PAGE_TRIGGER, "1", do))

        tries = [asyncio.to_thread(act) for _ in range(6)]
        return await asyncio.gather(*tries, return_exceptions=True)

    got = asyncio.run(both())
    assert all(g is S.DONE or isinstance(g, Transient) for g in got), got
    assert S.DONE in got
    assert len(set(far.keys)) == 1


# --- real deaths --------------------------------------------------------------------------------

POINTS = [(k.step, p) for k in SENT for p in ("before", "after", "committed")] + [
    (k.step, p) for k in (JOB_PAUSE, RATE_CAP) for p in ("after", "committed")
]


def test_a_process_killed_anywhere_leaves_what_the_next_one_needs(
    any_watch: Watch, incident: Incident, database_url: str, tmp_path: Path
) -> None:
    """SIGKILL at each point of each effect: the next process brings it about, and the far side
    counts one effect, or one key where it dedups."""
    home = tmp_path / "lab"
    home.mkdir()
    assert incident.id == ledger_lab.INCIDENT
    cases = "".join(json.dumps({"step": s, "point": p}) + "\n" for s, p in POINTS)
    done = subprocess.run(
        [sys.executable, ledger_lab.__file__, str(home), database_url],
        input=cases,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["status"] for t in told] == [-signal.SIGKILL] * len(POINTS)
    watch = Watch(any_watch.settings.model_copy(update={"home": home}), any_watch.store)
    for step, point in POINTS:
        kind, target = REGISTRY[step], f"{step}-{point}"
        state = asyncio.run(ledger_lab.once(watch, kind, target))
        changes = [n for n in notes(watch, incident) if n.text == f"did {target}"]
        far = ledger_lab.far_side(home, target)
        sent = far.read_text().splitlines() if far.exists() else []
        if kind.promise is Promise.TRANSACTION:
            assert (state, len(changes), sent) == ("done", 1, [])
        elif kind.promise is Promise.READ_BACK:
            assert len(sent) == 1
            assert state == ("reconciled" if point == "after" else "done")
        else:
            assert len(set(sent)) == 1
            assert len(sent) == (2 if point == "after" else 1)
