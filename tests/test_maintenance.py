"""Windows of maintenance: what breaks in them is opened and kept, and wakes nobody until they end."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import INTEGRATIONS, Clock
from making import HOUR, MINUTE, NAME, T0, runbook, seen, status_page
from test_cli import ME, home, refused, run, state, well

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.diagnosis import diagnose
from watchkeeper.errors import UserError
from watchkeeper.evidence import MAINTENANCE, Outcome, Reading
from watchkeeper.incident import Incident, Milestone
from watchkeeper.maintenance import Maintenance, is_announced, muted, waiting_since
from watchkeeper.performing import paging
from watchkeeper.performing.quiet import BELIEVED, quiet_now
from watchkeeper.performing.responding import Given
from watchkeeper.performing.sweeping import sweep
from watchkeeper.performing.watch import Watch
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import incidents, maintenance, observations
from watchkeeper.store.engine import Store

__all__ = ["home"]
SECOND = timedelta(seconds=1)


def window(since: datetime = T0, until: datetime = T0 + HOUR, **more: Any) -> Maintenance:
    given: dict[str, Any] = {
        "id": 1,
        "integration": NAME,
        "since": since,
        "until": until,
        "by": "ann",
        "why": "new proxy",
        "ended_at": None,
    }
    return Maintenance(**{**given, **more})


# --- the rule -----------------------------------------------------------------------------------

OURS = "maintenance by ann until 2026-03-02 10:00Z: new proxy"
THEIRS = "the vendor has announced maintenance"
RULE: list[tuple[tuple[Maintenance, ...], bool, datetime, str | None]] = [
    ((), False, T0, None),
    ((), True, T0, THEIRS),
    ((window(),), False, T0 - SECOND, None),
    ((window(),), False, T0, OURS),
    ((window(),), False, T0 + HOUR - SECOND, OURS),
    ((window(),), False, T0 + HOUR, None),
    ((window(),), True, T0, OURS),
    ((window(),), True, T0 + HOUR, THEIRS),
    ((window(ended_at=T0 + MINUTE),), False, T0 + MINUTE - SECOND, OURS),
    ((window(ended_at=T0 + MINUTE),), False, T0 + MINUTE, None),
    ((window(ended_at=T0 - HOUR),), False, T0, None),
    ((window(), window(until=T0 + 2 * HOUR, by="bob")), False, T0, OURS.replace("ann", "bob")
     .replace("10:00", "11:00")),
]  # fmt: skip


@pytest.mark.parametrize(("windows", "announced", "now", "why"), RULE)
def test_when_nobody_is_to_be_woken(
    windows: tuple[Maintenance, ...], announced: bool, now: datetime, why: str | None
) -> None:
    """From its first moment until its end, or until it was ended; the longest one is told."""
    assert muted(windows, announced, now) == why


CLOCK = [
    ((), T0),
    ((window(T0 + MINUTE, T0 + 2 * MINUTE),), T0 + 2 * MINUTE),
    ((window(T0 + MINUTE, T0 + 9 * HOUR),), T0),
    ((window(T0 + MINUTE, T0 + 9 * HOUR, ended_at=T0 + 3 * MINUTE),), T0 + 3 * MINUTE),
    ((window(T0 + 3 * MINUTE, T0 + 4 * MINUTE, ended_at=T0 + 2 * MINUTE),), T0),
    ((window(T0 - HOUR, T0 - MINUTE),), T0),
]


@pytest.mark.parametrize(("windows", "since"), CLOCK)
def test_the_ladders_clock_stands_still_in_a_window(
    windows: tuple[Maintenance, ...], since: datetime
) -> None:
    """It begins anew at the end of one; one that was called off before it began changes nothing."""
    assert waiting_since(windows, T0, T0 + HOUR) == since


WORDS = [
    (status_page(Outcome.DEGRADED, MAINTENANCE), True),
    (replace(status_page(Outcome.DEGRADED), detail="maintenance: API until 10:00Z"), False),
    (replace(status_page(Outcome.DEGRADED), detail="API: degraded"), False),
    (replace(seen().readings[0], fault=MAINTENANCE), False),
    (None, False),
]


@pytest.mark.parametrize(("reading", "announced"), WORDS)
def test_only_the_status_page_announces(reading: Reading | None, announced: bool) -> None:
    """An API that answers with a page about maintenance is broken all the same."""
    assert is_announced(reading) is announced


# --- the table ----------------------------------------------------------------------------------


def plan(store: Store, name: str | None = NAME, **more: Any) -> Maintenance:
    given: dict[str, Any] = {"since": T0, "until": T0 + HOUR, "by": "ann", "why": "new proxy"}
    with store.write() as session:
        return maintenance.add(session, integration=name, **{**given, **more})


def test_a_window_holds_for_one_or_for_all(store: Store) -> None:
    """Those that hold now, and those that are not over yet."""
    ours, of_all = plan(store), plan(store, None)
    other, later = plan(store, "other@test"), plan(store, since=T0 + 2 * HOUR, until=T0 + 3 * HOUR)
    past = plan(store, since=T0 - HOUR, until=T0)
    with store.read() as session:
        assert maintenance.active(session, NAME, T0) == (ours, of_all)
        assert maintenance.active(session, NAME, T0 + HOUR) == ()
        assert maintenance.upcoming(session, T0) == (ours, of_all, other, later)
        assert maintenance.since(session, NAME, T0 - MINUTE) == (past, ours, of_all, later)


def test_a_window_is_ended_once(store: Store) -> None:
    """The first end counts; one that ran out stays as it was."""
    made, past = plan(store), plan(store, since=T0 - HOUR, until=T0)
    with store.write() as session:
        assert maintenance.end(session, made.id, T0 + MINUTE).over_at == T0 + MINUTE
        assert maintenance.end(session, made.id, T0 + 9 * MINUTE).over_at == T0 + MINUTE
        assert maintenance.end(session, past.id, T0 + MINUTE).over_at == T0
        assert maintenance.active(session, NAME, T0 + 2 * MINUTE) == ()
        assert maintenance.upcoming(session, T0 + 2 * MINUTE) == ()
        assert maintenance.since(session, NAME, T0) == (replace(made, ended_at=T0 + MINUTE),)
        with pytest.raises(UserError, match="there is no window 99"):
            maintenance.end(session, 99, T0)


@pytest.mark.parametrize("length", [timedelta(0), -HOUR, timedelta(days=30, seconds=1)])
def test_a_window_that_makes_no_sense_is_refused(store: Store, length: timedelta) -> None:
    """It ends after it begins, and before everybody has forgotten it."""
    with pytest.raises(UserError, match="a window "):
        plan(store, until=T0 + length)


# --- nobody is woken ----------------------------------------------------------------------------


class Nobody:
    """An executor whose responders come from nowhere."""

    async def start(self, deployment: str, parameters: dict[str, object], key: str) -> None: ...

    async def submitted(self, flow_run_id: str, form: str) -> tuple[Given, ...]:
        return ()

    async def wake(self, flow_run_id: str, decision: str, by: str, reason: str) -> None: ...


# The far side outlives a test: each incident there was opened on a day of its own.
_DAYS = count(1)


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


@pytest.fixture
def alarm(watch: Watch, clock: Clock, pager: dict[str, Any], tmp_path: Path) -> Incident:
    """An open incident of an integration whose pager answers."""
    keys = open_rotatable("file:routing.json", tmp_path)
    keys.promote(keys.offer(Secret("0123456789abcdef" * 2)))
    entry = {key: pager[name] for key, name in (("base_url", "url"), ("ca_file", "ca_file"))}
    entry["routing_key"] = "file:routing.json"
    watch.settings.integrations.write_text(f"{INTEGRATIONS}    pager: {json.dumps(entry)}\n")
    clock.at += timedelta(days=next(_DAYS))
    with watch.store.write() as session:
        return incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="all refused",
            severity=1,
            opened_by="health",
            started_at=clock.at,
            now=clock.at,
            reopen_since=clock.at,
        )[0]


def rungs(sim: httpx.Client, incident: Incident) -> list[int]:
    """Who was called at the far side, by rung."""
    found = sim.get("/pages").json()["incidents"]
    return [level for level in (1, 2, 3, 4) if paging.dedup_key(incident, level) in found]


def swept(watch: Watch) -> tuple[str, ...]:
    return asyncio.run(sweep(watch, Nobody()))


def told(watch: Watch, incident: Incident, words: str) -> int:
    with watch.store.read() as session:
        return sum(words in e.text for e in incidents.timeline(session, incident.id))


def test_the_page_goes_out_when_the_window_ends(
    watch: Watch, alarm: Incident, clock: Clock, sim: httpx.Client
) -> None:
    """Silent inside it, said once on the timeline, and then paged as if it had begun just now."""
    plan(watch.store, since=clock.at, until=clock.at + HOUR)
    ladder = watch.integration(NAME).runbook.escalation
    called = asyncio.run(paging.page(watch, watch.integration(NAME), alarm, ladder[0]))
    assert called is paging.Called.QUIET
    for _ in range(3):
        assert not any("called" in said for said in swept(watch))
        clock.advance(15 * MINUTE)
    assert rungs(sim, alarm) == []
    assert told(watch, alarm, "nobody is paged: maintenance by ann until ") == 1
    assert told(watch, alarm, "paged on-call engineer") == 0
    clock.advance(15 * MINUTE)
    assert f"INC-{alarm.id}: called on-call engineer" in swept(watch)
    assert rungs(sim, alarm) == [1]
    with watch.store.read() as session:
        (paged,) = [
            e for e in incidents.timeline(session, alarm.id) if e.milestone is Milestone.PAGED
        ]
    assert paged.occurred_at == clock.at


def test_a_window_stops_the_ladder_and_its_end_calls_nobody_twice(
    watch: Watch, alarm: Incident, clock: Clock, sim: httpx.Client
) -> None:
    """Hours inside a window are no hours in which somebody could have answered."""
    swept(watch)
    assert rungs(sim, alarm) == [1]
    clock.advance(14 * MINUTE)
    plan(watch.store, since=clock.at, until=clock.at + 2 * HOUR)
    clock.advance(119 * MINUTE)
    swept(watch)
    assert rungs(sim, alarm) == [1]
    for minutes, called in ((1, [1]), (14, [1]), (1, [1, 2])):
        clock.advance(minutes * MINUTE)
        swept(watch)
        assert rungs(sim, alarm) == called


def test_what_is_well_again_before_the_end_wakes_nobody(
    watch: Watch, alarm: Incident, clock: Clock, sim: httpx.Client
) -> None:
    """That is what the window was for."""
    plan(watch.store, since=clock.at, until=clock.at + HOUR)
    swept(watch)
    with watch.store.write() as session:
        incidents.recovered(session, alarm.id, clock.at, clock.at + HOUR)
    clock.advance(2 * HOUR)
    swept(watch)
    assert rungs(sim, alarm) == []


def test_the_vendors_own_maintenance_counts_while_it_is_believed(
    watch: Watch, alarm: Incident, clock: Clock, sim: httpx.Client
) -> None:
    """By what the status page last said, and for no longer than somebody reads it."""
    announce(watch, alarm, clock, 503)
    swept(watch)
    clock.advance(BELIEVED)
    swept(watch)
    assert quiet_now(watch, NAME) == "the vendor has announced maintenance"
    assert rungs(sim, alarm) == []
    clock.advance(SECOND)
    assert quiet_now(watch, NAME) is None


def announce(
    watch: Watch,
    alarm: Incident,
    clock: Clock,
    said: int | dict[str, int],
    fault: str | None = MAINTENANCE,
) -> None:
    """The page tells of maintenance, or of none, while the endpoints answer so."""
    page = replace(status_page(Outcome.DEGRADED, fault), at=clock.at)
    evidence = replace(seen(said, page), at=clock.at)
    with watch.store.write() as session:
        observations.keep(session, evidence, alarm.id)
        found = diagnose(evidence, runbook())
        incidents.add_diagnosis(session, alarm.id, found, clock.at, "health")


@pytest.mark.parametrize("said", [401, {"assets": 403}, {"assets": 403, "users": 503}, 999])
def test_maintenance_mutes_nothing_that_it_does_not_explain(
    watch: Watch, alarm: Incident, clock: Clock, said: int | dict[str, int]
) -> None:
    """D2 D10: a refused key in the vendor's maintenance is a refused key: people are called."""
    announce(watch, alarm, clock, said)
    assert quiet_now(watch, NAME) is None
    announce(watch, alarm, clock, 503)
    assert quiet_now(watch, NAME) is not None


def test_a_page_that_no_longer_announces_ends_the_silence(
    watch: Watch, alarm: Incident, clock: Clock
) -> None:
    """D2: the newest word of the page counts."""
    announce(watch, alarm, clock, 503)
    assert quiet_now(watch, NAME) is not None
    clock.advance(MINUTE)
    page = replace(status_page(Outcome.OK), at=clock.at)
    with watch.store.write() as session:
        observations.keep(session, replace(seen(503, page), at=clock.at), alarm.id)
    assert quiet_now(watch, NAME) is None


# --- the command --------------------------------------------------------------------------------


def test_a_window_is_planned_shown_and_ended(home: Path) -> None:
    """`status` says that nobody is paged, by whom and why."""
    said = well("maintenance", "add", NAME, "--until", "2h", "--why", "new [proxy]")
    assert f"window 1: {NAME}, maintenance by {ME} until " in said.err
    well("maintenance", "add", "all", "--from", "1h", "--until", "1h", "--why", "-", "--by", "bob")
    now, later = well("maintenance", "list", "--json").data
    assert (now["integration"], now["holds"], now["why"]) == (NAME, True, "new [proxy]")
    assert (later["integration"], later["holds"], later["by"]) == (None, False, "bob")
    assert "[proxy]" in well("maintenance", "list").err
    assert f"nobody is paged: maintenance by {ME} until" in run("status").err
    (entry,) = run("status", "--json").data["integrations"]
    assert entry["quiet"].endswith("new [proxy]")
    assert "window 1 is over" in well("maintenance", "end", "1").err
    assert run("status", "--json").data["integrations"][0]["quiet"] is None


REFUSED = [
    (("add", "nobody@test", "--until", "1h", "--why", "x"), "nobody@test"),
    (("add", NAME, "--until", "soon", "--why", "x"), "--until 'soon' is no time"),
    (("add", NAME, "--until", "2020-01-31T09:00:00Z", "--why", "x"), "is over already"),
    (("add", NAME, "--from", "2h", "--until", "0s", "--why", "x"), "cannot end at"),
    (("add", NAME, "--until", "31d", "--why", "x"), "30 days at most"),
    (("end", "7"), "there is no window 7: see `watchkeeper maintenance list`"),
]


@pytest.mark.parametrize(("words", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_a_plan_that_makes_no_sense(home: Path, words: tuple[str, ...], why: str) -> None:
    """One line that says what to do, and nothing is written."""
    before = state(home)
    assert why in refused("maintenance", *words)
    assert state(home) == before


def test_a_window_says_what_for(home: Path) -> None:
    """Without a reason nobody could tell whether it still holds."""
    said = run("maintenance", "add", NAME, "--until", "1h")
    assert said.code == 2
