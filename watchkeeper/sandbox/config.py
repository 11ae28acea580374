"""What the vendor simulator is set up with, read once from a JSON file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from watchkeeper.sandbox.rate import Rate

RECORDS = {"workorders": 400, "assets": 60, "locations": 12, "users": 25, "organizations": 1}

VENDOR_RATE = Rate(100, 60.0)


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How fast the world moves by itself, in records a second. All zero: the world is frozen."""

    created_per_s: float = 0.5
    changed_per_s: float = 0.5
    assets_changed_per_s: float = 0.02

    def __post_init__(self) -> None:
        if min(self.created_per_s, self.changed_per_s, self.assets_changed_per_s) < 0:
            raise ValueError("arrivals cannot be negative")


FROZEN = Arrivals(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Config:
    """`history_s`: the initial records are spread over so many seconds before the start.

    `list_lag_s`: lists show a write so much later; with `list_lag_jitter`, after a time drawn
    for each write from [0, list_lag_s]. `rate_headers`: true, false, or the spelling to use
    (`X-RateLimit`). `page_cap`: no page carries more rows, whatever `limit` asks.
    `rate`: what one key may send, null for no bound.
    """

    seed: int = 1
    records: Mapping[str, int] = field(default_factory=lambda: dict(RECORDS))
    arrivals: Arrivals = Arrivals()
    history_s: float = 86_400.0
    list_lag_s: float = 0.0
    list_lag_jitter: bool = True
    rate: Rate | None = VENDOR_RATE
    rate_headers: bool | str = True
    page_cap: int = 200
    key: str = ""

    def __post_init__(self) -> None:
        if not self.first_key.startswith("test_"):
            raise ValueError("a simulator's key must start with test_")

    @property
    def first_key(self) -> str:
        return self.key or f"test_initial_{self.seed:08d}"

    @property
    def header_prefix(self) -> str | None:
        if isinstance(self.rate_headers, str):
            return self.rate_headers
        return "X-Rate-Limit" if self.rate_headers else None


def parse(raw: Mapping[str, Any], seed: int) -> Config:
    """Raises ValueError on a name that means nothing here: a typo must not pass as a default."""
    unknown = raw.keys() - {f.name for f in fields(Config)}
    if unknown:
        raise ValueError(f"unknown settings: {', '.join(sorted(unknown))}")
    known = {"seed": seed, **raw}
    known["records"] = {**RECORDS, **raw.get("records", {})}
    if "arrivals" in raw:
        known["arrivals"] = Arrivals(**raw["arrivals"])
    if raw.get("rate") is not None:
        known["rate"] = Rate(**raw["rate"])
    return Config(**known)


def load(path: Path | None, seed: int) -> Config:
    return parse(json.loads(path.read_text()) if path else {}, seed)
