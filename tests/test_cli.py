"""The command line: bad input is one line and exit 2 and changes nothing; JSON is alone on stdout."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import pwd
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import FIRST_KEY, NAME, store_key
from stand_ins import Vendor, entry, running_vendor

from deployments.cli import main
from deployments.password import kept_password
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.gaps import Reconciliation
from watchkeeper.heartbeat import Part
from watchkeeper.incident import State
from watchkeeper.mitigation.actions import PauseJobs
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing import leasing, mitigating
from watchkeeper.performing.ledger import Duty
from watchkeeper.performing.watch import Watch
from watchkeeper.plan_text import plan_text
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings
from watchkeeper.store import approvals, gaps, heartbeats, incidents, jobs, leases, pages
from watchkeeper.store.engine import Store

# Who is at this machine, as the operating system has it.
ME = pwd.getpwuid(os.getuid()).pw_name
NEW_KEY = "test_new_key_0002"
PASSWORD = "hunter2-of-the-database"
FAST: dict[str, Any] = {
    "rate_limit": {"requests": 1_000_000, "per": "1 s"},
    "verification": {"interval": "0.1 s", "give_up_after": "1 s"},
}
PROGRAM = str(Path(sys.executable).with_name("watchkeeper"))


@dataclass(frozen=True)
class Said:
    """What a command left behind: its exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """stdout as the one JSON document that it must be."""
        return json.loads(self.out)


@contextmanager
def called(words: tuple[str, ...], stdin: str) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """This process as the command would find it, and as it was afterwards."""
    argv, before, environment = sys.argv, sys.stdin, dict(os.environ)
    mask = os.umask(0o077)
    out, err = io.StringIO(), io.StringIO()
    sys.argv, sys.stdin = ["watchkeeper", *words], io.StringIO(stdin)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield out, err
    finally:
        sys.argv, sys.stdin = argv, before
        os.umask(mask)
        os.environ.clear()
        os.environ.update(environment)


def run(*words: str, stdin: str = "") -> Said:
    with called(words, stdin) as (out, err):
        try:
            main()
            code = 0
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 0
    return Said(code, out.getvalue(), err.getvalue())


def well(*words: str, stdin: str = "") -> Said:
    said = run(*words, stdin=stdin)
    assert said.code == 0, said.err
    return said


def refused(*words: str, stdin: str = "", code: int = 2) -> str:
    """The one line on stderr of a command that could not be done."""
    said = run(*words, stdin=stdin)
    assert (said.code, said.out) == (code, ""), said
    lines = said.err.splitlines()
    assert len(lines) == 1, said.err
    assert lines[0].startswith("watchkeeper: ")
    assert "Traceback" not in said.err
    return lines[0]


ACCOUNTS = ("rate_buckets", "request_counts", "scrapes", "heartbeats")


def rows(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, as another program reads it; what was asked and measured is no state of anybody's."""
    if not database.exists():
        return {}
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: sorted(connection.execute(f'SELECT * FROM "{name}"').fetchall(), key=repr)
            for (name,) in names
            if name not in ACCOUNTS
        }


def state(home: Path) -> tuple[dict[str, bytes], dict[str, list[tuple[Any, ...]]]]:
    """All that there is in a home: files by name, and rows by table."""
    files = {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and not path.name.startswith(("watchkeeper.db", "HALT.off"))
    }
    return files, rows(home / "watchkeeper.db")


@pytest.fixture
def watch(settings: Settings, lite_store: Store) -> Watch:
    """The watch over this test's home by the real clock, which is the command's too."""
    made = Watch(settings, lite_store)
    made.registered(NAME)
    return made


@pytest.fixture
def home(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one integration and its database, where the commands look for it."""
    folder = watch.settings.home
    monkeypatch.setenv("WATCHKEEPER_HOME", str(folder))
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(watch.settings.integrations))
    monkeypatch.setenv("WATCHKEEPER_PORT", "0")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def incident(home: Path) -> str:
    """An open incident with the runbook's cause for an expired key, declared by a person."""
    well("incident", "open", NAME, "--reason", "all refused", "--severity", "1")
    well("incident", "set", "1", "--cause", "api_key_expired", "--reason", "seen it before")
    return "INC-1"


def asked(watch: Watch, ago: timedelta = timedelta(0)) -> None:
    """The question about the incident's plan, as its responder would ask it."""
    then = Watch(watch.settings, watch.store, lambda: datetime.now(UTC) - ago)
    watched = then.integration(NAME)
    with then.store.read() as session:
        found = incidents.get(session, 1)
    plan = asyncio.run(mitigating.make_plan(then, watched, found))
    names = frozenset(a.name for a in plan.to_approve)
    mitigating.ask(then, watched, plan.only(names))


def timeline(watch: Watch) -> list[tuple[str, str]]:
    with watch.store.read() as session:
        return [(e.actor, e.text) for e in incidents.timeline(session, 1)]


# --- bad input ----------------------------------------------------------------------------------

TIMES = ("--since", "2026-01-31T09:00:00Z", "--until", "2026-01-31T10:00:00Z")
BAD: list[tuple[str, str]] = [
    ("triage maintainx@tset", "'maintainx@tset' is not a known integration; did you mean"),
    (f"triage {NAME} --with assets", "has no probe 'assets' that costs something; it has none"),
    ("verify nobody@prod", "'nobody@prod' is not a known integration"),
    ("mitigate nobody@prod", "'nobody@prod' is not a known integration"),
    ("key show nobody@prod", "'nobody@prod' is not a known integration"),
    ("job list nobody@prod", "'nobody@prod' is not a known integration"),
    ("incident open nobody@prod --reason why", "'nobody@prod' is not a known integration"),
    ("drill expired", "'expired' is no scenario: expired-key, "),
    ("drill", "say which drill"),
    ("drill expired-key --all", "say which drill"),
    (f"mitigate {NAME}", f"watchkeeper incident open {NAME} --reason"),
    (f"mitigate {NAME} --apply", f"{NAME} has no open incident to act for"),
    (f"mitigate {NAME} rotate-keys", "'rotate-keys' is no mitigation of"),
    ("incident show 9", "there is no INC-9: see `watchkeeper incident list`"),
    ("incident show nine", "'nine' is not an incident: give its number, such as INC-17"),
    ("incident ack INC-9", "there is no INC-9"),
    ("incident note 9 hello", "there is no INC-9"),
    ("incident take 9 --reason why", "there is no INC-9"),
    ("incident retry 9 --reason why", "there is no INC-9"),
    ("incident waive 9 workorders --reason why", "there is no INC-9"),
    ("incident report 9", "there is no INC-9"),
    ("incident set 9 --severity 1 --reason why", "there is no INC-9"),
    ("incident set 9 --reason why", "nothing to set: give --cause or --severity"),
    ("approve 9", "there is no INC-9"),
    ("deny INC-9", "there is no INC-9"),
    (f"job pause {NAME} asset-snyc", "has no job 'asset-snyc'; it has: asset-sync, "),
    (f"job resume {NAME} nothing", "has no job 'nothing'"),
    ("runbook check nothing.yaml", "nothing.yaml"),
]


@pytest.mark.parametrize(("words", "told"), BAD, ids=[words for words, _ in BAD])
def test_what_is_not_known_is_said_in_one_line(home: Path, words: str, told: str) -> None:
    """A slip of the pen is answered with what there is, and leaves no trace."""
    before = state(home)
    assert told in refused(*words.split())
    assert state(home) == before


WINDOWS: list[tuple[str, str, str, str]] = [
    ("workorder", *TIMES[1::2], "has no resource 'workorder': assets, "),
    ("workorders", "2026-01-31T09:00:00", TIMES[3], "--since '2026-01-31T09:00:00' needs its zone"),
    ("workorders", TIMES[1], "2026-01-31", "--until '2026-01-31' needs its zone"),
    ("workorders", TIMES[3], TIMES[1], "is not before --until"),
    ("workorders", TIMES[1], TIMES[1], "is not before --until"),
    ("workorders", "yesterday", TIMES[3], "--since 'yesterday' is no time: 2026-"),
]


@pytest.mark.parametrize(("resource", "since", "until", "told"), WINDOWS)
def test_a_window_that_makes_no_sense(
    home: Path, resource: str, since: str, until: str, told: str
) -> None:
    """A window is asked for in whole: a resource of the runbook, two times with their zones, the
    first before the second."""
    before = state(home)
    assert told in refused("backfill", NAME, resource, "--since", since, "--until", until)
    assert state(home) == before


ABOUT_ONE: list[tuple[str, str]] = [
    ("approve 1", "INC-1 asks for no approval: see `watchkeeper status`"),
    ("deny INC-1", "INC-1 asks for no approval"),
    ("incident set 1 --cause expired --reason why", "'expired' is no cause of maintainx's runbook"),
    ("incident waive 1 invoices --reason why", "INC-1 has no gap in 'invoices'"),
    (
        f"mitigate {NAME} --apply",
        f"INC-1 needs a new key, offered with: watchkeeper key offer {NAME}",
    ),
    (
        f"backfill {NAME} workorders {' '.join(TIMES)} --apply",
        "start one with `watchkeeper up`",
    ),
]


@pytest.mark.parametrize(("words", "told"), ABOUT_ONE, ids=[words for words, _ in ABOUT_ONE])
def test_what_cannot_be_done_about_an_incident(
    home: Path, incident: str, words: str, told: str
) -> None:
    """Nothing to answer, nothing of that name, nobody to carry it out: said, and nothing done."""
    before = state(home)
    said = run(*words.split())
    assert (said.code, said.out) == (2, "")
    # A plan is shown before it is found that nobody can carry it out.
    errors = [line for line in said.err.splitlines() if line.startswith("watchkeeper: ")]
    assert len(errors) == 1, said.err
    assert said.err.rstrip().endswith(errors[0])
    assert told in errors[0]
    assert state(home) == before


def test_a_closed_incident_does_not_begin_again_by_retry(
    home: Path, incident: str, watch: Watch
) -> None:
    """Begun again from closed, it would be open and nobody would look after it: a person declares
    a new one."""
    with watch.store.write() as session:
        for to in (s for s in State if s is not State.OPEN):
            incidents.move(session, 1, to, watch.now())
    before = state(home)
    assert f"watchkeeper incident open {NAME}" in refused("incident", "retry", "1", "--reason", "x")
    assert state(home) == before


RUNBOOK = """\
vendor: maintainx
pobes: []
rate_limit: {requests: -1, per: 60 s}
causes:
  - {cause: x, symptom: nothing_like_it, likely_cause: y, check: z, severity: 1}
"""


def test_every_mistake_of_a_runbook_is_told_at_once(home: Path) -> None:
    """A heading with their number, then a line each with where it is."""
    (home / "mine.yaml").write_text(RUNBOOK)
    before = state(home)
    said = run("runbook", "check", "mine.yaml")
    heading, *problems = said.err.splitlines()
    assert (said.code, said.out) == (2, "")
    assert heading == f"watchkeeper: mine.yaml: {len(problems)} problems"
    assert len(problems) > 3
    assert all(line.startswith("mine.yaml") for line in problems)
    told = "\n".join(problems)
    for slip in ("mine.yaml:2: pobes", "mine.yaml:3: rate_limit.requests", "nothing_like_it"):
        assert slip in told
    assert state(home) == before


@pytest.mark.parametrize(
    "words", ["doctor", "runbook check", f"triage {NAME}", "incident list", "up"]
)
def test_without_integrations_there_is_a_way_to_begin(
    home: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first command of a new user says which file is missing, and what else he can try."""
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(home / "none.yaml"))
    new = home.with_name(f"{home.name}-new") / "watchkeeper.db"
    monkeypatch.setenv("WATCHKEEPER_DATABASE_URL", f"sqlite:///{new}")
    if words == "incident list":
        assert "no incident yet" in well(*words.split()).err
        return
    before = state(home)
    told = refused(*words.split())
    assert "none.yaml does not exist" in told
    assert "watchkeeper up --sandbox" in told
    assert state(home) == before


def test_a_home_that_is_not_there_yet_is_ours_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most that a refused command leaves is an empty home with an empty database, closed to
    others."""
    fresh = home / "below" / "fresh"
    monkeypatch.setenv("WATCHKEEPER_HOME", str(fresh))
    refused("triage", "nobody@prod")
    files, tables = state(fresh)
    assert files == {}
    assert {name for name, found in tables.items() if found} == {"alembic_version"}
    assert fresh.stat().st_mode & 0o777 == 0o700
    assert (fresh / "watchkeeper.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [f"verify {NAME}", f"key show {NAME}"])
def test_a_missing_secret_is_named_by_its_reference(home: Path, words: str) -> None:
    """The reference and what to do, in one line; there is no value to show."""
    (home / "key.json").unlink()
    assert "file:key.json does not exist; offer a key" in refused(*words.split())


def test_a_broken_secret_is_never_quoted(home: Path) -> None:
    """A store that cannot be read is named; what stands in it is not."""
    (home / "key.json").write_text(f'{{"current": "{FIRST_KEY}"')
    (home / "key.json").chmod(0o600)
    told = refused("verify", NAME)
    assert "file:key.json" in told
    assert FIRST_KEY not in told


@pytest.mark.parametrize("content", [None, "", f'{{"current": "{FIRST_KEY}"'])
def test_a_key_that_cannot_be_read_is_what_a_triage_finds(home: Path, content: str | None) -> None:
    """It is a cause like any other, told with its reference alone; the exit code says unhealthy."""
    (home / "key.json").unlink()
    if content is not None:
        (home / "key.json").write_text(content)
        (home / "key.json").chmod(0o600)
    said = run("triage", NAME, "--json")
    assert (said.code, said.err) == (1, "")
    assert (said.data["cause"], said.data["severity"]) == ("key_missing", 1)
    assert "file:key.json" in said.out
    assert FIRST_KEY not in said.out
    words = run("triage", NAME)
    assert (words.code, words.out) == (1, "")
    assert f"watchkeeper key offer {NAME}" in words.err
    assert FIRST_KEY not in words.err


DATABASES: list[tuple[str, str]] = [
    (f"mysql://watch:{PASSWORD}@db/watchkeeper", "database kind 'mysql' is not known"),
    (f"https://watch:{PASSWORD}@db", "database kind 'https' is not known"),
    (PASSWORD, "WATCHKEEPER_DATABASE_URL is not a database URL; sqlite:///FILE or"),
    ("sqlite://", "an in-memory database forgets its incidents"),
    (f"postgresql://watch:{PASSWORD}@127.0.0.1:1/watchkeeper", "watch:***@127.0.0.1:1"),
    (
        f"postgresql://127.0.0.1:1/watchkeeper?user=watch&password={PASSWORD}",
        "check WATCHKEEPER_DATABASE_URL",
    ),
]


@pytest.mark.parametrize(("url", "told"), DATABASES, ids=[told for _, told in DATABASES])
def test_a_database_that_cannot_be_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str
) -> None:
    """Of another kind, no URL at all, or nobody there: said without its password."""
    monkeypatch.setenv("WATCHKEEPER_DATABASE_URL", url)
    before = state(home)
    said = refused("status")
    assert told in said
    assert PASSWORD not in said
    assert state(home) == before


def test_a_database_of_a_newer_program_is_left_alone(home: Path, watch: Watch) -> None:
    """It may hold what this program does not understand."""
    watch.store.close()
    with closing(sqlite3.connect(home / "watchkeeper.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = state(home)
    assert "schema 9999, newer than this program's" in refused("status")
    assert state(home) == before


SETTINGS: list[tuple[str, str, str]] = [
    ("WATCHKEEPER_HEALTH_INTERVAL_S", "abc", "valid number"),
    ("WATCHKEEPER_SWEEP_INTERVAL_S", "0", "greater than 0"),
    ("WATCHKEEPER_PORT", "70000", "less than or equal to 65535"),
]


@pytest.mark.parametrize(("name", "value", "told"), SETTINGS)
def test_a_setting_that_cannot_be_read(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    """The variable is named as it is spelled in the environment."""
    monkeypatch.setenv(name, value)
    before = state(home)
    said = refused("status")
    assert said.startswith(f"watchkeeper: {name}: ")
    assert told in said
    assert state(home) == before


@contextmanager
def taken_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of `up` is somebody else's."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port: int = other.getsockname()[1]
        monkeypatch.setenv("WATCHKEEPER_PORT", str(port))
        yield port


def test_a_taken_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` says which port and how to choose another, before it starts anything."""
    # Past the port nothing could be started in here.
    (home / "prefect").touch()
    with taken_port(monkeypatch) as port:
        before = rows(home / "watchkeeper.db")
        told = refused("up")
    assert f"port {port} on 127.0.0.1 cannot be used" in told
    assert "set WATCHKEEPER_PORT" in told
    assert rows(home / "watchkeeper.db") == before
    assert not (home / "prefect-server.log").exists()
    assert not (home / "up.json").exists()


@pytest.mark.parametrize("words", ["up", "up --sandbox"])
def test_a_second_supervisor_over_one_home(
    home: Path, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would start every run twice: the second ends at once and leaves the first one's world
    as it is."""
    owned = home / "sandbox" if "--sandbox" in words else home
    owned.mkdir(exist_ok=True)
    (owned / "up.json").write_text('{"pid": 1, "api": "http://127.0.0.1:9/api"}')
    with (owned / "up.lock").open("w") as file, taken_port(monkeypatch):
        fcntl.flock(file, fcntl.LOCK_EX)
        before = state(home)
        assert "`watchkeeper up` runs already for" in refused(*words.split())
        assert state(home) == before


# --- the question and its answer ----------------------------------------------------------------


def test_a_plan_that_needs_a_key_waits_for_it(home: Path, incident: str, watch: Watch) -> None:
    """A yes before a key was offered would find nothing to rotate to: the way there is named."""
    asked(watch)
    before = state(home)
    told = refused("approve", incident)
    assert f"INC-1 needs a new key, offered with: watchkeeper key offer {NAME}" in told
    assert state(home) == before


def test_an_answer_is_written_once(home: Path, incident: str, watch: Watch) -> None:
    """With its author, whether a server runs or not; a second answer changes nothing."""
    asked(watch)
    open_rotatable("file:key.json", home).offer(Secret(NEW_KEY))
    said = well("approve", incident, "--by", "grace", "--reason", "go")
    assert "approve is written down" in said.err
    assert "the next sweep goes on with it" in said.err
    before = state(home)
    assert "INC-1 was answered already: approve by grace" in refused("approve", incident)
    assert "INC-1 was answered already: approve by grace" in refused("deny", incident)
    assert state(home) == before
    actor, text = timeline(watch)[-1]
    assert (actor, text.endswith("approve, go")) == ("grace", True)


def test_no_is_an_answer_that_needs_no_key(home: Path, incident: str, watch: Watch) -> None:
    """Whoever says no need not offer a key first."""
    asked(watch)
    well("deny", incident)
    with watch.store.read() as session:
        answer = approvals.latest(session, 1)
    assert answer is not None
    assert (answer.decision, answer.decided_by) == ("deny", ME)


def test_a_question_that_ran_out_takes_no_answer(home: Path, incident: str, watch: Watch) -> None:
    """A late yes is not a yes, whether the sweep has seen it or not."""
    rotates = "overrides: {mitigations: {rotate-key: {autonomy: approve}}}"
    text = watch.settings.integrations.read_text()
    watch.settings.integrations.write_text(f"{text}    {rotates}\n")
    asked(watch, ago=timedelta(hours=2))
    open_rotatable("file:key.json", home).offer(Secret(NEW_KEY))
    before = state(home)
    told = refused("approve", incident)
    assert "the question of INC-1 ran out at" in told
    assert "it counts as denied" in told
    assert state(home) == before


def test_an_expired_question_shows_the_command_that_asks_again(
    home: Path, incident: str, watch: Watch
) -> None:
    """W17: with the key it needs, and without that part once the key was offered; in `status`, in
    `incident show` and as JSON. The command is one that works."""
    rotates = "overrides: {mitigations: {rotate-key: {autonomy: approve}}}"
    text = watch.settings.integrations.read_text()
    watch.settings.integrations.write_text(f"{text}    {rotates}\n")
    asked(watch, ago=timedelta(hours=2))
    with watch.store.write() as session:
        (question,) = [q for q in approvals.overdue(session, watch.now()) if q.waits]
        approvals.expire(session, question.id, watch.now())
    again = f"watchkeeper mitigate {NAME} --apply"
    first = f"watchkeeper key offer {NAME} && {again}"
    assert incident_now()["next"] == first
    open_rotatable("file:key.json", home).offer(Secret(NEW_KEY))
    assert incident_now()["next"] == again
    assert f"next: {again}" in run("status").err
    assert f"next: {again}" in well("incident", "show", incident).err
    well("mitigate", NAME, "--apply")
    with watch.store.read() as session:
        asked_again = approvals.latest(session, 1)
    assert asked_again is not None
    assert (asked_again.decision, asked_again.decided_by) == ("approve", ME)


# --- mitigations by hand ------------------------------------------------------------------------


def incident_now(name: str = "INC-1") -> dict[str, Any]:
    (found,) = run("status", "--json").data["incidents"]
    assert f"INC-{found['id']}" == name
    return dict(found)


def overridden(watch: Watch, mitigation: str, said: str) -> None:
    path = watch.settings.integrations
    path.write_text(f"{path.read_text()}    overrides: {{mitigations: {{{mitigation}: {said}}}}}\n")


def test_what_is_asked_for_by_hand_has_its_yes(home: Path, incident: str, watch: Watch) -> None:
    """Whoever asks for it has read it: it is written down for the responder, and never twice."""
    said = well("mitigate", NAME, "pause-deferrable", "--apply", "--reason", "too much").err
    assert f"is approved by {ME}" in said
    assert "the next sweep goes on with it" in said
    (step,) = incident_now()["steps"]
    assert step == {
        "name": "pause-deferrable",
        "state": "wanted",
        "by": ME,
        "because": "too much",
    }
    with watch.store.read() as session:
        answer = approvals.latest(session, 1)
        held = leases.active(session)
    assert answer is not None
    assert (answer.actions, answer.decision) == (("pause-deferrable",), "approve")
    assert (answer.decided_by, answer.reason) == (ME, "too much")
    assert held == (), "a responder carries it out, and nobody else"


def test_where_two_are_wanted_by_hand_is_one(home: Path, incident: str, watch: Watch) -> None:
    """Another person says the second yes, to the same plan."""
    overridden(watch, "pause-deferrable", "{approvals: 2}")
    said = well("mitigate", NAME, "pause-deferrable", "--apply").err
    assert f"is approved by {ME}; 1 more people must say yes" in said
    (question,) = incident_now()["questions"]
    assert (question["wanted"], question["yes"]) == (2, [ME])
    assert "another person's yes is wanted" in refused("approve", incident)
    assert "approve is written down" in well("approve", incident, "--by", "grace").err
    assert incident_now()["questions"] == []


def test_of_two_questions_one_is_named(home: Path, incident: str, watch: Watch) -> None:
    """By the first characters of its plan, as status shows them."""
    asked(watch)
    overridden(watch, "pause-deferrable", "{approvals: 2}")
    well("mitigate", NAME, "pause-deferrable", "--apply")
    mine, whole = incident_now()["questions"]
    assert mine["actions"] == ["pause-deferrable"]
    before = state(home)
    told = refused("approve", incident, "--by", "grace")
    assert f"INC-1 asks about {mine['plan']}, {whole['plan']}: name the one" in told
    assert "does not ask about plan ffffffff" in refused("deny", incident, "--plan", "ffffffff")
    assert state(home) == before
    well("approve", incident, "--by", "grace", "--plan", mine["plan"][:6])
    assert [question["plan"] for question in incident_now()["questions"]] == [whole["plan"]]


def ids(text: str) -> list[str]:
    """The plans that a text names, in its order."""
    return re.findall(r"\bplan `?([0-9a-f]{16})\b", text, re.IGNORECASE)


def test_one_plan_has_one_id_wherever_it_is_shown(home: Path, incident: str, watch: Watch) -> None:
    """W18: in the terminal, as JSON, in the question, in status and in the answer. What is done
    without asking is no part of it."""
    overridden(watch, "pause-all-jobs", "{autonomy: auto}")
    shown = well("mitigate", NAME, "--dry-run").err
    (planned,) = ids(shown)
    assert "Done without asking" in shown
    assert ids(well("mitigate", NAME).err) == [planned]
    made = well("mitigate", NAME, "--dry-run", "--json").data
    assert (made["plan"], made["dry_run"], made["approved"]) == (None, True, [])
    assert [done["name"] for done in made["without_asking"]] == ["pause-all-jobs"]
    (question,) = made["questions"]
    assert question["plan"] == planned
    asked(watch)
    (standing,) = incident_now()["questions"]
    assert standing["plan"] == planned
    assert ids(run("status").err) == [planned]
    with watch.store.read() as session:
        row = approvals.latest(session, 1)
    assert row is not None
    assert (row.plan_hash, row.plan_text) == (planned, question["text"])
    assert row.plan_text in plan_text_of(watch)
    open_rotatable("file:key.json", home).offer(Secret(NEW_KEY))
    assert ids(well("approve", incident, "--plan", planned[:6]).err) == [planned]
    assert ids("\n".join(text for _, text in timeline(watch))) == [planned] * 2


def plan_text_of(watch: Watch) -> str:
    """What a run shows in Prefect, made from the world as it is now."""
    with watch.store.read() as session:
        found = incidents.get(session, 1)
    made = asyncio.run(mitigating.make_plan(watch, watch.integration(NAME), found))
    return plan_text(made)


def test_what_is_asked_for_by_name_has_an_id_of_its_own(
    home: Path, incident: str, watch: Watch
) -> None:
    """W18: two questions, and both stand in the plan that is shown, each with its id."""
    overridden(watch, "pause-deferrable", "{approvals: 2}")
    applied = well("mitigate", NAME, "pause-deferrable", "--apply", "--json")
    (mine,) = [said["plan"] for said in applied.data["approved"]]
    assert [question["plan"] for question in applied.data["questions"]] == [mine]
    asked_now(watch)
    standing = [question["plan"] for question in incident_now()["questions"]]
    assert len(standing) == 2 and mine in standing
    assert sorted(ids(plan_text_of(watch))) == sorted(standing)
    assert sorted(ids(well("mitigate", NAME).err)) == sorted(standing)
    made = well("mitigate", NAME, "--json").data
    assert sorted(question["plan"] for question in made["questions"]) == sorted(standing)


def asked_now(watch: Watch) -> None:
    """Every question of the plan, as a responder asks them."""
    watched = watch.integration(NAME)
    with watch.store.read() as session:
        found = incidents.get(session, 1)
    for question in asyncio.run(mitigating.make_plan(watch, watched, found)).questions:
        mitigating.ask(watch, watched, question)


def test_what_changed_since_is_asked_under_the_id_that_a_responder_gives_it(
    home: Path, incident: str, watch: Watch
) -> None:
    """W18: where a part of the plan is done already, a yes to the old plan leaves one question, the
    one that a responder asks too."""
    asked(watch)
    (before,) = incident_now()["questions"]
    open_rotatable("file:key.json", home).offer(Secret(NEW_KEY))
    for name in [job["name"] for job in well("job", "list", NAME, "--json").data]:
        well("job", "pause", NAME, name, "--reason", "mine")
    told = refused("approve", incident)
    asked_now(watch)
    (now,) = incident_now()["questions"]
    assert (before["actions"], now["actions"]) == (["pause-all-jobs", "rotate-key"], ["rotate-key"])
    assert f"it is now plan {now['plan']}" in told


def test_a_step_is_skipped_and_tried_again(home: Path, incident: str, watch: Watch) -> None:
    """By its name in the plan; what was asked about with it is not asked any more."""
    asked(watch)
    told = refused("incident", "skip", "1", "pause-jobs", "--reason", "x")
    assert f"'pause-jobs' is no step of {NAME}: emergency-rate-cap, " in told
    assert "has not begun 'rotate-key' in this round" in refused(
        "incident", "retry", "1", "rotate-key", "--reason", "x"
    )
    well("incident", "skip", incident, "pause-all-jobs", "--reason", "month end")
    now = incident_now()
    assert (now["questions"], now["steps"][0]["state"]) == ([], "skipped")
    assert "pause-all-jobs skipped: month end" in run("status").err
    assert f"pause-all-jobs: skipped by {ME}: month end" in well("mitigate", NAME).err
    well("incident", "retry", incident, "pause-all-jobs", "--reason", "over", "--by", "grace")
    assert [(s["state"], s["by"]) for s in incident_now()["steps"]] == [("wanted", "grace")]
    assert [text for _, text in timeline(watch)[-2:]] == [
        "skips pause-all-jobs: month end",
        "tries pause-all-jobs again: over",
    ]


def test_when_the_harm_is_over_no_step_is_left(home: Path, incident: str, watch: Watch) -> None:
    """Neither to skip, nor to try again, nor to ask for."""
    well("incident", "skip", incident, "escalate", "--reason", "x")
    with watch.store.write() as session:
        for to in (State.TRIAGED, State.MITIGATED, State.RESOLVED):
            incidents.move(session, 1, to, watch.now())
    before = state(home)
    for words in (("skip", "1", "rotate-key"), ("retry", "1", "escalate")):
        assert "INC-1 is resolved" in refused("incident", *words, "--reason", "x")
    said = run("mitigate", NAME, "pause-deferrable", "--apply")
    assert (said.code, "INC-1 is resolved" in said.err) == (2, True)
    assert state(home) == before


# --- leaks and leases ---------------------------------------------------------------------------

LEAK = ("leak", "tell", NAME, "--since", "2026-01-31T09:00:00Z", "--where", "a public repository")


def test_a_leak_is_told_shown_and_audited(home: Path, watch: Watch) -> None:
    """It opens an incident of its own, and stays on status until its use was looked at."""
    key = Secret(FIRST_KEY).fingerprint
    assert f"key {key} counts as leaked since 2026-01-31 09:00:00Z" in well(*LEAK).err
    now = incident_now()
    assert (now["cause"], now["severity"], now["verdict"]) == ("key_leaked", 1, "confirmed")
    assert f"asked of a person: revoke key {key} in the vendor's settings, now" in run("status").err
    (shown,) = well("leak", "show", "1").data
    assert {k: shown[k] for k in ("fingerprint", "place", "told_by", "refused_at", "finding")} == {
        "fingerprint": key,
        "place": "a public repository",
        "told_by": ME,
        "refused_at": None,
        "finding": None,
    }
    assert "not audited yet (INC-1)" in run("status").err
    well("leak", "audit", "INC-1", "--finding", "no stranger used it", "--by", "grace")
    (shown,) = well("leak", "show", "1").data
    assert (shown["audited_by"], shown["finding"]) == ("grace", "no stranger used it")
    assert "not audited yet" not in run("status").err
    assert timeline(watch)[-1] == (
        "grace",
        "the use of the leaked key was audited: no stranger used it",
    )


def test_a_leak_joins_the_open_incident(home: Path, incident: str, watch: Watch) -> None:
    """What was being done is for another cause: it begins again with this one."""
    well(*LEAK, "--key", Secret(FIRST_KEY).fingerprint)
    now = incident_now()
    assert (now["cause"], now["state"]) == ("key_leaked", "open")
    assert well("incident", "show", "1", "--json").data["round"] == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            (*LEAK[:4], "2999-01-31T09:00:00Z", *LEAK[5:]),
            "--since 2999-01-31T09:00:00Z has not come",
        ),
        ((*LEAK, "--key", "01234567"), f"{NAME} has no key 01234567; its store holds "),
        (("leak", "show", "1"), "INC-1"),
        (("leak", "audit", "1", "--finding", "x"), "INC-1"),
    ],
)
def test_what_cannot_be_told_of_a_leak(home: Path, words: tuple[str, ...], told: str) -> None:
    """A key that we do not have, a time to come, an incident without a leak."""
    before = state(home)
    assert told in refused(*words)
    assert state(home) == before


def test_leases_are_listed_extended_and_released(
    home: Path, incident: str, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was before comes back, and each word of a person is on the timeline."""
    assert well("lease", "list", "--json").data == []
    pause = PauseJobs(jobs=("asset-sync",), lease=timedelta(hours=4))
    leasing.pause_jobs(watch, Duty(1, 1), NAME, pause)
    (lease,) = well("lease", "list", "--json").data
    assert (lease["target"], lease["was"], lease["is"]) == ("asset-sync", "running", "paused")
    number, until = str(lease["id"]), datetime.fromisoformat(lease["expires_at"])
    for length in ("soon", "0 s", "next business day"):
        assert f"LENGTH {length!r}" in refused("lease", "extend", number, length)
    well("lease", "extend", number, "2h", "--reason", "month end")
    (lease,) = well("lease", "list", "--json").data
    assert datetime.fromisoformat(lease["expires_at"]) == until + timedelta(hours=2)
    monkeypatch.setenv("COLUMNS", "120")
    assert "asset-sync" in well("lease", "list").err
    said = well("lease", "release", number, "--by", "grace").err
    assert f"lease {number}: asset-sync: back to running" in said
    assert timeline(watch)[-1] == ("grace", "releases paused_job asset-sync: back to running")
    assert "nothing is held" in well("lease", "list").err
    for again in (("release", number), ("extend", number, "1h")):
        assert f"lease {number} has ended already" in refused("lease", *again)
    assert "there is no lease 99" in refused("lease", "release", "99")


def test_a_vigil_is_not_let_go_without_a_reason(home: Path, incident: str, watch: Watch) -> None:
    """It waits for a proof: who does without it says why."""
    kind, hour = LeaseKind.OLD_KEY, timedelta(hours=1)
    leasing.hold(watch, Duty(1, 1), NAME, kind, "0a1b2c3d", {"asked_at": "-"}, hour)
    assert "revoke key 0a1b2c3d in the vendor's settings" in run("status").err
    before = state(home)
    assert "lease 1 waits for a proof: say with --reason" in refused("lease", "release", "1")
    assert state(home) == before
    well("lease", "release", "1", "--reason", "the account is closed")
    assert incident_now()["asks"] == []


# --- people and the record ----------------------------------------------------------------------


def test_an_incident_is_declared_corrected_and_written_up(
    home: Path, incident: str, watch: Watch
) -> None:
    """Each word of a person is on the timeline under his name, and the record follows."""
    with watch.store.write() as session:
        pages.wanted(session, 1, 1, "on-call engineer", "key", watch.now())
    well("incident", "ack", incident)
    well("incident", "note", "inc-1", "[red]the vendor[/red] calls back", "--by", "grace")
    well("incident", "set", "1", "--severity", "2", "--reason", "one site only")
    well("incident", "waive", "1", "assets", "--reason", "rebuilt by hand", "--by", "grace")
    assert timeline(watch)[-4:] == [
        (ME, "acknowledged"),
        ("grace", "[red]the vendor[/red] calls back"),
        (ME, "set severity 2: one site only"),
        ("grace", "waived the gap in assets: rebuilt by hand"),
    ]
    with watch.store.read() as session:
        (paged,) = pages.of_incident(session, 1)
    assert paged.acknowledged_at is not None
    assert "is not closed: the gap in locations is open" in refused(
        "incident", "close", incident, "--reason", "all well"
    )

    (listed,) = well("incident", "list", "--json").data
    shown = well("incident", "show", incident, "--json").data
    assert listed | {"timeline": shown["timeline"]} == shown
    assert {k: listed[k] for k in ("id", "severity", "cause", "verdict", "state")} == {
        "id": 1,
        "severity": 2,
        "cause": "api_key_expired",
        "verdict": "confirmed",
        "state": "open",
    }
    assert len(shown["timeline"]) == len(timeline(watch))
    assert "INC-1" in well("incident", "list").err

    path = Path(well("incident", "report", incident).err.strip())
    assert path == home / "reports" / "incident-1.md"
    assert "the vendor" in path.read_text()
    assert "acknowledged" in well("incident", "show", incident).err


def test_the_report_counts_by_what_the_vendor_can_be_asked(
    home: Path, incident: str, watch: Watch
) -> None:
    """W19: which resources can be asked by time comes from the runbook; a gap without an end is open."""
    counted = Reconciliation(20, 20, (), ())
    with watch.store.write() as session:
        for gap in gaps.of_incident(session, 1):
            if gap.resource == "locations":
                gaps.judged(session, gap.id, counted, watch.now())
    text = Path(well("incident", "report", incident).err.strip()).read_text()
    assert "the vendor holds all 20 locations (cannot be asked by time)\n" in text
    assert "| workorders | the beginning | still open | open | not counted |" in text


def test_a_second_declaration_joins_the_first(home: Path, incident: str, watch: Watch) -> None:
    """One integration has one open incident; what was said is noted there."""
    said = well("incident", "open", NAME, "--reason", "still down", "--by", "grace")
    assert "INC-1 was open already" in said.err
    assert timeline(watch)[-1] == ("grace", "still down")
    assert len(well("incident", "list", "--json").data) == 1


def test_taking_over_and_giving_back(home: Path, incident: str, watch: Watch) -> None:
    """While a person has it nothing is planned unless it is asked for by name."""
    well("incident", "take", incident, "--reason", "I am on it")
    assert f"{ME} has taken over" in well("mitigate", NAME).err
    assert "pause job asset-sync" in well("mitigate", NAME, "pause-all-jobs").err
    well("incident", "take", incident, "--reason", "done", "--give-back")
    plan = well("mitigate", NAME).err
    assert "has taken over" not in plan
    assert "dry run: nothing was done" in plan
    assert [text for _, text in timeline(watch)[-2:]] == [
        "took over: I am on it",
        "gave it back: done",
    ]


def test_a_retry_begins_a_new_round(home: Path, incident: str, watch: Watch) -> None:
    """Triage, plan and question come again: what was answered before does not count."""
    with watch.store.write() as session:
        incidents.move(session, 1, State.TRIAGED, watch.now())
    well("incident", "retry", incident, "--reason", "wrong cause")
    found = well("incident", "show", incident, "--json").data
    assert (found["state"], found["round"]) == ("open", 2)
    assert timeline(watch)[-1] == (ME, "again from the start: wrong cause")


def test_a_plan_is_shown_and_nothing_done(home: Path, incident: str, watch: Watch) -> None:
    """Without --apply every effect and its way back is read, and no row moves."""
    before = state(home)
    shown = well("mitigate", NAME).err
    windows = well("backfill", NAME, "workorders", *TIMES).err
    assert state(home) == before
    for said in ("pause job workorder-sync", "promote pending of file:key.json", "way back"):
        assert said in shown
    assert windows.splitlines()[0].startswith("window 09:00:00–")
    assert windows.splitlines()[-1] == "dry run: nothing was done; --apply does it"
    assert FIRST_KEY not in shown


def test_halting_by_row_and_by_file(home: Path, watch: Watch) -> None:
    """Either of them halts, and `off` undoes both."""
    assert "not halted" in well("halt", "status").err
    assert f"halted: {ME}: too many" in well("halt", "on", "--reason", "too many").err
    assert f"halted: {ME}: too many" in well("halt", "status").err
    (home / "HALT").unlink()
    assert f"halted: {ME}: too many" in well("halt", "status").err
    assert well("halt", "off").err == "not halted\n"
    (home / "HALT").touch()
    assert run("status", "--json").data["halted"] == "the file HALT is there"
    assert well("halt", "off").err == "not halted\n"
    assert not (home / "HALT").exists()


def test_a_job_is_paused_and_resumed_by_name(home: Path, watch: Watch) -> None:
    """The row says who and why; the others go on."""
    well("job", "pause", NAME, "asset-sync", "--reason", "month end", "--by", "grace")
    listed = well("job", "list", NAME, "--json").data
    assert {j["name"]: (j["desired"], j["by"]) for j in listed} == {
        "asset-sync": ("paused", "grace"),
        "report-generator": ("running", "runbook"),
        "workorder-sync": ("running", "runbook"),
    }
    assert "month end" in well("job", "list", NAME).err
    assert "asset-sync by grace (month end)" in run("status").err
    well("job", "resume", NAME, "asset-sync")
    with watch.store.read() as session:
        job = jobs.get(session, NAME, "asset-sync")
    assert (job.paused, job.changed_by, job.revision) == (False, ME, 2)


def test_status_shows_what_is_broken_and_the_next_step(
    home: Path, incident: str, watch: Watch
) -> None:
    """Exit 1 while an incident is open, 0 when none is; JSON is alone on stdout."""
    asked(watch)
    said = run("status", "--json")
    now = said.data
    assert (said.code, said.err) == (1, "")
    parts = ("untaken", "integrations", "incidents", "leases", "audits", "gaps")
    assert set(now) == {"at", "watch", "halted", *parts}
    (broken,) = now["incidents"]
    assert (broken["question"], broken["steps"], broken["asks"]) == (broken["questions"][0], [], [])
    assert (broken["question"]["waits"], broken["question"]["expires_at"]) == (False, None)
    assert broken["next"] == f"watchkeeper key offer {NAME} && watchkeeper approve INC-1"
    assert len(now["gaps"]) == len(well("gaps", "--json").data) == 4
    words = run("status")
    assert (words.code, words.out) == (1, "")
    (plan,) = (question["plan"] for question in broken["questions"])
    assert f"proposes plan {plan}: pause-all-jobs, rotate-key" in words.err
    assert f"first: a new key, offered with: watchkeeper key offer {NAME}" in words.err
    assert "gap: maintainx@test workorders the beginning–now open" in words.err
    with watch.store.read() as session:
        assert leases.active(session) == ()


def test_a_home_where_nothing_happened_has_nothing_to_list(home: Path) -> None:
    """No incident and no gap; what was never checked is not called well."""
    before = state(home)
    said = run("status", "--json")
    assert (said.code, said.data["incidents"], said.data["watch"]["whole"]) == (1, [], False)
    assert "no gap is open" in well("gaps").err
    assert well("gaps", "--all", "--json").data == []
    assert well("incident", "list", "--json").data == []
    assert state(home) == before


def test_status_in_an_empty_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W1: nothing is known there: exit 1, and that comes first; never "nothing is broken"."""
    monkeypatch.setenv("WATCHKEEPER_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(tmp_path / "none.yaml"))
    said = run("status")
    assert (said.code, said.out) == (1, "")
    first, second, *_ = said.err.splitlines()
    assert first.startswith("NOT KNOWN: no integration is watched: ")
    assert "none.yaml does not exist" in first
    assert second.startswith("NOT KNOWN: `watchkeeper up`: never ran for this home")
    assert "nothing is broken" not in said.err
    fields = run("status", "--json").data["watch"]
    assert [(d["about"], d["state"]) for d in fields["doubts"]] == [
        (about, "never") for about in ("files", "up", "server", "disk")
    ]


def seen(watch: Watch, ago: timedelta = timedelta(0)) -> None:
    """What `up` records while it stands and all is well."""
    then, every = watch.now() - ago, timedelta(seconds=60)
    with watch.store.write() as session:
        for part in (Part.UP, Part.SERVER, Part.DISK):
            heartbeats.beat(session, part, then, every=every)
        heartbeats.beat(session, Part.CHECK, then, every=every, target=NAME)


def test_status_calls_well_only_what_was_seen_well(home: Path, watch: Watch) -> None:
    """W1: exit 0 while `up` stands and every check is fresh; half an hour after it was stopped, exit 1.
    Halted comes first; without a pager it says so each time."""
    seen(watch)
    said = well("status")
    assert "nothing is broken" in said.err
    assert f"{NAME}: no pager is set: no page would go out" in said.err
    well("halt", "on", "--reason", "too many", "--by", "ada")
    said = run("status")
    assert (said.code, said.err.splitlines()[0]) == (1, "HALTED: ada: too many")
    well("halt", "off")
    seen(watch, timedelta(minutes=30))
    said = run("status")
    assert said.code == 1
    assert said.err.startswith("NOT KNOWN: `watchkeeper up`: last result 30 min ago (well)")
    assert "nothing is broken" not in said.err


def test_a_runbook_that_is_well_is_read_back(home: Path) -> None:
    """What it will do, in words: with the integrations where no file is named."""
    assert "maintainx@test (sandbox) at http://127.0.0.1:9/v1" in well("runbook", "check").err
    shipped = Path(__file__).parents[1] / "runbooks" / "maintainx.yaml"
    said = well("runbook", "check", str(shipped)).err
    assert "api_key_expired: SEV-1 -> pause-all-jobs [propose], rotate-key [propose]" in said


def test_the_scenarios_are_listed(home: Path) -> None:
    """Before a drill is started, what there is to rehearse."""
    assert "expired-key-killed-in-backfill" in well("drill", "--list").err


def test_doctor_tells_what_an_incident_would_miss(home: Path) -> None:
    """Key by fingerprint, no pager, no server: exit 1 while anything is missing, and no value."""
    before = state(home)
    said = run("doctor")
    assert (said.code, said.out) == (1, "")
    assert f"file:key.json holds a key, {Secret(FIRST_KEY).fingerprint}" in said.err
    for missing in ("no pager is set: no page would go out", "no Prefect server runs for"):
        assert missing in said.err
    assert FIRST_KEY not in said.err
    home.chmod(0o755)
    (home / "key.json").unlink()
    said = run("doctor")
    assert "file:key.json does not exist" in said.err
    assert "can be read by others (755): chmod 700" in said.err
    home.chmod(0o700)
    store_key(home)
    assert state(home)[1] == before[1]


# --- against a real vendor ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    folder = tmp_path_factory.mktemp("vendor")
    with Processes(folder) as processes, running_vendor(processes, folder) as vendor:
        yield vendor


@pytest.fixture
def vendor(running: Vendor, home: Path) -> Iterator[Vendor]:
    """The sandbox's vendor, and this home's one integration pointed at it."""
    (home / "integrations.yaml").write_text(entry(running, overrides=FAST))
    yield running
    running.mend()


def test_status_asks_no_one(home: Path, vendor: Vendor) -> None:
    """W1: it reads what was recorded; not one request goes out, to a healthy vendor or a broken one."""
    before = vendor.asked()
    run("status")
    vendor.fault("outage", status=503)
    run("status", "--json")
    assert vendor.asked() == before


def test_a_healthy_triage_as_json(home: Path, vendor: Vendor) -> None:
    """No server is needed: every key is there, JSON is alone on stdout, exit 0."""
    before, came = state(home), vendor.asked()
    said = run("triage", NAME, "--json")
    found = said.data
    assert (said.code, said.err) == (0, "")
    assert {
        *("integration", "at", "verdict", "cause", "severity", "evidence", "counter_evidence"),
        *("ruled_out", "probes", "mitigations"),
    } <= set(found)
    assert (found["integration"], found["cause"], found["mitigations"]) == (NAME, None, [])
    assert datetime.fromisoformat(found["at"]).utcoffset() == timedelta(0)
    endpoints = {p["probe"]: p["status"] for p in found["probes"] if p["kind"] == "endpoint"}
    assert endpoints == dict.fromkeys(("workorders", "assets", "locations", "users"), 200)
    assert state(home) == before
    assert only_read(came, vendor.asked()) > 0


def test_a_triage_of_an_expired_key_changes_nothing(home: Path, vendor: Vendor) -> None:
    """The cause with its evidence and what was ruled out, exit 1; no row, no file, no write at the
    vendor, and the incident that is open stays as it is."""
    well("incident", "open", NAME, "--reason", "all refused")
    vendor.fault("key_expired")
    before, came = state(home), vendor.asked()
    said = run("triage", NAME, "--json")
    found = said.data
    assert said.code == 1
    assert (found["verdict"], found["cause"], found["severity"]) == ("likely", "api_key_expired", 1)
    assert found["mitigations"] == ["pause-all-jobs", "rotate-key"]
    assert found["evidence"]
    assert all({"cause", "because"} <= set(out) for out in found["ruled_out"])
    assert state(home) == before
    assert only_read(came, vendor.asked()) > 0
    assert FIRST_KEY not in said.out
    words = run("triage", NAME)
    assert (words.code, words.out) == (1, "")
    assert f"next: watchkeeper mitigate {NAME}" in words.err


def only_read(before: dict[str, int], after: dict[str, int]) -> int:
    """How many requests came in between; every one of them reads."""
    came = {what: count - before.get(what, 0) for what, count in after.items()}
    assert all(what.startswith("GET ") for what, count in came.items() if count)
    return sum(came.values())


def test_verify_by_hand(home: Path, vendor: Vendor) -> None:
    """Exit 0 once the runbook's rule holds, 1 when its patience is over."""
    said = run("verify", NAME, "--json")
    assert (said.code, said.data["holds"], said.data["looks"]) == (0, True, 3)
    vendor.fault("outage", status=503)
    said = run("verify", NAME)
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("does not hold: ")


@pytest.mark.parametrize("there", [True, False])
def test_a_first_key_needs_no_rotation(home: Path, vendor: Vendor, there: bool) -> None:
    """Where the store holds no key yet, one that the vendor does not refuse is current at once, also
    where the vendor cannot be asked: there is nothing to lose, and nothing else to go on with."""
    (home / "key.json").unlink()
    if not there:
        vendor.fault("outage", status=503)
    said = well("key", "offer", NAME, stdin=vendor.new_key())
    assert f"is the first key of {NAME}" in said.err
    stages = [row["stage"] for row in well("key", "show", NAME, "--json").data]
    assert stages == ["current"]


def test_a_key_is_offered_tested_and_shown_by_fingerprint(home: Path, vendor: Vendor) -> None:
    """What is typed goes to the store and nowhere else: not onto a stream, not onto a row."""
    key = vendor.new_key()
    before = rows(home / "watchkeeper.db")
    said = well("key", "offer", NAME, stdin=f"  {key}\n")
    mark = Secret(key).fingerprint
    assert f"{mark} is offered for {NAME}; the vendor accepts {mark} on 4 endpoints" in said.err
    shown = well("key", "show", NAME, "--json")
    assert {v["stage"]: v["fingerprint"] for v in shown.data} == {
        "current": Secret(FIRST_KEY).fingerprint,
        "pending": mark,
    }
    table = well("key", "show", NAME).err
    assert mark in table
    assert not any(value in said.err + shown.out + table for value in (key, FIRST_KEY))
    assert rows(home / "watchkeeper.db") == before
    assert (home / "key.json").stat().st_mode & 0o777 == 0o600


OFFERS: list[tuple[str, str, str]] = [
    ("nothing", "", "is empty; store it again, the key alone"),
    ("a blank line", " \n\t\n", "is empty"),
    ("two lines", f"{NEW_KEY}\n{NEW_KEY}\n", "has white space or control characters inside"),
    ("two words", f"key: {NEW_KEY}", "has white space or control characters inside"),
    ("another alphabet", "test_schlüssel", "has characters outside ASCII"),
    ("the current one", FIRST_KEY, "is the current one of file:key.json already"),
    ("refused by the vendor", NEW_KEY, "it was not kept"),
]


@pytest.mark.parametrize(("typed", "told"), [o[1:] for o in OFFERS], ids=[o[0] for o in OFFERS])
def test_a_key_that_is_none_is_not_kept(home: Path, vendor: Vendor, typed: str, told: str) -> None:
    """It is said why, without the value, and the store is as it was."""
    before, held = rows(home / "watchkeeper.db"), well("key", "show", NAME, "--json").data
    said = refused("key", "offer", NAME, stdin=typed)
    assert told in said
    assert not any(value in said for value in (FIRST_KEY, NEW_KEY, "schlüssel"))
    assert well("key", "show", NAME, "--json").data == held
    assert rows(home / "watchkeeper.db") == before


def test_a_second_offer_replaces_nothing_unasked(home: Path, vendor: Vendor) -> None:
    """Two people with two keys do not overwrite each other; --replace does it on purpose."""
    first, second = vendor.new_key(), vendor.new_key()
    well("key", "offer", NAME, stdin=first)
    told = refused("key", "offer", NAME, stdin=second)
    assert f"has key {Secret(first).fingerprint} pending since" in told
    well("key", "offer", NAME, "--replace", stdin=second)
    pending = {v["stage"]: v["fingerprint"] for v in well("key", "show", NAME, "--json").data}
    assert pending["pending"] == Secret(second).fingerprint
    assert "--replace" in told and "watchkeeper key withdraw" in told


def test_an_offered_key_is_taken_back(home: Path, vendor: Vendor) -> None:
    """The current one stays; with none on offer there is nothing to take back."""
    assert "nothing to withdraw" in refused("key", "withdraw", NAME)
    well("key", "offer", NAME, stdin=vendor.new_key())
    assert "is no longer on offer" in well("key", "withdraw", NAME).err
    held = {v["stage"]: v["fingerprint"] for v in well("key", "show", NAME, "--json").data}
    assert held == {"current": Secret(FIRST_KEY).fingerprint}


def test_what_is_done_with_a_key_is_on_the_timeline(
    home: Path, vendor: Vendor, incident: str, watch: Watch
) -> None:
    """Offered, replaced and withdrawn: by whom and which, by fingerprint and never the value. What is
    offered again is told once; a key that was withdrawn meanwhile is a new offer."""
    first, second = vendor.new_key(), vendor.new_key()
    one, two = Secret(first).fingerprint, Secret(second).fingerprint
    told = len(timeline(watch))
    for _ in range(2):
        well("key", "offer", NAME, "--by", "ada", stdin=first)
    assert timeline(watch)[told:] == [("ada", f"offered key {one}")]
    refused("key", "offer", NAME, stdin=second)
    for by in ("grace", "ben"):
        well("key", "offer", NAME, "--replace", "--by", by, stdin=second)
    well("key", "withdraw", NAME)
    well("key", "offer", NAME, "--by", "ada", stdin=second)
    refused("key", "offer", NAME, "--by", "\u200b", stdin=second)
    said = timeline(watch)[told:]
    assert sorted(said) == sorted(
        [
            ("ada", f"offered key {one}"),
            ("grace", f"withdrew the offered key {one}: another takes its place"),
            ("grace", f"offered key {two}"),
            (ME, f"withdrew the offered key {two}"),
            ("ada", f"offered key {two}"),
        ]
    )
    shown = well("incident", "show", incident).err + str(rows(home / "watchkeeper.db"))
    assert one in shown and two in shown
    assert first not in shown and second not in shown


def test_a_first_key_is_on_the_timeline_as_one(
    home: Path, vendor: Vendor, incident: str, watch: Watch
) -> None:
    """It is current at once: nobody withdraws it."""
    (home / "key.json").unlink()
    key = vendor.new_key()
    well("key", "offer", NAME, "--by", "ada", stdin=key)
    assert timeline(watch)[-1] == ("ada", f"stored the first key, {Secret(key).fingerprint}")


# --- as a process -------------------------------------------------------------------------------


def program(*words: str) -> Said:
    done = subprocess.run(
        [PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False
    )
    return Said(done.returncode, done.stdout, done.stderr)


def test_the_installed_program_says_the_same(home: Path) -> None:
    """The console script ends as the function does: one line, exit 2, no traceback."""
    assert program("triage", "nobody@prod") == run("triage", "nobody@prod")


def test_a_server_that_is_gone_is_said_in_one_line(home: Path, incident: str) -> None:
    """The file of a killed `up` still names its address: nobody answers there, and what was asked
    for is written down for whoever comes."""
    (home / "up.json").write_text('{"pid": 1, "api": "http://127.0.0.1:9/api"}')
    kept_password(home)
    said = program("mitigate", NAME, "pause-deferrable", "--apply")
    assert (said.code, said.out) == (0, "")
    last = said.err.splitlines()[-1]
    assert last.startswith("the next sweep goes on with it (respond/respond could not be started")
    assert "Traceback" not in said.err


@pytest.mark.parametrize("word", ["take", "ack", "waive", "skip", "retry"])
def test_a_closed_incident_takes_no_word(watch: Watch, incident: str, word: str) -> None:
    """A take of a closed incident would have disarmed its next outage, and nobody would have known."""
    with watch.store.write() as session:
        for state in list(State)[1:]:
            incidents.move(session, 1, state, watch.now())
    more = {"waive": ["workorders"], "skip": ["rotate-key"]}.get(word, [])
    why = [] if word == "ack" else ["--reason", "wrong terminal"]
    told = refused("incident", word, incident, *more, *why)
    assert f"{incident} is closed" in told


@pytest.mark.parametrize("name", ["watchkeeper", "SYSTEM", "health", "n\u200bobody"])
def test_nobody_signs_as_automation(home: Path, incident: str, name: str) -> None:
    told = refused("incident", "note", incident, "seen", "--by", name)
    assert "automation signs with it" in told


@pytest.mark.parametrize("blank", ["", "  ", "\t"])
def test_a_reason_is_given(home: Path, incident: str, blank: str) -> None:
    """W: a gap is not signed away with nothing."""
    told = refused("incident", "waive", incident, "workorders", "--reason", blank)
    assert "--reason is empty" in told
