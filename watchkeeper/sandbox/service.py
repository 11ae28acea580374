"""The integration service: calls the vendor with the key it read when it started.

    python -m watchkeeper.sandbox.service --vendor-url URL/v1 --secret-file FILE [--poll-s 1]
        [--config FILE] [--port 0] [--tied]

A new key in the file means nothing to it until it is restarted, as with most services. The config
file has the fields of `service_config.Setup`, and `metrics` with their names. It answers /health,
/health/<vendor>, /metrics, /stats and, for its own faults, /_sim/faults.
"""

import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx

from watchkeeper.sandbox import service_config, service_faults, serving
from watchkeeper.sandbox.clock import Clock, utc_now
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve
from watchkeeper.sandbox.prometheus_text import CONTENT_TYPE
from watchkeeper.sandbox.service_calls import call
from watchkeeper.sandbox.service_faults import Crash, Hang, Heavy, Slow, first
from watchkeeper.sandbox.service_state import VERSION, State

USER_AGENT = f"integration-service/{VERSION}"
HUNG_S = 120.0
# One worker of a heavy consumer sends no more, so that a slow vendor does not slow the flood.
WORKER_PER_S = 5.0
# Long enough for the answer to whoever asked for it.
CRASH_AFTER_S = 0.05


class Service:
    """`end` and `flood` are called when a fault asks for a crash or a heavy consumer."""

    def __init__(
        self, state: State, end: Callable[[], None], flood: Callable[[Heavy], None]
    ) -> None:
        self.state, self.end, self.flood = state, end, flood

    def app(self, ask: Ask) -> Reply:
        if ask.path.startswith("/_sim/faults"):
            return self.faulted(ask)
        if first(self.state.faults, Hang):
            return Reply(503, delay_s=HUNG_S)
        slow = first(self.state.faults, Slow)
        return replace(self.shown(ask), delay_s=slow.delay_s if slow else 0.0)

    def shown(self, ask: Ask) -> Reply:
        health = ("/health", f"/health/{self.state.setup.vendor}")
        match ask.method, ask.path:
            case "GET", path if path in health:
                told = self.state.health()
                return as_json(503 if told["status"] == "unhealthy" else 200, told)
            case "GET", "/stats":
                return as_json(200, self.state.stats())
            case "GET", "/metrics":
                return Reply(200, self.state.metrics_text().encode(), CONTENT_TYPE)
        return NOT_FOUND

    def faulted(self, ask: Ask) -> Reply:
        faults, kind = self.state.faults, ask.path.removeprefix("/_sim/faults").strip("/")
        if ask.method == "POST":
            return self.fault(ask)
        if ask.method == "DELETE":
            ended = [f for f in faults if kind in ("", f.kind)]
            faults[:] = [f for f in faults if f not in ended]
            return as_json(200, {"ended": [f.kind for f in ended]})
        return as_json(200, {"faults": [service_faults.to_json(f) for f in faults]})

    def fault(self, ask: Ask) -> Reply:
        operations = [operation.name for operation in self.state.setup.operations]
        try:
            fault = service_faults.from_json(ask.json(), operations)
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        self.state.faults.append(fault)
        if isinstance(fault, Crash):
            self.end()
        if isinstance(fault, Heavy):
            self.flood(fault)
        return as_json(201, service_faults.to_json(fault))


class Caller:
    """The threads that call the vendor."""

    def __init__(self, state: State, client: httpx.Client) -> None:
        self.state, self.client = state, client

    def work_for_ever(self, poll_s: float) -> None:
        due = time.monotonic()
        while True:
            for operation in self.state.setup.operations:
                poll = call(self.client, operation.path, self._headers())
                self.state.did(operation, poll)
            due = max(due + poll_s, time.monotonic())
            time.sleep(due - time.monotonic() if due > time.monotonic() else 0)

    def flood(self, heavy: Heavy) -> None:
        workers = math.ceil(heavy.per_s / WORKER_PER_S)
        for n in range(workers):
            ours = (heavy, workers / heavy.per_s, n / heavy.per_s)
            threading.Thread(target=self._flood, args=ours, daemon=True).start()

    def _flood(self, heavy: Heavy, every_s: float, after_s: float) -> None:
        asked = replace(self.state.setup.operations[0], consumer=heavy.consumer)
        headers = {"User-Agent": f"{USER_AGENT} ({heavy.consumer})"}
        due = time.monotonic() + after_s
        while any(fault is heavy for fault in self.state.faults):
            time.sleep(max(due - time.monotonic(), 0))
            due += every_s
            self.state.called(asked, call(self.client, asked.path, self._headers() | headers))

    def _headers(self) -> dict[str, str]:
        return self.state.setup.key_header(self.state.key)


def read_key(path: Path) -> str:
    value: str = json.loads(path.read_text())["current"]["value"]
    return value


def end_soon() -> None:
    threading.Timer(CRASH_AFTER_S, os._exit, (1,)).start()


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("service", "The integration service.")
    parser.add_argument("--vendor-url", required=True, help="with the vendor's base path")
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--poll-s", type=float, default=1.0)
    parser.add_argument("--timeout-s", type=float, default=5.0)
    parser.add_argument("--config", type=Path, help="whose API, which metrics, which log file")
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    state = State(service_config.load(options.config), read_key(options.secret_file), clock)
    client = httpx.Client(
        base_url=options.vendor_url,
        headers={"User-Agent": USER_AGENT},
        timeout=options.timeout_s,
        trust_env=False,
    )
    caller = Caller(state, client)
    working = threading.Thread(target=caller.work_for_ever, args=(options.poll_s,), daemon=True)
    sock = serving.listen(options.port)
    working.start()
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    mark = fingerprint(state.key)
    serving.ready("service", url, key_fingerprint=mark, boot_id=state.boot_id)
    serve(sock, Service(state, end_soon, caller.flood).app)


if __name__ == "__main__":
    main()
