"""PagerDuty's Events API v2 over real TLS: it records who was woken, and how often.

python -m watchkeeper.sandbox.pager --ca-file PATH [--port 0] [--tied]
"""

import ssl
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import trustme

from watchkeeper.sandbox import serving
from watchkeeper.sandbox.alerts import Alert, after, problems
from watchkeeper.sandbox.clock import Clock, iso, utc_now
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.plain import NOT_FOUND, Ask, Reply, as_json, serve


@dataclass(frozen=True, slots=True)
class Trouble:
    """The next `count` events meet it. `drop_reply`: taken and recorded, never answered."""

    kind: str
    count: int
    status: int = 503


def trouble(raw: dict[str, Any]) -> Trouble:
    found = Trouble(str(raw.get("kind")), int(raw.get("count", 1)), int(raw.get("status", 503)))
    if found.kind not in ("drop_reply", "status") or not 400 <= found.status <= 599:
        raise ValueError("kind is drop_reply or status, status is 4xx or 5xx")
    return found


class Pager:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.requests: list[dict[str, Any]] = []
        self.alerts: dict[str, Alert] = {}
        self.troubles: list[Trouble] = []
        self._lock = threading.Lock()

    def app(self, ask: Ask) -> Reply | None:
        with self._lock:
            match ask.method, ask.path:
                case "POST", "/v2/enqueue":
                    return self.enqueue(ask)
                case "GET", "/_sim/pages":
                    return as_json(200, self.pages())
                case "POST", "/_sim/faults":
                    return self.fail(ask)
                case "DELETE", "/_sim/faults":
                    self.troubles.clear()
                    return as_json(200, {})
            return NOT_FOUND

    def enqueue(self, ask: Ask) -> Reply | None:
        trouble = self._next_trouble()
        if trouble and trouble.kind == "status":
            self._record({}, trouble.status)
            return as_json(trouble.status, {"status": "error", "message": "not taken"})
        try:
            event = ask.json()
        except (ValueError, TypeError):
            event = {}
        reply = self.take(event)
        return None if trouble else reply

    def take(self, event: dict[str, Any]) -> Reply:
        found = problems(event)
        self._record(event, 400 if found else 202)
        if found:
            said = {"status": "invalid event", "message": "Event object is invalid"}
            return as_json(400, {**said, "errors": found})
        key = event.get("dedup_key") or f"made-{len(self.requests):08d}"
        alert = after(self.alerts.get(key), event)
        if alert is not None:
            self.alerts[key] = alert
        said = {"status": "success", "message": "Event processed"}
        return as_json(202, {**said, "dedup_key": key})

    def pages(self) -> dict[str, Any]:
        alerts = {key: alert.to_json() for key, alert in self.alerts.items()}
        return {"requests": self.requests, "incidents": alerts}

    def fail(self, ask: Ask) -> Reply:
        try:
            found = trouble(ask.json())
        except (ValueError, TypeError) as error:
            return as_json(400, {"error": str(error)})
        self.troubles.append(found)
        return as_json(201, {"kind": found.kind, "status": found.status, "count": found.count})

    def _record(self, event: dict[str, Any], status: int) -> None:
        """The routing key is kept as a fingerprint only."""
        shown = {name: value for name, value in event.items() if name != "routing_key"}
        key = str(event.get("routing_key", ""))
        at = {"at": iso(self.clock()), "status": status, "routing_key": fingerprint(key)}
        self.requests.append({**at, **shown})

    def _next_trouble(self) -> Trouble | None:
        if not self.troubles:
            return None
        first = self.troubles[0]
        left = [replace(first, count=first.count - 1)] if first.count > 1 else []
        self.troubles[:1] = left
        return first


def certificates(ca_file: Path | None) -> ssl.SSLContext:
    """A new authority each start: whoever should trust it is told where its file is."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(serving.LOOPBACK, "localhost").configure_cert(context)
    if ca_file is not None:
        authority.cert_pem.write_to_path(str(ca_file))
    return context


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("pager", "A stand-in for PagerDuty's Events API.")
    parser.add_argument("--ca-file", type=Path, help="where to write the authority to trust")
    options = parser.parse_args(argv)
    serving.obey(options.tied)
    tls = certificates(options.ca_file)
    sock = serving.listen(options.port)
    url = f"https://{serving.LOOPBACK}:{serving.port_of(sock)}"
    serving.ready("pager", url, ca_file=str(options.ca_file or ""))
    serve(sock, Pager(clock).app, tls)


if __name__ == "__main__":
    main()
