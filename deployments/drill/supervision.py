"""`watchkeeper up` for one drill after another, and the people who are there while one goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deployments.drill.prefect_view import PrefectView
from deployments.drill.scenario import Duties
from deployments.drill.surroundings import environment
from deployments.drill.world import World
from deployments.password import kept_password
from watchkeeper.errors import WatchkeeperError

# A machine at a load of twenty takes a minute.
READY_S = 240.0
STOP_S = 60.0
COMMAND_S = 60.0
POLL_S = 0.1


def program() -> list[str]:
    """The public command, as people call it."""
    return [str(Path(sys.executable).with_name("watchkeeper"))]


class Supervisor:
    """Use as a context manager. One `up` serves until it dies; then whoever comes gets another."""

    def __init__(
        self, home: Path, tell: Callable[[str], None], over: Mapping[str, str] | None = None
    ) -> None:
        """`over`: variables of the environment of `up` in place of a drill's own."""
        self.home, self.tell, self._over = home, tell, dict(over or {})
        self._child: subprocess.Popen[bytes] | None = None
        self._view: PrefectView | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def serving(self, job: str) -> PrefectView:
        """What Prefect says. An integration with this job must be watched by now: `up` serves the
        jobs that there are as it starts.

        Raises WatchkeeperError with the end of the log where `up` does not come up.
        """
        if self._view is not None and self.alive() and self._view.deploys(f"sync/{job}"):
            return self._view
        if self._child is not None:
            self.tell(f"  `up` has died or does not serve {job}: from here on there is a new one")
            self.stop()
        api = self._start()
        self.tell(f"  up: {api.removesuffix('/api')}")
        self._view = PrefectView(api, kept_password(self.home))
        return self._view

    def stop(self) -> None:
        if self._view is not None:
            self._view.close()
            self._view = None
        child, self._child = self._child, None
        if child is None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()

    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child is not None and self.alive() else None

    def _start(self) -> str:
        """Its API's address, once it is ready."""
        ready, log = self.home / "up.json", self.home / "up.log"
        # That of one that was killed.
        ready.unlink(missing_ok=True)
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                [*program(), "up", "--tied"],
                env=environment(self.home) | self._over,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + READY_S
        while self.alive() and not ready.exists() and time.monotonic() < until:
            time.sleep(POLL_S)
        if not ready.exists():
            tail = log.read_text(errors="replace")[-1500:]
            raise WatchkeeperError(f"`watchkeeper up` did not come up: {tail}")
        return str(json.loads(ready.read_text())["api"])


def start_people(world: World, people: Sequence[Duties]) -> None:
    """Woken by this world's pager; they look after this world's incidents only."""
    for duties in people:
        told = {
            **duties.told(),
            "program": program(),
            "env": world.environment(),
            "integration": world.integration,
            "vendor": world.vendor,
            "unit": world.unit,
            "pager": world.pager,
            "pager_ca": str(world.pager_ca),
        }
        config = world.folder / "sandbox" / f"person-{duties.name}.json"
        config.write_text(json.dumps(told))
        world.processes.start(["person", "--config", str(config)])


def command(world: World, *words: str) -> str:
    """What a person types, and what it prints. Raises WatchkeeperError where it fails."""
    done = subprocess.run(
        [*program(), *words],
        env=world.environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    if done.returncode:
        raise WatchkeeperError(f"`watchkeeper {' '.join(words)}` failed: {done.stderr.strip()}")
    return done.stdout
