"""The one process that a unit keeps: started on a fixed port, stopped, killed, and told things."""

import json
import os
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

from watchkeeper.sandbox import serving

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


class Child:
    """It gets `--port N --tied` added: the same port in every life, and no life after ours."""

    def __init__(self, argv: Sequence[str], port: int) -> None:
        self.argv = [*argv, "--port", str(port), "--tied"]
        self.url = f"http://{serving.LOOPBACK}:{port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self, env: Mapping[str, str]) -> None:
        """Returns once it answers. Raises NoAnswer, OSError."""
        # The end of the child's stdin pipe is ours: when we die, it reads the end and goes too.
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, **env},
        )
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        # Not its health, which is slow where it has much to do.
        while not answers(f"{self.url}/"):
            if self.pid is None or time.monotonic() > deadline:
                raise NoAnswer(f"{self.argv[0]} does not answer on {self.url}")
            time.sleep(0.02)

    def stop(self) -> None:
        if (process := self._process) is None:
            return
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        if process.stdin is not None:
            process.stdin.close()

    def kill(self) -> None:
        if self._process is not None and self.pid is not None:
            self._process.kill()
            self._process.wait()

    def tell(self, path: str, value: object) -> None:
        """Raises OSError where it does not take it."""
        request = urllib.request.Request(
            f"{self.url}{path}", json.dumps(value).encode(), method="PUT"
        )
        DIRECT.open(request, timeout=2).close()


def answers(url: str) -> bool:
    """Any HTTP status is an answer."""
    try:
        DIRECT.open(url, timeout=2).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True
