"""What integrations.yaml says of a world, and how a shipped runbook is changed for a drill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from deployments.drill.setup import SETTINGS, Setup, filled, merged
from watchkeeper.runbook.model import Runbook

# Clocks run fast, and our own budget is ample.
CLOCKS: dict[str, Any] = {
    "rate_limit": {"requests": 1000, "per": "10 s"},
    "detection": {"confirm_within": "1.5 s"},
    "verification": {"interval": "1 s", "give_up_after": "60 s"},
    "caps": {"approval_timeout": "5 min"},
}
# Each cause is rehearsed: seconds of good answers will do.
SOAK = {"soak": "2 s"}
LISTS = {"list_lag": "3 s", "overlap": "2 s"}
# Whatever is not named here acts by itself.
AUTONOMY = {"rotate_key": "approve", "spread_keys": "propose"}
UNITCTL = ["{python}", "-m", "watchkeeper.sandbox.unitctl"]
CONSUMER: dict[str, Any] = {
    "name": "integration-service",
    "health_url": "{service}/health",
    "runtime": {
        "kind": "command",
        "restart": [*UNITCTL, "restart", "--url", "{unit}"],
        "replicas": [*UNITCTL, "replicas", "--url", "{unit}"],
        "scale": [*UNITCTL, "scale", "{replicas}", "--url", "{unit}"],
    },
}
# How long a key that falls due is still good.
LEFT = timedelta(hours=1)


def overlay(runbook: Runbook) -> dict[str, Any]:
    """What a drill changes in the runbook of its vendor."""
    autonomy = {m.name: AUTONOMY.get(m.action, "auto") for m in runbook.mitigations}
    return {
        **CLOCKS,
        "causes": {rule.cause: SOAK for rule in runbook.causes},
        "resources": {resource.name: LISTS for resource in runbook.resources},
        "mitigations": {name: {"autonomy": word} for name, word in autonomy.items()},
    }


def watch_only(path: Path, entries: Mapping[str, Any]) -> None:
    """Write integrations.yaml anew, in one step: whoever reads it meanwhile reads all of either."""
    draft = path.with_suffix(".tmp")
    draft.write_text(yaml.safe_dump({"integrations": dict(entries)}))
    os.replace(draft, path)


def fall_due(path: Path, now: datetime) -> None:
    """Somebody writes down when the keys expire: it is time to replace them."""
    entries = yaml.safe_load(path.read_text())["integrations"]
    for one in entries.values():
        one["credential"] |= {
            "expires": (now + LEFT).isoformat(),
            "warn_before": f"{LEFT.seconds} s",
        }
    watch_only(path, entries)


def entry(
    runbook: Runbook, setup: Setup, beyond: Mapping[str, Any], places: Mapping[str, str]
) -> dict[str, Any]:
    """One integration of integrations.yaml: the usual, with what its vendor and then its setup
    says beyond that laid over it. `places`: see Setup; with `page` and `control`."""
    said = merged(merged(_usual(runbook.vendor, setup.second_key), beyond), setup.entry)
    said["overrides"] = merged(overlay(runbook), setup.overrides)
    whole: dict[str, Any] = filled(said, places)
    return whole


def _usual(vendor: str, second_key: bool) -> dict[str, Any]:
    credential = {
        "name": f"{vendor}-api-key",
        "reference": f"file:{{here}}/secrets/{vendor}.json",
        **({"second": "file:{here}/secrets/second.json"} if second_key else {}),
    }
    return {
        "runbook": vendor,
        "sandbox": True,
        "base_url": "{api}",
        "status_page_url": "{page}",
        "control_url": "{control}",
        "credential": credential,
        "service": {"health_url": "{service}/health"},
        **SETTINGS,
        "consumers": [CONSUMER],
        "pager": {
            "kind": "pagerduty",
            "routing_key": "file:{here}/secrets/pager.json",
            "base_url": "{pager}",
            "ca_file": "{here}/sandbox/pager-ca.pem",
        },
    }
