"""The sealed world of a drill: a vendor, its status page, our service, a pager, and their files.

All of it is on loopback and in a folder of its own; keys begin with `test_`, which the live client
refuses.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings

INTEGRATION = "maintainx@sandbox"
FIRST_KEY = "test_first_key_4f1c9a77d2"
ROUTING_KEY = "test0routing0key0of0the0sandbox0"

# What a drill changes in the shipped runbook: clocks run fast, and automation may act.
OVERLAY: dict[str, Any] = {
    "rate_limit": {"requests": 1000, "per": "10 s"},
    "detection": {"confirm_within": "1.5 s"},
    "verification": {"interval": "1 s", "give_up_after": "60 s"},
    "caps": {"approval_timeout": "5 min"},
    "causes": {"api_key_expired": {"soak": "2 s"}, "vendor_outage": {"soak": "2 s"}},
    "resources": {
        name: {"list_lag": "3 s", "overlap": "2 s"}
        for name in ("workorders", "assets", "locations", "users")
    },
    "mitigations": {
        "pause-all-jobs": {"autonomy": "auto"},
        "pause-deferrable": {"autonomy": "auto"},
        "emergency-rate-cap": {"autonomy": "auto"},
        "rotate-key": {"autonomy": "approve"},
    },
}

VENDOR: dict[str, Any] = {
    "records": {"workorders": 600, "assets": 80, "locations": 20, "users": 90, "organizations": 1},
    "arrivals": {"created_per_s": 6, "changed_per_s": 12, "assets_changed_per_s": 0.5},
    "list_lag_s": 3,
    "rate": {"limit": 2000, "window_s": 10},
    "rate_headers": True,
    "key": FIRST_KEY,
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
    """Where everything of a running sandbox is."""

    home: Path
    vendor: str
    api: str
    status_page: str
    service: str
    unit: str
    pager: str
    pager_ca: Path
    processes: Processes

    @property
    def integrations(self) -> Path:
        return self.home / "integrations.yaml"

    def environment(self) -> dict[str, str]:
        """For every process of the drill: nothing of the user's Watchkeeper or Prefect."""
        ours = {
            "WATCHKEEPER_HOME": str(self.home),
            "WATCHKEEPER_INTEGRATIONS": str(self.integrations),
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
def running_world(home: Path, overrides: Mapping[str, Any] | None = None) -> Iterator[World]:
    """Start the stand-ins and write integrations.yaml and the secrets; end all of them after."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    for folder in ("sandbox", "secrets", "failpoints"):
        (home / folder).mkdir(exist_ok=True, mode=0o700)
    with Processes(home / "sandbox") as processes:
        secret_file, key = _write_secrets(home)
        config = home / "sandbox" / "vendor.json"
        config.write_text(json.dumps(VENDOR | {"key": key}))
        vendor = processes.start(["vendor", "--seed", "7", "--config", str(config)])
        page = processes.start(["status_page"])
        ca = home / "sandbox" / "pager-ca.pem"
        pager = processes.start(["pager", "--ca-file", str(ca)])
        unit = processes.start(["unit", "--", *_service(vendor["api"], secret_file)])
        world = World(
            home=home,
            vendor=vendor["url"],
            api=vendor["api"],
            status_page=page["url"],
            service=unit["service"],
            unit=unit["url"],
            pager=pager["url"],
            pager_ca=ca,
            processes=processes,
        )
        world.integrations.write_text(yaml.safe_dump(_integrations(world, overrides or {})))
        yield world


@contextmanager
def sandbox_world(settings: Settings) -> Iterator[Settings]:
    """For `up --sandbox`: the same world in the user's home, watched at the user's port."""
    with running_world(settings.home.resolve() / "sandbox") as world:
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


def _write_secrets(home: Path) -> tuple[Path, str]:
    """The vendor's key file, and the key that it holds now: a sandbox that is started again goes
    on with the key of its last rotation."""
    for name, value in (("maintainx", FIRST_KEY), ("pager", ROUTING_KEY)):
        path = home / "secrets" / f"{name}.json"
        if not path.exists():
            store = open_rotatable(f"file:{path}", home, lambda: datetime.now(UTC))
            store.promote(store.offer(clean(value, f"file:{path}")))
    current = open_rotatable("file:secrets/maintainx.json", home).read("current")
    return home / "secrets" / "maintainx.json", current.reveal() if current else FIRST_KEY


def _integrations(world: World, overrides: Mapping[str, Any]) -> dict[str, Any]:
    restart = [sys.executable, "-m", "watchkeeper.sandbox.unitctl", "restart", "--url", world.unit]
    return {
        "integrations": {
            INTEGRATION: {
                "runbook": "maintainx",
                "sandbox": True,
                "base_url": world.api,
                "status_page_url": world.status_page,
                "credential": {
                    "name": "maintainx-api-key",
                    "reference": "file:secrets/maintainx.json",
                },
                "service": {"health_url": f"{world.service}/health"},
                "consumers": [
                    {
                        "name": "integration-service",
                        "health_url": f"{world.service}/health",
                        "runtime": {"kind": "command", "restart": restart},
                    }
                ],
                "pager": {
                    "kind": "pagerduty",
                    "routing_key": "file:secrets/pager.json",
                    "base_url": world.pager,
                    "ca_file": "sandbox/pager-ca.pem",
                },
                "overrides": _merged(OVERLAY, overrides),
            }
        }
    }


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = copy.deepcopy(dict(base))
    for key, value in over.items():
        inner = both.get(key)
        if isinstance(inner, dict) and isinstance(value, Mapping):
            both[key] = _merged(inner, value)
        else:
            both[key] = copy.deepcopy(value)
    return both
