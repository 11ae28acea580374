"""The supervisor's own log: a file in the home, bounded in size, with every traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

from watchkeeper.homes import make_home

MAX_BYTES, KEPT = 5_000_000, 3
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS = ("watchkeeper", "deployments", "tasks", "flows")


def log_file(home: Path) -> Path:
    return home / "watchkeeper.log"


def log_to_file(home: Path) -> Callable[[], None]:
    """Our loggers write there from now on; what is returned ends that. A log that cannot be written
    ends nothing."""
    make_home(home)
    # Opened by the first line: a full disk must not prevent the start.
    handler = RotatingFileHandler(
        log_file(home), maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(logging.Formatter(FORMAT))
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in OURS]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        # What people read is said in lines; a traceback on the terminal says no more to them.
        logger.propagate = False

    def end() -> None:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True
        handler.close()

    return end
