"""Log lines are foreign: they are read within bounds, counted as the runbook says, and no key among
them is ever shown."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from watchkeeper.harmless import harmless, masked
from watchkeeper.local_command import Unreadable, output_of
from watchkeeper.logs import Lines, LogSource, lines_of
from watchkeeper.logs.ages import recent, stamp_of
from watchkeeper.logs.commands import PrintedLog, journald_argv, kubernetes_argv
from watchkeeper.logs.counting import LogCount, count
from watchkeeper.logs.file import FileLog
from watchkeeper.logs.opening import open_log
from watchkeeper.runbook.signals import Log
from watchkeeper.runbook.telemetry import CommandLogs, FileLogs, JournalLogs, KubernetesLogs

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEN = timedelta(minutes=10)
KEY = "test_canary_4f1a9c77d2e0"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
UUID = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"

MASKED = [
    ("Authorization: Bearer abc", "Authorization: Bearer ***"),
    ("basic dXNlcjpwYXNz end", "basic *** end"),
    (f"code={KEY};", "code=***;"),
    (f"sent {KEY} twice", "sent *** twice"),
    (f'"{JWT}"', '"***"'),
    (UUID, "***"),
    ("api_key=abc&page=2", "api_key=***&page=2"),
    ('{"api-key": "abc", "n": 1}', '{"api-key": "***", "n": 1}'),
    ("password: hunter2", "password: ***"),
    ("aGVsbG8gd29ybGQxMjM0/x+y=", "***"),
    ("sent wOFIWHUrjKoPZDzOCExStqRy", "sent ***"),
    ("qRli+orzTzbQPecU9/6Wtz/tAJDq6fL", "***"),
    ("/v1/workorders/12345/comments/7", "/v1/workorders/12345/comments/7"),
    ("CrashLoopBackOff IsNotOkInAnyRegion", "CrashLoopBackOff IsNotOkInAnyRegion"),
    ("report-generator-v2", "report-generator-v2"),
    ("ERROR_CODE_429_RATE_LIMITED", "ERROR_CODE_429_RATE_LIMITED"),
    ("RateLimitExceededError", "RateLimitExceededError"),
    ("/v1/workorders?limit=100", "/v1/workorders?limit=100"),
    ("2026-03-02T09:00:00Z ERROR", "2026-03-02T09:00:00Z ERROR"),
    ("a token expired", "a token expired"),
]


@pytest.mark.parametrize(("text", "shown"), MASKED)
def test_what_looks_like_a_key_is_masked(text: str, shown: str) -> None:
    """Keys go whole, with the run that they are part of; words that people join stay."""
    assert masked(text) == shown


def test_foreign_text_is_made_harmless() -> None:
    """One line, printable, cut at its end; and a key across the cut is masked before it."""
    assert harmless("\x1b[31mERROR\x1b[0m a\tb\n\x07c\u202e") == "ERROR a b ?c?"
    assert harmless("x" * 500, 10) == "x" * 9 + "…"
    assert harmless(f"{'a ' * 10}{KEY}", 30) == f"{'a ' * 10}***"


STAMPS = [
    ("2026-03-02T09:00:00Z ERROR x", T0),
    ("2026-03-02 09:00:00,250 ERROR x", T0 + timedelta(milliseconds=250)),
    ("[2026-03-02T10:00:00+01:00] x", T0),
    ("2026-03-02T09:00:00.000000001 +0000 x", T0),
    ('{"time":"2026-03-02T09:00:00z","level":"error"}', T0),
    ('time="2026-03-02T09:00:00Z" level=error', T0),
    ("2026-13-02T09:00:00Z no such month", None),
    ("ERROR the key expired at 2026-03-02T09:00:00Z", None),
    ('  File "sync.py", line 2026', None),
    ("", None),
]


@pytest.mark.parametrize(("line", "at"), STAMPS)
def test_the_time_that_a_line_begins_with(line: str, at: datetime | None) -> None:
    """In the spellings of common loggers; a time within a line is not the line's."""
    assert stamp_of(line, UTC) == at


def test_a_time_without_a_zone_is_told_in_the_one_given() -> None:
    """And without that, in this machine's."""
    line, tokyo = "2026-03-02 09:00:00 x", timezone(timedelta(hours=9))
    assert stamp_of(line, tokyo) == datetime(2026, 3, 2, tzinfo=UTC)
    assert stamp_of(line) == datetime(2026, 3, 2, 9).astimezone()


OLD, NEW = "2026-03-02T08:30:00Z old", "2026-03-02T08:55:00Z new"
AGES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    ((OLD, NEW), (NEW,)),
    (("no time", "at all"), ("no time", "at all")),
    ((OLD, "Traceback", "Error: x", OLD, NEW), (NEW,)),
    ((OLD, NEW, "Traceback", "Error: x"), (NEW, "Traceback", "Error: x")),
    ((OLD, "panic: whose time nobody knows"), ("panic: whose time nobody knows",)),
    ((NEW, OLD, NEW), (NEW, NEW)),
    (("2026-03-02T08:50:00Z on the edge",), ("2026-03-02T08:50:00Z on the edge",)),
    ((), ()),
]


@pytest.mark.parametrize(("lines", "kept"), AGES)
def test_old_lines_are_left_out(lines: tuple[str, ...], kept: tuple[str, ...]) -> None:
    """By their own time, or by that of an older line that follows."""
    assert recent(lines, T0 - TEN, UTC) == kept


def rule(**given: object) -> Log:
    return Log.model_validate({"name": "errors", **given})


SERVICE = (
    "INFO transcribe consumer=report-generator ok",
    "ERROR transcribe consumer=report-generator code=RATE_LIMITED",
    "Error: transcribe consumer=mobile code=timeout",
    "error transcribe consumer=report-generator code=RATE_LIMITED",
)
KINDS = (("RATE_LIMITED", 2), ("timeout", 1))
COUNTS = [
    (SERVICE, {"kind_pattern": r"code=(\w+)"}, LogCount(3, KINDS)),
    (
        SERVICE,
        {
            "pattern": "transcribe",
            "kind_pattern": "no(such)",
            "consumer_pattern": r"CONSUMER=(\S+)",
        },
        LogCount(4, (), (("report-generator", 3), ("mobile", 1))),
    ),
    (("error: timeout.", 'error "timeout"', "error timeout"), {}, LogCount(3, (("timeout", 3),))),
    (("error !!!",), {}, LogCount(1, (("!!!", 1),))),
    (("well", ""), {}, LogCount(0)),
    ((), {}, LogCount(0)),
    (("error x",), {"kind_pattern": "error"}, LogCount(1)),
    (("error x",), {"kind_pattern": "(y)?error"}, LogCount(1)),
    (
        ("error code=" + "x" * 80,),
        {"kind_pattern": "code=(.*)"},
        LogCount(1, (("x" * 39 + "…", 1),)),
    ),
    ((f"error {KEY}", f"error {UUID}"), {}, LogCount(2, (("***", 2),))),
]


@pytest.mark.parametrize(("lines", "given", "counted"), COUNTS)
def test_counting(lines: tuple[str, ...], given: dict[str, object], counted: LogCount) -> None:
    """What is found, by kind and consumer, most common first."""
    assert count(lines, rule(**given)) == counted


def test_no_pattern_shows_part_of_a_key() -> None:
    """A key is masked before a pattern could cut it in two."""
    counted = count(
        [f"error key {KEY}"], rule(kind_pattern=r"key (\w{6})", consumer_pattern="(test)")
    )
    assert counted == LogCount(1)


def test_lines_and_kinds_are_bounded() -> None:
    """Beyond 2000 characters a line is not looked at, and is not cut within a word."""
    assert count(["x " * 1000 + "error"], rule()).found == 0
    assert count(["error " + "x" * 1990 + KEY], rule()).kinds == (("error", 1),)
    assert len(count([f"error kind{'x' * n}" for n in range(9)], rule()).kinds) == 5


def test_a_pattern_that_is_none() -> None:
    """Is told apart from one that finds nothing."""
    with pytest.raises(re.error):
        count(["x"], rule(pattern="("))


def test_lines_of_a_text() -> None:
    """Blank ones go, half a line goes, a vertical tab makes no line of its own."""
    assert lines_of(b"a\r\n\n \nb\x0bc\xff\n", cut=False) == Lines(("a", "b\x0bc\ufffd"))
    assert lines_of(b"lf a line\nb", cut=True) == Lines(("b",), cut=True)
    assert lines_of(b"", cut=False) == Lines(())


def test_journald_argv() -> None:
    """Each call is a list of words, made from what it is about alone."""
    assert journald_argv(JournalLogs(unit="maintainx-sync"), T0, TEN) == (
        *("journalctl", "-u", "maintainx-sync", "--since=@1772441400"),
        *("--no-pager", "-o", "cat"),
    )


KUBECTL = [
    (
        {"selector": "app=twinmind-service"},
        TEN,
        "kubectl logs -l app=twinmind-service -n default --tail=1000 --since=600s",
    ),
    (
        {
            "selector": "app!=y",
            "namespace": "ns",
            "container": "app",
            "tail": 5,
            "kubectl": ["kubectl", "--context", "prod"],
        },
        timedelta(milliseconds=200),
        "kubectl --context prod logs -l app!=y -n ns --tail=5 --since=1s --container=app",
    ),
]


@pytest.mark.parametrize(("spec", "within", "words"), KUBECTL)
def test_kubernetes_argv(spec: dict[str, object], within: timedelta, words: str) -> None:
    """As kubectl is called here; no whole second is left out."""
    assert kubernetes_argv(KubernetesLogs.model_validate(spec), within) == tuple(words.split())


def program(folder: Path, name: str, script: str) -> Path:
    """An executable of that name, of a shell's or, where it begins with `import`, Python's words."""
    path = folder / name
    shell = sys.executable if script.startswith("import") else "/bin/sh"
    path.write_text(f"#!{shell}\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose executables are found first."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def read(source: LogSource, now: datetime = T0, within: timedelta = TEN) -> Lines:
    return asyncio.run(source.lines(now, within))


def test_a_journal_is_read(on_path: Path, tmp_path: Path) -> None:
    """journalctl is found by its name, and told what to look at."""
    program(on_path, "journalctl", 'echo "error $*"')
    source = open_log(JournalLogs(unit="sync.service"), tmp_path)
    asked = "-u sync.service --since=@1772441400 --no-pager -o cat"
    assert read(source) == Lines((f"error {asked}",))


SILENT = [
    ("true", "the journal of sync has no line of that time"),
    ("echo '-- No entries --'", "the journal of sync has no line of that time"),
    ("echo 'Hint: You are currently not seeing messages from other users.' >&2", "not seeing"),
    ("echo 'No journal files were found.' >&2", "No journal files"),
    ("echo 'error x'; echo broken >&2; exit 1", "journalctl ended 1: broken"),
    ("exit 3", "journalctl ended 3$"),
    ("kill -9 $$", "journalctl ended -9$"),
]


@pytest.mark.parametrize(("script", "why"), SILENT)
def test_a_journal_that_says_nothing_is_no_zero(
    on_path: Path, tmp_path: Path, script: str, why: str
) -> None:
    """Nor is one that we may not read, or whose reader fails half way."""
    program(on_path, "journalctl", script)
    with pytest.raises(Unreadable, match=why):
        read(open_log(JournalLogs(unit="sync"), tmp_path))


def kubectl(folder: Path, script: str) -> LogSource:
    path = program(folder, "kubectl", script)
    return open_log(KubernetesLogs(selector="app=x", kubectl=(str(path), "--context=c")), folder)


def test_pods_logs_are_read(tmp_path: Path) -> None:
    """By kubectl as it is called here. Pods that are silent are a zero; no pods at all are none."""
    said = read(kubectl(tmp_path, 'echo "$1 $2"; echo W >&2'))
    assert said == Lines(("--context=c logs",))
    assert read(kubectl(tmp_path, "true")) == Lines(())
    with pytest.raises(Unreadable, match="No resources found in default namespace"):
        read(kubectl(tmp_path, "echo 'No resources found in default namespace.' >&2"))


def test_a_complaint_is_one_harmless_line(tmp_path: Path) -> None:
    """The first that is meant for people, without keys."""
    script = f"""
    echo 'E0302 09:00:00.000000    7 memcache.go:265] "Unhandled Error"' >&2
    printf 'error: \\033[31mBearer {KEY} is refused\\n' >&2
    echo 'and more' >&2; exit 1"""
    with pytest.raises(Unreadable) as caught:
        read(kubectl(tmp_path, script))
    assert str(caught.value) == "kubectl ended 1: error: Bearer *** is refused"


def test_a_missing_command_is_named(tmp_path: Path) -> None:
    """And one that cannot be run."""
    source = open_log(CommandLogs(command=(str(tmp_path / "logcat"), "-n")), tmp_path)
    with pytest.raises(Unreadable, match="there is no command logcat on this machine"):
        read(source)
    (tmp_path / "logcat").write_text("true", encoding="utf-8")
    with pytest.raises(Unreadable, match="logcat cannot be run: Permission denied"):
        read(source)


def test_a_command_gets_no_shell_no_input_and_none_of_our_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its words stay words, it cannot wait for us, and what may name a secret is not passed on."""
    monkeypatch.setenv("MAINTAINX_API_KEY", KEY)
    path = program(tmp_path, "tell", 'cat; echo "$1"; env | grep -c MAINTAINX; true')
    source = open_log(CommandLogs(command=(str(path), "$(id); a b")), tmp_path)
    assert read(source) == Lines(("$(id); a b", "0"))


LONG = "import sys\nfor n in range(40_000): print('y' * 59)\nprint('the last')"


def test_the_end_of_a_long_output_is_kept(tmp_path: Path) -> None:
    """1 MiB of it, and that there was more is told; it is read to its end."""
    path = program(tmp_path, "tell", LONG)
    said = read(open_log(CommandLogs(command=(str(path),)), tmp_path))
    assert said.cut
    assert said.lines[-1] == "the last"
    assert 1_000_000 < sum(len(line) + 1 for line in said.lines) <= 1024 * 1024


@pytest.mark.parametrize("size", [99, 100, 101, 65_536, 165_536, 165_537])
def test_no_byte_of_the_end_is_lost(tmp_path: Path, size: int) -> None:
    """Wherever the pipe happens to cut it."""
    script = f"import sys\nsys.stdout.write('a' * {size - 9} + 'the  end.')"
    output = asyncio.run(output_of([str(program(tmp_path, "tell", script))], largest=100))
    assert output.text == ("a" * 91 + "the  end.").encode()[-min(size, 100) :]
    assert output.cut == (size > 100)


def test_who_does_not_end_is_killed_with_all_that_he_started(tmp_path: Path) -> None:
    """A script's own children would hold its output open, and go on."""
    mark = tmp_path / "pid"
    path = program(
        tmp_path, "tell", f"sleep 600 & echo $! > {mark}.new; mv {mark}.new {mark}; wait"
    )
    source = PrintedLog(lambda _now, _within: (str(path),), deadline_s=1.0)
    with pytest.raises(Unreadable, match=r"tell did not end in 1 s"):
        read(source)
    until(lambda: gone(int(mark.read_text())))


def test_a_child_left_behind_does_not_keep_us_waiting(tmp_path: Path) -> None:
    """The command has ended; what it started still holds its output."""
    mark = tmp_path / "pid"
    path = program(tmp_path, "tell", f"sleep 600 & echo $! > {mark}")
    with pytest.raises(Unreadable, match="did not end"):
        asyncio.run(output_of([str(path)], deadline_s=1.0))
    until(lambda: gone(int(mark.read_text())))


def test_who_has_left_the_group_does_not_keep_us_waiting(tmp_path: Path) -> None:
    """It cannot be found any more, but its output is nobody's."""
    mark = tmp_path / "pid"
    path = program(tmp_path, "tell", f"setsid sh -c 'echo $$ > {mark}; exec sleep 600' &")
    with pytest.raises(Unreadable, match="did not end"):
        asyncio.run(output_of([str(path)], deadline_s=1.0))
    os.kill(int(mark.read_text()), signal.SIGKILL)


def test_who_is_given_up_is_killed_too(tmp_path: Path) -> None:
    """A look that is called off leaves nothing running."""
    mark = tmp_path / "pid"
    path = program(tmp_path, "tell", f"echo $$ > {mark}.new; mv {mark}.new {mark}; exec sleep 600")

    async def called_off() -> None:
        task = asyncio.create_task(output_of([str(path)]))
        await asyncio.to_thread(until, mark.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(called_off())
    until(lambda: gone(int(mark.read_text())))


def until(true: Callable[[], bool]) -> None:
    """Long enough for a machine with other work."""
    for _ in range(2000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it never came true")


def gone(pid: int) -> bool:
    """Not running: an orphan may stay a zombie for a while where nobody collects it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in ("Z", "X")


def test_a_log_file(tmp_path: Path) -> None:
    """Its recent lines; a relative path counts from integrations.yaml."""
    (tmp_path / "sync.log").write_text(f"{OLD}\n{NEW}\nTraceback\n", encoding="utf-8")
    assert read(open_log(FileLogs(path="sync.log"), tmp_path)) == Lines((NEW, "Traceback"))


def test_the_end_of_a_long_log_file(tmp_path: Path) -> None:
    """From a whole line on."""
    path = tmp_path / "sync.log"
    path.write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    assert read(FileLog(path, "sync.log", largest=13)) == Lines(("three", "four"), cut=True)
    assert read(FileLog(path, "sync.log", largest=19)).cut is False


def test_a_log_file_that_was_not_written_of_late(tmp_path: Path) -> None:
    """Its lines without a time are as old as the file is."""
    path = tmp_path / "sync.log"
    path.write_text(f"{OLD}\nTraceback\nError: x\n", encoding="utf-8")
    os.utime(path, (T0.timestamp() - 3600, T0.timestamp() - 3600))
    assert read(FileLog(path, "sync.log")) == Lines(())
    os.utime(path, (T0.timestamp() - 60, T0.timestamp() - 60))
    assert read(FileLog(path, "sync.log")) == Lines(("Traceback", "Error: x"))


def test_what_is_no_log_file(tmp_path: Path) -> None:
    """Is named as integrations.yaml does; a pipe that nobody writes to does not keep us."""
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("none", "No such file"), ("pipe", "not a file"), (".", "Is a directory")):
        with pytest.raises(Unreadable, match=f"^{re.escape(name)} .*{why}"):
            read(open_log(FileLogs(path=name), tmp_path))
