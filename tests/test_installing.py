"""What `pip install .` leaves behind works without the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FROM_THE_WHEEL = """
import sys
sys.path.insert(0, sys.argv[1])
from deployments.catalogue import PREFECT_YAML, catalogue
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS
from watchkeeper.settings import Settings
for path in (PREFECT_YAML, SHIPPED_RUNBOOKS / "maintainx.yaml", SHIPPED_RUNBOOKS / "twinmind.yaml"):
    assert path.is_relative_to(sys.argv[1]), path
    assert path.is_file(), path
print(len(catalogue(Settings())))
"""


def test_a_wheel_has_the_runbooks_and_the_deployments(tmp_path: Path) -> None:
    """An installed program that finds no runbook watches nothing."""
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path / "dist"),
    ]
    subprocess.run(build, cwd=ROOT, capture_output=True, timeout=120, check=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-c", FROM_THE_WHEEL, str(tmp_path / "installed")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5
