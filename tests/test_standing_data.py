"""What our own tables tell: is the data as new as it must be, and how often an endpoint failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from conftest import Clock
from making import ENDPOINTS, HOUR, MINUTE, NAME, T0, changed, endpoint, runbook, seen
from making import watched as made

from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.gaps import version_of
from watchkeeper.mitigation.job import PAUSED, RUNNING
from watchkeeper.performing.forgetting import forget_old
from watchkeeper.performing.past import history_reading, history_readings
from watchkeeper.performing.standing_data import Standing, data_reading, data_readings
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.causes import Thresholds
from watchkeeper.runbook.integration import Watched
from watchkeeper.runbook.policy import Detection
from watchkeeper.store import jobs, observations, records, watermarks
from watchkeeper.store.observations import Purpose
from watchkeeper.store.watermarks import Watermark

SECOND, INTERVAL = timedelta(seconds=1), 15 * MINUTE
LAG = runbook().resource("workorders").list_lag
NOW = T0 + 100 * HOUR
LIMIT = HOUR + LAG


def mark(walked_ago: timedelta = MINUTE, **more: Any) -> Watermark:
    given: dict[str, Any] = {"at": NOW - HOUR, "rows": 7, "zero_walks": 0}
    return Watermark(
        integration=NAME, resource="workorders", walked_at=NOW - walked_ago, **{**given, **more}
    )


def standing(mark: Watermark | None, **more: Any) -> Standing:
    given: dict[str, Any] = {
        "critical": True,
        "live_since": T0,
        "holds_records": False,
        "gap_open": False,
        "week_ago": 0,
        "interval": INTERVAL,
        "thresholds": Thresholds(),
    }
    return Standing(resource=runbook().resource("workorders"), mark=mark, **{**given, **more})


OK, DEGRADED, DOWN, UNKNOWN = Outcome.OK, Outcome.DEGRADED, Outcome.DOWN, Outcome.UNKNOWN
RULES: list[tuple[str, Standing, Outcome, str | None]] = [
    ("walked just now", standing(mark()), OK, None),
    ("at its limit", standing(mark(LIMIT)), OK, None),
    ("nothing new, as last week", standing(mark(at=NOW - 9 * HOUR), week_ago=19), OK, None),
    ("nothing new, in busy hours", standing(mark(at=NOW - 9 * HOUR), week_ago=20), DEGRADED, "quiet"),
    ("busy hours, and not silent for long", standing(mark(at=NOW - HOUR), week_ago=99), OK, None),
    ("past it", standing(mark(LIMIT + SECOND)), DEGRADED, "stale"),
    ("paused", standing(mark(99 * HOUR), live_since=None), UNKNOWN, None),
    ("just resumed", standing(mark(99 * HOUR), live_since=NOW - LIMIT), OK, None),
    ("resumed for long", standing(mark(99 * HOUR), live_since=NOW - LIMIT - SECOND), DEGRADED,
     "stale"),
    ("rarely due", standing(mark(LIMIT + SECOND), interval=HOUR), OK, None),
    ("rarely due and late", standing(mark(LIMIT + HOUR + SECOND), interval=HOUR), DEGRADED,
     "stale"),
    ("a skewed clock", standing(mark(at=NOW + MINUTE)), OK, None),
    ("of tomorrow", standing(mark(at=NOW + MINUTE + SECOND)), DOWN, "future"),
    ("of tomorrow, paused", standing(mark(at=NOW + HOUR), live_since=None), DOWN, "future"),
    ("a quiet night", standing(mark(rows=0, zero_walks=2)), OK, None),
    ("empty", standing(mark(rows=0, zero_walks=3)), DEGRADED, "empty"),
    ("being filled", standing(mark(99 * HOUR, zero_walks=3), gap_open=True), UNKNOWN, None),
    ("being filled, never walked", standing(None, gap_open=True), UNKNOWN, None),
    ("being filled, of tomorrow", standing(mark(at=NOW + HOUR), gap_open=True), DOWN, "future"),
    ("empty and old", standing(mark(99 * HOUR, zero_walks=3)), DEGRADED, "empty"),
    ("no time of change", standing(mark(at=None)), OK, None),
    ("hardly begun", standing(None, live_since=NOW - 2 * INTERVAL), UNKNOWN, None),
    ("never", standing(None, live_since=NOW - 2 * INTERVAL - SECOND), DOWN, "never"),
    ("its first walk", standing(None, holds_records=True), UNKNOWN, None),
    ("never, paused", standing(None, live_since=None), UNKNOWN, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "outcome", "fault"), [r[1:] for r in RULES], ids=[r[0] for r in RULES]
)
def test_how_a_resource_stands(given: Standing, outcome: Outcome, fault: str | None) -> None:
    """Each fault from its bound on, and nothing of what a job that may not run did not do."""
    found = data_reading(given, NOW)
    assert (found.outcome, found.fault) == (outcome, fault), found.detail
    assert (found.kind, found.probe, found.unit) == (Kind.DATA, "workorders", "s")
    assert found.bound == given.may_be_old.total_seconds()
    assert 0 < len(found.detail) <= 160


def by_name(watch: Watch, watched: Watched) -> dict[str, Reading]:
    return {reading.probe: reading for reading in data_readings(watch, watched)}


def test_each_resource_that_a_job_moves_has_a_reading(
    watch: Watch, watched: Watched, clock: Clock
) -> None:
    """Out of our tables alone: watermarks, jobs and records."""
    with watch.store.write() as session:
        watermarks.advance(session, NAME, "workorders", newest=T0, walked_at=clock.at, rows=1)
        records.upsert(session, [record("assets")])
        for state in (PAUSED, RUNNING, PAUSED):
            jobs.desire(session, NAME, "report-generator", state, by="a", reason="-", now=T0)
    clock.advance(30 * MINUTE)
    found = by_name(watch, watched)
    assert set(found) == {"workorders", "assets", "locations", "users"}
    assert {name for name, r in found.items() if r.outcome is OK} == {"workorders"}
    assert (found["workorders"].value, found["workorders"].critical) == (1800.0, True)
    assert (found["assets"].detail, found["assets"].critical) == (
        "its first walk is not over yet",
        False,
    )
    assert found["users"].detail == "no job that moves it may run"
    clock.advance(LIMIT)
    assert by_name(watch, watched)["workorders"].fault == "stale"


def record(resource: str) -> dict[str, Any]:
    return {
        "integration": NAME,
        "resource": resource,
        "record_id": "1",
        "version": "2026",
        "payload": "{}",
        "written_at": T0,
        "deleted_at": None,
    }


def test_a_job_that_moved_nothing_is_told(watch: Watch, watched: Watched, clock: Clock) -> None:
    """After two of its turns; before that it has hardly begun."""
    clock.advance(timedelta(seconds=2 * watch.settings.sync_interval_s))
    assert {r.fault for r in data_readings(watch, watched)} == {None}
    clock.advance(SECOND)
    assert {r.fault for r in data_readings(watch, watched)} == {"never"}


# --- history ------------------------------------------------------------------------------------

RULE = Detection(occasional_needed=3, occasional_of=12)
FAILED, GOOD = endpoint("workorders", "timeout"), endpoint("workorders", 200)
SLOW = replace(GOOD, outcome=DEGRADED)
PAST: list[tuple[str, list[Reading], Outcome, float, str | None]] = [
    ("nothing yet", [], UNKNOWN, 0, None),
    ("two", [FAILED] * 2, UNKNOWN, 2, "timeout"),
    ("all well", [GOOD] * 12, OK, 0, None),
    ("one too few", [FAILED, FAILED, *[GOOD] * 10], OK, 2, "timeout"),
    ("enough", [FAILED, GOOD, FAILED, GOOD, FAILED], DEGRADED, 3, "timeout"),
    ("all", [FAILED] * 12, DEGRADED, 12, "timeout"),
    ("mixed", [FAILED, *[endpoint("workorders", 503)] * 2], DEGRADED, 3, "503"),
    ("throttled", [endpoint("workorders", 429)] * 3, DEGRADED, 3, "429"),
    ("slow", [SLOW] * 12, OK, 0, None),
    ("wrong", [replace(SLOW, fault="wrong_value")] * 3, DEGRADED, 3, "wrong_value"),
    ("html", [replace(GOOD, outcome=DOWN, fault="html")] * 3, DEGRADED, 3, "html"),
    ("unknown", [replace(GOOD, outcome=UNKNOWN)] * 9 + [FAILED] * 2, UNKNOWN, 2, "timeout"),
]


@pytest.mark.parametrize(
    ("past", "outcome", "count", "fault"), [p[1:] for p in PAST], ids=[p[0] for p in PAST]
)
def test_how_often_an_endpoint_failed(
    past: list[Reading], outcome: Outcome, count: float, fault: str | None
) -> None:
    """So many of the last so many checks; a slow answer is an answer."""
    probe = runbook().probes[0]
    found = history_reading(probe, past, RULE, T0)
    assert (found.outcome, found.value, found.fault) == (outcome, count, fault)
    assert (found.kind, found.probe, found.bound) == (Kind.HISTORY, probe.name, 3)


def check(watch: Watch, when: datetime, said: int | str, purpose: Purpose | None) -> None:
    look = seen({"workorders": said}, at=when)
    with watch.store.write() as session:
        observations.keep(session, replace(look, at=when), None, purpose)


def test_each_check_counts_once(watch: Watch) -> None:
    """The looks that confirm a failure are of the same check, and a triage is none; what lies
    further back than the runbook's number no longer counts."""
    detection = Detection(occasional_needed=2, occasional_of=4)
    for number, said in enumerate((500, 500, "timeout", 200, "timeout", 200)):
        when = T0 + 5 * number * MINUTE
        check(watch, when, said, Purpose.HEALTH)
        for purpose in (Purpose.CONFIRMING, Purpose.TRIAGE, Purpose.VERIFYING, None):
            check(watch, when + SECOND, 503, purpose)
    found = {r.probe: r for r in history_readings(watch, made(changed(detection=detection)))}
    assert set(found) >= set(ENDPOINTS)
    orders, users = found["workorders"], found["users"]
    assert (orders.value, orders.fault, orders.outcome) == (2, "timeout", DEGRADED)
    assert orders.detail == "2 of the last 4 checks failed, the last at 09:20:00Z (timeout)"
    assert (users.value, users.outcome) == (0, OK)


# --- what is old is forgotten -------------------------------------------------------------------


def test_old_readings_are_forgotten_once_a_day(watch: Watch, clock: Clock) -> None:
    """As many days as the settings say; the next sweeps of the day do not look again."""
    kept = timedelta(days=watch.settings.observations_kept_days)
    check(watch, T0, 200, Purpose.HEALTH)
    clock.advance(kept)
    assert forget_old(watch) == 0
    clock.advance(SECOND)
    assert forget_old(watch) == 0
    clock.advance(timedelta(days=1))
    assert forget_old(watch) == 4
    assert forget_old(watch) == 0


def test_the_hours_of_a_week_ago_are_counted_by_the_vendors_clock(
    any_watch: Watch,
) -> None:
    """What was changed a week ago in the hours that are silent now; what came before or after not."""
    now = T0
    ages = (timedelta(days=7, hours=h) for h in (-1, 0, 1, 2, 5))
    rows = [
        {
            "integration": NAME,
            "resource": "workorders",
            "record_id": str(n),
            "version": version_of(now - age),
            "payload": "{}",
            "written_at": now,
            "deleted_at": None,
        }
        for n, age in enumerate(ages)
    ]
    with any_watch.store.write() as session:
        records.upsert(session, rows)
        since, until = now - timedelta(days=7, hours=3), now - timedelta(days=7)
        assert records.changed_between(session, NAME, "workorders", since, until) == 2
