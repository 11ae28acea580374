"""`watchkeeper up` as a process of its own, in a home of its own, with what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness import wait_until

WATCHKEEPER = str(Path(sys.executable).with_name("watchkeeper"))
SAID_WITHIN_S = 150.0
STOP_WITHIN_S = 60.0
# Clocks that leave the schedules out of it.
CALM = {
    "WATCHKEEPER_PORT": "0",
    "WATCHKEEPER_SWEEP_INTERVAL_S": "1",
    "WATCHKEEPER_HEALTH_INTERVAL_S": "3600",
    "WATCHKEEPER_SYNC_INTERVAL_S": "3600",
}


@dataclass
class Up:
    """A running `up`. `seen` is how many lines of its output a wait has read already."""

    home: Path
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    seen: int = 0

    def lines(self) -> list[str]:
        return self.log.read_text(errors="replace").splitlines()

    def says(self, what: str, within_s: float = SAID_WITHIN_S) -> str:
        """The next line with these words, after those that were waited for before."""
        found: list[str] = []

        def there() -> bool:
            lines = self.lines()
            for number, line in enumerate(lines[self.seen :], start=self.seen + 1):
                if what in line:
                    self.seen = number
                    found.append(line)
                    return True
            assert self.process.poll() is None, "\n".join(lines[-30:])
            return False

        wait_until(there, within_s, f"`up` says {what!r}")
        return found[0]

    def children(self) -> dict[int, str]:
        """Its own child processes: pid -> command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _parent(entry) == self.process.pid:
                found[int(entry.name)] = _command(entry)
        return found

    def child(self, word: str) -> int:
        """The pid of the one child with this word in its command."""
        (pid,) = (pid for pid, command in self.children().items() if word in command)
        return pid

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(STOP_WITHIN_S)


@contextmanager
def running_up(
    home: Path,
    integrations: Path,
    more: Mapping[str, str] | None = None,
    within: Sequence[str] = (),
) -> Iterator[Up]:
    """Started, and ended after the block if it still runs. `within`: a command that becomes it."""
    home.mkdir(parents=True, exist_ok=True)
    log = home.parent / f"{home.name}-up.log"
    ours = {"WATCHKEEPER_HOME": str(home), "WATCHKEEPER_INTEGRATIONS": str(integrations)}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*within, WATCHKEEPER, "up", "--tied"],
            env={**os.environ, **CALM, **ours, **(more or {}), "NO_COLOR": "1"},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    up = Up(home, log, process)
    try:
        yield up
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdin is not None:
            process.stdin.close()


def alive(pids: Mapping[int, str]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not _zombie(pid)]


def until(holds: Callable[[], bool], what: str) -> None:
    wait_until(holds, SAID_WITHIN_S, what)


def overwrite(path: Path) -> None:
    """Pages in the middle become noise, as a bad disk makes them."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(4096 * 20))


def _parent(entry: Path) -> int | None:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def _command(entry: Path) -> str:
    try:
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
