"""A vendor that is simulated from the shape of its API, which is data.

    python -m watchkeeper.sandbox.derived --config FILE [--port 0] [--seed N] [--tied]

The file: {"shape": {...}, "probes": [...], "seed", "key", "arrivals", "list_lag_s", "rate", ...};
`watchkeeper.sandbox.shape` says what a shape is, the rest is as with the vendor simulator.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from watchkeeper.sandbox import front, serving
from watchkeeper.sandbox.clock import Clock, utc_now
from watchkeeper.sandbox.config import Arrivals, Config
from watchkeeper.sandbox.derived_api import Derived
from watchkeeper.sandbox.rate import Rate
from watchkeeper.sandbox.shape import Shape, shape_of
from watchkeeper.sandbox.site import Site

# Of the file, but for the status page, which is a process of its own.
NOT_SETTINGS = ("shape", "probes", "status_page")
UNCAPPED = 1_000_000


def parse(raw: Mapping[str, Any], seed: int) -> tuple[Config, Shape]:
    """Raises ValueError, TypeError on what means nothing here."""
    shape = shape_of(raw.get("shape") or {}, list(raw.get("probes") or ()))
    given = {name: value for name, value in raw.items() if name not in NOT_SETTINGS}
    settings: dict[str, Any] = {
        "seed": seed,
        "page_cap": UNCAPPED,
        "rate_headers": shape.rate.headers or False,
        **given,
        "records": {**{r.name: r.records for r in shape.resources}, **given.get("records", {})},
        "arrivals": Arrivals(**given.get("arrivals", {})),
        "rate": shape.rate.rate,
    }
    if "rate" in given:
        settings["rate"] = given["rate"] and Rate(**given["rate"])
    return Config(**settings), shape


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("derived", "A vendor simulated from the shape of its API.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    config, shape = parse(json.loads(options.config.read_text()), options.seed)
    site = Site(config, clock, Derived(shape))
    front.run("derived", site, options.port, options.tied)


if __name__ == "__main__":
    main()
