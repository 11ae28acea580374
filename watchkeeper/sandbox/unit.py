"""A small service manager: it keeps one child on one port, and restarts it when asked.

    python -m watchkeeper.sandbox.unit [--port 0] [--tied] [--replicas 1] -- CHILD ARGV...

The child gets `--port N --tied` added: the same port in every life, and no life after ours. Its
replicas are a number that the child is told, in its environment and at PUT /_sim/replicas: one
process does the work of so many.
"""

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from watchkeeper.sandbox import replicas, serving
from watchkeeper.sandbox.clock import iso, utc_now
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve
from watchkeeper.sandbox.unit_child import Child, NoAnswer, fixed_port
from watchkeeper.sandbox.unit_faults import KEEPS_OLD_KEY, RESTART_FAILS, SCALE_FAILS, UnitFaults

REMEMBERS = 100


class Unit:
    """Counts are of restarts and crashes that were asked for."""

    def __init__(self, argv: Sequence[str], port: int, wanted: int = 1) -> None:
        self.child, self.replicas = Child(argv, port), wanted
        self.restarts = self.failed_restarts = self.crashes = 0
        self.faults = UnitFaults()
        self.history: deque[dict[str, Any]] = deque(maxlen=REMEMBERS)
        self._lock = threading.Lock()

    def start(self) -> None:
        self.child.start({replicas.VARIABLE: str(self.replicas)})

    def restart(self) -> Reply:
        with self._lock:
            asked = utc_now()
            came, error = self._restarted()
            self.restarts += not error
            self.failed_restarts += bool(error)
            done = {"asked": iso(asked), "done": iso(utc_now()), "came": came}
            self.history.append(done)
            if error:
                return as_json(500, {"error": error})
            return as_json(200, {"restarts": self.restarts, "pid": self.child.pid})

    def _restarted(self) -> tuple[str, str]:
        """What came of it, and what is said against it."""
        if self.faults.strikes(RESTART_FAILS):
            return "failed", "the replica does not come up again; the old one goes on"
        if self.faults.strikes(KEEPS_OLD_KEY):
            return KEEPS_OLD_KEY, ""
        self.child.stop()
        try:
            self.start()
        except (NoAnswer, OSError) as error:
            return "failed", str(error)
        return "restarted", ""

    def crash(self) -> Reply:
        with self._lock:
            self.child.kill()
            self.crashes += 1
            return as_json(200, self.counted())

    def scale(self, ask: Ask) -> Reply:
        with self._lock:
            wanted = replicas.replicas_in(ask)
            if self.faults.strikes(SCALE_FAILS):
                return as_json(500, {"error": f"no room for {wanted} replicas"})
            self.replicas = wanted
            # One that is down, or knows nothing of replicas, reads it when it starts.
            with suppress(OSError):
                self.child.tell(replicas.PATH, {"replicas": wanted})
            return as_json(200, {"replicas": wanted})

    def counted(self) -> dict[str, Any]:
        pid = self.child.pid
        counts = {"restarts": self.restarts, "crashes": self.crashes}
        return {"running": pid is not None, "pid": pid, **counts}

    def state(self) -> dict[str, Any]:
        more = {"replicas": self.replicas, "failed_restarts": self.failed_restarts}
        return {**self.counted(), **more, "history": list(self.history)}

    def app(self, ask: Ask) -> Reply:
        try:
            match ask.method, ask.path:
                case "POST", "/restart":
                    return self.restart()
                case "POST", "/crash":
                    return self.crash()
                case "POST", "/scale":
                    return self.scale(ask)
                case "GET", "/state":
                    return as_json(200, self.state())
                case "POST", "/_sim/faults":
                    return as_json(201, self.faults.add(ask.json()))
                case "GET", "/_sim/faults":
                    return as_json(200, {"faults": self.faults.shown()})
                case "DELETE", "/_sim/faults":
                    return as_json(200, {"ended": self.faults.end()})
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        return NOT_FOUND


def main(argv: list[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else argv
    cut = words.index("--") if "--" in words else len(words)
    parser = serving.parser("unit", "A service manager for one child, given after `--`.")
    parser.add_argument("--replicas", type=int, default=1)
    options, child = parser.parse_args(words[:cut]), words[cut + 1 :]
    if not child:
        parser.error("no child: give its command after --")
    serving.obey(options.tied)
    unit = Unit(child, fixed_port(random.Random(time.time_ns())), options.replicas)
    unit.start()
    sock = serving.listen(options.port)
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    serving.ready("unit", url, service=unit.child.url, child_pid=unit.child.pid or 0)
    serve(sock, unit.app)


if __name__ == "__main__":
    main()
