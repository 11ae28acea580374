"""The proof that a drill stays in its own world, and that nothing of it outlives its parent."""

from __future__ import annotations

import base64
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import wait_until
from sqlalchemy import text

from deployments.drill.sealing import Witness, find_leaks, remote_addresses, tables
from watchkeeper.store.engine import open_store

KEY = "test_canary_4f1a9c77d2e0+/="
OTHER = "test_another_key_0002"
RAW = KEY.encode()
SEEN_WITHIN_S = 10.0
ENDED_WITHIN_S = 15.0


def coded(shift: int, raw: bytes = RAW) -> bytes:
    """The key inside something longer, at one of the three places that base64 can have it."""
    return base64.b64encode(b"Basic user:"[: 9 + shift] + raw + b", and more")


def in_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE parameters (id INTEGER, value TEXT)")
        connection.execute("INSERT INTO parameters VALUES (1, ?)", (f'{{"key": "{KEY}"}}',))
        connection.commit()


def in_write_ahead_log(path: Path) -> None:
    """The row is in the file beside the database, as while a server still runs on it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE parameters (value TEXT)")
    connection.execute("INSERT INTO parameters VALUES (?)", (KEY,))
    connection.commit()
    log = path.with_name(f"{path.name}-wal").read_bytes()
    connection.close()
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(log)


def written(content: bytes) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(content))


def void(_: object) -> None:
    return None


PLANTS: dict[str, Callable[[Path], None]] = {
    "plain": written(b"2026-03-02 key=" + RAW + b"\n"),
    "among bytes that are no text": written(b"\xff\x00\xfe" + RAW + b"\x80"),
    "base64 from its first byte": written(base64.b64encode(RAW)),
    "base64 at offset 0": written(coded(0)),
    "base64 at offset 1": written(coded(1)),
    "base64 at offset 2": written(coded(2)),
    "hex": written(b"0a" + RAW.hex().encode() + b"0d"),
    "URL": written(b"GET /x?key=" + quote(KEY, safe="").encode() + b" HTTP/1.1"),
    "SQLite": in_sqlite,
    "SQLite's log": in_write_ahead_log,
    "pickle": written(pickle.dumps({"auth": ("Bearer", KEY)})),
}


@pytest.mark.parametrize("plant", PLANTS.values(), ids=list(PLANTS))
def test_a_planted_key_is_found(plant: Callable[[Path], None], tmp_path: Path) -> None:
    """Whatever its spelling and however deep it lies, the file with the key is named, and no
    other."""
    place = tmp_path / "prefect" / "storage" / "it"
    place.parent.mkdir(parents=True)
    plant(place)
    (tmp_path / "harmless.log").write_text(f"fingerprint 0123abcd, {KEY[:-1]}")
    (found,) = find_leaks([OTHER, KEY], tmp_path, ())
    assert found.startswith("prefect/storage/it")


def test_a_key_where_it_belongs_is_no_leak(tmp_path: Path) -> None:
    """The store that keeps it is left out, with all below it; a folder that is only named alike
    is not."""
    for name in ("secrets/a/key.json", "secrets-of-others/key.json", "secrets.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(KEY)
    found = find_leaks([KEY], tmp_path, (tmp_path / "secrets",))
    assert found == ["secrets-of-others/key.json", "secrets.txt"]


def test_a_clean_home_has_no_leak(tmp_path: Path) -> None:
    """Fingerprints, other keys and a link to nowhere are no finding."""
    (tmp_path / "up.log").write_text(f"key 0123abcd of {OTHER}")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert find_leaks([KEY], tmp_path, ()) == []


def test_a_file_that_goes_while_it_is_looked_at_is_no_fault(tmp_path: Path) -> None:
    """A server that still runs makes and removes journals beside its database: the search goes on
    and finds what stays."""
    (tmp_path / "stays").write_text(KEY)
    ended = threading.Event()

    def churn() -> None:
        while not ended.is_set():
            for number in range(50):
                (tmp_path / f"a-journal-{number}").write_text("x")
            for number in range(50):
                (tmp_path / f"a-journal-{number}").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(200):
            assert find_leaks([KEY], tmp_path, ()) == ["stays"]
    finally:
        ended.set()
        thread.join(ENDED_WITHIN_S)


OTHER_PROCESS = """\
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("INSERT INTO notes VALUES (?)", (sys.argv[2],))
connection.commit()
print("written", flush=True)
sys.stdin.read()
connection.close()
"""


def test_the_database_that_was_searched_is_read_anew_after_it(tmp_path: Path) -> None:
    """A search reads the files of databases that this process and others have open. When the others
    go afterwards and new ones come, what these write is seen here."""
    path = tmp_path / "watch.db"
    store = open_store(f"sqlite:///{path}")
    with store.write() as session:
        session.execute(text("CREATE TABLE notes (value TEXT)"))

    def notes() -> int:
        with store.read() as session:
            return int(session.execute(text("SELECT COUNT(*) FROM notes")).scalar_one())

    with child(str(path), "before", code=OTHER_PROCESS):
        assert notes() == 1
        assert find_leaks([KEY], tmp_path, (), store.close) == []
    with child(str(path), "after", code=OTHER_PROCESS):
        assert notes() == 2
    store.close()


# --- who connects where -------------------------------------------------------------------------

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
V4 = "0100007F:828F"
V6 = "00000000000000000000000001000000:1F90"


def line(remote: str, inode: int, local: str = V4) -> str:
    rest = "00000000:00000000 00:00000000 00000000     0        0"
    return f"   1: {local} {remote} 01 {rest} {inode} 1 00000000b0b850a7 100 0 0 10 0"


def table(*lines: str) -> str:
    return "\n".join([HEAD, *lines, ""])


REMOTES: list[tuple[str, str, str | None]] = [
    ("loopback", "0100007F:1068", None),
    ("elsewhere on loopback", "0200007F:1068", None),
    ("nobody yet", "00000000:0000", None),
    ("another host", "0A7100CB:01BB", "203.0.113.10:443"),
    ("a cloud's metadata", "FEA9FEA9:0050", "169.254.169.254:80"),
    ("the local network", "0101A8C0:0035", "192.168.1.1:53"),
    ("loopback, IPv6", V6, None),
    ("nobody yet, IPv6", "00000000000000000000000000000000:0000", None),
    ("loopback, mapped", "0000000000000000FFFF00000100007F:1068", None),
    ("another host, mapped", "0000000000000000FFFF00000A7100CB:01BB", "203.0.113.10:443"),
    ("another host, IPv6", "B80D0120000000000000000001000000:01BB", "2001:db8::1:443"),
]


@pytest.mark.parametrize(("remote", "told"), [r[1:] for r in REMOTES], ids=[r[0] for r in REMOTES])
def test_an_address_off_loopback_is_read_from_the_table(remote: str, told: str | None) -> None:
    """Loopback in all its spellings and listeners are at home; everything else is told with its
    port and its socket."""
    found = list(remote_addresses(table(line(remote, 4711))))
    assert found == ([] if told is None else [("4711", told)])


def test_every_line_of_a_table_is_read() -> None:
    """The first connection is not the only one, and an empty table is none."""
    found = remote_addresses(table(line("0A7100CB:01BB", 1), line(V4, 2), line("0B7100CB:0050", 3)))
    assert list(found) == [("1", "203.0.113.10:443"), ("3", "203.0.113.11:80")]
    assert list(remote_addresses(table())) == []
    assert list(remote_addresses("")) == []


def test_this_machines_own_tables_can_be_read() -> None:
    """What the kernel writes today is what the parser takes."""
    texts = list(tables())
    assert texts
    assert all(text.splitlines()[0].split()[:2] == ["sl", "local_address"] for text in texts)
    assert all(inode.isdecimal() for text in texts for inode, _ in remote_addresses(text))


CALLER = """\
import os, socket, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
print(os.fstat(client.fileno()).st_ino, flush=True)
sys.stdin.read()
"""


@contextmanager
def child(*command: str, code: str = CALLER) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process of ours with its first line; it ends when its standard input does."""
    argv = [sys.executable, "-c", code, *command]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(ENDED_WITHIN_S)


def times_seen(witness: Witness) -> int:
    """How many different command lines with the key on them the witness has seen."""
    return sum(KEY in arguments for arguments in tuple(witness.arguments))


def test_a_witness_sees_a_planted_argument() -> None:
    """A key on the command line of any process that a drill started is seen."""
    with Witness() as witness, child(f"--key={KEY}"):
        wait_until(lambda: times_seen(witness) > 0, SEEN_WITHIN_S, "the witness has seen it")
        assert witness.watched
    assert witness.off_loopback == set()


def test_a_witness_sees_a_planted_connection() -> None:
    """A connection that the table calls foreign is told with its address and whose it is; one that
    no process of the drill holds is somebody else's."""
    with child("--planted") as (_, inode):
        strangers = line("0B7100CB:0050", 1)
        planted = table(line("0A7100CB:01BB", int(inode)), strangers)
        with Witness(lambda: [planted]) as witness:
            wait_until(lambda: bool(witness.off_loopback), SEEN_WITHIN_S, "the witness has seen it")
    (told,) = witness.off_loopback
    assert told.startswith(f"203.0.113.10:443 by process {sys.executable}")


GRANDCHILD = """\
import subprocess, sys
code = "import sys; print('ready', flush=True); sys.stdin.read()"
below = subprocess.Popen([sys.executable, "-c", code, *sys.argv[1:]], stdin=subprocess.PIPE)
sys.stdin.read()
below.stdin.close()
below.wait()
"""


def test_a_witness_looks_below_the_first_generation() -> None:
    """What a child of a child is started with is seen, in a session of its own or not."""
    with Witness() as witness, child(f"--key={KEY}", code=GRANDCHILD):
        wait_until(lambda: times_seen(witness) > 1, SEEN_WITHIN_S, "the witness has seen both")


def test_a_witness_that_left_looks_no_more() -> None:
    """After the drill nothing of it goes on, and what was seen stays."""
    with Witness() as witness:
        pass
    with child(f"--key={KEY}"):
        time.sleep(0.7)
        assert times_seen(witness) == 0


# --- ending with the parent ---------------------------------------------------------------------

MODULE = """\
import pathlib, signal, sys, time
place = pathlib.Path(sys.argv[1])
def told(*_):
    (place / "told").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
(place / "began").write_text(" ".join(sys.argv[1:]) + " " + __name__)
while True:
    time.sleep(0.05)
"""
PARENT = """\
import subprocess, sys, time
below = subprocess.Popen([sys.executable, "-m", "deployments.tied", *sys.argv[1:]],
                         stdin=subprocess.PIPE, start_new_session=True)
print(below.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module `slow` in it that runs until it is told to end."""
    (tmp_path / "slow.py").write_text(MODULE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_tied_process_that_does_not_end_is_killed_with_what_it_started() -> None:
    """A runner that hangs as it ends would go on without a supervisor."""
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    code = f"""
import signal, subprocess, sys, time
from deployments.tied import end_with_parent
{deaf}
child = subprocess.Popen([sys.executable, "-c", "import signal, time; {deaf}; time.sleep(600)"])
end_with_parent(within_s=0.2)
print(child.pid, flush=True)
time.sleep(600)
"""
    tied = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert tied.stdin is not None and tied.stdout is not None
    with tied.stdin, tied.stdout:
        child = int(tied.stdout.readline())
        tied.stdin.close()
        assert tied.wait(30) == -signal.SIGKILL
    wait_until(lambda: not alive(child), 30, "what it started is gone")


def test_a_tied_process_ends_when_its_parents_pipe_closes(module: Path) -> None:
    """The module gets its own arguments and name, lives while the pipe is open, and is asked to
    end, not killed, once it closes."""
    command = [sys.executable, "-m", "deployments.tied", "slow", str(module), "--port", "1"]
    tied = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    assert tied.stdin is not None
    try:
        began = module / "began"
        wait_until(
            lambda: began.exists() and began.read_text() != "", ENDED_WITHIN_S, "it has begun"
        )
        assert began.read_text() == f"{module} --port 1 __main__"
        tied.stdin.write(b"x" * 10_000)
        tied.stdin.flush()
        time.sleep(0.3)
        assert tied.poll() is None
        tied.stdin.close()
        assert tied.wait(ENDED_WITHIN_S) == 0
        assert (module / "told").exists()
    finally:
        tied.kill()
        tied.wait()


def test_a_tied_process_ends_with_a_parent_that_was_killed(module: Path) -> None:
    """SIGKILL lets a supervisor say nothing: the kernel closes its pipe, and that is enough."""
    argv = [sys.executable, "-c", PARENT, "slow", str(module)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True) as parent:
        assert parent.stdout is not None
        below = int(parent.stdout.readline())
        try:
            wait_until((module / "began").exists, ENDED_WITHIN_S, "it has begun")
            assert alive(below)
            parent.send_signal(signal.SIGKILL)
            parent.wait(ENDED_WITHIN_S)
            wait_until(lambda: not alive(below), ENDED_WITHIN_S, "the tied process has ended")
            assert (module / "told").exists()
        finally:
            parent.kill()
            if alive(below):
                os.kill(below, signal.SIGKILL)


def test_a_tied_process_without_a_parent_does_not_stay(module: Path) -> None:
    """Started with nothing on standard input there is nobody to end with: it ends at once."""
    command = [sys.executable, "-m", "deployments.tied", "slow", str(module)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=ENDED_WITHIN_S, check=False)
    assert done.returncode in (0, -signal.SIGTERM)
