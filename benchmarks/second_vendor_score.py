"""Sixty faults at a MaintainX that our rules have never seen: what does a triage call each?

    python -m benchmarks.second_vendor_score [FAULT...] [--json FILE] [--list]

`benchmarks/second_vendor/` was written from the vendor's description alone, by somebody who saw
neither our simulator nor our rules, and says of each fault what a careful engineer would call it.
Each fault is started as a world of its own, and the public command `watchkeeper triage --json` is
asked once (again where it finds all well, as the health check would: a fault may begin late).

Right: the leading cause is one of the engineer's words, and so is the severity. Wrongly confirmed:
called proven where the engineer says that it cannot be, or under another name. Ends with 1 where
fewer than 98 of 100 are right, or one is wrongly confirmed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from sqlmodel import update

from watchkeeper.gaps import version_of
from watchkeeper.performing.watch import open_watch
from watchkeeper.settings import Settings
from watchkeeper.store import records, watermarks
from watchkeeper.store.tables import JobRow

HERE = Path(__file__).parents[1]
NAME = "maintainx@second"
READY_S, LOOK_S, LOOKS = 30.0, 60.0, 4
ENOUGH = 0.98
# What a company would write down of its own: how slow is slow, which lists matter, and that it
# reads parts as well.
OVERRIDES = {
    "thresholds": {"slow": "2 s", "probe_deadline": "8 s"},
    "probes": {"assets": {"critical": True}},
}
PARTS = {"name": "parts", "path": "/parts?limit=1", "envelope": "parts", "critical": False}
# Every world worked until now: our table holds records of these, and each was synced a minute ago.
HELD = 40


@dataclass(frozen=True, slots=True)
class Scored:
    fault: str
    said: str
    verdict: str
    severity: int
    right: bool
    wrongly_confirmed: bool
    why: str


@contextmanager
def world(fault: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Started as a process of its own, and ended by the end of its standard input."""
    argv = [
        sys.executable,
        "-m",
        "benchmarks.second_vendor.serve",
        "--fault",
        fault,
        "--folder",
        str(folder),
    ]
    child = subprocess.Popen(argv, cwd=HERE, stdin=subprocess.PIPE)
    ready, until = folder / "world.json", time.monotonic() + READY_S
    try:
        while not ready.exists() and child.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        yield json.loads(ready.read_text())
    finally:
        if child.stdin is not None:
            child.stdin.close()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def key_file(path: Path, current: str, pending: str | None) -> None:
    since = datetime.now(UTC).isoformat()
    stages: dict[str, Any] = {"current": {"version": 1, "value": current, "since": since}}
    if pending is not None:
        stages["pending"] = {"version": 2, "value": pending, "since": since}
    text = json.dumps({"schema": 1, "current": None, "pending": None, "previous": None} | stages)
    path.write_text(text)
    path.chmod(0o600)


def entry(there: Mapping[str, Any], home: Path) -> dict[str, Any]:
    """What integrations.yaml would say of this world."""
    keys = there["keys"]
    key_file(home / "key.json", keys["current"], keys["other"])
    credential: dict[str, Any] = {"name": "vendor-key", "reference": "file:key.json"}
    if keys["second"]:
        key_file(home / "second.json", keys["second"], None)
        credential["second"] = "file:second.json"
    page = urlsplit(there["status_url"])
    status = {
        "kind": there["status_kind"],
        "path": page.path,
        "component": there["status_component"],
    }
    service: dict[str, Any] = {}
    if there["health_url"]:
        service["health_url"] = there["health_url"]
    if there["metrics_url"]:
        service["metrics"] = {"kind": "text", "url": there["metrics_url"]}
    if there["log_file"]:
        service["logs"] = {"kind": "file", "path": there["log_file"]}
    return {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": there["base_url"],
        "status_page_url": f"{page.scheme}://{page.netloc}",
        "control_url": there["control_url"],
        "credential": credential,
        "overrides": OVERRIDES | {"status_page": status},
        **({"direct_url": there["direct_url"]} if there["direct_url"] else {}),
        **({"service": service} if there["health_url"] else {}),
    }


def own_runbook(folder: Path) -> None:
    """The shipped runbook, with one more list that this company reads."""
    folder.mkdir()
    told = yaml.safe_load((HERE / "runbooks" / "maintainx.yaml").read_text())
    told["probes"].append(PARTS)
    (folder / "maintainx.yaml").write_text(yaml.safe_dump(told, sort_keys=False))


def worked_until_now(home: Path) -> None:
    """Each resource was synced a minute ago, and our table holds records of it."""
    watch = open_watch(
        Settings(
            home=home / "home",
            integrations=home / "integrations.yaml",
            runbooks=home / "runbooks",
        )
    )
    watched, now = watch.registered(NAME), watch.now()
    names = sorted({name for job in watched.runbook.jobs for name in job.resources})
    lately = now - timedelta(minutes=1)
    with watch.store.write() as session:
        session.exec(update(JobRow).values(changed_at=now - timedelta(days=1)))
        for name in names:
            watermarks.advance(session, NAME, name, newest=lately, walked_at=lately, rows=5)
            rows = [
                {
                    "integration": NAME,
                    "resource": name,
                    "record_id": str(number),
                    "version": version_of(now - timedelta(minutes=10 * number)),
                    "payload": "{}",
                    "written_at": now,
                    "deleted_at": None,
                }
                for number in range(1, HELD)
            ]
            records.upsert(session, rows)
    watch.store.close()


def triage(home: Path) -> dict[str, Any]:
    """What the public command says. Its exit code says no more than its verdict."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WATCHKEEPER_")}
    environment |= {
        "WATCHKEEPER_HOME": str(home / "home"),
        "WATCHKEEPER_INTEGRATIONS": str(home / "integrations.yaml"),
        "WATCHKEEPER_RUNBOOKS": str(home / "runbooks"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "deployments.cli", "triage", NAME, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LOOK_S,
        check=False,
    )
    if not done.stdout.strip():
        return {"verdict": "error", "cause": None, "severity": None, "said": done.stderr.strip()}
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def score(expected: Mapping[str, Any]) -> Scored:
    fault = str(expected["id"])
    with tempfile.TemporaryDirectory(prefix="second-vendor-") as place:
        home = Path(place)
        with world(fault, home / "world") as there:
            told = {"integrations": {NAME: entry(there, home)}}
            (home / "integrations.yaml").write_text(yaml.safe_dump(told))
            own_runbook(home / "runbooks")
            worked_until_now(home)
            for _ in range(LOOKS):
                found = triage(home)
                if found["verdict"] != "healthy" or not expected["pages_somebody"]:
                    break
    return judged(expected, found)


def judged(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Scored:
    """Pure: the engineer's words against ours."""
    verdict = str(found["verdict"])
    said = {"healthy": "none", "inconclusive": "inconclusive"}.get(verdict, str(found["cause"]))
    # An honest "likely" of something else than the engineer's word is wrong all the same.
    severity = int(found["severity"] or 0)
    named = said in expected["engineer_says"]
    weighed = severity in expected["severity"]
    confirmed = verdict == "confirmed"
    wrongly = confirmed and (not named or not expected["may_confirm"])
    why = [] if named else [f"an engineer says {' or '.join(sorted(expected['engineer_says']))}"]
    why += [] if weighed else [f"severity {sorted(expected['severity'])}"]
    why += ["not to be proven from outside"] if confirmed and not expected["may_confirm"] else []
    return Scored(
        fault=str(expected["id"]),
        said=said,
        verdict=verdict,
        severity=severity,
        right=named and weighed and not wrongly,
        wrongly_confirmed=wrongly,
        why="; ".join(why),
    )


def expectations() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.second_vendor.serve", "--list"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("faults", nargs="*")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--list", action="store_true", dest="list_them")
    given = parser.parse_args()
    chosen = [one for one in expectations() if not given.faults or one["id"] in given.faults]
    if given.list_them:
        print(*(f"{one['id']}: {one['planted']}" for one in chosen), sep="\n")
        return 0
    scored: list[Scored] = []
    for expected in chosen:
        one = score(expected)
        scored.append(one)
        mark = "ok  " if one.right else "FALSELY CONFIRMED" if one.wrongly_confirmed else "FAIL"
        print(
            f"{mark} {one.fault}: {one.verdict} {one.said}, {one.severity}; {one.why}", flush=True
        )
    right, false = sum(o.right for o in scored), sum(o.wrongly_confirmed for o in scored)
    if given.json:
        given.json.write_text(json.dumps([asdict(o) for o in scored], indent=1))
    sure = sum(o.verdict == "confirmed" for o in scored)
    print(f"{len(scored)} faults, {right} right, {sure} confirmed, {false} of them falsely")
    return 0 if right >= ENOUGH * len(scored) and not false else 1


if __name__ == "__main__":
    sys.exit(main())
