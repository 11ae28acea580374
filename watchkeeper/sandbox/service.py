"""The integration service: polls the vendor with the key it read when it started.

    python -m watchkeeper.sandbox.service --vendor-url URL/v1 --secret-file FILE [--poll-s 1]

A new key in the file means nothing to it until it is restarted, as with most services.
"""

import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.clock import Clock, iso, utc_now
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve

VERSION = "1.0"
USER_AGENT = f"integration-service/{VERSION}"
SLOW_MS = 2000


@dataclass(frozen=True, slots=True)
class Poll:
    """`outcome`: an HTTP status as text, or `unreachable`."""

    outcome: str
    latency_ms: int

    @property
    def ok(self) -> bool:
        return self.outcome == "200"


def verdict(last: Poll | None) -> str:
    if last is None or not last.ok:
        return "unhealthy"
    return "degraded" if last.latency_ms > SLOW_MS else "healthy"


class Service:
    """`last` is the newest poll; the counts are of this process's life."""

    def __init__(self, key: str, clock: Clock) -> None:
        self.clock = clock
        self.fingerprint = fingerprint(key)
        self.started: datetime = clock()
        self.boot_id = uuid.uuid4().hex
        self.last: Poll | None = None
        self.counts: Counter[str] = Counter()

    def saw(self, poll: Poll) -> None:
        self.last = poll
        self.counts[poll.outcome] += 1

    def app(self, ask: Ask) -> Reply:
        match ask.method, ask.path:
            case "GET", "/health":
                status = verdict(self.last)
                return as_json(503 if status == "unhealthy" else 200, self.health(status))
            case "GET", "/stats":
                return as_json(200, self.stats())
        return NOT_FOUND

    def health(self, status: str) -> dict[str, Any]:
        last = self.last or Poll("none", 0)
        return {
            "status": status,
            "timestamp": iso(self.clock()),
            "checks": {"maintainx_api": {"status": last.ok, "latencyMs": last.latency_ms}},
            "keyFingerprint": self.fingerprint,
            "startedAt": iso(self.started),
            "bootId": self.boot_id,
            "version": VERSION,
        }

    def stats(self) -> dict[str, Any]:
        ok = self.counts["200"]
        failed = sum(self.counts.values()) - ok
        return {"ok": ok, "failed": failed, "by_status": dict(self.counts), "bootId": self.boot_id}


def poll_once(client: httpx.Client) -> Poll:
    began = time.monotonic()
    try:
        outcome = str(client.get("workorders", params={"limit": 1}).status_code)
    except httpx.TransportError:
        outcome = "unreachable"
    return Poll(outcome, round((time.monotonic() - began) * 1000))


def poll_for_ever(service: Service, client: httpx.Client, poll_s: float) -> None:
    due = time.monotonic()
    while True:
        service.saw(poll_once(client))
        due = max(due + poll_s, time.monotonic())
        time.sleep(due - time.monotonic() if due > time.monotonic() else 0)


def read_key(path: Path) -> str:
    value: str = json.loads(path.read_text())["current"]["value"]
    return value


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("service", "The integration service.")
    parser.add_argument("--vendor-url", required=True, help="with the vendor's base path")
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--poll-s", type=float, default=1.0)
    parser.add_argument("--timeout-s", type=float, default=5.0)
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    key = read_key(options.secret_file)
    service = Service(key, clock)
    headers = {"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT}
    client = httpx.Client(
        base_url=options.vendor_url, headers=headers, timeout=options.timeout_s, trust_env=False
    )
    polling = threading.Thread(
        target=poll_for_ever, args=(service, client, options.poll_s), daemon=True
    )
    sock = serving.listen(options.port)
    polling.start()
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    serving.ready("service", url, key_fingerprint=service.fingerprint, boot_id=service.boot_id)
    serve(sock, service.app)


if __name__ == "__main__":
    main()
