"""Our own service's stand-in, set up to measure what a runbook wants measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from watchkeeper.runbook.model import Runbook

# The names under which a service of each vendor's users counts its work.
_METRICS: dict[str, dict[str, str]] = {
    "maintainx": {
        "errors": "maintainx_api_errors_total",
        "latency": "maintainx_api_request_duration_seconds",
    },
}
_OPERATIONS: dict[str, list[dict[str, Any]]] = {
    "maintainx": [{"name": "poll", "path": "/workorders?limit=1"}],
    "twinmind": [
        {
            "name": "transcribe",
            "path": "/models",
            "metric": "twinmind_transcriptions_total",
            "duration": "twinmind_transcription_duration_seconds",
        },
        {"name": "summarize", "path": "/me", "endpoint": "/summarize"},
    ],
}


def service_setup(book: Runbook, log: Path) -> dict[str, Any]:
    """What `python -m watchkeeper.sandbox.service --config` reads. A vendor that is not known here
    is polled at its first probe."""
    first = next(p for p in book.probes if p.method == "GET" and not p.costs)
    return {
        "vendor": book.vendor,
        "header": book.auth.header,
        "scheme": book.auth.scheme,
        "health": "mapping" if book.vendor == "maintainx" else "list",
        "metrics": _METRICS.get(book.vendor, {}),
        "operations": _OPERATIONS.get(book.vendor, [{"name": "poll", "path": first.path}]),
        "log_file": str(log),
        "log_line": "{time} ERROR consumer={consumer} {kind}",
    }
