"""The settings that a service shows, read as text, and a text made what the service keeps.

A service may keep 3, 3.0 or "3": it is the same setting, and stays of the kind that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from watchkeeper.errors import Permanent, WatchkeeperError
from watchkeeper.runbook.acting import SettingsSpec
from watchkeeper.runbook.settings_text import NUMBER, TRUTHS, place, scalar, theirs
from watchkeeper.vendor.strict_json import canonical, loads

Shown = dict[str, Any]
# What is put back must be exactly what was read, and is kept meanwhile.
LONGEST = 4096


def parsed(body: bytes, where: str) -> Shown:
    """All settings by the service's own names. Raises Permanent where this is no JSON object."""
    try:
        shown = loads(body)
    except WatchkeeperError as error:
        raise Permanent(f"settings {where}: {error}") from None
    if not isinstance(shown, dict):
        raise Permanent(f"settings {where}: what is there is no JSON object")
    return shown


def read_from(spec: SettingsSpec, shown: Shown, names: Iterable[str]) -> dict[str, str | None]:
    """By our names. One that the service does not know is as one that is not set."""
    values = {name: as_text(shown.get(theirs(spec, name))) for name in names}
    for name, value in values.items():
        if value is not None and len(value) > LONGEST:
            raise Permanent(f"settings {place(spec)}: {name} is longer than {LONGEST} characters")
    return values


def members(spec: SettingsSpec, shown: Shown, values: Mapping[str, str | None]) -> Shown:
    """What to send. Raises Permanent where the service has no such setting: one that is misspelt
    would be taken and do nothing. What is not there need not be taken back."""
    said = {}
    for name, value in values.items():
        own = theirs(spec, name)
        if own in shown:
            said[own] = typed(shown[own], value)
        elif value is not None:
            called = name if own == name else f"{name} (there to be called {own})"
            raise Permanent(f"settings {place(spec)}: the service has no setting {called}")
    return said


def as_text(value: Any) -> str | None:
    """As a person would write it: 3, 0.5, true, ear-2; a list or an object is JSON."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return canonical(value)


def typed(shown: Any, text: str | None) -> Any:
    """What to send for a text: text where the service shows text, else what it looks like."""
    if text is None or isinstance(shown, str):
        return text
    return _structured(text) if text[:1] in ("[", "{") else scalar(text)


def same(shown: Any, wanted: str | None) -> bool:
    """Whether the service shows what was wanted, whichever kind it keeps it as."""
    if shown is None or wanted is None:
        return shown is None and wanted is None
    return _value(as_text(shown)) == _value(wanted)


def _value(text: str | None) -> object:
    if text is not None and NUMBER.fullmatch(text):
        return Decimal(text)
    return TRUTHS.get((text or "").lower(), text)


def _structured(text: str) -> Any:
    try:
        return loads(text.encode())
    except (WatchkeeperError, UnicodeEncodeError):
        return text
