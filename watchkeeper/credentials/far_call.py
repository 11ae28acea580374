"""What is the same for every store behind a provider's own client library."""

from __future__ import annotations

import logging

from watchkeeper.errors import Transient, UserError

# The library's own, for each exchange; no retries of its own: the task above us retries.
CONNECT_S, READ_S = 3.0, 5.0


class NotThere(Transient):
    """The store answers that it has none of it. Where that is no answer to the question, it was
    there a moment ago."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} is not there any more, or not yet")


def needs_extra(reference: str, extra: str) -> UserError:
    return UserError(f"{reference} needs the extra `{extra}`: pip install 'watchkeeper[{extra}]'")


def keep_quiet(*loggers: str) -> None:
    """These libraries write requests and answers, keys included, to their logs at DEBUG."""
    for name in loggers:
        logger = logging.getLogger(name)
        if logger.level < logging.INFO:
            logger.setLevel(logging.INFO)
