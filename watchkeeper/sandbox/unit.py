"""A small service manager: it keeps one child on one port, and restarts it when asked.

    python -m watchkeeper.sandbox.unit [--port 0] [--tied] -- CHILD ARGV...

The child gets `--port N --tied` added: the same port in every life, and no life after ours.
"""

import random
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

ANSWERS_WITHIN_S = 15.0
STOPS_WITHIN_S = 3.0
# Below the range from which kernels take ports for outgoing connections: while the child is
# down, nobody else should be handed its port.
PORTS = range(20_000, 32_000)

# A proxy named in the environment has no business between loopback and itself.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(RuntimeError):
    """The child was started and does not answer."""


def fixed_port(rng: random.Random) -> int:
    while True:
        port = rng.choice(PORTS)
        try:
            serving.listen(port).close()
        except OSError:
            continue
        return port


class Unit:
    """Counts are of restarts and crashes that were asked for."""

    def __init__(self, argv: Sequence[str], port: int) -> None:
        self.argv = [*argv, "--port", str(port), "--tied"]
        self.url = f"http://{serving.LOOPBACK}:{port}"
        self.restarts = 0
        self.crashes = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        # The end of the child's stdin pipe is ours: when we die, it reads the end and goes too.
        self._child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not answers(f"{self.url}/health"):
            if self.pid is None or time.monotonic() > deadline:
                raise NoAnswer(f"{self.argv[0]} does not answer on {self.url}")
            time.sleep(0.02)

    def stop(self) -> None:
        if (child := self._child) is None:
            return
        child.terminate()
        try:
            child.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._kill(child)
        if child.stdin is not None:
            child.stdin.close()

    def restart(self) -> Reply:
        with self._lock:
            self.stop()
            try:
                self.start()
            except (NoAnswer, OSError) as error:
                return as_json(500, {"error": str(error)})
            self.restarts += 1
            return as_json(200, {"restarts": self.restarts, "pid": self.pid})

    def crash(self) -> Reply:
        with self._lock:
            if self._child is not None and self.pid is not None:
                self._kill(self._child)
            self.crashes += 1
            return as_json(200, self.state())

    def state(self) -> dict[str, Any]:
        pid = self.pid
        return {
            "running": pid is not None,
            "pid": pid,
            "restarts": self.restarts,
            "crashes": self.crashes,
        }

    def app(self, ask: Ask) -> Reply:
        match ask.method, ask.path:
            case "POST", "/restart":
                return self.restart()
            case "POST", "/crash":
                return self.crash()
            case "GET", "/state":
                return as_json(200, self.state())
        return NOT_FOUND

    def _kill(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()


def answers(url: str) -> bool:
    """Any HTTP status is an answer."""
    try:
        DIRECT.open(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def main(argv: list[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    parser = serving.parser("unit", "A service manager for one child, given after `--`.")
    options, child = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not child:
        parser.error("no child: give its command after --")
    serving.obey(options.tied)
    unit = Unit(child, fixed_port(random.Random(time.time_ns())))
    unit.start()
    sock = serving.listen(options.port)
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    serving.ready("unit", url, service=unit.url, child_pid=unit.pid or 0)
    serve(sock, unit.app)


if __name__ == "__main__":
    main()
