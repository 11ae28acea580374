"""Starts stand-ins as processes and ends them all, whatever happens in between."""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

START_WITHIN_S = 15.0
STOP_WITHIN_S = 3.0


class StartFailed(RuntimeError):
    """A stand-in did not say that it is ready."""


class Processes:
    """Use as a context manager. `folder` takes one log file of stderr for each process."""

    def __init__(self, folder: Path, start_within_s: float = START_WITHIN_S) -> None:
        self.folder = folder
        self.start_within_s = start_within_s
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._started = 0

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for pid in reversed(list(self._running)):
            self.stop(pid)

    def start(self, argv: Sequence[str], env: Mapping[str, str] | None = None) -> dict[str, Any]:
        """`argv`: the stand-in's name and its options (`["vendor", "--seed", "7"]`).

        Returns its ready line: {"ready", "url", "pid", ...}. The process ends with this one,
        because it is tied to a pipe that only this one holds.
        """
        self._started += 1
        log = self.folder / f"{self._started:02d}-{argv[0]}.log"
        command = [sys.executable, "-m", f"watchkeeper.sandbox.{argv[0]}", "--tied", *argv[1:]]
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=None if env is None else {**os.environ, **env},
                start_new_session=True,
            )
        self._running[child.pid] = child
        line = _first_line(child, time.monotonic() + self.start_within_s)
        if not line.endswith(b"\n"):
            self.stop(child.pid)
            raise StartFailed(f"{argv[0]} is not ready: {log.read_text()[-2000:]}")
        parsed: dict[str, Any] = json.loads(line)
        return parsed

    def stop(self, pid: int) -> None:
        child = self._running.pop(pid)
        child.terminate()
        try:
            child.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()

    def kill(self, pid: int) -> None:
        """As the kernel would: no warning, no farewell."""
        self._running[pid].kill()
        self.stop(pid)


def _first_line(child: subprocess.Popen[bytes], deadline: float) -> bytes:
    """What came on stdout up to the first newline, the end, or the deadline."""
    assert child.stdout is not None
    found = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while not found.endswith(b"\n") and (left_s := deadline - time.monotonic()) > 0:
            if selector.select(left_s):
                piece = os.read(child.stdout.fileno(), 4096)
                if not piece:
                    break
                found += piece
    return found
