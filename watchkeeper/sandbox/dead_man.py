"""Who waits for signs of life: healthchecks.io's pings and Alertmanager's watchdog, as a process of
its own. It raises the alarm when nothing came for too long, whoever else is dead.

python -m watchkeeper.sandbox.dead_man --timeout-s 5 [--port 0] [--tied]

`/ping/ID` (GET, POST) is a sign of life, `/ping/ID/fail` says that the watch is unwell;
`/api/v2/alerts` takes alerts, of which WatchkeeperWatchdog must never end.
`GET /_sim/state`: {signs, fails, last, bodies, alarm, alarms}. `PUT /_sim/answer {"status": 503}`.
"""

import json
import threading
import time
from datetime import datetime
from typing import Any

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.clock import Clock, iso, utc_now
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

WATCHDOG = "WatchkeeperWatchdog"
LOOK_EACH_S = 0.1


class DeadMan:
    def __init__(self, timeout_s: float, clock: Clock) -> None:
        self.timeout_s, self.clock = timeout_s, clock
        self.signs, self.fails = 0, 0
        self.bodies: list[str] = []
        self.alerts: dict[str, str] = {}
        self.alarms: list[dict[str, str]] = []
        self.status = 200
        self._last: datetime | None = None
        self._ends: datetime | None = None
        self._alarm: str | None = None
        self._lock = threading.Lock()

    def app(self, ask: Ask) -> Reply | None:
        with self._lock:
            if ask.path == "/_sim/state":
                return as_json(200, self.state())
            if ask.path == "/_sim/answer" and ask.method == "PUT":
                self.status = int(ask.json()["status"])
                return as_json(200, {})
            if self.status != 200:
                return as_json(self.status, {})
            if ask.path.startswith("/ping/") and ask.method in ("GET", "POST"):
                return self.ping(ask)
            if ask.path == "/api/v2/alerts" and ask.method == "POST":
                return self.alert(ask)
            return NOT_FOUND

    def ping(self, ask: Ask) -> Reply:
        self.bodies = [*self.bodies[-9:], ask.body.decode(errors="replace")]
        if ask.path.endswith("/fail"):
            self.fails += 1
            self._last = self.clock()
            self._raise("it says that it is unwell")
        else:
            self._sign()
        return Reply(200, b"OK", "text/plain")

    def alert(self, ask: Ask) -> Reply:

        try:
            found = json.loads(ask.body)
            for one in found:
                name, ends = one["labels"]["alertname"], one["endsAt"]
                self.alerts[name] = one["annotations"]["summary"]
                if name == WATCHDOG:
                    self._ends = datetime.fromisoformat(ends)
                    self._sign()
        except (ValueError, KeyError, TypeError):
            return as_json(400, {"error": "no alerts"})
        return as_json(200, {})

    def look(self) -> None:
        """The alarm, once nothing came for the time-out or the watchdog alert has ended."""
        with self._lock:
            now = self.clock()
            if self._last is not None and (now - self._last).total_seconds() > self.timeout_s:
                self._raise(f"no sign of life for {self.timeout_s:g} s")
            elif self._ends is not None and now > self._ends:
                self._raise(f"{WATCHDOG} has ended")

    def state(self) -> dict[str, Any]:
        return {
            "signs": self.signs,
            "fails": self.fails,
            "last": None if self._last is None else iso(self._last),
            "bodies": self.bodies,
            "alerts": self.alerts,
            "alarm": self._alarm,
            "alarms": self.alarms,
        }

    def _sign(self) -> None:
        self.signs += 1
        self._last, self._alarm = self.clock(), None

    def _raise(self, why: str) -> None:
        if self._alarm is None:
            self.alarms.append({"at": iso(self.clock()), "why": why})
        self._alarm = why


def _look_on(waiting: DeadMan) -> None:
    while True:
        waiting.look()
        time.sleep(LOOK_EACH_S)


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("dead_man", "A stand-in for who waits for signs of life.")
    parser.add_argument("--timeout-s", type=float, default=60.0)
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    sock = serving.listen(options.port)
    waiting = DeadMan(options.timeout_s, clock)
    threading.Thread(target=_look_on, args=(waiting,), daemon=True).start()
    serving.ready("dead_man", f"http://{serving.LOOPBACK}:{serving.port_of(sock)}")
    serve(sock, waiting.app)


if __name__ == "__main__":
    main()
