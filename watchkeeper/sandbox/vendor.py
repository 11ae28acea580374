"""The vendor simulator: a maintenance API that lives, lags, and fails on request.

python -m watchkeeper.sandbox.vendor [--port 0] [--seed N] [--config FILE] [--tied]
"""

from pathlib import Path

from watchkeeper.sandbox import config, front, serving
from watchkeeper.sandbox.clock import Clock, utc_now
from watchkeeper.sandbox.site import Site


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("vendor", "The vendor simulator.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", type=Path)
    options = parser.parse_args(argv)
    site = Site(config.load(options.config, options.seed), clock)
    front.run("vendor", site, options.port, options.tied)


if __name__ == "__main__":
    main()
