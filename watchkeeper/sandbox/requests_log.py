"""Who asked for what: the far side's own count, bounded in memory."""

import json
import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.clock import iso

KEPT = 200_000
# Larger bodies are not looked into: no request of an integration that names a model is.
READ_AT_MOST = 65_536
NUMBER = re.compile(r"/\d+(?=/|$)")
# `service/1.0 (web; deferrable)`, `watchkeeper/1.0 (probe)`
BEHALF = re.compile(r"\(([^();]+)(?:; *([^();]+))?\)\s*$")


@dataclass(frozen=True, slots=True)
class Entry:
    """`status` 0: nothing was answered. `costs`: the vendor would bill it. `model`: which one its
    body asked for, if any."""

    at: datetime
    method: str
    path: str
    caller: str
    key: str
    status: int
    costs: bool = False
    model: str = ""


class RequestLog:
    """`arrivals` are epoch seconds in order, counted when a request comes, answered or not."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.arrivals: list[float] = []
        self.by_key: dict[str, list[float]] = {}

    def arrived(self, key: str, at: datetime) -> None:
        for times in (self.arrivals, self.by_key.setdefault(key, [])):
            # Wall clocks step back; the windows count on an ordered list.
            times.append(max(at.timestamp(), times[-1] if times else 0.0))
            if len(times) > 2 * KEPT:
                del times[:KEPT]

    def answered(self, entry: Entry) -> None:
        self.entries.append(entry)

    def summary(self, since: datetime | None) -> dict[str, Any]:
        return summary([e for e in self.entries if since is None or e.at >= since])


def caller_of(user_agent: str) -> str:
    return user_agent.strip()[:80] or "none"


def behalf(caller: str) -> tuple[str, str]:
    """For whom a caller says that it asks, or what for, and how much that matters; or nothing."""
    found = BEHALF.search(caller)
    return (found[1].strip(), (found[2] or "").strip()) if found else ("", "")


def model_of(method: str, body: bytes) -> str:
    if method != "POST" or len(body) > READ_AT_MOST:
        return ""
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return ""
    model = told.get("model") if isinstance(told, dict) else None
    return model[:80] if isinstance(model, str) else ""


def path_kind(path: str) -> str:
    """`/workorders/17/status` counts as `/workorders/{id}/status`."""
    return NUMBER.sub("/{id}", path)


def summary(entries: Iterable[Entry]) -> dict[str, Any]:
    """`by_consumer` and `by_criticality` are of those who tell, as `behalf` reads them."""
    rows = list(entries)
    told = [behalf(e.caller) for e in rows]
    seconds = Counter(iso(e.at.replace(microsecond=0)) for e in rows)
    return {
        "total": len(rows),
        "by_second": [[second, count] for second, count in sorted(seconds.items())],
        "by_status": dict(Counter(str(e.status) for e in rows)),
        "by_path": dict(Counter(f"{e.method} {path_kind(e.path)}" for e in rows)),
        "by_caller": dict(Counter(e.caller for e in rows)),
        "by_key": dict(Counter(e.key for e in rows)),
        "by_model": dict(Counter(e.model for e in rows if e.model)),
        "by_consumer": dict(Counter(consumer for consumer, _ in told if consumer)),
        "by_criticality": dict(Counter(matters for _, matters in told if matters)),
        "throttled": sum(e.status == 429 for e in rows),
        "costing": sum(e.costs for e in rows),
    }
