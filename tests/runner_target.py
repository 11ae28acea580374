"""A server with a runner that carries out what it is given: what an attack is after."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from door_attack import DEPLOYMENT, run_body
from harness import TESTS, Server, start_process, stop_process, wait_until


@dataclass(frozen=True)
class Target:
    """A server with a runner that carries out what it is given."""

    server: Server
    folder: Path

    def deployment(self) -> dict[str, Any]:
        return dict(self.server.ask("GET", f"/deployments/name/{DEPLOYMENT}").json())

    def runs(self) -> list[dict[str, Any]]:
        body = {"deployments": {"id": {"any_": [self.deployment()["id"]]}}}
        return list(self.server.ask("POST", "/flow_runs/filter", body).json())

    def run_ours(self) -> None:
        """A run of ours, asked for after all that came before: the runner has done that by then."""
        made = self.server.ask(
            "POST",
            f"/deployments/{self.deployment()['id']}/create_flow_run",
            run_body(self.folder / "ours"),
        ).json()
        wait_until(
            lambda: self.server.ask("GET", f"/flow_runs/{made['id']}").json()["end_time"],
            60,
            "ours",
        )


@contextmanager
def served(server: Server, folder: Path) -> Iterator[Target]:
    ready = folder / "ready"
    process = start_process(
        [sys.executable, str(TESTS / "prefect_lab_runner.py"), str(ready)],
        {**server.environment, "LAB_TICKS": str(folder / "ticks")},
        folder / "runner.log",
        cwd=folder,
    )
    try:
        wait_until(lambda: ready.exists() or process.poll() is not None, 60, "the runner serves")
        assert process.poll() is None, (folder / "runner.log").read_text()[-2000:]
        yield Target(server, folder)
    finally:
        stop_process(process)
