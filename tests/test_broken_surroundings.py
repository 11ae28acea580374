"""Every command in a broken environment: one line that says what is wrong, exit 2, no traceback."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from making import NAME
from test_cli import Said, run

from watchkeeper.errors import UserError
from watchkeeper.homes import make_home

# Each reads something; none of them may leave a traceback.
EVERYWHERE = [
    "status",
    "status --json",
    "doctor",
    "gaps",
    "incident list",
    "incident show 1",
    "lease list",
    "maintenance list",
    "change list",
    "leak show 1",
    f"job list {NAME}",
    f"key show {NAME}",
    f"triage {NAME}",
    f"verify {NAME}",
    f"mitigate {NAME}",
    f"connect {NAME}",
    "backtest",
    "approve 1",
    "up",
]
# These need the file of integrations before all else.
NEED_FILE = [
    "doctor",
    f"triage {NAME}",
    f"verify {NAME}",
    f"connect {NAME}",
    f"job list {NAME}",
    f"key show {NAME}",
    "runbook check",
    "up",
]

Set = Callable[[str, str], None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "integrations.yaml").write_text(
        json.dumps(
            {
                "integrations": {
                    NAME: {
                        "runbook": "maintainx",
                        "sandbox": True,
                        "base_url": "http://127.0.0.1:9/v1",
                        "status_page_url": "http://127.0.0.1:9",
                        "credential": {"name": "key", "reference": "file:key"},
                    }
                }
            }
        )
    )
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(tmp_path / "integrations.yaml"))
    monkeypatch.setenv("WATCHKEEPER_PORT", "0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one_line(said: Said) -> str:
    assert said.code == 2, said
    assert said.out == ""
    assert "Traceback" not in said.err
    (line,) = said.err.splitlines()
    assert line.startswith("watchkeeper: ")
    return line


HOMES: list[tuple[str, str]] = [
    ("file/x", "cannot be made a folder"),
    ("file", "cannot be made a folder"),
    ("x" * 300, "cannot be made a folder"),
    ("", "WATCHKEEPER_HOME: "),
]


@pytest.mark.parametrize("words", EVERYWHERE)
@pytest.mark.parametrize(("home", "told"), HOMES, ids=["below a file", "a file", "long", "empty"])
def test_a_home_that_cannot_be_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, home: str, told: str
) -> None:
    """W20: the folder is named, and the variable that would mend it."""
    monkeypatch.setenv("WATCHKEEPER_HOME", home)
    line = one_line(run(*words.split()))
    assert told in line
    assert "WATCHKEEPER_HOME" in line


def test_a_home_that_may_not_be_written(tmp_path: Path) -> None:
    """W20: root may write everywhere, but no process may below /proc."""
    with pytest.raises(UserError, match="set WATCHKEEPER_HOME"):
        make_home(Path("/proc/watchkeeper"))
    assert make_home(tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port where nobody listens."""
    with closing(socket.socket()) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


DATABASES: list[tuple[str, str]] = [
    ("foo", "WATCHKEEPER_DATABASE_URL"),
    ("mysql://x/y", "is not known"),
    ("postgresql://[::1/x", "WATCHKEEPER_DATABASE_URL"),
    ("postgresql://127.0.0.1:{deaf}/x", "cannot be used"),
    ("sqlite:///{folder}/folder", "cannot be used"),
    ("sqlite:///{folder}/file/x.db", "cannot be made"),
    ("sqlite:///{folder}/junk.db", "cannot be used"),
    ("sqlite://", "in-memory"),
]


@pytest.mark.parametrize("words", [words for words in EVERYWHERE if words != "up"])
@pytest.mark.parametrize(("url", "told"), DATABASES)
def test_a_database_that_cannot_be_used(
    folder: Path, deaf: int, monkeypatch: pytest.MonkeyPatch, words: str, url: str, told: str
) -> None:
    """W20: malformed, unreachable, damaged, or a folder; and no password is repeated."""
    (folder / "junk.db").write_bytes(b"no database at all, but long enough to be read as one" * 99)
    monkeypatch.setenv("WATCHKEEPER_DATABASE_URL", url.format(folder=folder, deaf=deaf))
    assert told in one_line(run(*words.split()))


@pytest.mark.parametrize("words", NEED_FILE)
@pytest.mark.parametrize("made", ["a folder", "not UTF-8", "no YAML", "a list", "missing"])
def test_a_file_of_integrations_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, made: str
) -> None:
    """W20: the file is named; a file that a person wrote may be told in a line for each problem."""
    file = folder / "mine.yaml"
    content = {"not UTF-8": b"\xff\xfe\xe9: 1", "no YAML": b"a: [", "a list": b"- 1"}
    if made == "a folder":
        file.mkdir()
    elif made in content:
        file.write_bytes(content[made])
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(file))
    said = run(*words.split())
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    assert all("mine.yaml" in line for line in said.err.splitlines())
    assert said.err.startswith("watchkeeper: ")


@pytest.mark.parametrize("content", [b"\xff\xfe\xe9: 1", b"a: [", b"- 1", None])
def test_status_says_that_the_file_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """W20: it tells what it knows besides, and does not say that all is well."""
    file = folder / "mine.yaml"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(file))
    said = run("status")
    assert said.code == 1
    assert "mine.yaml" in said.err
    assert "Traceback" not in said.err


SETTINGS: list[tuple[str, str]] = [
    ("WATCHKEEPER_PORT", "abc"),
    ("WATCHKEEPER_PORT", "70000"),
    ("WATCHKEEPER_SWEEP_INTERVAL_S", "0"),
    ("WATCHKEEPER_SWEEP_INTERVAL_S", "nan"),
    ("WATCHKEEPER_HEALTH_INTERVAL_S", "soon"),
    ("WATCHKEEPER_OBSERVATIONS_KEPT_DAYS", "-1"),
    ("WATCHKEEPER_FAILPOINTS", "perhaps"),
    ("WATCHKEEPER_INTEGRATIONS", ""),
]


@pytest.mark.parametrize("words", [*EVERYWHERE, "halt status", "runbook check"])
@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_a_setting_of_the_wrong_kind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: str, name: str, value: str
) -> None:
    """W20: the variable is named, before anything is made."""
    monkeypatch.setenv(name, value)
    assert name in one_line(run(*words.split()))
    assert not (folder / "home").exists()


def test_a_database_that_is_damaged_later(folder: Path) -> None:
    """W20: a schema without its tables: one line as well."""
    run("lease", "list")
    with closing(sqlite3.connect(folder / "home" / "watchkeeper.db")) as connection:
        connection.execute("DROP TABLE leases")
    said = run("lease", "list")
    assert said.code in (1, 2)
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) == 1


def test_a_failing_disk_is_a_line(folder: Path) -> None:
    """W20: what else the operating system refuses ends in its own words."""
    home = folder / "home"
    home.mkdir()
    (home / "up.lock").mkdir()
    assert "up.lock" in one_line(run("up"))
