"""Proxies that the environment names: their names only, for their values may hold passwords."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from watchkeeper.evidence import Reading
from watchkeeper.network.stage_readings import network_reading

_EXEMPTS = "no_proxy"


def proxies_set(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The names of all `*_proxy` variables that say something, in either case."""
    return tuple(
        sorted(name for name, said in environ.items() if name.lower().endswith("_proxy") and said)
    )


def proxy_reading(names: tuple[str, ...], at: datetime) -> Reading:
    """DEGRADED where a proxy is set: it may stand in our service's way, though not in ours."""
    used = any(name.lower() != _EXEMPTS for name in names)
    shown = ", ".join(names) + " set: we ignore it, our service may not"
    return network_reading(
        "proxy", "proxies", at, partly=used, detail=shown if used else "no proxy is set"
    )
