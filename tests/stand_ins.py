"""The sandbox's processes as tests use them: a vendor that can be faulted, and one integration of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.sandbox.process import Processes

VENDOR: dict[str, Any] = {
    "key": "test_first_key_0001",
    "rate": {"limit": 100_000, "window_s": 1},
    "records": {"workorders": 230, "assets": 5, "locations": 3, "users": 4},
    "arrivals": {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0},
}


@dataclass(frozen=True)
class Vendor:
    """A running vendor: `api` for us, `sim` for whoever plays the world."""

    url: str
    api: str
    key: str
    sim: httpx.Client

    def fault(self, kind: str, **more: Any) -> None:
        answer = self.sim.post("/faults", json={"kind": kind, **more})
        assert answer.status_code == 201, answer.text

    def mend(self) -> None:
        self.sim.delete("/faults")

    def truth(self, resource: str = "workorders") -> dict[str, str]:
        """record id -> instant of its last change."""
        rows = self.sim.get("/truth", params={"resource": resource}).json()["records"]
        return {str(row["id"]): row["updatedAt"].replace("Z", "000Z") for row in rows}

    def asked(self) -> dict[str, int]:
        """How many requests came, by method and path."""
        counted: dict[str, int] = self.sim.get("/requests").json()["by_path"]
        return counted

    def write(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.request(method, f"{self.api}{path}", json=body, headers=headers).json()

    def revoke(self, fingerprint: str) -> None:
        """As a person does in the vendor's settings."""
        self.sim.delete(f"/keys/{fingerprint}").raise_for_status()

    def new_key(self) -> str:
        value: str = self.sim.post("/keys", json={"label": "new"}).json()["value"]
        return value


@contextmanager
def running_vendor(processes: Processes, folder: Path, **changes: Any) -> Iterator[Vendor]:
    config = folder / "vendor.json"
    config.write_text(json.dumps({**VENDOR, **changes}))
    started = processes.start(["vendor", "--seed", "3", "--config", str(config)])
    with httpx.Client(base_url=f"{started['url']}/_sim", timeout=10) as sim:
        yield Vendor(started["url"], started["api"], VENDOR["key"], sim)
    processes.stop(started["pid"])


def entry(vendor: Vendor, **more: Any) -> str:
    """An integrations.yaml that points at the vendor; its status page is nobody's."""
    said = {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": vendor.api,
        "status_page_url": "http://127.0.0.1:9",
        "credential": {"name": "maintainx-api-key", "reference": "file:key.json"},
        **more,
    }
    # The vendor tells the time of day; a test's own clock stands where the test has put it.
    overrides = {"thresholds": {"clock_skew": "3650 d"}, **said.pop("overrides", {})}
    said["overrides"] = overrides
    return json.dumps({"integrations": {"maintainx@test": said}})
