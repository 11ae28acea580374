"""What an incident acts on in a random schedule: settings over HTTP, replicas behind a command, a job
that something else runs, a pager. Each can be told to fail, and tells what was done to it."""

from __future__ import annotations

import json
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.sandbox import serving
from watchkeeper.sandbox.clock import utc_now
from watchkeeper.sandbox.pager import Pager, certificates
from watchkeeper.sandbox.plain import Ask, Reply, Server, as_json
from watchkeeper.schedulers import Schedule

# Not at all; not carried out; refused; in doubt, carried out or not; and not even read.
MODES = ("well", "before", "refused", "lost after", "lost before", "unread")
SETTINGS: dict[str, Any] = {
    "max_requests_per_s": 50,
    "max_retries": 1,
    "refuse": "",
    "model": "usual",
    "keys": 1,
    "intake_per_s": 100,
    "dns_cache_s": 0,
}
REPLICAS, JOB = "2", "export"
SCALE = """\
read -r fault < "$1/fault"
[ "$fault" = before ] && exit 1
ln -sfn "$2" "$1/replicas"
echo "$2" >> "$1/scaled"
[ "$fault" = "lost after" ] && exit 1
exit 0
"""


@dataclass
class Far:
    """`written`: everything that was changed since somebody last asked, as (what, value)."""

    folder: Path
    settings_url: str = ""
    pager_url: str = ""
    ca_file: Path = Path()
    settings: dict[str, Any] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)
    job: FarJob = field(init=False)

    def __post_init__(self) -> None:
        (self.folder / "scale.sh").write_text(SCALE)
        self.reset()

    def reset(self) -> None:
        self.settings, self.written, self.job = dict(SETTINGS), [], FarJob(self)
        self.all_well()
        self.scale(REPLICAS)
        (self.folder / "scaled").write_text("")

    def all_well(self) -> None:
        for name in ("settings", "replicas", JOB):
            self.fail(name, "well")

    @property
    def is_well(self) -> bool:
        return set(self.modes.values()) == {"well"}

    def fail(self, name: str, mode: str) -> None:
        self.modes[name] = mode
        if name == "replicas":
            (self.folder / "fault").write_text(f"{mode}\n")

    def scale(self, value: str) -> None:
        draft = self.folder / "replicas.new"
        os.symlink(value, draft)
        os.replace(draft, self.folder / "replicas")

    @property
    def replicas(self) -> str:
        return os.readlink(self.folder / "replicas")

    def changes(self) -> list[tuple[str, str]]:
        """What was written since the last call."""
        scaled = (self.folder / "scaled").read_text().split()
        (self.folder / "scaled").write_text("")
        found, self.written = [*self.written, *(("replicas", n) for n in scaled)], []
        return found

    def answer(self, ask: Ask) -> Reply | None:
        """The settings' service. None closes the connection without an answer."""
        mode = self.modes["settings"]
        if ask.method == "GET":
            return as_json(503, {}) if mode == "unread" else as_json(200, self.settings)
        if mode in ("before", "unread", "refused"):
            return as_json(422 if mode == "refused" else 503, {})
        if mode != "lost before":
            said = json.loads(ask.body)
            self.settings |= said
            self.written += [(name, str(value)) for name, value in said.items()]
        return None if mode.startswith("lost") else Reply(204)


@dataclass
class FarJob:
    """A job by a clock that is not ours; a JobScheduler. `mark` counts its changes."""

    far: Far
    paused: bool = False
    mark: int = 0
    runs: dict[str, datetime] = field(default_factory=dict)

    async def state(self) -> Schedule:
        if self.far.modes[JOB] == "unread":
            raise Transient("the scheduler does not answer")
        return Schedule(self.paused, str(self.mark))

    async def pause(self) -> Schedule:
        return self._set(True)

    async def resume(self) -> Schedule:
        return self._set(False)

    def _set(self, paused: bool) -> Schedule:
        mode = self.far.modes[JOB]
        if mode in ("before", "unread"):
            raise Transient("the scheduler is busy")
        if mode == "refused":
            raise Permanent("the scheduler refuses us")
        if mode != "lost before" and self.change(paused):
            self.far.written.append((JOB, "paused" if paused else "running"))
        if mode.startswith("lost"):
            raise Ambiguous("the scheduler's answer was lost")
        return Schedule(self.paused, str(self.mark))

    def change(self, paused: bool) -> bool:
        """False where it is so already: not even the mark changes."""
        if self.paused is paused:
            return False
        self.paused, self.mark = paused, self.mark + 1
        return True

    async def missed(self, since: datetime, until: datetime) -> tuple[datetime, ...]:
        return (since,)

    async def run_for(self, at: datetime, key: str) -> str:
        if key not in self.runs:
            self.runs[key] = at
            self.far.written.append((f"run of {JOB}", key))
        return "started"


@contextmanager
def far_sides(folder: Path) -> Iterator[Far]:
    """In threads of this process: nothing starts, and nothing is left behind."""
    far = Far(folder, ca_file=folder / "ca.pem")
    pager = Pager(utc_now)
    ours, theirs = serving.listen(0), serving.listen(0)
    far.settings_url = f"http://{serving.LOOPBACK}:{serving.port_of(ours)}/settings"
    far.pager_url = f"https://localhost:{serving.port_of(theirs)}"
    servers = [Server(ours, far.answer), Server(theirs, pager.app, _trusted(far.ca_file))]
    threads = [threading.Thread(target=s.serve_forever, args=(0.02,)) for s in servers]
    for thread in threads:
        thread.start()
    try:
        yield far
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _trusted(ca_file: Path) -> ssl.SSLContext:
    return certificates(ca_file)
