"""The integration service: calls the vendor with the keys it read when it started.

    python -m watchkeeper.sandbox.service --vendor-url URL/v1 --secret-file FILE [--secret-file FILE]
        [--poll-s 1] [--config FILE] [--settings-file FILE] [--port 0] [--tied]

A new key in a file means nothing to it until it is restarted, as with most services. The config
file has the fields of `service_config.Setup`, and `metrics` with their names; what can be changed
while it runs is in `settings`. It answers /health, /health/<vendor>, /metrics, /stats, /settings
and, for its own faults, /_sim/faults.
"""

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import sleep

import httpx

from watchkeeper.sandbox import replicas, service_config, serving
from watchkeeper.sandbox.clock import Clock, utc_now
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve
from watchkeeper.sandbox.prometheus_text import CONTENT_TYPE
from watchkeeper.sandbox.resolving import Resolver, Resolving, look_up
from watchkeeper.sandbox.service_controls import Controls
from watchkeeper.sandbox.service_faults import Hang, HealthSays, Heavy, Slow, SlowDns, first
from watchkeeper.sandbox.service_state import State
from watchkeeper.sandbox.service_work import Caller
from watchkeeper.sandbox.settings import UnknownSetting
from watchkeeper.sandbox.settings_book import SettingsBook

HUNG_S = 120.0
# Long enough for the answer to whoever asked for it.
CRASH_AFTER_S = 0.05


class Service:
    """What it answers; the rest is as with its controls."""

    def __init__(
        self,
        state: State,
        end: Callable[[], None],
        flood: Callable[[Heavy], None],
        load_file: Path | None = None,
    ) -> None:
        self.state = state
        self.controls = Controls(state, end, flood, load_file)

    def app(self, ask: Ask) -> Reply:
        if ask.path.startswith("/_sim/"):
            return self.controls.app(ask)
        if first(self.state.faults, Hang):
            return Reply(503, delay_s=HUNG_S)
        slow, shown = first(self.state.faults, Slow), self.shown(ask)
        return replace(shown, delay_s=shown.delay_s + (slow.delay_s if slow else 0.0))

    def shown(self, ask: Ask) -> Reply:
        health = ("/health", f"/health/{self.state.setup.vendor}")
        match ask.method, ask.path:
            case "GET", path if path in health:
                if said := first(self.state.faults, HealthSays):
                    return health_said(said)
                told = self.state.health()
                found = as_json(503 if told["status"] == "unhealthy" else 200, told)
                return replace(found, delay_s=self.state.wait_s())
            case "GET", "/stats":
                return as_json(200, self.state.stats())
            case "GET", "/metrics":
                return Reply(200, self.state.metrics_text().encode(), CONTENT_TYPE)
            case "GET", "/settings":
                return as_json(200, self.state.book.shown())
            case "PATCH", "/settings":
                return self.set(ask)
        return NOT_FOUND

    def set(self, ask: Ask) -> Reply:
        self.state.waiting()
        try:
            found = self.state.book.patch(ask.json())
        except UnknownSetting as error:
            return as_json(404, {"error": str(error), "setting": error.name})
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        self.state.waiting()
        return as_json(200, found)


def health_said(fault: HealthSays) -> Reply:
    if fault.text is not None:
        return Reply(fault.status, fault.text.encode())
    return as_json(fault.status, fault.body)


def resolver_of(state: State) -> Resolver:
    def ask(host: str) -> str:
        slow = first(state.faults, SlowDns)
        sleep(slow.delay_s if slow else 0.0)
        return look_up(host)

    return Resolver(lambda: state.book.now.dns_cache_s, state.counts.look_up, ask)


def read_key(path: Path) -> str:
    value: str = json.loads(path.read_text())["current"]["value"]
    return value


def end_soon() -> None:
    threading.Timer(CRASH_AFTER_S, os._exit, (1,)).start()


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("service", "The integration service.")
    parser.add_argument("--vendor-url", required=True, help="with the vendor's base path")
    parser.add_argument("--secret-file", type=Path, required=True, action="append")
    parser.add_argument("--poll-s", type=float, default=1.0)
    parser.add_argument("--timeout-s", type=float, default=5.0)
    parser.add_argument("--config", type=Path, help="whose API, which metrics, which log file")
    parser.add_argument("--settings-file", type=Path, help="keeps settings and load over a restart")
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    first_key, *more = [read_key(path) for path in options.secret_file]
    kept: Path | None = options.settings_file
    book = SettingsBook(1 + len(more), kept)
    state = State(service_config.load(options.config), first_key, clock, more, book)
    state.replicas = int(os.environ.get(replicas.VARIABLE, "1"))
    client = httpx.Client(
        base_url=options.vendor_url,
        timeout=options.timeout_s,
        trust_env=False,
        transport=Resolving(resolver_of(state)),
    )
    caller = Caller(state, client)
    load_file = kept.with_name(f"{kept.name}.load") if kept else None
    service = Service(state, end_soon, caller.flood, load_file)
    working = threading.Thread(target=caller.work_for_ever, args=(options.poll_s,), daemon=True)
    sock = serving.listen(options.port)
    working.start()
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    mark = fingerprint(state.key)
    serving.ready("service", url, key_fingerprint=mark, boot_id=state.boot_id)
    serve(sock, service.app)


if __name__ == "__main__":
    main()
