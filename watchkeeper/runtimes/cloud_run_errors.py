"""What went wrong between us and Cloud Run, as an error of ours. No I/O here."""

from __future__ import annotations

from watchkeeper.errors import Ambiguous, Permanent, Transient, WatchkeeperError
from watchkeeper.harmless import harmless
from watchkeeper.runtimes.answers import answered

BY = "Cloud Run"


def told(error: Exception, doing: str, *, changes: bool) -> WatchkeeperError:
    """`changes`: what we asked for would change something, and may have."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError

    if isinstance(error, GoogleAPICallError):
        # It says the method and address before Google's own words.
        reason = harmless(str(error.message).split(": ", 1)[-1])
        return answered(int(error.code or 0), doing, by=BY, changes=changes, reason=reason)
    if isinstance(error, GoogleAuthError):
        if error.retryable:
            return Transient(f"{doing}: Google's credentials cannot be had now")
        return Permanent(f"{doing}: there are no credentials that Google accepts")
    return _unanswered(error, doing, changes=changes)


def _unanswered(error: Exception, doing: str, *, changes: bool) -> WatchkeeperError:
    import requests.exceptions as wire
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, wire.TooManyRedirects):
        return Permanent(f"{doing}: {BY} sends us elsewhere, where we do not go")
    if isinstance(error, wire.SSLError):
        return Permanent(f"{doing}: the certificate of {BY} is not accepted")
    root = getattr(error.args[0], "reason", None) if error.args else None
    # Nothing was sent: there was nobody to send it to.
    if isinstance(root, NewConnectionError) or isinstance(
        error, wire.ConnectTimeout | wire.ProxyError
    ):
        return Transient(f"{doing}: {BY} cannot be reached")
    if changes:
        return Ambiguous(f"{doing}: the answer of {BY} was lost, it may have been done")
    if isinstance(error, OSError):
        return Transient(f"{doing}: {BY} did not answer")
    return Permanent(f"{doing}: the answer of {BY} is not understood")
