"""What went wrong between us and a cluster, as an error of ours. No I/O here."""

from __future__ import annotations

from typing import Any

from watchkeeper.errors import Ambiguous, Permanent, Transient, WatchkeeperError
from watchkeeper.harmless import harmless
from watchkeeper.runtimes.answers import answered
from watchkeeper.vendor.strict_json import BadBody, loads

LONGEST_ANSWER = 64 * 1024
LONGEST_WAIT_S = 60.0
BY = "the cluster"


def told(error: Exception, doing: str, *, changes: bool) -> WatchkeeperError:
    """`changes`: what we asked for would change something, and may have."""
    import urllib3.exceptions as wire  # comes with the extra

    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        reason, wait_s = _reason(getattr(error, "body", None)), _asked_to_wait(error)
        return answered(status, doing, by=BY, changes=changes, reason=reason, wait_s=wait_s)
    if isinstance(error, wire.SSLError) or status == 0:
        return Permanent(f"{doing}: the cluster's certificate is not accepted")
    # Nothing was sent: there was nobody to send it to.
    if isinstance(error, wire.NewConnectionError | wire.ConnectTimeoutError | wire.ProxyError):
        return Transient(f"{doing}: the cluster cannot be reached")
    if changes:
        return Ambiguous(f"{doing}: the cluster's answer was lost, it may have been done")
    if isinstance(error, wire.HTTPError | OSError):
        return Transient(f"{doing}: the cluster did not answer")
    return Permanent(f"{doing}: the cluster's answer is not understood")


def _reason(body: Any) -> str:
    """The message of a Kubernetes Status, made harmless."""
    if not isinstance(body, str | bytes):
        return ""
    raw = body.encode() if isinstance(body, str) else body
    try:
        status = loads(raw, LONGEST_ANSWER)
    except BadBody:
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return harmless(message) if isinstance(message, str) else ""


def _asked_to_wait(error: Any) -> float | None:
    given = (getattr(error, "headers", None) or {}).get("Retry-After", "")
    return min(float(given), LONGEST_WAIT_S) if given.isdigit() and len(given) < 9 else None
