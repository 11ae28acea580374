"""Write ``EXPECTATIONS.md``: the table of all expectations and the sha256 they were fixed with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from benchmarks.second_vendor import faults

HERE = Path(__file__).parent


def digest() -> str:
    """Return the sha256 of ``faults.py``."""
    return hashlib.sha256((HERE / "faults.py").read_bytes()).hexdigest()


def _cell(text: str) -> str:
    """Make a text safe for a table cell."""
    return text.replace("|", "\\|")


def table() -> str:
    """Return the whole document."""
    lines = [
        "# Expectations",
        "",
        "Generated from `faults.py` by `python -m benchmarks.second_vendor.expectations`; do not edit.",
        "The expectations were fixed before anything was run against them.",
        "",
        f"sha256 of `faults.py`: `{digest()}`",
        "",
        "Severity 0 means that no severity is right as well. Any name in *engineer says* is right.",
        "",
        "| # | id | planted | engineer says | may confirm | severity | pages | why |",
        "|---|----|---------|---------------|-------------|----------|-------|-----|",
    ]
    for number, fault in enumerate(faults.FAULTS, 1):
        cells = (
            str(number),
            f"`{fault.id}`",
            _cell(fault.planted),
            _cell(", ".join(sorted(fault.engineer_says))),
            "yes" if fault.may_confirm else "no",
            ", ".join(str(level) for level in sorted(fault.severity)),
            "yes" if fault.pages_somebody else "no",
            _cell(fault.why),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (HERE / "EXPECTATIONS.md").write_text(table(), encoding="utf-8")
