"""Fifty processes at one incident at the same moment, on real databases, with a real pager and a real
key file: one incident, one alert, one rotation, and whoever was taken over is refused."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import FIRST_KEY, INTEGRATIONS, NAME, store_key
from harness import TESTS
from making import watched
from sqlmodel import select

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.effects import JOB_PAUSE, KEY_PROMOTE
from watchkeeper.incident import Milestone
from watchkeeper.mitigation.lease import LeaseKind
from watchkeeper.performing.watch import utc_now
from watchkeeper.sandbox.process import Processes
from watchkeeper.store import incidents, jobs, leases
from watchkeeper.store.engine import Store
from watchkeeper.store.tables import EffectRow, IncidentRow, PageRow, TimelineRow

MANY, FEW = 50, 8
NEW_KEY = "test_second_key_0002"
WITHIN_S = 90


@pytest.fixture(scope="module")
def pager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("pager")
    with Processes(folder) as processes:
        yield processes.start(["pager", "--ca-file", str(folder / "ca.pem")])


@dataclass(frozen=True)
class Crowd:
    """A home, a database and a pager, and so many processes that are let go at them at once."""

    home: Path
    url: str
    store: Store
    pager: dict[str, Any]

    def play(self, case: str, size: int) -> list[dict[str, Any]]:
        """What each process has to tell of itself."""
        command = [sys.executable, str(TESTS / "many_lab.py"), str(self.home), self.url, case]
        lab = subprocess.Popen(
            [*command, str(size)], stdout=subprocess.PIPE, start_new_session=True, cwd=self.home
        )
        try:
            said, _ = lab.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(lab.pid, signal.SIGKILL)
            lab.communicate()
            raise
        return [json.loads(line) for line in said.splitlines()]

    def alerts(self) -> list[dict[str, Any]]:
        """What the far side made of all that was sent for this database's incidents."""
        with self.store.read() as session:
            keys = {page.dedup_key for page in session.exec(select(PageRow))}
        trust = ssl.create_default_context(cafile=self.pager["ca_file"])
        with httpx.Client(verify=trust, trust_env=False) as client:
            found = client.get(f"{self.pager['url']}/_sim/pages").json()["incidents"]
        return [alert for key, alert in found.items() if key in keys]


@pytest.fixture
def crowd(tmp_path: Path, store: Store, database_url: str, pager: dict[str, Any]) -> Crowd:
    return crowd_at(Crowd(tmp_path, database_url, store, pager))


@pytest.fixture
def lite_crowd(tmp_path: Path, lite_store: Store, sqlite_url: str, pager: dict[str, Any]) -> Crowd:
    return crowd_at(Crowd(tmp_path, sqlite_url, lite_store, pager))


def crowd_at(made: Crowd) -> Crowd:
    """With an integration that is paged, a key in use and one that is offered, and its jobs."""
    entry = {"base_url": made.pager["url"], "ca_file": made.pager["ca_file"]}
    entry["routing_key"] = "file:routing.json"
    text = f"{INTEGRATIONS}    pager: {json.dumps(entry)}\n"
    (made.home / "integrations.yaml").write_text(text)
    store_key(made.home)
    routing = open_rotatable("file:routing.json", made.home)
    routing.promote(routing.offer(Secret("0123456789abcdef" * 2)))
    open_rotatable("file:key.json", made.home).offer(Secret(NEW_KEY))
    with made.store.write() as session:
        jobs.register(session, watched(), utc_now())
    return made


def opened(crowd: Crowd) -> None:
    """The incident that they all find."""
    with crowd.store.write() as session:
        now = utc_now()
        incident, _ = incidents.open_or_join(
            session,
            integration=NAME,
            diagnosis_summary="all refused",
            severity=1,
            opened_by="health",
            started_at=now,
            now=now,
            reopen_since=now,
        )
        incidents.note(session, incident.id, "seen", now=now, milestone=Milestone.DETECTED)


def problems(crowd: Crowd, told: list[dict[str, Any]], size: int) -> list[str]:
    """The judge: whatever is there more or less often than once, by the rows and the far sides."""
    found = [f"process {one['number']}: {one['error']}" for one in told if "error" in one]
    with crowd.store.read() as session:
        opened_ones = session.exec(select(IncidentRow)).all()
        effects = session.exec(select(EffectRow)).all()
        held = leases.active(session)
        rows = jobs.listed(session, NAME)
        lines = session.exec(select(TimelineRow).where(TimelineRow.milestone == "detected")).all()
    store = open_rotatable("file:key.json", crowd.home)
    stages = {v.stage: v.fingerprint for v in store.versions()}
    rotated = {"current": Secret(NEW_KEY).fingerprint, "previous": Secret(FIRST_KEY).fingerprint}
    counted = {
        "processes that told": (len(told), size),
        "incidents": (len(opened_ones), 1),
        "times that its opening is told": (len(lines), 1),
        "revisions of a job": (sum(job.revision for job in rows), len(rows)),
        "jobs that are paused": (sum(job.paused for job in rows), len(rows)),
        "leases on jobs": (sum(x.kind is LeaseKind.PAUSED_JOB for x in held), len(rows)),
        "leases of a holder's own": (sum(x.kind is LeaseKind.POLLING for x in held), own(told)),
        "promotions": (sum(e.attempts for e in effects if e.step == KEY_PROMOTE.step), 1),
        "pauses": (sum(e.step == JOB_PAUSE.step for e in effects), len(rows)),
        "keys by stage": (stages, rotated),
        "effects that are not done": (sum(e.state != "done" for e in effects), 0),
    }
    return found + [
        f"{what}: {is_}, not {want}" for what, (is_, want) in counted.items() if is_ != want
    ]


def own(told: list[dict[str, Any]]) -> int:
    """How many held the duty last: one, where it was taken over at all."""
    return sum(bool(one.get("last")) for one in told)


def unpaged(crowd: Crowd) -> list[str]:
    alerts = crowd.alerts()
    if [alert["alerts"] for alert in alerts] == [1]:
        return []
    return [f"alerts at the pager: {[alert['alerts'] for alert in alerts]}, not one"]


def unrefused(told: list[dict[str, Any]]) -> list[str]:
    """Whoever was taken over, and was let through with an effect that nobody else has had."""
    wrong = [
        one["number"]
        for one in told
        if one.get("own") != ("let through" if one.get("last") else "refused")
    ]
    return [f"process {number} was taken over and not refused" for number in wrong]


def test_fifty_processes_see_to_one_incident(crowd: Crowd) -> None:
    """Each opens or joins, pages, and asks for a responder: one has opened it, one responder was asked
    for, and all that was done was done once."""
    told = crowd.play("together", MANY)
    assert problems(crowd, told, MANY) + unpaged(crowd) == []
    assert sum(one["opened"] for one in told) == 1
    started = (crowd.home / "started").read_text().splitlines()
    assert len(set(started)) == len(started)
    assert len([one for one in told if one["epoch"] is not None]) == len(started)
    assert any(one["duty"] for one in told)


def test_of_fifty_holders_the_last_one_acts(crowd: Crowd) -> None:
    """Forty-nine were taken over before their first effect: each of them is refused, and what the last
    one does is done once."""
    opened(crowd)
    told = crowd.play("taken over", MANY)
    assert problems(crowd, told, MANY) + unrefused(told) == []
    assert sum(one["own"] == "refused" for one in told) == MANY - 1


PLANTED = {
    "unkeyed": f"incidents: {FEW}, not 1",
    "unfenced": "process 0 was taken over and not refused",
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_fault_is_seen(lite_crowd: Crowd, case: str) -> None:
    """An opener that minds no key, and a duty that minds no fence: the same judge finds either."""
    if case == "unfenced":
        opened(lite_crowd)
    told = lite_crowd.play(case, FEW)
    found = problems(lite_crowd, told, FEW)
    found += unpaged(lite_crowd) if case == "unkeyed" else unrefused(told)
    assert PLANTED[case] in found
