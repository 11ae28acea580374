"""What an HTTP status of a platform's API means for who asked. No I/O here."""

from __future__ import annotations

from watchkeeper.errors import Ambiguous, Permanent, Throttled, Transient, WatchkeeperError

_PLAIN = {
    401: "does not accept our credentials",
    403: "does not allow us to",
    404: "knows of none",
}


class Conflict(Transient):
    """There is one of that name, or somebody else has changed it since it was read."""


def answered(
    status: int,
    doing: str,
    *,
    by: str,
    changes: bool,
    reason: str = "",
    wait_s: float | None = None,
) -> WatchkeeperError:
    """`changes`: what was asked for would change something, and a server that failed may have.
    `by` and `doing` are ours; `reason` is harmless."""
    said = f"{doing}: {by} {_PLAIN.get(status) or f'answered {status}'}"
    text = f"{said} ({reason})" if reason else said
    if status == 429:
        return Throttled(text, wait_s)
    if status == 409:
        return Conflict(text)
    if status >= 500:
        return Ambiguous(f"{text}; it may have been done") if changes else Transient(text)
    return Permanent(text)
