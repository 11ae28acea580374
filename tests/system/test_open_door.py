"""W8, the planted fault: what a Prefect server as it comes would let a web page do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from door_attack import Page, shell_step
from harness import running_server, wait_until
from runner_target import served
from test_door import home_with_password

from deployments.door_checks import open_doors

CSRF = {"PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true"}


def test_without_the_door_the_attack_succeeds(tmp_path: Path) -> None:
    """W8, the planted fault: against a server as Prefect starts it the same page runs its shell step,
    and `doctor`'s questions find it open."""
    (tmp_path / "lab").mkdir()
    with (
        running_server(tmp_path / "prefect", CSRF, closed=False) as server,
        served(server, tmp_path / "lab") as open_target,
    ):
        mark = tmp_path / "mark"
        page = Page(server.url)
        got = page.attacks(mark)
        assert got == ["token", "deployment", "patch", "run"], page.refused
        wait_until(mark.exists, 60, "the shell step was run")
        assert open_target.deployment()["pull_steps"] == shell_step(mark)
        said = " ".join(
            open_doors(server.api, home_with_password(tmp_path / "home", "a:" + "b" * 20))
        )
    for what in ("without a password", "other origins", "foreign host name", "web sockets"):
        assert what in said


def test_a_server_without_a_password_does_not_start(tmp_path: Path) -> None:
    """Prefect would serve everybody: ours ends instead."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, "-m", "deployments.prefect_server", "127.0.0.1", "0"],
        env={**kept, "PREFECT_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "not started without a password" in done.stderr
