"""What was changed: who may post it, and what a triage is told of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from making import HOUR, MINUTE, NAME, T0
from sqlalchemy import text
from test_cli import ME, home, refused, state, well

from watchkeeper.changes import ChangeEntry, ChangeKind
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.evidence import Kind, Outcome
from watchkeeper.performing import rotating
from watchkeeper.performing.changing import AT_MOST, change_readings
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import changes, incidents
from watchkeeper.store.engine import Store

__all__ = ["home"]
DAY = timedelta(days=1)


def post(store: Store, what: str = "v1.2", ago: timedelta = MINUTE, **more: Any) -> None:
    given: dict[str, Any] = {
        "integration": NAME,
        "kind": ChangeKind.DEPLOY,
        "who": "ann",
        "at": T0 - ago,
        "now": T0,
        "source": "test",
    }
    with store.write() as session:
        changes.add(session, what=what, **{**given, **more})


def test_the_newest_come_first_and_those_of_all_count(store: Store) -> None:
    """What was done to everything was done to each; what was done to another was not."""
    post(store, "older", HOUR)
    post(store, "of all", 2 * MINUTE, integration=None)
    post(store, "newest", MINUTE)
    post(store, "another's", MINUTE, integration="other@test")
    post(store, "long ago", DAY)
    with store.read() as session:
        ours = changes.since(session, NAME, T0 - HOUR, T0)
        every = changes.since(session, None, T0 - HOUR, T0)
        two = changes.since(session, NAME, T0 - HOUR, T0, 2)
    assert [c.what for c in ours] == ["newest", "of all", "older"]
    assert [c.what for c in every] == ["another's", "newest", "of all", "older"]
    assert [c.what for c in two] == ["newest", "of all"]


def test_a_change_of_the_last_day_is_a_reading(watch: Watch, watched: Watched) -> None:
    """It says what, by whom and how long ago; by itself it speaks for neither side."""
    post(watch.store, "v1.2", 12 * MINUTE)
    post(watch.store, "too old", DAY + timedelta(seconds=1), kind=ChangeKind.CONFIG)
    post(watch.store, "a day old", DAY, kind=ChangeKind.INFRASTRUCTURE)
    post(watch.store, "planned", -HOUR)
    deploy, infrastructure = change_readings(watch, watched)
    assert (deploy.probe, deploy.kind, deploy.target) == ("deploy", Kind.CHANGE, "deploy")
    assert (deploy.outcome, deploy.value, deploy.unit) == (Outcome.UNKNOWN, 720.0, "s")
    assert deploy.says() == "deploy: v1.2 by ann, 12 min ago"
    assert infrastructure.detail == "a day old by ann, 24 h ago"


def test_a_flood_of_changes_is_cut_to_the_newest(watch: Watch, watched: Watched) -> None:
    """A pipeline that posts each second drowns no triage."""
    for number in range(AT_MOST + 5):
        post(watch.store, f"n{number}", number * MINUTE)
    readings = change_readings(watch, watched)
    assert len(readings) == AT_MOST
    assert readings[0].detail.startswith("n0 by ann")


FOREIGN = [
    ("two\nlines\x1b[31m", "ann", "two lines by ann, 1 min ago"),
    ("the key is wk_live_0123456789abcdef", "ann", "the key is *** by ann, 1 min ago"),
    ("x" * 500, "a" * 100, None),
]


@pytest.mark.parametrize(("what", "who", "says"), FOREIGN)
def test_foreign_words_are_made_harmless(what: str, who: str, says: str | None) -> None:
    """Printable, without what looks like a key, and never longer than a reading's detail."""
    entry = ChangeEntry(
        id=1,
        integration=None,
        kind="deploy",
        what=what,
        who=who,
        at=T0 - MINUTE,
        recorded_at=T0,
        source="-",
    )
    said = entry.says(T0)
    assert len(said) <= 160
    assert said.isprintable()
    assert says is None or said == says
    assert said.endswith(", 1 min ago")


def raw(watch: Watch, kind: str, at: str) -> None:
    """A row of another program's."""
    row = (
        "INSERT INTO changes (kind, what, who, at, recorded_at, source) "
        f"VALUES ('{kind}', 'w', 'p', '{at}', '{at}', 'pipeline')"
    )
    with watch.store.write() as session:
        session.connection().execute(text(row))


def test_anyone_can_post_a_row(watch: Watch, watched: Watched) -> None:
    """Another program's row counts; a kind that is not ours is one of the others."""
    raw(watch, "feature-flag", "2026-03-02 08:59:00")
    (reading,) = change_readings(watch, watched)
    assert (reading.probe, reading.value) == ("other", 60.0)


def test_a_row_that_cannot_be_read_ends_no_look(watch: Watch, watched: Watched) -> None:
    """A time that is none is no reason to know nothing of the vendor."""
    raw(watch, "deploy", "2026-03-02 08:59 or so")
    assert change_readings(watch, watched) == ()


def test_our_own_rotation_is_a_change(watch: Watch, watched: Watched, tmp_path: Path) -> None:
    """Posted once, also by a run that is entered again, and without the key."""
    value = "test_key_of_the_rotation_0002"
    fingerprint = open_rotatable("file:key.json", tmp_path).offer(Secret(value))
    with watch.store.write() as session:
        incident, _ = incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="-",
            severity=1,
            opened_by="health",
            started_at=T0,
            now=T0,
            reopen_since=T0,
        )
    duty = Duty.unfenced(incident)
    for _ in range(2):
        asyncio.run(rotating.promote(watch, duty, watched, fingerprint, timedelta(hours=1)))
    (reading,) = change_readings(watch, watched)
    assert (reading.probe, reading.value) == ("key", 0.0)
    assert reading.detail.startswith("maintainx-api-key is ")
    assert value not in reading.detail


# --- the command --------------------------------------------------------------------------------


def test_a_change_is_written_down_and_listed(home: Path) -> None:
    """By whom, when, and of which integration; JSON is alone on stdout."""
    said = well("change", "add", NAME, "deploy", "v1.2 [of] the service", "--at", "10min")
    assert f"change 1: deploy, v1.2 [of] the service by {ME}, 10 min ago" in said.err
    well("change", "add", "all", "config", "new proxy", "--by", "grace", "--at", LONG_AGO)
    well("change", "add", "all", "other", "just now")
    latest, deployed = well("change", "list", "--json").data
    assert (latest["what"], latest["integration"]) == ("just now", None)
    assert (deployed["kind"], deployed["integration"], deployed["who"]) == ("deploy", NAME, ME)
    assert deployed["source"] == "command"
    table = well("change", "list").err
    assert "[of]" in table
    assert "new proxy" not in table


LONG_AGO = "2020-01-31T09:00:00Z"
REFUSED = [
    (("nobody@test", "deploy", "x"), "nobody@test"),
    ((NAME, "deploy", "  "), "an empty change tells nobody anything"),
    ((NAME, "deploy", "x", "--at", "2999-01-01T00:00:00Z"), "has not come yet"),
    ((NAME, "deploy", "x", "--at", "2026-01-31T09:00:00"), "needs its zone"),
    ((NAME, "deploy", "x", "--at", "soon"), "--at 'soon' is no time: 2026-"),
]


@pytest.mark.parametrize(("words", "told"), REFUSED, ids=[told for _, told in REFUSED])
def test_a_change_that_makes_no_sense(home: Path, words: tuple[str, ...], told: str) -> None:
    """One line that says what to do, and nothing is written."""
    before = state(home)
    assert told in refused("change", "add", *words)
    assert state(home) == before
