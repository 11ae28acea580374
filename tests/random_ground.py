"""What random schedules stand on: one database, far sides, and an integration that names them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from random_far import JOB, Far, far_sides
from sqlmodel import SQLModel, delete

from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.performing.connectors import SCHEDULERS
from watchkeeper.settings import Settings
from watchkeeper.store.engine import Store, open_store

NAME = "maintainx@random"
AUTONOMY = {
    **dict.fromkeys(("pause-all-jobs", "pause-deferrable", "emergency-rate-cap"), "auto"),
    **dict.fromkeys(("slow-service", "scale-up"), "auto"),
    **dict.fromkeys(("half-rate", "retry-more-slowly", "rotate-key"), "approve"),
}


@dataclass(frozen=True)
class Ground:
    """What all schedules of a campaign stand on: a database, far sides, a home."""

    home: Path
    store: Store
    far: Far

    @cached_property
    def settings(self) -> Settings:
        return Settings(home=self.home, integrations=self.home / "integrations.yaml")

    def fresh(self) -> None:
        with self.store.write() as session:
            for table in reversed(SQLModel.metadata.sorted_tables):
                session.connection().execute(delete(table))
        self.far.reset()
        (self.home / "HALT").unlink(missing_ok=True)
        (self.home / "key.json").unlink(missing_ok=True)
        keys = open_rotatable("file:key.json", self.home)
        keys.promote(keys.offer(Secret("test_first_key_0001")))


def integrations(far: Far) -> str:
    folder = str(far.folder)
    entry = {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": "http://127.0.0.1:9/v1",
        "status_page_url": "http://127.0.0.1:9",
        "credential": {"name": "maintainx-api-key", "reference": "file:key.json"},
        "consumers": [
            {
                "name": "replicas",
                "health_url": "http://127.0.0.1:9/health",
                "runtime": {
                    "restart": ["true"],
                    "replicas": ["readlink", f"{folder}/replicas"],
                    "scale": ["sh", f"{folder}/scale.sh", folder, "{replicas}"],
                },
            }
        ],
        "settings": {"kind": "http", "url": far.settings_url},
        "jobs": [
            {
                "name": JOB,
                "criticality": "deferrable",
                "scheduler": {"kind": "prefect", "deployment": "export/nightly"},
            }
        ],
        "pager": {
            "routing_key": "file:routing.json",
            "base_url": far.pager_url,
            "ca_file": str(far.ca_file),
        },
        "overrides": {
            "mitigations": {name: {"autonomy": word} for name, word in AUTONOMY.items()}
            | {"pause-deferrable": {"autonomy": "auto", "missed_runs": "latest", "lease": "1 h"}}
        },
    }
    return json.dumps({"integrations": {NAME: entry}})


@contextmanager
def ground() -> Iterator[Ground]:
    """In memory where there is a place for files in it: a schedule writes hundreds of times."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        home = Path(folder)
        with far_sides(home) as far:
            (home / "integrations.yaml").write_text(integrations(far))
            routing = open_rotatable("file:routing.json", home)
            routing.promote(routing.offer(Secret("0123456789abcdef" * 2)))
            store = open_store(f"sqlite:///{home}/watchkeeper.db")
            SCHEDULERS["prefect"] = lambda spec: far.job
            try:
                yield Ground(home, store, far)
            finally:
                del SCHEDULERS["prefect"]
                store.close()
