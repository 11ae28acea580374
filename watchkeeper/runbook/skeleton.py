"""A runbook to begin with: it loads as it is, and what is the vendor's own waits to be filled in."""

from __future__ import annotations

import os
import re
from pathlib import Path

from watchkeeper.errors import UserError
from watchkeeper.runbook.base import NAME

TEMPLATE = Path(__file__).with_suffix(".yaml")


def skeleton(vendor: str, file: Path, schema: Path) -> str:
    """The text of a new runbook for a vendor, to stand in `file`; editors find `schema` from there.

    Raises UserError where the name is none.
    """
    if not re.fullmatch(NAME, vendor) or len(vendor) > 64:
        raise UserError(
            f"{vendor!r} is no name for a vendor: lower-case letters, digits, - and _, "
            "beginning with a letter, such as parcelhive"
        )
    there = Path(os.path.relpath(schema, file.resolve().parent)).as_posix()
    text = TEMPLATE.read_text(encoding="utf-8")
    filled = {"VENDOR": vendor, "DISPLAY": vendor.replace("_", " ").title(), "SCHEMA": there}
    return re.sub(r"<(VENDOR|DISPLAY|SCHEMA)>", lambda found: filled[found[1]], text)
