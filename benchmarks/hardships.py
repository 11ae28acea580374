"""What may happen to the machine while an incident lasts, one after another, and what people see.

    python -m benchmarks.hardships [NAME...] [--list] [--verbose] [--planted]

Each hardship is done to a real `watchkeeper up` in the middle of a rehearsed incident (an expired
key that a person replaces), or while all is calm. Afterwards the incident must close with whole
data, each rung paged at most once, nothing left (`benchmarks.rounds`); and what people were told
meanwhile must have been told: each hardship says where. Ends with 1 where one did not hold.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.kills import children, words_of
from benchmarks.rounds import (
    Act,
    Stage,
    calm_round,
    fresh_home,
    incident_round,
    main_job,
    stage,
)
from deployments.drill.drill import Drill
from deployments.drill.supervision import program
from deployments.drill.surroundings import environment
from watchkeeper.incident import State

CALM_S = 120.0
UP_LOG = "up.log"


@dataclass
class Seen:
    """What people were shown while it lasted, and what was wrong with that."""

    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def must(self, what: str, text: str) -> None:
        """`text` is somewhere in what was shown."""
        if not any(text in line for line in self.lines):
            self.wrong.append(f"{what}: nothing said {text!r}")


Make = Callable[[Seen], Act]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardship:
    """`made` gives what is done at each poll; `calm`: without an incident."""

    says: str
    made: Make
    calm: bool = False
    over: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


def status(on: Stage, seen: Seen) -> None:
    """The first lines of `watchkeeper status`, as a person types it."""
    done = subprocess.run(
        [*program(), "status"],
        env=environment(on.home),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    seen.lines += (done.stdout + done.stderr).splitlines()
    if "Traceback" in done.stderr:
        seen.wrong.append("status ended in a traceback")


def log_lines(on: Stage, seen: Seen) -> None:
    seen.lines += (on.home / UP_LOG).read_text(errors="replace").splitlines()


def reached(drill: Drill, state: State) -> bool:
    return drill.has_reached(state)


def once(
    begin: Callable[[Drill, Stage], bool], do: Callable[[Drill, Stage], None], seen: Seen
) -> Act:
    """Done at the first poll at which `begin` holds; what `up` said is read afterwards."""

    def act(drill: Drill, on: Stage) -> bool:
        if not begin(drill, on):
            return True
        drill.say("HARDSHIP begins")
        do(drill, on)
        drill.say("HARDSHIP ends")
        log_lines(on, seen)
        return False

    return act


def opened(drill: Drill, _: Stage) -> bool:
    return bool(drill.incidents())


def at_once(_: Drill, __: Stage) -> bool:
    return True


# --- the watch's processes ------------------------------------------------------------------------


def stopped_and_started(number: signal.Signals) -> Make:
    """The signal in each phase: the incident is open, it is mitigated, it is resolved."""

    def made(seen: Seen) -> Act:
        left = [State.OPEN, State.MITIGATED, State.RESOLVED]

        def act(drill: Drill, on: Stage) -> bool:
            if not left or not drill.has_reached(left[0]):
                return bool(left)
            drill.say(f"{number.name} in state {left.pop(0).value}")
            pid = on.up.pid
            if pid is not None:
                os.kill(pid, number)
                until = time.monotonic() + 60
                while on.up.alive() and time.monotonic() < until:
                    time.sleep(0.1)
                if on.up.alive():
                    seen.wrong.append(f"`up` did not end within 60 s of {number.name}")
            on.up.serving(main_job(drill.scenario))
            return bool(left)

        return act

    return made


def frozen(seconds: float) -> Make:
    """SIGSTOP of everything below `up`, as a suspended machine or a starved one."""

    def do(drill: Drill, on: Stage) -> None:
        pid = on.up.pid
        if pid is None:
            return
        all_of_it = [pid, *children(pid)]
        for one in all_of_it:
            _signal(one, signal.SIGSTOP)
        time.sleep(seconds)
        for one in all_of_it:
            _signal(one, signal.SIGCONT)

    return lambda seen: once(opened, do, seen)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def second_up(seen: Seen) -> Act:
    def do(drill: Drill, on: Stage) -> None:
        done = subprocess.run(
            [*program(), "up"],
            env=environment(on.home),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = done.stderr.strip().splitlines()
        if done.returncode != 2 or len(said) != 1:
            seen.wrong.append(f"a second `up` ended with {done.returncode}: {said}")

    return once(opened, do, seen)


# --- Prefect --------------------------------------------------------------------------------------


def server_pid(on: Stage) -> int | None:
    supervisor = on.up.pid
    below = children(supervisor) if supervisor is not None else ()
    return next((pid for pid in below if "deployments.tied" in words_of(pid)), None)


def kill_server(on: Stage) -> None:
    pid = server_pid(on)
    if pid is not None:
        _signal(pid, signal.SIGKILL)


def server_cannot_start(seconds: float) -> Make:
    """Its port is somebody else's for a while."""

    def made(seen: Seen) -> Act:
        def do(drill: Drill, on: Stage) -> None:
            port = _port(on)
            kill_server(on)
            with _held(port):
                time.sleep(seconds)
                status(on, seen)
            drill.say(f"port {port} is free again")

        return once(opened, do, seen)

    return made


def _port(on: Stage) -> int:
    import json

    told = json.loads((on.home / "up.json").read_text())
    return urlsplit(told["api"]).port or 0


@contextmanager
def _held(port: int) -> Iterator[None]:
    """Listen there as soon as it is free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for _ in range(100):
            try:
                taken.bind(("127.0.0.1", port))
                taken.listen()
                break
            except OSError:
                time.sleep(0.05)
        yield


def prefect_damaged(seen: Seen) -> Act:
    def do(drill: Drill, on: Stage) -> None:
        kill_server(on)
        for path in (on.home / "prefect").glob("*.db"):
            with path.open("r+b") as file:
                file.write(b"\0" * 4096)
        time.sleep(5)
        status(on, seen)

    return once(opened, do, seen)


# --- the machine ----------------------------------------------------------------------------------


def disk_full(seconds: float) -> Make:
    """The home's file system has no byte left for a while."""

    def do(drill: Drill, on: Stage) -> None:
        ballast = on.home / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(b"\0" * (1 << 20))
                    file.flush()
        except OSError:
            drill.say("the disk is full")
        time.sleep(seconds)
        ballast.unlink(missing_ok=True)

    return lambda seen: once(opened, do, seen)


@contextmanager
def small_disk(place: Path, mib: int) -> Iterator[None]:
    """A file system of its own at `place`; needs root."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def clock_set(hours: int) -> Make:
    """The watch's clock jumps while all is calm, and jumps back."""

    def made(seen: Seen) -> Act:
        began = time.monotonic()

        def act(drill: Drill, on: Stage) -> bool:
            lasted = time.monotonic() - began
            ahead = hours if 20 <= lasted < 50 else 0
            (on.home / "clock").write_text(f"{ahead:+d}h" if ahead else "+0")
            return lasted < 80

        return act

    return made


def faketime(home: Path) -> dict[str, str]:
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        raise FileNotFoundError("libfaketime is not installed: see .ci/apt.txt")
    (home / "clock").write_text("+0")
    return {
        "LD_PRELOAD": str(found),
        "FAKETIME_TIMESTAMP_FILE": str(home / "clock"),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


# --- people ---------------------------------------------------------------------------------------


def pager_away(seconds: float) -> Make:
    """The pager takes nothing for a while: connections hang, as in an outage of its own."""

    def made(seen: Seen) -> Act:
        stopped: list[int] = []
        began = time.monotonic()

        def act(drill: Drill, on: Stage) -> bool:
            if not stopped:
                pid = _listening(urlsplit(drill.world.pager).port or 0)
                if pid is None:
                    seen.wrong.append("the pager's process was not found")
                    return False
                _signal(pid, signal.SIGSTOP)
                stopped.append(pid)
                return True
            if time.monotonic() - began < seconds:
                return True
            status(on, seen)
            _signal(stopped[0], signal.SIGCONT)
            log_lines(on, seen)
            return False

        return act

    return made


def _listening(port: int) -> int | None:
    """The process that listens on a loopback port."""
    told = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=False).stdout
    for line in told.splitlines():
        if f"127.0.0.1:{port} " in line and "pid=" in line:
            return int(line.partition("pid=")[2].partition(",")[0])
    return None


HARDSHIPS: Mapping[str, Hardship] = {
    "sigint": Hardship(
        says="Ctrl-C in each phase, and started again",
        made=stopped_and_started(signal.SIGINT),
    ),
    "sigterm": Hardship(
        says="SIGTERM in each phase, and started again",
        made=stopped_and_started(signal.SIGTERM),
    ),
    "sighup": Hardship(
        says="SIGHUP in each phase, and started again",
        made=stopped_and_started(signal.SIGHUP),
    ),
    "stopped-a-minute": Hardship(says="SIGSTOP of all for a minute", made=frozen(60)),
    "two-ups": Hardship(says="a second `up` is refused in one line", made=second_up),
    "server-cannot-start": Hardship(
        says="the server dies and its port is taken for 40 s", made=server_cannot_start(40)
    ),
    "prefect-damaged": Hardship(
        says="Prefect's database is overwritten and its server dies", made=prefect_damaged
    ),
    "disk-full": Hardship(
        says="no byte left on the home's disk for 20 s", made=disk_full(20), needs=("disk",)
    ),
    "pager-away": Hardship(
        says="the pager answers nothing for 60 s (an hour of the ladder in a drill's clocks)",
        made=pager_away(60),
    ),
    "clock-ahead": Hardship(
        says="the clock is two hours ahead for 30 s, and back",
        made=clock_set(2),
        calm=True,
        needs=("clock",),
    ),
    "clock-behind": Hardship(
        says="the clock is two hours behind for 30 s, and back",
        made=clock_set(-2),
        calm=True,
        needs=("clock",),
    ),
}


def play(name: str, one: Hardship, tell: Callable[[str], None]) -> list[str]:
    seen = Seen()
    with (
        fresh_home() as folder,
        _prepared(folder, one) as (home, more),
        stage(home, tell, {**one.over, **more}) as on,
    ):
        act = one.made(seen)
        found = calm_round(on, name, act, CALM_S) if one.calm else incident_round(on, name, act)
    return [*found, *seen.wrong]


@contextmanager
def _prepared(folder: Path, one: Hardship) -> Iterator[tuple[Path, dict[str, str]]]:
    if "disk" in one.needs:
        with small_disk(folder / "disk", 400):
            yield folder / "disk", {}
    else:
        yield folder, faketime(folder) if "clock" in one.needs else {}


def planted(tell: Callable[[str], None]) -> int:
    """A watch whose sweep never comes cannot take up what SIGTERM left: this must be seen."""
    over = {"WATCHKEEPER_SWEEP_INTERVAL_S": "86400"}
    with fresh_home() as home, stage(home, tell, over, patience=0.5) as on:
        found = incident_round(on, "planted", HARDSHIPS["sigterm"].made(Seen()))
    print(f"planted: {found or 'NOT FOUND'}", flush=True)
    return 0 if found else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true", dest="list_them")
    parser.add_argument("--planted", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if given.list_them:
        print(*(f"{name}: {one.says}" for name, one in HARDSHIPS.items()), sep="\n")
        return 0

    def tell(line: str) -> None:
        if given.verbose:
            print(line, flush=True)

    if given.planted:
        return planted(tell)
    unknown = [name for name in given.names if name not in HARDSHIPS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; --list shows them", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGHUP):
        # Who was started in the background ignores them, and so would what we start.
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    chosen = given.names or list(HARDSHIPS)
    held, began = 0, time.monotonic()
    for name in chosen:
        wrong = play(name, HARDSHIPS[name], tell)
        held += not wrong
        print(f"{'held' if not wrong else 'BROKEN'} {name}: {wrong or HARDSHIPS[name].says}")
        sys.stdout.flush()
    print(f"{held} of {len(chosen)} hardships held, {time.monotonic() - began:.0f} s")
    return 0 if held == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
