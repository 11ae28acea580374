"""The sealed world of a drill: a vendor, its status page, our service, a pager, and their files.

All of it is on loopback and in a folder of its own; keys begin with `test_`, which the live client
refuses.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from deployments.drill.entry import entry, watch_only
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings

VENDOR: dict[str, Any] = {
    "records": {"workorders": 600, "assets": 80, "locations": 20, "users": 90, "organizations": 1},
    "arrivals": {"created_per_s": 6, "changed_per_s": 12, "assets_changed_per_s": 0.5},
    "list_lag_s": 3,
    "rate": {"limit": 2000, "window_s": 10},
    "rate_headers": True,
}

# How far back from the fault the simulator is asked what was usual.
BEFORE = timedelta(seconds=15)

CLOCKS_S = {
    "health_interval": 12,
    "sync_interval": 25,
    "sweep_interval": 2,
    "responder_lease": 8,
    "responder_start": 40,
}


@dataclass(frozen=True, slots=True)
class World:
    """Where everything of a running sandbox is. `home` may hold other worlds beside this `folder`.

    `base_url`, `page_url` and `control_url` are what Watchkeeper is told: wires, where there are
    some; `wires` are where these are told to fail.
    """

    home: Path
    folder: Path
    integration: str
    vendor: str
    base_url: str
    status_page: str
    page_url: str
    control_url: str
    service: str
    unit: str
    pager: str
    pager_ca: Path
    processes: Processes
    wires: tuple[str, ...] = ()
    second_key: bool = False

    @property
    def integrations(self) -> Path:
        return self.home / "integrations.yaml"

    def environment(self) -> dict[str, str]:
        return environment(self.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a world has beyond the usual. `overrides` are laid over the drill's own overlay."""

    overrides: Mapping[str, Any] = field(default_factory=dict)
    second_key: bool = False
    wired: bool = False


def environment(home: Path) -> dict[str, str]:
    """For every process of the drill: nothing of the user's Watchkeeper or Prefect."""
    ours = {
        "WATCHKEEPER_HOME": str(home),
        "WATCHKEEPER_INTEGRATIONS": str(home / "integrations.yaml"),
        "WATCHKEEPER_PORT": "0",
        "WATCHKEEPER_FAILPOINTS": "true",
    }
    clocks = {f"WATCHKEEPER_{name.upper()}_S": str(s) for name, s in CLOCKS_S.items()}
    return sealed(os.environ) | ours | clocks


def sealed(environment: Mapping[str, str]) -> dict[str, str]:
    """Live settings are left out by what they are, not by a list of known ones."""
    prefixes = ("WATCHKEEPER_", "PREFECT_", "PD_", "PAGERDUTY_", "SLACK_", "AWS_", "GOOGLE_")
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(prefixes) and not name.lower().endswith("_proxy")
    }


@contextmanager
def running_world(
    home: Path, folder: Path, integration: str, setup: Setup | None = None
) -> Iterator[World]:
    """Start the stand-ins in `folder` and watch them from `home`; end all of them after."""
    wanted = setup or Setup()
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for place in (home / "failpoints", folder, folder / "sandbox", folder / "secrets"):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    with Processes(folder / "sandbox") as processes:
        world = _started(home, folder, integration, wanted, processes)
        watch_only(world.integrations, {integration: entry(world, wanted.overrides)})
        yield world


def _started(
    home: Path, folder: Path, integration: str, wanted: Setup, processes: Processes
) -> World:
    secret_file, key = _write_secrets(folder, integration)
    config = folder / "sandbox" / "vendor.json"
    config.write_text(json.dumps(VENDOR | {"key": key}))
    vendor = processes.start(["vendor", "--seed", "7", "--config", str(config)])
    if wanted.second_key:
        _write_secret(folder, "second", _made_key(vendor["url"], "another"))
    page = processes.start(["status_page"])
    wires = [_wire(processes, to["url"]) for to in (vendor, page)] if wanted.wired else []
    base_url = (wires[0]["url"] if wires else vendor["url"]) + urlsplit(vendor["api"]).path
    page_url = wires[1]["url"] if wires else page["url"]
    ca = folder / "sandbox" / "pager-ca.pem"
    pager = processes.start(["pager", "--ca-file", str(ca)])
    unit = processes.start(["unit", "--", *_service(base_url, secret_file)])
    return World(
        home=home,
        folder=folder,
        integration=integration,
        vendor=vendor["url"],
        base_url=base_url,
        status_page=page["url"],
        page_url=page_url,
        # Another host than the vendor's API, as well as our way to it.
        control_url=page_url,
        service=unit["service"],
        unit=unit["url"],
        pager=pager["url"],
        pager_ca=ca,
        processes=processes,
        wires=tuple(wire["control"] for wire in wires),
        second_key=wanted.second_key,
    )


@contextmanager
def sandbox_world(settings: Settings) -> Iterator[Settings]:
    """For `up --sandbox`: the same world in the user's home, watched at the user's port."""
    home = settings.home.resolve() / "sandbox"
    with running_world(home, home, "maintainx@sandbox") as world:
        given = settings.model_fields_set
        ours = {
            "home": world.home,
            "integrations": world.integrations,
            "health_interval_s": settings.health_interval_s if "health_interval_s" in given else 30,
            "sync_interval_s": settings.sync_interval_s if "sync_interval_s" in given else 60,
        }
        yield Settings(**{**settings.model_dump(include=given), **ours})


def _service(api: str, secret_file: Path) -> list[str]:
    module = [sys.executable, "-m", "watchkeeper.sandbox.service"]
    return [*module, "--vendor-url", api, "--secret-file", str(secret_file), "--poll-s", "1"]


def _wire(processes: Processes, to: str) -> dict[str, Any]:
    return processes.start(["wire", "--to", urlsplit(to).netloc])


def _made_key(vendor: str, label: str) -> str:
    made = httpx.post(f"{vendor}/_sim/keys", json={"label": label}, timeout=5, trust_env=False)
    return str(made.raise_for_status().json()["value"])


def first_key(integration: str) -> str:
    """Of one world alone: found where it should not be, it says whose it is."""
    return f"test_first_key_{hashlib.sha256(integration.encode()).hexdigest()[:10]}"


def routing_key(integration: str) -> str:
    return f"test0routing0key0{hashlib.sha256(integration.encode()).hexdigest()[:15]}"


def _write_secrets(folder: Path, integration: str) -> tuple[Path, str]:
    """The vendor's key file, and the key that it holds now: a sandbox that is started again goes
    on with the key of its last rotation."""
    _write_secret(folder, "pager", routing_key(integration))
    path = _write_secret(folder, "maintainx", first_key(integration))
    current = open_rotatable(f"file:{path}", folder).read("current")
    return path, current.reveal() if current else first_key(integration)


def _write_secret(folder: Path, name: str, value: str) -> Path:
    path = folder / "secrets" / f"{name}.json"
    if not path.exists():
        store = open_rotatable(f"file:{path}", folder, lambda: datetime.now(UTC))
        store.promote(store.offer(clean(value, f"file:{path}")))
    return path
