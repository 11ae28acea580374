"""The sweep against every way in which an open incident can be left alone."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import INTEGRATIONS, Clock
from hooks_lab import FarSide, far_side
from making import HOUR, MINUTE, NAME
from sqlmodel import select

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Halted, Transient
from watchkeeper.gaps import WindowState, plan_windows
from watchkeeper.incident import Incident, State
from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.mitigation.plan import Plan
from watchkeeper.performing import leasing, opening, paging, responding
from watchkeeper.performing.answering import SETTLES_IN
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.reporting import report_of
from watchkeeper.performing.responding import (
    WAITING,
    Given,
    dispatch,
    lock_name,
    on_duty,
    suspended,
)
from watchkeeper.performing.standing import standing
from watchkeeper.performing.sweeping import sweep, wants_responder
from watchkeeper.performing.watch import Watch
from watchkeeper.performing.watch_facts import state_of_watch
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import approvals, effects, gaps, incidents, jobs, locks, pages
from watchkeeper.store.tables import ApprovalRow

OTHER = "maintainx@other"
TTL, START = timedelta(seconds=60), timedelta(seconds=120)
# The far side outlives a test: each incident there was opened on a day of its own.
_DAYS = count(1)
ROUTING_KEY = "0123456789abcdef" * 2


@dataclass
class Recorder:
    """An executor that remembers what it was asked, and can be out of reach."""

    started: list[tuple[int, int, str]] = field(default_factory=list)
    woken: list[tuple[str, str, str]] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    broken: bool = False
    waits: asyncio.Event | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
        assert deployment == "respond/respond"
        if self.waits is not None:
            self.reached.set()
            await self.waits.wait()
        if self.broken:
            raise Transient("Prefect does not answer")
        incident, epoch = parameters["incident_id"], parameters["epoch"]
        assert isinstance(incident, int)
        assert isinstance(epoch, int)
        self.started.append((incident, epoch, key))

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        if self.broken:
            raise Transient("Prefect does not answer")
        return tuple(self.given)

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None:
        if self.broken:
            raise Transient("Prefect does not answer")
        self.woken.append((flow_run_id, decision, by))

    @property
    def epochs(self) -> list[tuple[int, int]]:
        return [(incident, epoch) for incident, epoch, _ in self.started]


@pytest.fixture
def executor() -> Recorder:
    return Recorder()


def opened(watch: Watch, name: str = NAME, severity: int = 1) -> Incident:
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=name,
            diagnosis_summary="all refused",
            severity=severity,
            opened_by="health",
            started_at=watch.now(),
            now=watch.now(),
            reopen_since=watch.now() - 30 * MINUTE,
        )[0]


@pytest.fixture
def incident(watch: Watch) -> Incident:
    return opened(watch)


def swept(watch: Watch, executor: Recorder) -> tuple[str, ...]:
    return asyncio.run(sweep(watch, executor))


def state(watch: Watch, incident: Incident, to: State, **more: Any) -> None:
    chain = list(State)
    with watch.store.write() as session:
        if to in (State.RESOLVED, State.SETTLING, State.CLOSED):
            incidents.recovered(session, incident.id, watch.now(), watch.now() + 2 * HOUR)
        for step in chain[1 : chain.index(to) + 1]:
            incidents.move(session, incident.id, step, watch.now())


def told(watch: Watch, incident: Incident) -> list[str]:
    with watch.store.read() as session:
        return [line.text for line in incidents.timeline(session, incident.id)]


# --- responders ---------------------------------------------------------------------------------


def test_an_incident_without_a_responder_gets_one(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """Started once; while it is on its way the next sweeps start no other."""
    assert f"INC-{incident.id}: started responder 1" in swept(watch, executor)
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1)]
    assert executor.started[0][2] == f"respond:{NAME}:{incident.id}:20260302T090000000000:1"


def test_a_responder_that_never_came_is_started_again(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """The place that was kept for it runs out, and the new one has a number and a key of its own."""
    swept(watch, executor)
    clock.advance(START - timedelta(seconds=1))
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1)]
    clock.advance(timedelta(seconds=1))
    swept(watch, executor)
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1), (incident.id, 2)]
    assert len({key for *_, key in executor.started}) == 2


def test_a_live_responder_is_left_alone(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """While its lock is held, no other is started; once it let go, the next sweep starts one."""

    async def responds() -> None:
        epoch = await dispatch(watch, incident, executor)
        assert epoch == 1
        async with on_duty(watch, incident, epoch, "run-1") as duty:
            assert duty is not None
            clock.advance(TTL - timedelta(seconds=1))
            await sweep(watch, executor)
        assert executor.epochs == [(incident.id, 1)]
        await sweep(watch, executor)
        assert executor.epochs == [(incident.id, 1), (incident.id, 2)]

    asyncio.run(responds())


def test_a_dead_responder_is_replaced_and_finds_itself_replaced(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """Silent for its lease, it counts as dead: exactly one new one is started, and the old one,
    should it be merely slow, holds a stale fence."""

    async def dies() -> None:
        assert await dispatch(watch, incident, executor) == 1
        async with on_duty(watch, incident, 1, "run-1") as old:
            assert old is not None
            clock.advance(TTL)
            for _ in range(3):
                await sweep(watch, executor)
            assert executor.epochs == [(incident.id, 1), (incident.id, 2)]
            async with on_duty(watch, incident, 2, "run-2") as new:
                assert new is not None
                assert new.fence > old.fence
            with watch.store.read() as session, pytest.raises(Exception, match="taken over"):
                old.check(session)

    asyncio.run(dies())


def test_one_responder_at_a_time(watch: Watch, incident: Incident, executor: Recorder) -> None:
    """A second run for the same incident is told that another one sees to it."""

    async def both() -> None:
        await dispatch(watch, incident, executor)
        async with on_duty(watch, incident, 1, "run-1") as first:
            assert first is not None
            async with on_duty(watch, incident, 1, "run-2") as second:
                assert second is None
            async with on_duty(watch, incident, 1, "run-1") as again:
                assert again is not None

    asyncio.run(both())


def test_a_failed_responder_is_followed_after_a_pause(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """A run that fails leaves its lock to run out: failures do not chase each other."""

    async def fails() -> None:
        await dispatch(watch, incident, executor)
        with pytest.raises(ZeroDivisionError):
            async with on_duty(watch, incident, 1, "run-1"):
                raise ZeroDivisionError
        await sweep(watch, executor)
        assert len(executor.started) == 1
        clock.advance(TTL)
        await sweep(watch, executor)
        assert len(executor.started) == 2

    asyncio.run(fails())


def test_a_server_that_does_not_answer_is_asked_again(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """What could not be started is reported and tried again; no epoch is used twice."""
    executor.broken = True
    assert "not done: Prefect does not answer" in swept(watch, executor)
    executor.broken = False
    clock.advance(START)
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 2)]


def test_a_settling_incident_has_nothing_to_do_before_its_time(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """No process need live for two hours; when the lists have caught up, a responder compares."""
    state(watch, incident, State.SETTLING)
    clock.advance(2 * HOUR - timedelta(seconds=1))
    assert swept(watch, executor) == ()
    clock.advance(timedelta(seconds=1))
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1)]


def test_a_closed_incident_has_its_report_and_is_left_alone(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """A responder that died between closing and reporting owes a report; then nothing is left."""
    state(watch, incident, State.CLOSED)
    assert swept(watch, executor) == (f"INC-{incident.id}: wrote its report",)
    assert (watch.settings.reports / f"incident-{incident.id}.md").exists()
    assert swept(watch, executor) == ()
    assert executor.started == []
    with watch.store.read() as session:
        closed = incidents.get(session, incident.id)
    assert not wants_responder(closed, watch.now())


# --- people -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pager")
    with Processes(folder) as processes:
        yield processes.start(["pager", "--ca-file", str(folder / "ca.pem")])


@pytest.fixture
def sim(pager: dict[str, Any]) -> Iterator[httpx.Client]:
    tls = ssl.create_default_context(cafile=pager["ca_file"])
    with httpx.Client(base_url=f"{pager['url']}/_sim", verify=tls) as client:
        yield client
        client.delete("/faults")


@pytest.fixture
def paged(watch: Watch, pager: dict[str, Any], tmp_path: Path) -> Watch:
    """The watch with a pager that answers. Its clock is of this test alone, so are its keys."""
    keys = open_rotatable("file:routing.json", tmp_path)
    keys.promote(keys.offer(Secret(ROUTING_KEY)))
    entry = {
        "routing_key": "file:routing.json",
        "base_url": pager["url"],
        "ca_file": pager["ca_file"],
    }
    watch.settings.integrations.write_text(f"{INTEGRATIONS}    pager: {json.dumps(entry)}\n")
    return watch


def alerts(sim: httpx.Client, watch: Watch, incident: Incident) -> dict[int, dict[str, Any]]:
    """What the far side knows of this incident, by rung."""
    found = sim.get("/pages").json()["incidents"]
    keys = {level: paging.dedup_key(incident, level) for level in (1, 2, 3, 4)}
    return {level: found[key] for level, key in keys.items() if key in found}


@pytest.fixture
def alarm(paged: Watch, clock: Clock) -> Incident:
    """An incident whose dedup keys no other test has used."""
    clock.at += timedelta(days=next(_DAYS))
    return opened(paged)


def test_each_rung_is_called_once_at_its_time(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """The first at once, the next ones while nobody acknowledges, none of them twice."""
    for minutes, rungs in ((0, 1), (0, 1), (14, 1), (1, 2), (0, 2), (15, 3), (30, 4), (600, 4)):
        clock.advance(minutes * MINUTE)
        swept(paged, executor)
        found = alerts(sim, paged, alarm)
        assert sorted(found) == list(range(1, rungs + 1))
        assert {a["triggers"] for a in found.values()} == {1}
    assert "paged on-call engineer" in told(paged, alarm)
    assert "paged VP engineering" in told(paged, alarm)


def test_responders_that_come_to_no_end_call_people(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """Three in a row, well before the ladder's time; and each further one calls the next rung."""
    for called in ([1], [1], [1], [1, 2], [1, 2, 3]):
        swept(paged, executor)
        assert sorted(alerts(sim, paged, alarm)) == called
        clock.advance(START)
    lost = "responders in a row came to no end: the next one is tried, and people are called"
    assert [text for text in told(paged, alarm) if lost in text] == [f"3 {lost}", f"4 {lost}"]


def test_one_that_ends_well_is_not_counted(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock
) -> None:
    """Nor one that the kill switch held back: neither of them died."""

    async def one(epoch: int, error: Exception | None) -> None:
        assert await dispatch(paged, alarm, executor) == epoch
        with suppress(Halted):
            async with on_duty(paged, alarm, epoch, f"run-{epoch}"):
                if error is not None:
                    raise error

    for epoch, error in enumerate((Halted("-"), Halted("-"), Halted("-"), None), start=1):
        asyncio.run(one(epoch, error))
        clock.advance(TTL)
    with paged.store.read() as session:
        assert locks.lost(session, lock_name(alarm.id)) == 0


def test_who_was_called_at_its_end_is_told_when_it_is_over(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """The all-clear of the service resolves no page that came after it: that one was for something
    else, such as an old key that lives on, and goes when the incident is closed."""
    swept(paged, executor)
    state(paged, alarm, State.SETTLING)
    clock.advance(MINUTE)
    watched = paged.integration(NAME)
    asyncio.run(paging.call_next(paged, watched, alarm))
    swept(paged, executor)
    found = alerts(sim, paged, alarm)
    assert {level: a["state"] for level, a in found.items()} == {1: "resolved", 2: "triggered"}
    with paged.store.write() as session:
        incidents.move(session, alarm.id, State.CLOSED, clock.now())
    swept(paged, executor)
    assert alerts(sim, paged, alarm)[2]["state"] == "resolved"


def test_nobody_is_called_after_an_acknowledgement(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """The ladder stops the moment somebody answers."""
    swept(paged, executor)
    clock.advance(14 * MINUTE)
    with paged.store.write() as session:
        pages.acknowledge(session, alarm.id, clock.now())
    clock.advance(5 * HOUR)
    swept(paged, executor)
    assert sorted(alerts(sim, paged, alarm)) == [1]


def test_the_pages_are_resolved_once_the_service_is_well(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """An all-clear that was not given by a responder is given by the sweep, once."""
    swept(paged, executor)
    clock.advance(20 * MINUTE)
    swept(paged, executor)
    state(paged, alarm, State.RESOLVED)
    swept(paged, executor)
    swept(paged, executor)
    found = alerts(sim, paged, alarm)
    assert {level: (a["state"], a["resolves"]) for level, a in found.items()} == {
        1: ("resolved", 1),
        2: ("resolved", 1),
    }


def followed(watch: Watch, first: Incident) -> Incident:
    """A second incident, of another cause, after the first had recovered."""
    now = watch.now()
    with watch.store.write() as session:
        return opening.open_or_join(
            session,
            integration=NAME,
            summary="the platform is down",
            severity=1,
            opened_by="health",
            started_at=now,
            now=now,
            reopen_since=now,
            another=opening.has_recovered,
        )[0]


@pytest.mark.parametrize("until", [State.RESOLVED, State.SETTLING])
def test_one_that_was_set_aside_waits_for_the_one_that_follows_it(
    watch: Watch, executor: Recorder, incident: Incident, clock: Clock, until: State
) -> None:
    """W13: what the first still has to compare needs a vendor that works: no responder is started for
    it before the harm of the second has ended, and one is afterwards."""
    state(watch, incident, until)
    second = followed(watch, incident)
    clock.advance(3 * HOUR)
    swept(watch, executor)
    assert executor.epochs == [(second.id, 1)]
    status = standing(watch, state_of_watch(watch))
    said = {i["id"]: (i["follows"], i["waits_for"]) for i in status["incidents"]}
    assert said == {incident.id: (None, second.id), second.id: (incident.id, None)}
    state(watch, second, State.RESOLVED)
    clock.advance(HOUR)
    swept(watch, executor)
    assert {number for number, _ in executor.epochs} == {incident.id, second.id}


def test_a_relapse_calls_people_again_from_the_first_rung(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """Hours after the first page, and acknowledged then: the new page is a new alert with a clock of
    its own, and its ladder climbs again."""
    swept(paged, executor)
    with paged.store.write() as session:
        pages.acknowledge(session, alarm.id, clock.now())
    clock.advance(2 * HOUR)
    state(paged, alarm, State.RESOLVED)
    swept(paged, executor)
    with paged.store.write() as session:
        incidents.relapse(session, alarm.id, clock.now())
    swept(paged, executor)
    found = alerts(sim, paged, alarm)
    assert {level: (a["state"], a["alerts"]) for level, a in found.items()} == {1: ("triggered", 2)}
    clock.advance(15 * MINUTE)
    swept(paged, executor)
    assert sorted(alerts(sim, paged, alarm)) == [1, 2]


def test_a_page_that_may_have_arrived_is_sent_again_under_its_key(
    paged: Watch, alarm: Incident, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """The far side took it and its answer was lost: the next sweep sends again, and one alert is
    all there is."""
    sim.post("/faults", json={"kind": "drop_reply", "count": 1})
    first = [said for said in swept(paged, executor) if "could not be paged: pagerduty" in said]
    assert first
    swept(paged, executor)
    (found,) = alerts(sim, paged, alarm).values()
    assert (found["alerts"], found["triggers"]) == (1, 2)


def test_a_severity_that_wakes_nobody_wakes_nobody(
    paged: Watch, executor: Recorder, clock: Clock, sim: httpx.Client
) -> None:
    """A slow vendor is for the morning."""
    clock.advance(timedelta(days=next(_DAYS)))
    mild = opened(paged, severity=3)
    swept(paged, executor)
    clock.advance(5 * HOUR)
    swept(paged, executor)
    assert alerts(sim, paged, mild) == {}


def test_without_a_pager_it_is_said_once(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """A missing pager is on the timeline, and does not flood it."""
    for _ in range(4):
        swept(watch, executor)
        clock.advance(TTL)
    said = [text for text in told(watch, incident) if "could not be paged" in text]
    assert said == [f"on-call engineer could not be paged: {paging.NO_CHANNEL}"]


# --- channels that do not take a page ------------------------------------------------------------

AWAY = "https://127.0.0.1:1"


@pytest.fixture
def hook() -> Iterator[FarSide]:
    with far_side() as one:
        yield one


def set_channels(watch: Watch, pager: dict[str, Any], url: str, hook: FarSide | None) -> None:
    """PagerDuty at an address, then a webhook where there is one."""
    first = {
        "kind": "pagerduty",
        "routing_key": "file:routing.json",
        "base_url": url,
        "ca_file": pager["ca_file"],
    }
    every = [first]
    if hook is not None:
        kept = "file:hook.json"
        store = open_rotatable(kept, watch.secrets_base)
        if not (watch.secrets_base / "hook.json").exists():
            store.promote(store.offer(Secret(hook.url)))
        every.append({"kind": "webhook", "name": "ops-hook", "url": kept})
    watch.settings.integrations.write_text(f"{INTEGRATIONS}    channels: {json.dumps(every)}\n")


def ledger(watch: Watch, incident: Incident) -> dict[str, str]:
    with watch.store.read() as session:
        return {e.says: e.state for e in effects.entries(session, incident.id)}


def events(hook: FarSide) -> list[tuple[str, str]]:
    """(rung, type) of all that the webhook got, in order."""
    return [(str(b["details"]["rung"]), str(b["type"])) for b in hook.bodies]


def test_a_pager_that_is_away_for_an_hour(
    paged: Watch,
    pager: dict[str, Any],
    alarm: Incident,
    executor: Recorder,
    clock: Clock,
    sim: httpx.Client,
    hook: FarSide,
) -> None:
    """W7: the second channel is called at once, the ladder climbs there, and once the pager is back it
    gets one page a rung under the key that it always has; each is resolved once, everywhere."""
    set_channels(paged, pager, AWAY, hook)
    swept(paged, executor)
    assert events(hook) == [("on-call engineer", "page.triggered")]
    assert "paged on-call engineer through ops-hook" in told(paged, alarm)
    for _ in range(6):
        clock.advance(10 * MINUTE)
        swept(paged, executor)
    assert [kind for _, kind in events(hook)] == ["page.triggered"] * 4
    assert alerts(sim, paged, alarm) == {}
    set_channels(paged, pager, pager["url"], hook)
    for _ in range(3):
        clock.advance(2 * MINUTE)
        swept(paged, executor)
    found = alerts(sim, paged, alarm)
    assert sorted(found) == [1, 2, 3, 4]
    assert {(a["alerts"], a["triggers"]) for a in found.values()} == {(1, 1)}
    state(paged, alarm, State.RESOLVED)
    for _ in range(3):
        clock.advance(MINUTE)
        swept(paged, executor)
    assert {a["resolves"] for a in alerts(sim, paged, alarm).values()} == {1}
    assert [kind for _, kind in events(hook)].count("page.resolved") == 4
    assert set(ledger(paged, alarm).values()) == {"done"}


def test_a_page_that_nobody_took_says_so_everywhere(
    paged: Watch,
    pager: dict[str, Any],
    alarm: Incident,
    executor: Recorder,
    clock: Clock,
    sim: httpx.Client,
) -> None:
    """W7: on the timeline with its reason and never as "paged", first in `status`, in the report; and
    the first rung alone is called when the pager is back after an hour."""
    set_channels(paged, pager, AWAY, None)
    for _ in range(4):
        swept(paged, executor)
        clock.advance(15 * MINUTE)
    why = "on-call engineer could not be paged: pagerduty trigger: ConnectError"
    said = [text for text in told(paged, alarm) if "paged" in text]
    assert [text for text in said if "responders" not in text] == [why]
    with paged.store.read() as session:
        (waits,) = pages.untaken(session)
    assert (waits.who, waits.wanted_at) == ("on-call engineer", alarm.opened_at)
    shown = standing(paged, state_of_watch(paged))
    assert next(iter(shown["untaken"]))["reason"] == "pagerduty trigger: ConnectError"
    assert "**Could not be paged**: on-call engineer from 09:00:00Z, and never" in report_of(
        paged, paged.integration(NAME), alarm.id
    )
    set_channels(paged, pager, pager["url"], None)
    swept(paged, executor)
    assert sorted(alerts(sim, paged, alarm)) == [1]
    assert "paged on-call engineer" in told(paged, alarm)
    assert standing(paged, state_of_watch(paged))["untaken"] == []
    late = report_of(paged, paged.integration(NAME), alarm.id)
    assert "**Could not be paged**: on-call engineer from 09:00:00Z to 10:00:00Z" in late


def test_no_delivery_stands_as_sending_for_ever(
    paged: Watch,
    pager: dict[str, Any],
    alarm: Incident,
    executor: Recorder,
    clock: Clock,
    hook: FarSide,
) -> None:
    """W7: whatever a channel did not take has an end when nobody is needed any more: what was surely
    not sent is rejected, what may have been taken is resolved there."""
    hook.status = None
    set_channels(paged, pager, AWAY, hook)
    swept(paged, executor)
    assert set(ledger(paged, alarm).values()) == {"planned", "unknown"}
    hook.status = 200
    state(paged, alarm, State.RESOLVED)
    clock.advance(MINUTE)
    swept(paged, executor)
    assert ledger(paged, alarm) == {
        "page rung 1 by pagerduty": "rejected",
        "page rung 1 by ops-hook": "reconciled",
        "resolve the page of rung 1 by ops-hook": "done",
    }
    assert [kind for _, kind in events(hook)] == ["page.triggered", "page.resolved"]
    assert any("was never paged, and need not be any more" in text for text in told(paged, alarm))


def test_a_channel_that_is_gone_or_never_answers_is_left_to_a_person(
    paged: Watch, pager: dict[str, Any], alarm: Incident, executor: Recorder, clock: Clock
) -> None:
    """An alert that cannot be resolved ends after a day, with the sentence that says what to do."""
    set_channels(paged, pager, pager["url"], None)
    swept(paged, executor)
    set_channels(paged, pager, AWAY, None)
    state(paged, alarm, State.RESOLVED)
    for _ in range(2):
        clock.advance(13 * HOUR)
        swept(paged, executor)
    by_hand = [text for text in told(paged, alarm) if "by hand" in text]
    assert by_hand == [
        "resolve the page to on-call engineer at pagerduty by hand: pagerduty resolve: ConnectError"
    ]
    assert ledger(paged, alarm)["resolve the page of rung 1 by pagerduty"] == "escalated"


def test_lost_responders_are_not_told_as_a_call_that_nobody_took(
    paged: Watch, pager: dict[str, Any], alarm: Incident, executor: Recorder, clock: Clock
) -> None:
    """W7: "people are called" stands on the timeline only where a channel took the page."""
    set_channels(paged, pager, AWAY, None)
    for _ in range(5):
        swept(paged, executor)
        clock.advance(START)
    lost = [text for text in told(paged, alarm) if "came to no end" in text]
    assert lost
    assert not any("people are called" in text for text in lost)
    assert all("on-call engineer could not be paged: pagerduty" in text for text in lost)


# --- leases, questions, windows -----------------------------------------------------------------


def job_is_paused(watch: Watch, name: str = "asset-sync") -> bool:
    with watch.store.read() as session:
        return jobs.get(session, NAME, name).paused


def test_a_lease_whose_time_is_over_is_undone(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """However the incident stands, and even while everything new is halted."""
    action = PauseJobs(jobs=("asset-sync",), lease=HOUR)
    leasing.pause_jobs(watch, Duty.unfenced(incident), NAME, action)
    clock.advance(HOUR - timedelta(seconds=1))
    swept(watch, executor)
    assert job_is_paused(watch)
    watch.settings.halt_file.touch()
    clock.advance(timedelta(seconds=1))
    assert "asset-sync: back to running" in swept(watch, executor)
    assert not job_is_paused(watch)


def test_a_lease_ends_with_its_incident(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """Whoever forgot it: nothing stays paused without a live incident."""
    action = PauseJobs(jobs=("asset-sync",), lease=4 * HOUR)
    leasing.pause_jobs(watch, Duty.unfenced(incident), NAME, action)
    state(watch, incident, State.CLOSED)
    swept(watch, executor)
    assert not job_is_paused(watch)


def asked(watch: Watch, incident: Incident) -> approvals.Approval:
    plan = Plan(integration=NAME, incident_id=incident.id, round=1, cause="x", actions=())
    with watch.store.write() as session:
        question = approvals.ask(session, plan, "-", (), watch.now(), HOUR)
        approvals.waits_in(session, question.id, "run-17")
    return question


async def wait_for_answer(watch: Watch, incident: Incident, executor: Recorder) -> None:
    """A responder that asked and was suspended: its process is gone."""
    await dispatch(watch, incident, executor)
    question = asked(watch, incident)

    async def asks() -> None:
        async with on_duty(watch, incident, 1, "run-17") as duty:
            assert duty is not None
            suspended(watch, duty, question.expires_at)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await asks()


def test_a_run_that_waits_for_a_person_counts_as_alive(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """While its question is open nothing else is started; answered, it is woken with the answer."""

    async def waits() -> None:
        await wait_for_answer(watch, incident, executor)
        clock.advance(HOUR - MINUTE)
        await sweep(watch, executor)
        assert (executor.epochs, executor.woken) == ([(incident.id, 1)], [])
        with watch.store.write() as session:
            approvals.answer(session, incident.id, "approve", by="ann", reason="", now=clock.now())
        await sweep(watch, executor)
        assert executor.woken == [("run-17", "approve", "ann")]
        async with on_duty(watch, incident, 1, "run-17") as back:
            assert back is not None
            await sweep(watch, executor)
        assert len(executor.woken) == 1

    asyncio.run(waits())


def test_a_question_that_nobody_answers_is_a_no(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """It runs out, is told once, and the run is woken with it."""

    async def waits() -> None:
        await wait_for_answer(watch, incident, executor)
        clock.advance(HOUR + SETTLES_IN)
        said = await sweep(watch, executor)
        assert f"INC-{incident.id}: its question ran out" in said
        assert executor.woken[0][:2] == ("run-17", "expired")
        await sweep(watch, executor)

    asyncio.run(waits())
    text = "nobody answered in time: the plan counts as denied"
    assert told(watch, incident).count(text) == 1


def test_a_yes_before_the_deadline_counts_whenever_the_run_wakes(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W3: submitted in Prefect's form 4 s before the deadline; the run wakes 8 s after it. The yes is
    written down with the time at which it was given, and nothing is told as unanswered."""

    async def waits() -> approvals.Approval:
        await wait_for_answer(watch, incident, executor)
        clock.advance(HOUR - timedelta(seconds=4))
        executor.given.append(Given("approve", "ada", "seen it", clock.now()))
        clock.advance(timedelta(seconds=12))
        said = await sweep(watch, executor)
        assert f"INC-{incident.id}: ada answered in time: approve" in said
        with watch.store.read() as session:
            found = approvals.latest(session, incident.id)
        assert found is not None
        return found

    decided = asyncio.run(waits())
    assert (decided.decision, decided.decided_by) == ("approve", "ada")
    with watch.store.read() as session:
        (line,) = [e for e in incidents.timeline(session, incident.id) if e.actor == "ada"]
    assert (line.occurred_at, line.recorded_at) == (
        decided.expires_at - timedelta(seconds=4),
        decided.expires_at + timedelta(seconds=8),
    )
    assert not any("nobody answered" in text for text in told(watch, incident))


def test_a_yes_after_the_deadline_is_told_as_late(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W3: Prefect waits longer than the question lasts; what comes in between does not count."""

    async def waits() -> None:
        await wait_for_answer(watch, incident, executor)
        clock.advance(HOUR + timedelta(seconds=1))
        executor.given.append(Given("approve", "ada", "", clock.now()))
        clock.advance(SETTLES_IN)
        await sweep(watch, executor)

    asyncio.run(waits())
    late = "ada answered at 10:00:01Z, after the deadline (10:00:00Z): the plan counts as denied"
    assert late in told(watch, incident)


def test_a_question_stays_open_while_prefect_cannot_be_asked(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """W3: the server is away at the deadline. Nothing is done, it is said once, and a yes that was given
    in time counts when the server is back."""

    async def waits() -> None:
        await wait_for_answer(watch, incident, executor)
        clock.advance(HOUR - MINUTE)
        executor.given.append(Given("approve", "ada", "", clock.now()))
        executor.broken = True
        for _ in range(3):
            clock.advance(2 * MINUTE)
            await sweep(watch, executor)
        with watch.store.read() as session:
            assert approvals.unanswered(session, incident.id)
        executor.broken = False
        await sweep(watch, executor)
        with watch.store.read() as session:
            found = approvals.latest(session, incident.id)
        assert found is not None
        assert found.decision == "approve"

    asyncio.run(waits())
    said = [text for text in told(watch, incident) if "Prefect's server cannot be asked" in text]
    assert len(said) == 1


def test_a_second_yes_of_one_person_ends_with_the_deadline(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """Where two people are wanted, one who submits twice is one: the question runs out all the same."""

    async def waits() -> None:
        await wait_for_answer(watch, incident, executor)
        with watch.store.write() as session:
            row = session.exec(select(ApprovalRow)).one()
            row.wanted = 2
            session.add(row)
            approvals.answer(session, incident.id, "approve", by="ada", reason="", now=clock.now())
        clock.advance(HOUR - MINUTE)
        executor.given.append(Given("approve", " ada", "", clock.now()))
        clock.advance(2 * MINUTE)
        assert f"INC-{incident.id}: its question ran out" in await sweep(watch, executor)

    asyncio.run(waits())


def test_a_heartbeat_does_not_shorten_the_wait_for_a_person(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """The last beat of a run that is being suspended must not make it look dead a minute later."""

    async def beats() -> None:
        quick = Watch(
            watch.settings.model_copy(update={"responder_lease_s": 0.04}), watch.store, watch.now
        )
        await dispatch(quick, incident, executor)
        async with on_duty(quick, incident, 1, "run-1") as duty:
            assert duty is not None
            suspended(quick, duty, watch.now() + HOUR)
            await asyncio.sleep(0.1)
            with watch.store.read() as session:
                _, until, note = locks.describe(session, lock_name(incident.id))
            assert note == WAITING
            assert until is not None
            assert until >= watch.now() + HOUR

    asyncio.run(beats())


def test_a_heartbeat_keeps_a_long_run_alive(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """As long as its process lives, a responder is not replaced."""

    async def beats() -> None:
        quick = Watch(
            watch.settings.model_copy(update={"responder_lease_s": 0.04}), watch.store, watch.now
        )
        await dispatch(quick, incident, executor)
        async with on_duty(quick, incident, 1, "run-1") as duty:
            assert duty is not None
            clock.advance(timedelta(seconds=0.03))
            for _ in range(100):
                await asyncio.sleep(0.01)
                with watch.store.read() as session:
                    until = locks.describe(session, responding.lock_name(incident.id))[1]
                if until == clock.now() + timedelta(seconds=0.04):
                    return
            raise AssertionError("no heartbeat came")

    asyncio.run(beats())


def test_a_stuck_window_is_released(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """A backfill that died in a window leaves it to the next one."""
    resource = watch.integration(NAME).runbook.resource("workorders")
    with watch.store.write() as session:
        gap = gaps.open_gap(
            session,
            incident_id=incident.id,
            integration=NAME,
            resource="workorders",
            since=clock.now() - HOUR,
            now=clock.now(),
        )
        gap = gaps.bound(session, gap.id, clock.now())
        spans = plan_windows(resource, gap.since, gap.until)
        window = gaps.slice_gap(session, gap.id, spans)[0]
        gaps.claim(session, window.id, "dead", clock.now(), TTL)
    assert "released 1 stuck backfill windows" not in swept(watch, executor)
    clock.advance(TTL)
    assert "released 1 stuck backfill windows" in swept(watch, executor)
    with watch.store.read() as session:
        assert gaps.windows(session, gap.id)[0].state is WindowState.PLANNED


# --- one incident and the others ----------------------------------------------------------------


def test_an_incident_that_cannot_be_looked_after_delays_no_other(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """An integration that was taken out of the file, a broken runbook: the others are seen to."""
    lost = [opened(watch, f"gone{n}@test") for n in range(3)]
    said = swept(watch, executor)
    assert sum(s.startswith("not done: ") for s in said) == 3
    assert (incident.id, 1) in executor.epochs
    assert {i for i, _ in executor.epochs} == {incident.id, *(i.id for i in lost)}


def test_a_report_that_cannot_be_written_delays_no_other(
    watch: Watch, incident: Incident, executor: Recorder
) -> None:
    """Each report is a matter of its own."""
    lost = opened(watch, "gone@test")
    for one in (incident, lost):
        state(watch, one, State.CLOSED)
    said = swept(watch, executor)
    assert f"INC-{incident.id}: wrote its report" in said
    assert any(s.startswith("not done: ") and "gone@test" in s for s in said)


def test_a_fault_of_our_own_delays_no_other(watch: Watch, incident: Incident) -> None:
    """Even an error that nobody thought of in one matter leaves the others looked after."""
    second = opened(watch, OTHER)

    class Odd(Recorder):
        async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None:
            if parameters["incident_id"] == second.id:
                raise RuntimeError("never thought of")
            await super().start(deployment, parameters, key)

    odd = Odd()
    assert "not done: RuntimeError: never thought of" in swept(watch, odd)
    assert odd.epochs == [(incident.id, 1)]


def test_of_two_sweeps_at_once_one_works(watch: Watch, incident: Incident) -> None:
    """In one process or in two: the second leaves it to the first."""

    async def both() -> tuple[tuple[str, ...], tuple[str, ...]]:
        slow = Recorder(waits=asyncio.Event())
        first = asyncio.create_task(sweep(watch, slow))
        async with asyncio.timeout(5):
            await slow.reached.wait()
        second = await sweep(watch, slow)
        assert slow.waits is not None
        slow.waits.set()
        return await first, second

    worked, left = asyncio.run(both())
    assert f"INC-{incident.id}: started responder 1" in worked
    assert left == ()


def test_a_sweep_that_died_is_followed(
    watch: Watch, incident: Incident, executor: Recorder, clock: Clock
) -> None:
    """Its lock runs out like any other."""
    with watch.store.write() as session:
        assert locks.acquire(session, "sweep", "sweep:dead", clock.now(), 2 * MINUTE) == 1
    assert swept(watch, executor) == ()
    clock.advance(2 * MINUTE)
    swept(watch, executor)
    assert executor.epochs == [(incident.id, 1)]


def test_all_of_many_incidents_are_looked_after(watch: Watch, executor: Recorder) -> None:
    """When our own network is down every integration fails at once, and none is forgotten."""
    for n in range(70):
        opened(watch, f"vendor{n}@test")
    swept(watch, executor)
    assert len(executor.started) == 70
