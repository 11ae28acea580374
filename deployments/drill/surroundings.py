"""What every process of a drill finds around it: nothing of the user's, and clocks that run fast."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from watchkeeper.network.proxies import spare_loopback

CLOCKS_S = {
    "health_interval": 12,
    "sync_interval": 25,
    "sweep_interval": 2,
    "responder_lease": 8,
    "responder_start": 90,
}


def environment(home: Path) -> dict[str, str]:
    """For every process of the drill: nothing of the user's Watchkeeper or Prefect."""
    ours = {
        "WATCHKEEPER_HOME": str(home),
        "WATCHKEEPER_INTEGRATIONS": str(home / "integrations.yaml"),
        "WATCHKEEPER_PORT": "0",
        "WATCHKEEPER_FAILPOINTS": "true",
    }
    clocks = {f"WATCHKEEPER_{name.upper()}_S": str(s) for name, s in CLOCKS_S.items()}
    return sealed(os.environ) | spare_loopback(os.environ) | ours | clocks


def sealed(environment: Mapping[str, str]) -> dict[str, str]:
    """Live settings are left out by what they are, not by a list of known ones."""
    prefixes = ("WATCHKEEPER_", "PREFECT_", "PD_", "PAGERDUTY_", "SLACK_", "AWS_", "GOOGLE_")
    return {name: value for name, value in environment.items() if not name.startswith(prefixes)}
