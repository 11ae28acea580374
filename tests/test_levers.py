"""Levers under a lease: a real file of settings is set and set back, whoever dies in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import INTEGRATIONS, Clock, store_key
from making import HOUR, MINUTE, NAME, lease, opened

from watchkeeper.effects import EffectState
from watchkeeper.errors import Ambiguous, Halted, Permanent, Transient, UserError
from watchkeeper.incident import Incident
from watchkeeper.mitigation.lease import Lease, LeaseKind, Shown, Undo, undo_of
from watchkeeper.performing import pulling, releasing
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.levers import Lever, lever_of
from watchkeeper.performing.responding import Given, begin_again
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.watch import Watch
from watchkeeper.settings import Settings
from watchkeeper.store import effects, incidents, leases
from watchkeeper.store.engine import Store

SETTING = LeaseKind.SETTING
ENTRY = f"{INTEGRATIONS}    settings: {{kind: file, path: service.json}}\n"
BEFORE = {"model": "ear-3", "max_retries": 1, "refuse": None, "theirs": [1, 2]}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all of them: its runbook is read once, which takes longer than most tests."""
    folder = tmp_path_factory.mktemp("house")
    store_key(folder)
    (folder / "integrations.yaml").write_text(ENTRY)
    return folder


@pytest.fixture
def watch(house: Path, lite_store: Store, clock: Clock) -> Watch:
    settings = Settings(home=house, integrations=house / "integrations.yaml")
    return Watch(settings, lite_store, clock.now)


@pytest.fixture
def service(house: Path) -> Path:
    """The file that our service reads its settings from."""
    path = house / "service.json"
    path.write_text(json.dumps(BEFORE))
    return path


@pytest.fixture
def incident(watch: Watch, service: Path) -> Incident:
    return opened(watch)


@pytest.fixture
def duty(incident: Incident) -> Duty:
    return Duty.unfenced(incident)


def shown(service: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(service.read_text())
    return found


def person_sets(service: Path, **values: object) -> None:
    service.write_text(json.dumps(shown(service) | values))


def lever(watch: Watch, name: str = "model") -> Lever:
    return lever_of(watch, watch.integration(NAME), SETTING, name)


def pull(watch: Watch, duty: Duty, value: str = "ear-2", by: Lever | None = None) -> str:
    given = by or lever(watch)
    return asyncio.run(pulling.pull(watch, duty, NAME, given, value, HOUR))


def held(watch: Watch, duty: Duty) -> tuple[Lease, ...]:
    with watch.store.read() as session:
        return leases.active(session, duty.incident_id)


def end(watch: Watch, duty: Duty) -> tuple[str, ...]:
    return asyncio.run(releasing.end_leases(watch, duty, "well again"))


def told(watch: Watch, duty: Duty) -> list[str]:
    with watch.store.read() as session:
        return [e.text for e in incidents.timeline(session, duty.incident_id)]


def entries(watch: Watch, duty: Duty) -> list[tuple[str, str]]:
    with watch.store.read() as session:
        return [(e.says, e.state) for e in effects.entries(session, duty.incident_id)]


# --- set and set back ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "was", "now"),
    [
        ("model", "ear-2", "ear-3", "ear-2"),
        ("max_retries", "3", "1", 3),
        # What was not set goes back to not set.
        ("refuse", "deferrable", "its default", "deferrable"),
    ],
)
def test_it_is_set_and_set_back_to_just_what_it_was(
    watch: Watch, duty: Duty, service: Path, name: str, value: str, was: str, now: object
) -> None:
    """What was before is written down first, and nothing else in the file is touched."""
    assert pull(watch, duty, value, lever(watch, name)) == f"{name}: {value}, was {was}"
    assert shown(service) == BEFORE | {name: now}
    (taken,) = held(watch, duty)
    before = BEFORE[name]
    assert taken.prior["value"] == (None if before is None else str(before))
    assert (taken.applied["value"], taken.expires_at) == (value, watch.now() + HOUR)
    assert end(watch, duty) == (f"{name}: back to {was}",)
    assert shown(service) == BEFORE
    assert held(watch, duty) == ()
    assert told(watch, duty)[-1] == f"set {name} back: back to {was}"
    assert entries(watch, duty) == [
        (f"set {name} of the service", "done"),
        (f"set {name} back", "done"),
    ]


def test_what_is_so_already_is_left_alone(watch: Watch, duty: Duty, service: Path) -> None:
    """By somebody else's hand: it is not ours to set back."""
    person_sets(service, model="ear-2")
    assert pull(watch, duty) == "model: left alone, is ear-2 already"
    assert held(watch, duty) == ()
    assert entries(watch, duty) == []
    assert end(watch, duty) == ()
    assert shown(service)["model"] == "ear-2"


@pytest.mark.parametrize("theirs", ["ear-4", None])
def test_what_a_person_set_since_stays_as_they_set_it(
    watch: Watch, duty: Duty, service: Path, theirs: str | None
) -> None:
    """They have the last word, and it is told."""
    pull(watch, duty)
    person_sets(service, model=theirs)
    words = f"left as somebody set it ({theirs or 'its default'})"
    assert end(watch, duty) == (f"model: {words}",)
    assert shown(service)["model"] == theirs
    assert held(watch, duty) == ()
    assert told(watch, duty)[-1] == f"set model back: {words}"


def test_pulling_again_changes_nothing(watch: Watch, duty: Duty, service: Path) -> None:
    """A run that is entered again finds it done, and what was before is not forgotten."""
    pull(watch, duty)
    first = held(watch, duty)
    stamp = service.stat().st_mtime_ns
    assert pull(watch, duty) == "model: ear-2, was ear-3"
    assert (held(watch, duty), service.stat().st_mtime_ns) == (first, stamp)


def test_ended_once_it_can_be_taken_again(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """A later taking has a prior and effects of its own; who holds the first one ends nothing."""
    pull(watch, duty)
    (first,) = held(watch, duty)
    end(watch, duty)
    person_sets(service, model="ear-4")
    clock.advance(MINUTE)
    assert pull(watch, duty) == "model: ear-2, was ear-4"
    assert asyncio.run(releasing.end_lease(watch, duty, first, "late")).endswith("undone before")
    assert len(held(watch, duty)) == 1
    assert end(watch, duty) == ("model: back to ear-4",)


# --- changed once more by this incident ---------------------------------------------------------


@pytest.mark.parametrize("round_too", [False, True])
def test_changed_once_more_it_goes_back_to_what_it_was_before_us(
    watch: Watch, incident: Incident, duty: Duty, service: Path, clock: Clock, round_too: bool
) -> None:
    """By another mitigation of this round, or of a later one: both changes are ours."""
    pull(watch, duty, "ear-2")
    clock.advance(MINUTE)
    if round_too:
        with watch.store.write() as session:
            duty = Duty.unfenced(begin_again(session, incident.id, clock.now()))
    assert pull(watch, duty, "ear-1") == "model: ear-1, was ear-3"
    assert shown(service)["model"] == "ear-1"
    assert [x.prior["value"] for x in held(watch, duty)] == ["ear-3"]
    assert end(watch, duty) == ("model: back to ear-3",)
    assert shown(service) == BEFORE


def test_killed_before_it_was_changed_once_more_it_still_goes_back(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """What it shows is what we had set before: ours, and no person's."""
    pull(watch, duty, "ear-2")
    clock.advance(MINUTE)
    with pytest.raises(Killed):
        pull(watch, duty, "ear-1", Bomb(2).on(lever(watch)))
    assert shown(service)["model"] == "ear-2"
    assert end(watch, duty) == ("model: back to ear-3",)
    assert shown(service) == BEFORE


def test_what_a_person_set_in_between_is_what_it_goes_back_to(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """Changed once more by us, their word is the one that was before."""
    pull(watch, duty, "ear-2")
    clock.advance(MINUTE)
    person_sets(service, model="ear-4")
    assert pull(watch, duty, "ear-1") == "model: ear-1, was ear-4"
    assert end(watch, duty) == ("model: back to ear-4",)


# --- whoever dies in it -------------------------------------------------------------------------


class Killed(BaseException):
    """As a kill would: nothing catches it, and nothing is written after it."""


@dataclass
class Bomb:
    """Dies at the so-many-th moment: before and after each call of the lever."""

    at: int
    passed: int = field(default=0, init=False)

    def tick(self) -> None:
        self.passed += 1
        if self.passed == self.at:
            raise Killed

    def around(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def wrapped(*given: Any) -> Any:
            self.tick()
            answer = await call(*given)
            self.tick()
            return answer

        return wrapped

    def on(self, given: Lever) -> Lever:
        return replace(given, read=self.around(given.read), write=self.around(given.write))


# Reading, writing and reading again: two moments each, and none after them.
MOMENTS = range(1, 7)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_it_sets_it_is_finished_by_another(
    watch: Watch, duty: Duty, service: Path, moment: int
) -> None:
    """It is set once, and goes back to what it was before the first of them."""
    with pytest.raises(Killed):
        pull(watch, duty, by=Bomb(moment).on(lever(watch)))
    assert pull(watch, duty) == "model: ear-2, was ear-3"
    assert shown(service) == BEFORE | {"model": "ear-2"}
    assert len(held(watch, duty)) == 1
    assert end(watch, duty) == ("model: back to ear-3",)
    assert shown(service) == BEFORE


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_it_sets_and_never_finished_it_is_set_back(
    watch: Watch, duty: Duty, service: Path, moment: int
) -> None:
    """When its time is over, or the incident is: nothing of ours is left behind."""
    with pytest.raises(Killed):
        pull(watch, duty, by=Bomb(moment).on(lever(watch)))
    end(watch, duty)
    assert shown(service) == BEFORE
    assert held(watch, duty) == ()


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_it_sets_back_it_is_finished_by_another(
    watch: Watch, duty: Duty, service: Path, moment: int
) -> None:
    """It is set back once, by us, and told so: nobody else was at it."""
    pull(watch, duty)
    (taken,) = held(watch, duty)
    with pytest.raises(Killed):
        asyncio.run(pulling.put_back(watch, duty, Bomb(moment).on(lever(watch)), taken))
    assert end(watch, duty) == ("model: back to ear-3",)
    assert shown(service) == BEFORE
    assert held(watch, duty) == ()
    assert [state for says, state in entries(watch, duty) if says == "set model back"] in (
        ["done"],
        ["reconciled"],
    )


def test_no_further_moment_is_left_to_die_in(watch: Watch, duty: Duty) -> None:
    """The moments above are all there are: a later one never comes."""
    for act in (
        lambda by: pull(watch, duty, by=by),
        lambda by: asyncio.run(pulling.put_back(watch, duty, by, held(watch, duty)[0])),
    ):
        bomb = Bomb(99)
        act(bomb.on(lever(watch)))
        assert bomb.passed == max(MOMENTS)


def test_set_back_and_killed_before_the_lease_had_ended(
    watch: Watch, duty: Duty, service: Path
) -> None:
    """The one who comes by ends the lease; what a person set since then is not touched again."""
    for theirs in (None, "ear-2", "ear-4"):
        service.write_text(json.dumps(BEFORE))
        pull(watch, duty)
        (taken,) = held(watch, duty)
        asyncio.run(pulling.put_back(watch, duty, lever(watch), taken))
        if theirs is not None:
            person_sets(service, model=theirs)
        now = theirs or "ear-3"
        says = f"left as somebody set it ({theirs})" if theirs else "back to ear-3"
        assert end(watch, duty) == (f"model: {says}",)
        assert (shown(service)["model"], held(watch, duty)) == (now, ())
        break_the_tie(watch)


def break_the_tie(watch: Watch) -> None:
    """A taking is told from another by its time."""
    clock = watch.now.__self__  # type: ignore[attr-defined]
    clock.advance(MINUTE)


# --- what goes wrong ----------------------------------------------------------------------------


def failing(given: Lever, error: Exception, *, done: bool = False) -> Lever:
    async def write(value: str | None) -> object:
        if done:
            await given.write(value)
        raise error

    return replace(given, write=write)


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Transient("busy"), EffectState.PLANNED),
        (Permanent("no such setting"), EffectState.REJECTED),
        (Ambiguous("no answer"), EffectState.UNKNOWN),
    ],
)
def test_a_call_that_fails_leaves_a_lease_and_is_tried_again(
    watch: Watch, duty: Duty, service: Path, error: Exception, state: EffectState
) -> None:
    """The ledger says what is known."""
    with pytest.raises(type(error)):
        pull(watch, duty, by=failing(lever(watch), error))
    assert entries(watch, duty) == [("set model of the service", state.value)]
    assert len(held(watch, duty)) == 1
    assert pull(watch, duty) == "model: ear-2, was ear-3"
    assert end(watch, duty) == ("model: back to ear-3",)


def test_what_was_done_without_an_answer_is_found_done(
    watch: Watch, duty: Duty, service: Path
) -> None:
    """It shows: nobody need be called for it, and it is not done twice."""
    silent = failing(lever(watch), Ambiguous("no answer"), done=True)
    assert pull(watch, duty, by=silent) == "model: ear-2, was ear-3"
    assert entries(watch, duty) == [("set model of the service", "reconciled")]
    assert end(watch, duty) == ("model: back to ear-3",)


def test_a_value_that_does_not_show_is_no_success(watch: Watch, duty: Duty, service: Path) -> None:
    """Set and said so, and not there: it is tried again, and its lease is ended by reading."""

    async def nothing(value: str | None) -> object:
        return value

    deaf = replace(lever(watch), write=nothing)
    with pytest.raises(Transient, match="model shows ear-3, not ear-2"):
        pull(watch, duty, by=deaf)
    assert end(watch, duty)[0].startswith("model: ")
    assert (shown(service), held(watch, duty)) == (BEFORE, ())


def test_what_cannot_be_set_back_stays_held(watch: Watch, duty: Duty, service: Path) -> None:
    """The sweep tries again; it is not forgotten."""
    pull(watch, duty)
    text = service.read_text()
    service.write_text("{")
    with pytest.raises(Permanent, match=r"service\.json"):
        end(watch, duty)
    assert len(held(watch, duty)) == 1
    service.write_text(text)
    assert end(watch, duty) == ("model: back to ear-3",)


def test_the_kill_switch_stops_setting_and_not_setting_back(
    watch: Watch, duty: Duty, service: Path
) -> None:
    """Nothing is even written down for what was not begun."""
    pull(watch, duty)
    watch.settings.halt_file.touch()
    try:
        with pytest.raises(Halted):
            pull(watch, duty, "3", lever(watch, "max_retries"))
        assert [x.target for x in held(watch, duty)] == ["model"]
        assert end(watch, duty) == ("model: back to ear-3",)
    finally:
        watch.settings.halt_file.unlink()
    assert shown(service) == BEFORE


def test_an_integration_that_has_it_no_more(watch: Watch, duty: Duty, service: Path) -> None:
    """Said in words, and the lease stays: somebody must know that it is still set."""
    pull(watch, duty)
    entry = watch.settings.integrations
    entry.write_text(INTEGRATIONS)
    try:
        with pytest.raises(UserError, match=r"has no settings in integrations\.yaml any more"):
            end(watch, duty)
    finally:
        entry.write_text(ENTRY)
    assert len(held(watch, duty)) == 1
    assert end(watch, duty) == ("model: back to ear-3",)


# --- the sweep ----------------------------------------------------------------------------------


class Nobody:
    """Starts nothing: only the leases are looked at here."""

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        del deployment, parameters, key

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        return ()

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        del flow_run_id, decision, by, reason


def swept(watch: Watch) -> list[str]:
    said = asyncio.run(sweep(watch, Nobody()))
    return [line for line in said if "model" in line]


def test_a_sweep_lets_go_of_what_a_person_has_set(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """Within a minute it is theirs: what they set later, back to ours even, is not undone."""
    pull(watch, duty)
    person_sets(service, model="ear-4")
    assert swept(watch) == []
    clock.advance(MINUTE)
    assert swept(watch) == ["INC-1: model left as somebody set it (ear-4)"]
    assert held(watch, duty) == ()
    person_sets(service, model="ear-2")
    assert end(watch, duty) == ()
    assert shown(service)["model"] == "ear-2"


def test_a_sweep_leaves_alone_what_is_as_we_set_it(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """Nor does it take what is still being set for a person's doing."""
    pull(watch, duty)
    with pytest.raises(Killed):
        pull(watch, duty, "3", Bomb(3).on(lever(watch, "max_retries")))
    clock.advance(2 * MINUTE)
    assert swept(watch) == []
    assert {x.target for x in held(watch, duty)} == {"model", "max_retries"}
    assert {x.heartbeat_at for x in held(watch, duty)} == {clock.now()}


def test_a_sweep_sets_back_what_has_had_its_time(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """Whoever took it is gone."""
    pull(watch, duty)
    clock.advance(HOUR)
    assert swept(watch) == ["model: back to ear-3"]
    assert (shown(service), held(watch, duty)) == (BEFORE, ())


def test_a_sweep_goes_on_where_it_could_not_be_set_back(
    watch: Watch, duty: Duty, service: Path, clock: Clock
) -> None:
    """Until it can be."""
    pull(watch, duty)
    clock.advance(HOUR)
    text = service.read_text()
    service.unlink()
    swept(watch)
    assert len(held(watch, duty)) == 1
    service.write_text(text)
    clock.advance(timedelta(seconds=15))
    assert swept(watch) == ["model: back to ear-3"]


# --- what ending it does, by what it shows ------------------------------------------------------

OURS = {"prior": {"value": "a"}, "applied": {"value": "b", "mark": "7"}}
FRESH = {"prior": {"value": "a"}, "applied": {"value": "b"}}
ONCE_MORE = {"prior": {"value": "a"}, "applied": {"value": "c", "instead": "b"}}
SEEN_ONCE_MORE = {"prior": {"value": "a"}, "applied": {"value": "c", "instead": "b", "mark": ""}}
UNSET = {"prior": {"value": None}, "applied": {"value": "b", "mark": ""}}

UNDOINGS: list[tuple[str, dict[str, Any], Shown, Undo]] = [
    ("ours, untouched", OURS, Shown("b", "7"), Undo(True, "a", "back to a")),
    ("it keeps no marks", OURS, Shown("b"), Undo(True, "a", "back to a")),
    (
        "set elsewhere and to ours again",
        OURS,
        Shown("b", "9"),
        Undo(False, None, "left as somebody left it (b)"),
    ),
    ("set otherwise", OURS, Shown("x", "8"), Undo(False, None, "left as somebody set it (x)")),
    (
        "taken back to its default",
        OURS,
        Shown(None, "8"),
        Undo(False, None, "left as somebody set it (its default)"),
    ),
    ("still being set, and done", FRESH, Shown("b", "7"), Undo(True, "a", "back to a")),
    ("was not set", UNSET, Shown("b"), Undo(True, None, "back to its default")),
    ("being changed once more", ONCE_MORE, Shown("b"), Undo(True, "a", "back to a")),
    ("changed once more", ONCE_MORE, Shown("c"), Undo(True, "a", "back to a")),
    (
        "set by a person to what we had before",
        SEEN_ONCE_MORE,
        Shown("b"),
        Undo(False, None, "left as somebody set it (b)"),
    ),
    (
        "as it was before us",
        {"prior": {"value": "b"}, "applied": {"value": "b"}},
        Shown("b"),
        Undo(False, None, "was b before"),
    ),
]


@pytest.mark.parametrize(
    ("given", "seen", "undo"), [u[1:] for u in UNDOINGS], ids=[u[0] for u in UNDOINGS]
)
def test_only_what_this_incident_changed_is_changed_back(
    given: dict[str, Any], seen: Shown, undo: Undo
) -> None:
    """Whoever came after us has the last word."""
    assert undo_of(lease("model", SETTING, **given), seen) == undo
