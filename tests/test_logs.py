"""Log lines are foreign: they are read within bounds, counted as the runbook says, and no key among
them is ever shown."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from watchkeeper.harmless import harmless, masked
from watchkeeper.local_command import Unreadable, output_of
from watchkeeper.logs import Lines, LogSource, Silent, lines_of
from watchkeeper.logs.ages import NO_ZONE, Clock, sort
from watchkeeper.logs.commands import PrintedLog, journald_argv, kubernetes_argv
from watchkeeper.logs.counting import LONGEST_LINE, LogCount, count
from watchkeeper.logs.file import FileLog
from watchkeeper.logs.opening import open_log
from watchkeeper.logs.rotated import is_sibling
from watchkeeper.logs.stamps import stamp_of
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
    # D17: epochs, years left out, and where other loggers have them.
    ('{"level":50,"time":1772442000000,"pid":7,"msg":"x"}', T0),
    ('{"level":"error","ts":1772442000.25,"msg":"x"}', T0 + timedelta(milliseconds=250)),
    ('{"level":"error","ts":"2026-03-02T09:00:00.000Z","msg":"x"}', T0),
    ('{"@timestamp":"2026-03-02T10:00:00+01:00","msg":"x"}', T0),
    ('{"msg":"x","time":1772442000}', T0),
    ('{"t":1772442000000000000,"msg":"x"}', T0),
    ('{"timestamp":{"seconds":1772442000,"nanos":0}}', T0),
    ('{"__REALTIME_TIMESTAMP":"1772442000000000","MESSAGE":"x"}', T0),
    ('{"time":1772442000000,"msg":"cut in the mid', T0),
    ("__REALTIME_TIMESTAMP=1772442000000000", T0),
    ('level=error ts=2026-03-02T09:00:00Z msg="x"', T0),
    ('level=error msg="x" time=1772442000', T0),
    ("Mar  2 09:00:00 host app[7]: error", T0),
    ("<34>Mar  2 09:00:00 host app[7]: error", T0),
    ("<165>1 2026-03-02T09:00:00.000Z host app - - - error", T0),
    ("E0302 09:00:00.000000    7 sync.go:10] error", T0),
    ("2026/03/02 09:00:00 [error] 7#7: *1 upstream timed out", T0),
    ("2026-03-02 09:00:00,000 [main] ERROR c.a.Sync - x", T0),
    ("ERROR 2026-03-02 09:00:00,000 sync x", T0),
    ("2026-03-02 09:00:00.000 UTC [7] ERROR:  x", T0),
    ('10.0.0.1 - - [02/Mar/2026:09:00:00 +0000] "GET / HTTP/1.1" 500 1', T0),
    ("[Mon Mar 02 09:00:00.000000 2026] [core:error] x", T0),
    ("7:M 02 Mar 2026 09:00:00.000 # x", T0),
    ("Mar 02, 2026 9:00:00 AM com.acme.Sync run", T0),
    ("1772442000.000    345 10.0.0.1 TCP_MISS/502", T0),
    ("sync-1  | 2026-03-02T09:00:00Z error", T0),
    ("4155550123 is a number that failed", None),
    ('{"time":"soon","msg":"at 2026-03-02T09:00:00Z"}', None),
    ("2026-13-02T09:00:00Z no such month", None),
    ("ERROR the key expired at 2026-03-02T09:00:00Z", None),
    ('  File "sync.py", line 2026', None),
    ("", None),
]


@pytest.mark.parametrize(("line", "at"), STAMPS)
def test_the_time_that_a_line_begins_with(line: str, at: datetime | None) -> None:
    """In the spellings of common loggers; a time within a line is not the line's."""
    found = stamp_of(line, T0)
    assert (found if found is None or found.tzinfo else found.replace(tzinfo=UTC)) == at


def test_a_year_that_is_left_out_is_the_latest_that_can_be() -> None:
    """D17: in January a line of December is of last year; a leap day is of a leap year."""
    january = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
    assert stamp_of("Dec 31 23:59:00 host app: x", january) == datetime(2025, 12, 31, 23, 59)
    assert stamp_of("Jan  1 00:04:00 host app: x", january) == datetime(2026, 1, 1, 0, 4)
    assert stamp_of("Feb 29 00:04:00 host app: x", datetime(2027, 3, 1, tzinfo=UTC)) is None


OLD, NEW = "2026-03-02T08:30:00Z old", "2026-03-02T08:55:00Z new"
# Lines, those that are recent, and those of which it is not known.
AGES: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = [
    ((OLD, NEW), (NEW,), ()),
    (("no time", "at all"), (), ("no time", "at all")),
    ((OLD, "Traceback", "Error: x", OLD, NEW), (NEW,), ()),
    ((OLD, "Traceback", "Error: x", NEW), (NEW,), ()),
    ((OLD, NEW, "Traceback", "Error: x"), (NEW, "Traceback", "Error: x"), ()),
    # The file was written after its last time: by one of these.
    ((OLD, "panic: of when?"), (), ("panic: of when?",)),
    (("half a traceback", OLD, NEW), (NEW,), ()),
    (("half a traceback", NEW), (NEW,), ("half a traceback",)),
    ((NEW, OLD, NEW), (NEW, NEW), ()),
    (("2026-03-02T08:50:00Z on the edge",), ("2026-03-02T08:50:00Z on the edge",), ()),
    ((), (), ()),
]


@pytest.mark.parametrize(("lines", "kept", "undated"), AGES)
def test_old_lines_are_left_out(
    lines: tuple[str, ...], kept: tuple[str, ...], undated: tuple[str, ...]
) -> None:
    """D17: by their own time, or by that of the line that they follow."""
    found = sort(lines, Clock(T0, T0 - TEN, written=T0, stated=UTC))
    assert (found.recent, found.undated) == (kept, undated)


TOKYO = timezone(timedelta(hours=9))
IN_UTC, IN_TOKYO = "2026-03-02 08:59:00 error", "2026-03-02 17:59:00 error"
LONG_AGO = "2026-02-27 08:59:00 error"
ZONES: list[tuple[str, dict[str, Any], tuple[int, int]]] = [
    # D16: a container in UTC on a host in Tokyo, an error one minute old.
    (IN_UTC, {"written": T0 - TEN / 10}, (1, 0)),
    (IN_UTC, {}, (0, 1)),
    (IN_UTC, {"stated": UTC}, (1, 0)),
    (IN_UTC, {"stated": TOKYO}, (0, 0)),
    (IN_TOKYO, {"written": T0 - TEN / 10}, (1, 0)),
    (IN_TOKYO, {"stated": TOKYO}, (1, 0)),
    (IN_UTC, {"written": T0 - timedelta(hours=3)}, (0, 1)),
    (LONG_AGO, {"written": T0}, (0, 0)),
    (f"{IN_UTC[:19]}Z error", {}, (1, 0)),
    (IN_UTC, {"host": UTC}, (1, 0)),
]


@pytest.mark.parametrize(("line", "given", "counts"), ZONES)
def test_a_time_without_a_zone(line: str, given: dict[str, Any], counts: tuple[int, int]) -> None:
    """D16: in the stated zone, else in the one that agrees with the file; else it is not known."""
    found = sort((line,), Clock(T0, T0 - TEN, **{"host": TOKYO, **given}))
    assert (len(found.recent), len(found.undated)) == counts
    assert found.why == (NO_ZONE if counts[1] else "")


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


def test_an_error_word_far_into_a_line_is_seen() -> None:
    """D18: beyond 2,600 characters of a JSON line, and where two parts of a long line meet."""
    line = json.dumps({"data": "x " * 1300, "what": "an error"})
    assert len(line) > 2600 and count([line], rule()).found == 1
    for before in range(0, 6000, 61):
        assert count(["x " * (before // 2) + "a timeout of it"], rule(pattern="timeout of")).found
    far = f"{'x ' * 3000}error code=FAR"
    assert count([far], rule(kind_pattern=r"code=(\w+)")).kinds == (("FAR", 1),)


def test_lines_and_kinds_are_bounded() -> None:
    """D18: a line is looked at to 64 KiB, not cut within a word; a longer one is told."""
    counted = count(["x " * (LONGEST_LINE // 2) + "error"], rule())
    assert (counted.found, counted.halved) == (0, 1)
    half = f"error {'x' * (LONGEST_LINE - 10)}{KEY}"
    assert count([half], rule()).kinds == (("error", 1),)
    assert len(count([f"error kind{'x' * n}" for n in range(9)], rule()).kinds) == 5


LEVELS = [
    ('{"level":50,"msg":"boom"}', "error", 1),
    ('{"level":60,"msg":"boom"}', "error", 1),
    ('{"level":30,"msg":"0 errors"}', "error", 0),
    ('{"level":"info","msg":"no error"}', "error|fatal", 0),
    ('{"severity":"ERROR","message":"boom"}', "error", 1),
    ('{"level":"ERROR+2","msg":"boom"}', "error", 1),
    ('{"log":{"level":"error"},"message":"boom"}', "error", 1),
    ('{"PRIORITY":"3","MESSAGE":"boom"}', "error", 1),
    ('{"PRIORITY":"6","MESSAGE":"no error"}', "error", 0),
    ('{"level":40,"msg":"boom"}', "warn|error", 1),
    ('{"level":40,"msg":"error"}', "error", 0),
    ('{"level":"odd","msg":"an error"}', "error", 1),
    ('{"msg":"an error"}', "error", 1),
    ('{"level":50,"msg":"cut in the mid', "error", 1),
    ('{"level":30,"msg":"timeout"}', "timeout", 1),
    ('{"level":50,"msg":"boom"}', "timeout|error", 0),
    ("INFO no error", "error", 1),
]


@pytest.mark.parametrize(("line", "pattern", "found"), LEVELS)
def test_a_json_line_is_judged_by_its_level(line: str, pattern: str, found: int) -> None:
    """D17: where the pattern names levels alone; any other pattern is looked for in its text."""
    assert count([line], rule(pattern=pattern)).found == found


def test_a_pattern_that_is_none() -> None:
    """Is told apart from one that finds nothing."""
    with pytest.raises(re.error):
        count(["x"], rule(pattern="("))


def test_lines_of_a_text() -> None:
    """Blank ones go, half a line goes, a vertical tab makes no line of its own."""
    assert lines_of(b"a\r\n\n \nb\x0bc\xff\n", cut=False) == Lines(("a", "b\x0bc\xff"))
    assert lines_of(b"lf a line\nb", cut=True) == Lines(("b",), cut=True)
    assert lines_of(b"", cut=False) == Lines(())


ENCODED = [
    "error\nréseau".encode("utf-16"),
    "error\nréseau".encode("utf-16-le"),
    "\ufefferror\nréseau".encode("utf-16-be"),
    "\ufefferror\nréseau".encode(),
    b"error\nr\xe9seau",
    b"\0" * 4096 + "error\nréseau".encode(),
    "\x1b[31merror\x1b[0m\r\nréseau\r\n".encode(),
    "error\rréseau\r".encode(),
]


@pytest.mark.parametrize("text", ENCODED)
def test_lines_in_other_encodings(text: bytes) -> None:
    """D16: UTF-16, Latin-1, zeros, carriage returns and colours hide no error."""
    if text.startswith(b"e\0"):
        text = text * 4
    found = lines_of(text, cut=False).lines
    assert found[:1] == ("error",) and found[1].startswith("réseau")


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
    """By kubectl as it is called here. D18: pods that are silent are no zero, nor are no pods."""
    said = read(kubectl(tmp_path, 'echo "$1 $2"; echo W >&2'))
    assert said == Lines(("--context=c logs",))
    with pytest.raises(Silent, match="kubectl printed no line of that time"):
        read(kubectl(tmp_path, "true"))
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
    """From a whole line on. `cut`: the time asked for may begin before it."""
    path = tmp_path / "sync.log"
    path.write_text(f"one\ntwo {NEW}\n{NEW}\n{NEW}\n", encoding="utf-8")
    size = len(NEW) + 1
    assert read(FileLog(path, "sync.log", 2 * size + 3)) == Lines((NEW, NEW), cut=True)
    assert read(FileLog(path, "sync.log", 1000)).cut is False
    path.write_text(f"one\n{OLD}\n{NEW}\n", encoding="utf-8")
    assert read(FileLog(path, "sync.log", 2 * size + 1)) == Lines((NEW,), cut=False)


def written(path: Path, text: str, at: datetime) -> Path:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at.timestamp(), at.timestamp()))
    return path


def test_a_log_file_that_has_gone_silent(tmp_path: Path) -> None:
    """D18: no line of that time is no zero; what follows an old line may be of now."""
    path = written(tmp_path / "sync.log", f"{OLD}\nTraceback\n", T0 - timedelta(hours=1))
    with pytest.raises(Silent, match=r"sync.log is silent: its last line is of 2026-03-02 08:00Z"):
        read(FileLog(path, "sync.log"))
    written(path, f"{OLD}\n", T0 - timedelta(minutes=1))
    with pytest.raises(Silent, match="its last line is of 2026-03-02 08:30Z"):
        read(FileLog(path, "sync.log"))
    written(path, f"{OLD}\nTraceback\nError: x\n", T0 - timedelta(minutes=1))
    found = read(FileLog(path, "sync.log"))
    assert (found.lines, found.undated) == ((), ("Traceback", "Error: x"))
    written(path, "", T0 - timedelta(minutes=1))
    with pytest.raises(Silent, match=r"sync.log is empty since 2026-03-02 08:59Z"):
        read(FileLog(path, "sync.log"))


ROTATED = ["sync.log.1", "sync.log-20260302", "sync.log.2026-03-02", "sync-2026-03-02.log"]


@pytest.mark.parametrize("name", ROTATED)
def test_a_log_file_that_was_just_rotated(tmp_path: Path, name: str) -> None:
    """D18: the part that was put aside is read before what has come since."""
    aside = f"{OLD}\n{NEW} aside\n"
    path = written(tmp_path / "sync.log", "", T0)
    written(tmp_path / name, aside, T0 - timedelta(minutes=5))
    written(tmp_path / "sync.log.bak", f"{NEW} of another\n", T0)
    assert read(FileLog(path, "sync.log")).lines == (f"{NEW} aside",)
    written(path, f"{NEW} since\n", T0)
    assert read(FileLog(path, "sync.log")).lines == (f"{NEW} aside", f"{NEW} since")
    written(tmp_path / name, aside, T0 - timedelta(hours=1))
    assert read(FileLog(path, "sync.log")).lines == (f"{NEW} since",)


def test_a_part_that_is_packed_is_not_known(tmp_path: Path) -> None:
    """D18: an empty log beside one that was just packed."""
    path = written(tmp_path / "sync.log", "", T0)
    written(tmp_path / "sync.log.1.gz", "zzz", T0 - timedelta(minutes=5))
    with pytest.raises(Silent, match="was rotated at 2026-03-02 08:55Z, and what was before is p"):
        read(FileLog(path, "sync.log"))


SIBLINGS = [
    ("sync.log", "sync.log.1", True),
    ("sync.log", "sync.log.12", True),
    ("sync.log", "sync.log-20260302.gz", True),
    ("sync.log", "sync.log-2026030209", True),
    ("sync.log", "sync-20260302.log", True),
    ("sync.log", "sync.1.log", True),
    ("sync.log", "sync.log", False),
    ("sync.log", "sync.log.bak", False),
    ("sync.log", "sync-errors.log", False),
    ("sync.log", "resync.log.1", False),
    ("sync", "sync.1", True),
]


@pytest.mark.parametrize(("name", "other", "sibling"), SIBLINGS)
def test_what_a_rotation_calls_its_parts(name: str, other: str, sibling: bool) -> None:
    """Other logs beside it are not its own."""
    assert is_sibling(name, other) is sibling


def test_a_stated_zone_reaches_the_file(tmp_path: Path) -> None:
    """D16: as integrations.yaml has it; one that is none is refused."""
    written(tmp_path / "sync.log", f"{IN_TOKYO}\n", T0 - timedelta(hours=5))
    os.utime(tmp_path / "sync.log", (T0.timestamp(), T0.timestamp()))
    for zone in ("Asia/Tokyo", "+09:00"):
        assert read(open_log(FileLogs(path="sync.log", timezone=zone), tmp_path)).lines
    with pytest.raises(ValidationError, match="'Mars' is no time zone; such as UTC"):
        FileLogs(path="sync.log", timezone="Mars")


def test_a_command_that_prints_older_lines(tmp_path: Path) -> None:
    """D17: those that tell an older time are left out, those that tell none are of the time asked."""
    path = program(tmp_path, "tell", f"echo '{OLD}'; echo '{NEW}'; echo plain")
    assert read(open_log(CommandLogs(command=(str(path),)), tmp_path)).lines == (NEW, "plain")
    path = program(tmp_path, "tell", "echo plain")
    assert read(open_log(CommandLogs(command=(str(path),)), tmp_path)).lines == ("plain",)


def test_as_many_lines_as_kubectl_may_print_are_perhaps_not_all(tmp_path: Path) -> None:
    """D18: its `tail` cuts without a word."""
    path = program(tmp_path, "kubectl", "echo a; echo b")
    spec = KubernetesLogs(selector="app=x", kubectl=(str(path),), tail=2)
    assert read(open_log(spec, tmp_path)).cut
    assert not read(open_log(spec.model_copy(update={"tail": 3}), tmp_path)).cut


def test_what_is_no_log_file(tmp_path: Path) -> None:
    """Is named as integrations.yaml does; a pipe that nobody writes to does not keep us."""
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("none", "No such file"), ("pipe", "not a file"), (".", "Is a directory")):
        with pytest.raises(Unreadable, match=f"^{re.escape(name)} .*{why}"):
            read(open_log(FileLogs(path=name), tmp_path))
