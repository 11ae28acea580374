"""What integrations.yaml says of a world, and how the shipped runbook is changed for a drill."""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from deployments.drill.world import World

# Each of these is rehearsed: seconds of good answers will do.
REHEARSED = (
    *("api_key_expired", "key_missing", "vendor_auth_down", "access_denied"),
    *("vendor_outage", "vendor_hangs", "vendor_maintenance", "answered_by_another"),
    *("intermittent_errors", "slow_vendor", "network_issue", "slow_network", "rate_limit_near"),
)

# What a drill changes in the shipped runbook: clocks run fast, and automation may act.
OVERLAY: dict[str, Any] = {
    "rate_limit": {"requests": 1000, "per": "10 s"},
    "detection": {"confirm_within": "1.5 s"},
    "verification": {"interval": "1 s", "give_up_after": "60 s"},
    "caps": {"approval_timeout": "5 min"},
    "causes": {cause: {"soak": "2 s"} for cause in REHEARSED},
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


def watch_only(path: Path, entries: Mapping[str, Any]) -> None:
    """Write integrations.yaml anew, in one step: whoever reads it meanwhile reads all of either."""
    draft = path.with_suffix(".tmp")
    draft.write_text(yaml.safe_dump({"integrations": dict(entries)}))
    os.replace(draft, path)


def entry(world: World, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """One integration of integrations.yaml; its files are named from the home that holds them."""
    here = world.folder.relative_to(world.home)
    restart = [sys.executable, "-m", "watchkeeper.sandbox.unitctl", "restart", "--url", world.unit]
    credential = {
        "name": "maintainx-api-key",
        "reference": f"file:{here / 'secrets' / 'maintainx.json'}",
    }
    if world.second_key:
        credential["second"] = f"file:{here / 'secrets' / 'second.json'}"
    return {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": world.base_url,
        "status_page_url": world.page_url,
        "control_url": world.control_url,
        "credential": credential,
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
            "routing_key": f"file:{here / 'secrets' / 'pager.json'}",
            "base_url": world.pager,
            "ca_file": str(here / "sandbox" / "pager-ca.pem"),
        },
        "overrides": _merged(OVERLAY, overrides),
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
