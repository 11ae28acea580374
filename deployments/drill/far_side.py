"""Breaking and mending the stand-ins, and what they say: the simulator, the pager, our service and
its manager, the judge.

Nothing in here is Watchkeeper's own word; effects are counted where they arrive.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from deployments.drill.scenario import HUNG, Scenario
from deployments.drill.world import World
from watchkeeper.errors import WatchkeeperError

JUDGE = Path(__file__).parents[2] / "watchkeeper" / "sandbox" / "judge.py"


@dataclass(frozen=True, slots=True)
class FarSide:
    """A window on the stand-ins of one world."""

    world: World

    def break_it(self, scenario: Scenario) -> None:
        """What the status page says comes first: nobody looks at half a fault."""
        if scenario.status_page:
            self._say(scenario.status_page)
        for fault in scenario.faults:
            self._vendor("POST", "/_sim/faults", fault)
        if scenario.wire is not None:
            self._wires(scenario.wire)
        for fault in scenario.service_faults:
            self._faults("POST", self.world.service, fault)
        for fault in scenario.unit_faults:
            self._faults("POST", self.world.unit, fault)

    def mend_it(self, scenario: Scenario) -> None:
        self._wires({"mode": "pass"})
        self._vendor("DELETE", "/_sim/faults")
        self._say("operational")
        if scenario.unit_faults:
            self._faults("DELETE", self.world.unit)
        if scenario.service_faults:
            self._mend_service()

    def _mend_service(self) -> None:
        """One that crashed is not there to be told: whoever is on duty starts it again."""
        try:
            self._faults("DELETE", self.world.service)
        except httpx.TransportError:
            httpx.post(f"{self.world.unit}/restart", timeout=30, trust_env=False)

    @staticmethod
    def _faults(method: str, where: str, body: dict[str, Any] | None = None) -> None:
        url = f"{where}/_sim/faults"
        httpx.request(method, url, json=body, timeout=5, trust_env=False).raise_for_status()

    def freeze(self) -> None:
        """No new records: from here the truth stands still and can be compared."""
        self._vendor("PUT", "/_sim/arrivals", {})

    def _say(self, state: str) -> None:
        component = self.world.played.page_component
        told = {"broken": "hang"} if state == HUNG else {component: state, "broken": None}
        self._put(f"{self.world.status_page}/_sim/status", told)

    def _wires(self, behaviour: dict[str, Any]) -> None:
        for control in self.world.wires:
            self._put(control, behaviour)

    @staticmethod
    def _put(url: str, body: dict[str, Any]) -> None:
        httpx.put(url, json=body, timeout=5, trust_env=False).raise_for_status()

    def requests(self, since: datetime) -> dict[str, Any]:
        """{total, by_second, by_status, by_path, by_caller, by_key, throttled} since then."""
        found: dict[str, Any] = self._vendor("GET", f"/_sim/requests?since={_z(since)}")
        return found

    def keys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._vendor("GET", "/_sim/keys")
        return found

    def calls(self, fingerprint: str, since: datetime) -> list[dict[str, Any]]:
        """What came with one key since then, oldest first, refused calls too."""
        path = f"/_sim/keys/{fingerprint}/calls?since={_z(since)}"
        found: list[dict[str, Any]] = self._vendor("GET", path)["calls"]
        return found

    def key_history(self) -> list[dict[str, Any]]:
        """Each {time, event, fingerprint, accepted}: every change of the vendor's key table."""
        found: list[dict[str, Any]] = self._vendor("GET", "/_sim/keys/history")["events"]
        return found

    def seen(self, url: str) -> dict[str, Any]:
        """The JSON object at an address, whatever the status but 404; {} where there is none."""
        try:
            reply = httpx.get(url, timeout=5, trust_env=False)
            found = reply.json()
        except (httpx.HTTPError, ValueError):
            return {}
        there = isinstance(found, dict) and reply.status_code != httpx.codes.NOT_FOUND
        return found if there else {}

    def restarts(self) -> int:
        """Those that took place: a manager may say so of one that did not."""
        history = self.seen(f"{self.world.unit}/state")["history"]
        return sum(one["came"] == "restarted" for one in history)

    def key_shown(self, health_url: str, field: str = "keyFingerprint") -> str | None:
        """The fingerprint of the key that a service says it holds, however sick it is."""
        shown = self.seen(health_url).get(field)
        return shown if isinstance(shown, str) else None

    def pages(self) -> dict[str, Any]:
        trust = ssl.create_default_context(cafile=str(self.world.pager_ca))
        with httpx.Client(verify=trust, trust_env=False, timeout=5) as client:
            found: dict[str, Any] = client.get(f"{self.world.pager}/_sim/pages").json()
        return found

    def judge(self, resource: str, since: datetime, until: datetime) -> dict[str, Any]:
        """Vendor's truth against our sink, by a process that imports nothing of ours."""
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                str(JUDGE),
                *("--truth", self.world.vendor),
                *("--resource", resource),
                *("--sink-sqlite", str(self.world.home / "watchkeeper.db")),
                *("--integration", self.world.integration),
                *("--since", _z(since)),
                *("--until", _z(until)),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise WatchkeeperError(f"the judge could not judge {resource}: {done.stderr.strip()}")
        verdict: dict[str, Any] = json.loads(done.stdout)
        return verdict

    def _vendor(self, method: str, path: str, body: Any = None) -> Any:
        reply = httpx.request(
            method, f"{self.world.vendor}{path}", json=body, timeout=10, trust_env=False
        )
        reply.raise_for_status()
        return reply.json() if reply.content else None


def _z(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
