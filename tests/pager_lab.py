"""A pager that is a real process, and a home with an integration that names it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from conftest import INTEGRATIONS, store_key

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.performing.own_alarms import home_key
from watchkeeper.sandbox.process import Processes
from watchkeeper.trouble import TroubleKind

ROUTING_KEY = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Far:
    """A pager that anybody's home may call, and its record."""

    url: str
    ca_file: str
    client: httpx.Client

    def alerts(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.client.get("/pages").json()["incidents"]
        return found

    def of(self, home: Path, kind: TroubleKind) -> dict[str, Any] | None:
        return self.alerts().get(home_key(home, kind))


@contextmanager
def running_pager(folder: Path) -> Iterator[Far]:
    with Processes(folder) as processes:
        pager = processes.start(["pager", "--ca-file", str(folder / "ca.pem")])
        tls = ssl.create_default_context(cafile=pager["ca_file"])
        with httpx.Client(base_url=f"{pager['url']}/_sim", verify=tls, trust_env=False) as client:
            yield Far(pager["url"], pager["ca_file"], client)


def with_pager(folder: Path, far: Far) -> Path:
    """integrations.yaml with one integration that nobody reaches, and a pager that answers."""
    if not (folder / "key.json").exists():
        store_key(folder)
    keys = open_rotatable("file:routing.json", folder)
    keys.promote(keys.offer(Secret(ROUTING_KEY)))
    entry = {"routing_key": "file:routing.json", "base_url": far.url, "ca_file": far.ca_file}
    path = folder / "integrations.yaml"
    path.write_text(f"{INTEGRATIONS}    pager: {json.dumps(entry)}\n", encoding="utf-8")
    return path
