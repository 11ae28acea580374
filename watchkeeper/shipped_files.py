"""Files that come with the program and are no modules: the runbooks and the list of deployments."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
# A wheel has no checkout beside it: pyproject.toml puts them here.
_INSTALLED = _PACKAGE / "_shipped"


def shipped(name: str) -> Path:
    """Where the file or folder lies: in the checkout, or in what was installed."""
    installed = _INSTALLED / name
    return installed if installed.exists() else _PACKAGE.parent / name
