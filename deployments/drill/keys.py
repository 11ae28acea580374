"""The keys of a drill's world: each begins with `test_`, and says whose it is."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import httpx

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import clean


def first_key(integration: str) -> str:
    """Of one world alone: found where it should not be, it says whose it is."""
    return f"test_first_key_{hashlib.sha256(integration.encode()).hexdigest()[:10]}"


def routing_key(integration: str) -> str:
    return f"test0routing0key0{hashlib.sha256(integration.encode()).hexdigest()[:15]}"


def write_secret(folder: Path, name: str, value: str) -> Path:
    """The store `secrets/NAME.json`; one that is there stays as it is."""
    path = folder / "secrets" / f"{name}.json"
    if not path.exists():
        store = open_rotatable(f"file:{path}", folder, lambda: datetime.now(UTC))
        store.promote(store.offer(clean(value, f"file:{path}")))
    return path


def made_key(vendor: str, label: str) -> str:
    """Pressed in the vendor's settings."""
    made = httpx.post(f"{vendor}/_sim/keys", json={"label": label}, timeout=5, trust_env=False)
    return str(made.raise_for_status().json()["value"])
