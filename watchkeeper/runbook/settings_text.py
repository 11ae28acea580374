"""Settings of a service as text: whose names they have there, and what a plan says of setting them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from watchkeeper.runbook.acting import FileSettings, SettingsSpec

# A number as JSON spells it; no longer one than anybody writes by hand.
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,39})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")
TRUTHS = {"true": True, "false": False}


def theirs(spec: SettingsSpec, name: str) -> str:
    """How the service calls a setting that we call `name`."""
    return spec.names.get(name, name)


def place(spec: SettingsSpec) -> str:
    """Where they are; of an address neither its query nor a user in it."""
    return spec.path if isinstance(spec, FileSettings) else _plain(spec.url)


def scalar(text: str) -> str | int | float | bool:
    """What a text looks like: a number, a truth, or itself."""
    if NUMBER.fullmatch(text):
        return int(text) if text.lstrip("-").isdigit() else float(text)
    return TRUTHS.get(text, text)


def calls_of(spec: SettingsSpec, values: Mapping[str, str | None]) -> tuple[str, ...]:
    """What setting them calls, as a plan says it. Nobody is asked for it: a service that shows
    its numbers as text will be sent text."""
    wanted = {theirs(spec, n): None if v is None else scalar(v) for n, v in values.items()}
    said = json.dumps(wanted, ensure_ascii=False)
    if not isinstance(spec, FileSettings):
        return (f"settings: PATCH {place(spec)} {said}",)
    written = f"settings: write {said} into {place(spec)}"
    return (written, f"settings: run {' '.join(spec.reload)}") if spec.reload else (written,)


def _plain(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
