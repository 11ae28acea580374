"""The kill switch where nothing else works: a full disk, a damaged database, a link that leads
nowhere. Each command is a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from conftest import Clock

from watchkeeper.errors import Halted
from watchkeeper.performing.stopping import heed_halt
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import switches
from watchkeeper.store.engine import Store, open_store

PROGRAM = Path(sys.executable).with_name("watchkeeper")
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """As the first command leaves it."""
    (tmp_path / "integrations.yaml").write_text(json.dumps({"integrations": {}}))
    home = tmp_path / "home"
    open_watch(Settings(home=home)).store.close()
    return home


def environment(home: Path) -> dict[str, str]:
    ours = {"WATCHKEEPER_HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    return ours | {"WATCHKEEPER_INTEGRATIONS": str(home.parent / "integrations.yaml")}


def no_growth() -> None:
    """As on a full disk: no file takes another byte, whoever writes; what is there can be changed."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def command(home: Path, *words: str, full: bool = False) -> tuple[int, str]:
    done = subprocess.run(
        [str(PROGRAM), *words],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=no_growth if full else None,
    )
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.returncode, done.stderr.strip()


def test_a_full_disk_prevents_no_halt(home: Path) -> None:
    """W15: the file is renamed first; the command says in one line what was not recorded, and every
    reader hears it."""
    code, said = command(home, "halt", "on", "--by", "ada", full=True)
    assert code == 1
    assert said.startswith(f"halted by the file {home / 'HALT'}; not recorded in the database: ")
    assert command(home, "halt", "status")[1].startswith("halted: ")
    assert command(home, "halt", "off") == (0, "not halted")
    assert command(home, "halt", "status") == (0, "not halted")
    assert (home / "HALT.off").exists()


# A disk of its own that is really full, where this machine lets us mount one.
FULL_DISK = """
set -e
mount -t tmpfs -o size=1m tmpfs "$1"
export WATCHKEEPER_HOME="$1/watch"
"$2" lease list
cat /dev/zero > "$1/fill" 2>/dev/null || true
set +e
"$2" halt on --by ada --reason full; echo "exit $?" >&2
"$2" halt status; echo "exit $?" >&2
rm "$1/fill"
"$2" halt status; echo "exit $?" >&2
"$2" halt off; echo "exit $?" >&2
"""
NAMESPACE = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def mounts() -> bool:
    tried = subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


def test_a_full_filesystem_prevents_no_halt(tmp_path: Path, home: Path) -> None:
    """W15: not a byte is free, and the halt holds, names who halted, and is undone afterwards. Where
    nothing can be mounted the limit on file sizes stands for the disk."""
    if not mounts():
        assert command(home, "halt", "on", "--by", "ada", full=True)[0] == 1
        return
    disk = tmp_path / "disk"
    disk.mkdir()
    script = [*NAMESPACE, "sh", "-c", FULL_DISK, "sh", str(disk), str(PROGRAM)]
    done = subprocess.run(
        script, env=environment(home), capture_output=True, text=True, timeout=120, check=False
    )
    lines = done.stderr.splitlines()
    assert lines[0] == "nothing is held", done.stderr
    assert lines[1].startswith(
        f"halted by the file {disk}/watch/HALT; not recorded in the database"
    )
    assert lines[2:] == [
        "exit 1",
        "halted: ada: full",
        "exit 0",
        "halted: ada: full",
        "exit 0",
        "not halted",
        "exit 0",
    ]


@pytest.mark.parametrize("spoilt", ["no database", "a folder", "truncated"])
def test_a_damaged_database_prevents_no_halt(home: Path, spoilt: str) -> None:
    """W15: whatever became of the database, the file halts; and while the row cannot be read, no
    `off` is believed."""
    database = home / "watchkeeper.db"
    for part in home.glob("watchkeeper.db*"):
        part.unlink()
    if spoilt == "a folder":
        database.mkdir()
    else:
        database.write_bytes(b"SQLite format 3\x00" + b"x" * (5000 if spoilt == "truncated" else 4))
    code, said = command(home, "halt", "on", "--by", "ada")
    assert code == 1
    assert "halted by the file" in said
    code, said = command(home, "halt", "off")
    assert code == 2
    assert said.startswith("still halted: ada")


def test_a_home_that_cannot_be_written_is_halted_by_the_row(tmp_path: Path, home: Path) -> None:
    """A folder stands where the file would go, or nothing can be put there: the row halts."""
    elsewhere = tmp_path / "file"
    elsewhere.write_text("")
    database = f"sqlite:///{home / 'watchkeeper.db'}"
    run = subprocess.run(
        [str(PROGRAM), "halt", "on", "--by", "ada"],
        env=environment(elsewhere / "home") | {"WATCHKEEPER_DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("halted and recorded in the database; no file")
    assert command(home, "halt", "status") == (0, "halted: ada:")


def test_where_nothing_could_be_done_it_says_so(tmp_path: Path) -> None:
    """Neither file nor row: exit 2, and NOT halted."""
    (tmp_path / "file").write_text("")
    code, said = command(tmp_path / "file" / "home", "halt", "on", "--by", "ada")
    assert code == 2
    assert said.startswith("watchkeeper: NOT halted: ")


def dangling(file: Path) -> None:
    file.symlink_to(file.with_name("nowhere"))


def looping(file: Path) -> None:
    file.symlink_to(file)


def empty(file: Path) -> None:
    file.touch()


def folder(file: Path) -> None:
    file.mkdir()


def pipe(file: Path) -> None:
    os.mkfifo(file)


def junk(file: Path) -> None:
    file.write_bytes(b"\xff\x00\n" * 90)


@pytest.mark.parametrize("made", [dangling, looping, empty, folder, pipe, junk])
def test_anything_in_its_place_halts(watch: Watch, made: object) -> None:
    """W15: a link that leads nowhere or round in a circle too; `off` takes each of them away."""
    file = watch.settings.halt_file
    assert callable(made)
    made(file)
    assert switches.halted(watch.store, file) == "the file HALT is there"
    with pytest.raises(Halted):
        heed_halt(watch)
    switches.raise_file(file, by="ada", reason="stop", now=NOW)
    assert switches.halted(watch.store, file) is not None
    switches.lower_file(file)
    assert switches.halted(watch.store, file) is None


def test_a_place_that_cannot_be_looked_at_halts(lite_store: Store, tmp_path: Path) -> None:
    """W15: only "there is no such file" means that there is none."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "HALT", tmp_path / ("x" * 300)):
        assert switches.halted(lite_store, place) == "the kill switch cannot be read"


def test_the_file_tells_who_halted_and_is_kept_for_the_next_time(watch: Watch) -> None:
    """In place, over the bytes that are there: of foreign words no more than fits on a line."""
    file = watch.settings.halt_file
    switches.keep_ready(file)
    ready = file.with_name("HALT.off")
    size, inode = ready.stat().st_size, ready.stat().st_ino
    for reason in ("too many", "\u200b" * 400, "ä\n" * 300):
        switches.raise_file(file, by="ada", reason=reason, now=NOW)
        said = switches.halt_file_says(file)
        assert said is not None and said.startswith("ada: ") and len(said.splitlines()) == 1
        assert (file.stat().st_size, file.stat().st_ino) == (size, inode)
        switches.keep_ready(file)
        assert not ready.exists()
        switches.lower_file(file)
        assert ready.stat().st_ino == inode


def test_a_second_halt_keeps_it_halted(home: Path, clock: Clock) -> None:
    """Twice on, once off; and off where nothing is on."""
    assert command(home, "halt", "off") == (0, "not halted")
    assert command(home, "halt", "on", "--by", "ada", "--reason", "a") == (0, "halted: ada: a")
    assert command(home, "halt", "on", "--by", "bo", "--reason", "b") == (0, "halted: bo: b")
    assert command(home, "halt", "off") == (0, "not halted")
    store = open_store(f"sqlite:///{home / 'watchkeeper.db'}")
    assert switches.halted(store, home / "HALT") is None
    store.close()
