"""What can be changed in the service while it runs. Null: it does as it does by default."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

REFUSABLE = ("deferrable", "normal")
LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class Settings:
    """`max_requests_per_s`: it paces all its calls to the vendor to it. `max_retries`: a call that
    met a 5xx is tried again so often in its turn. `refuse`: criticalities, with commas between
    them, whose work is turned away at the door. `model`: what its POSTs ask for. `keys`: over how
    many of its keys it spreads its calls. `intake_per_s`: how many work items it takes in, and
    turns the rest away. `dns_cache_s`: it keeps the vendor's address that long.
    """

    max_requests_per_s: float | None = None
    max_retries: int | None = None
    refuse: str | None = None
    model: str | None = None
    keys: int | None = None
    intake_per_s: float | None = None
    dns_cache_s: float | None = None

    @property
    def refused(self) -> frozenset[str]:
        return frozenset(self.refuse.split(",")) if self.refuse else frozenset()


class UnknownSetting(ValueError):
    """There is no setting of this `name`."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no setting {name}")
        self.name = name


def patched(now: Settings, raw: Mapping[str, Any], keys_held: int) -> Settings:
    """All of `raw` or none of it. Raises UnknownSetting, or ValueError saying what is allowed."""
    known = [f.name for f in fields(Settings)]
    for name in raw:
        if name not in known:
            raise UnknownSetting(name)
    found = replace(now, **{n: None if v is None else READ[n](n, v) for n, v in raw.items()})
    if found.keys is not None and found.keys > keys_held:
        raise ValueError(f"keys: it holds {keys_held}")
    return found


def _number(low: float, high: float, *, above: bool = False) -> Callable[[str, object], float]:
    def read(name: str, value: object) -> float:
        found = _float(value)
        if found is None or not low <= found <= high or (above and found == low):
            raise ValueError(f"{name}: a number {'above' if above else 'from'} {low:g} to {high:g}")
        return found

    return read


def _whole(low: int, high: int) -> Callable[[str, object], int]:
    def read(name: str, value: object) -> int:
        found = _float(value)
        if found is None or not low <= found <= high or found != int(found):
            raise ValueError(f"{name}: a whole number from {low} to {high}")
        return int(found)

    return read


def _float(value: object) -> float | None:
    """Text will do: people and command lines have nothing else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _criticalities(name: str, value: object) -> str | None:
    words = {w.strip() for w in value.split(",")} - {""} if isinstance(value, str) else {"?"}
    if not words <= {*REFUSABLE}:
        raise ValueError(f"{name}: {' or '.join(REFUSABLE)}, or both with a comma between them")
    return ",".join(sorted(words)) or None


def _word(name: str, value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value.strip():
        raise ValueError(f"{name}: a name")
    if len(value) > LONGEST_NAME:
        raise ValueError(f"{name}: at most {LONGEST_NAME} characters")
    return value.strip()


READ: dict[str, Callable[[str, object], Any]] = {
    "max_requests_per_s": _number(0, 1000, above=True),
    "max_retries": _whole(0, 10),
    "refuse": _criticalities,
    "model": _word,
    "keys": _whole(1, 100),
    "intake_per_s": _number(0, 100_000),
    "dns_cache_s": _number(0, 86_400),
}
