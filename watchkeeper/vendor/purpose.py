"""What a call is for. It decides who goes first when the vendor's budget is short."""

from __future__ import annotations

from typing import Literal, get_args

Purpose = Literal["live", "probe", "replay", "backfill"]
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)

# How long a call waits for its turn before it is handed back as Throttled, in seconds.
MAX_WAIT_S: dict[Purpose, float] = {"live": 30, "probe": 10, "replay": 120, "backfill": 300}

# The share of a burst that each leaves to what is more urgent.
LEAVES: dict[Purpose, float] = {"live": 0, "probe": 0, "replay": 0.5, "backfill": 1}
