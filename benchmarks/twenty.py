"""How late checks are, and how long Prefect's API takes, with many integrations under `up`.

    python -m benchmarks.twenty [--integrations 20] [--minutes 15] [--interval 60] [--json]

N integrations of one simulated vendor, checked at the interval. Lateness is what lies between two
checks of an integration beyond one interval, in intervals; the time from the end of the start to the
first check and from the last one to the end counts as well. Ends with 1 where a check was later than
one interval.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings
from watchkeeper.store import observations
from watchkeeper.store.engine import Store, open_store

KEY = "test_key_of_the_bench_0001"
VENDOR = {
    "key": KEY,
    "rate": {"limit": 100_000, "window_s": 1},
    "records": {"workorders": 200, "assets": 50, "locations": 10, "users": 10},
}
START_WITHIN_S, STOP_WITHIN_S = 180.0, 60.0
ASK_EACH_S = 1.0
# Reads one deployment from Prefect's database, as each runner does all the time.
ASKED = "/deployments/name/health/health"


def measured(count: int, minutes: float, interval_s: float) -> dict[str, Any]:
    with TemporaryDirectory(prefix="watchkeeper-twenty-") as folder:
        home = Path(folder) / "home"
        names = [f"maintainx@bench{n:02d}" for n in range(1, count + 1)]
        with Processes(Path(folder) / "sandbox") as processes:
            _write_integrations(Path(folder), names, _vendor(processes, Path(folder)))
            with _up(Path(folder), home, interval_s) as process:
                began = datetime.now(UTC)
                calls = _calls(process, home, minutes * 60)
                ended = datetime.now(UTC)
        store = open_store(Settings(home=home).database)
        try:
            late = [
                lateness
                for name in names
                for lateness in _lateness(store, name, began, ended, interval_s)
            ]
        finally:
            store.close()
    return {
        "integrations": count,
        "interval_s": interval_s,
        "minutes": minutes,
        "checks": len(late) - count,
        "late_intervals": _spread(late),
        "api_s": _spread(calls),
    }


def _vendor(processes: Processes, folder: Path) -> str:
    config = folder / "vendor.json"
    config.write_text(json.dumps(VENDOR), encoding="utf-8")
    started = processes.start(["vendor", "--seed", "3", "--config", str(config)])
    return str(started["api"])


def _write_integrations(folder: Path, names: list[str], api: str) -> None:
    keys = open_rotatable("file:key.json", folder)
    keys.promote(keys.offer(Secret(KEY)))
    entry = {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": api,
        "status_page_url": api,
        "credential": {"name": "maintainx-api-key", "reference": "file:key.json"},
        "overrides": {"rate_limit": {"requests": 1_000_000, "per": "1 s"}},
    }
    content = json.dumps({"integrations": dict.fromkeys(names, entry)})
    (folder / "integrations.yaml").write_text(content, encoding="utf-8")


@contextmanager
def _up(folder: Path, home: Path, interval_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """A running `up`, ready; ended after the block."""
    ours = {
        "WATCHKEEPER_HOME": str(home),
        "WATCHKEEPER_INTEGRATIONS": str(folder / "integrations.yaml"),
        "WATCHKEEPER_PORT": "0",
        "WATCHKEEPER_HEALTH_INTERVAL_S": f"{interval_s:g}",
    }
    command = [str(Path(sys.executable).with_name("watchkeeper")), "up", "--tied"]
    log = folder / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            env={**os.environ, **ours},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_WITHIN_S
        while not (home / "up.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"`up` did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _calls(process: subprocess.Popen[bytes], home: Path, for_s: float) -> list[float]:
    """How long each call took, one each second; one that failed counts with the time it took."""
    api = str(json.loads((home / "up.json").read_text())["api"])
    took = []
    with httpx.Client(trust_env=False, timeout=60, auth=_auth(home)) as client:
        ends = time.monotonic() + for_s
        while time.monotonic() < ends:
            if process.poll() is not None:
                raise SystemExit("`up` ended on its own")
            asked = time.monotonic()
            try:
                client.get(f"{api}{ASKED}")
            except httpx.HTTPError as error:
                sys.stderr.write(f"the API did not answer: {type(error).__name__}\n")
            took.append(time.monotonic() - asked)
            time.sleep(max(0.0, ASK_EACH_S - took[-1]))
    return took


def _auth(home: Path) -> httpx.BasicAuth | None:
    path = home / "prefect-auth"
    if not path.exists():
        return None
    user, _, password = path.read_text().strip().partition(":")
    return httpx.BasicAuth(user, password)


def _lateness(
    store: Store, name: str, began: datetime, ended: datetime, interval_s: float
) -> list[float]:
    """In intervals, between each two moments at which a check is seen; never below 0."""
    checked = sorted({at for at in _checks(store, name) if began <= at <= ended})
    moments = [began, *checked, ended]
    gaps = [(b - a).total_seconds() for a, b in pairwise(moments)]
    return [max(gap / interval_s - 1, 0.0) for gap in gaps]


def _checks(store: Store, name: str) -> list[datetime]:
    with store.read() as session:
        return list(observations.checks(session, name))


def _spread(values: list[float]) -> dict[str, float]:
    """p50, p95 and the largest."""
    parts = statistics.quantiles(values, n=20) if len(values) > 1 else [max(values)] * 19
    return {
        "p50": round(parts[9], 3),
        "p95": round(parts[18], 3),
        "max": round(max(values), 3),
    }


def main() -> int:
    options = argparse.ArgumentParser(prog="benchmarks.twenty", description=__doc__)
    options.add_argument("--integrations", type=int, default=20)
    options.add_argument("--minutes", type=float, default=15)
    options.add_argument("--interval", type=float, default=60)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    found = measured(asked.integrations, asked.minutes, asked.interval)
    late, api = found["late_intervals"], found["api_s"]
    if asked.json:
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write(
            f"{found['integrations']} integrations each {found['interval_s']:g} s for "
            f"{found['minutes']:g} min: {found['checks']} checks\n"
            f"late by p50 {late['p50']:g}, p95 {late['p95']:g}, at most {late['max']:g} intervals\n"
            f"API calls p50 {api['p50']:g} s, p95 {api['p95']:g} s, longest {api['max']:g} s\n"
        )
    return 0 if late["max"] <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
