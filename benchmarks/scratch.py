"""A home of its own for one measurement: a runbook of so many probes, one entry, a key, a database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from benchmarks.slow_vendor import COMPONENT
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS
from watchkeeper.settings import Settings

NAME = "maintainx@bench"
# So ample that no probe waits long for its turn; each still has to ask for one.
RATE = {"requests": 6_000_000, "per": "60 s"}


@contextmanager
def scratch_watch(
    address: str, probes: int, hanging: int = 0, deadline_s: float = 10.0
) -> Iterator[Watch]:
    """A watch over NAME at that address; the last `hanging` of its probes are never answered."""
    with TemporaryDirectory(prefix="watchkeeper-bench-") as folder:
        home = Path(folder)
        (home / "runbooks").mkdir()
        _write(home / "runbooks" / "maintainx.yaml", _runbook(probes, hanging, deadline_s))
        _write(home / "integrations.yaml", {"integrations": {NAME: _entry(address)}})
        settings = Settings(
            home=home / "home",
            integrations=home / "integrations.yaml",
            runbooks=home / "runbooks",
        )
        watch = open_watch(settings)
        store = open_rotatable("file:key.json", watch.secrets_base, watch.now)
        store.promote(store.offer(Secret("test_key_of_the_bench_0001")))
        try:
            yield watch
        finally:
            watch.store.close()


def _runbook(probes: int, hanging: int, deadline_s: float) -> dict[str, Any]:
    """MaintainX's own, with all its signs and signals, but for what is asked and how fast."""
    book: dict[str, Any] = yaml.safe_load((SHIPPED_RUNBOOKS / "maintainx.yaml").read_text("utf-8"))
    book["rate_limit"] = RATE
    book["status_page"] |= {"path": "/status", "component": COMPONENT}
    book["probes"] = [_probe(n, n >= probes - hanging) for n in range(probes)]
    for contrast in book["contrast_probes"]:
        if "path" in contrast:
            contrast["path"] = book["probes"][0]["path"]
    book["thresholds"] |= {"probe_deadline": f"{deadline_s:g} s"}
    return book


def _probe(number: int, hangs: bool) -> dict[str, Any]:
    path = f"/{'hang' if hangs else 'list'}{number}?limit=1"
    return {"name": f"list{number}", "path": path, "envelope": "rows", "critical": number == 0}


def _entry(address: str) -> dict[str, Any]:
    return {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": f"{address}/v1",
        "status_page_url": address,
        "control_url": f"{address}/control",
        "credential": {"name": "bench-key", "reference": "file:key.json"},
        "service": {
            "health_url": f"{address}/health",
            "metrics": {"kind": "text", "url": f"{address}/metrics"},
        },
    }


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
