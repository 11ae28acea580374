"""Which answers deserve another attempt. This is the one place that says so.

2xx                              go on
429                              Throttled, with the wait that the vendor asked for
408 425 500 502 503 504          Unavailable: another attempt may do
the same of a write, but 425     Ambiguous: it may have been done
everything else, 3xx too         Permanent: asking again gives the same answer
"""

from __future__ import annotations

from typing import Any, Literal

from watchkeeper.errors import Ambiguous, Permanent, Throttled, Transient, WatchkeeperError
from watchkeeper.harmless import masked
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.rate_signals import RateSignal, rate_signal
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody, loads

RETRYABLE = frozenset({408, 425, 500, 502, 503, 504})
NOT_STARTED = frozenset({425})
LONGEST_QUOTE = 160
SHORT_BODY = 200
# What says why it refuses says so in fewer words.
LARGEST_ERROR = 64 * 1024

KeyFault = Literal["bad_key", "not_sent", "unclear"]


class Unavailable(Transient):
    """The vendor could not answer this time."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Rejected(Permanent):
    """The vendor answered, and the answer will stay the same."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class KeyRefused(Rejected):
    """401. `fault` tells a key that is not accepted from one that was not sent."""

    def __init__(self, message: str, fault: KeyFault) -> None:
        super().__init__(message, 401)
        self.fault = fault


class Forbidden(Rejected):
    """403: the key is good, its owner may not do this."""


class NotFound(Rejected):
    """404 or 410."""


class Redirected(Rejected):
    """3xx: the path has moved, or a login page stands before the API. It is not followed."""


class BadRequest(Rejected):
    """400 or 422: the vendor does not understand what we ask."""


def raise_for(reply: Reply, resource: Resource | str) -> None:
    """Return on 2xx; raise what the status means otherwise. See the table above."""
    if 200 <= reply.status < 300:
        return
    name = resource if isinstance(resource, str) else resource.name
    raise _failure(reply, f"{name}: the vendor answered {reply.status}{_quoted(reply)}")


def throttle(reply: Reply) -> RateSignal:
    """The reply's rate signals, read by the vendor's clock where it told it."""
    body = reply.body if reply.status == 429 else b""
    return rate_signal(reply.headers, reply.date or reply.at, body)


def asked_wait_s(reply: Reply) -> float | None:
    """The seconds that a 429 asks us to wait; its reset where it names nothing else."""
    signal = throttle(reply)
    return signal.reset_s if signal.wait_s is None else signal.wait_s


def key_fault(reply: Reply) -> KeyFault:
    """A refused key gets a JSON error, a missing one a short plain text."""
    if isinstance(_loaded(reply), dict):
        return "bad_key"
    text = reply.body.strip().lower()
    page = text.startswith((b"<!doctype", b"<html"))
    return "not_sent" if text and len(text) <= SHORT_BODY and not page else "unclear"


def _failure(reply: Reply, message: str) -> WatchkeeperError:
    status = reply.status
    if status == 429:
        return Throttled(message, asked_wait_s(reply))
    if status in RETRYABLE:
        if reply.safe or status in NOT_STARTED:
            return Unavailable(message, status)
        return Ambiguous(f"{message}; it may have been done")
    if status == 401:
        return KeyRefused(message, key_fault(reply))
    if 300 <= status < 400:
        return Redirected(message, status)
    kinds = {400: BadRequest, 422: BadRequest, 403: Forbidden, 404: NotFound, 410: NotFound}
    return kinds.get(status, Rejected)(message, status)


def _quoted(reply: Reply) -> str:
    """The vendor's own words, made harmless and short; nothing of a page of HTML."""
    said = _said(_loaded(reply))
    if said is None:
        return ""
    return f': "{harmless(said)}"'


def harmless(said: str) -> str:
    """Foreign words for people: short, and without characters that do something.

    Our key is masked in a reply's bytes; here, too, for JSON may hold it in escapes.
    """
    kept = masked(said[:LARGEST_ERROR])[:LONGEST_QUOTE]
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in kept)
    return shown[:LONGEST_QUOTE]


def _said(body: Any) -> str | None:
    """Of `{"error": ...}`, `{"message": ...}`, `{"errors": [{"error": ...}]}`."""
    if not isinstance(body, dict):
        return None
    errors = body.get("errors")
    if isinstance(errors, list) and errors:
        return _said(errors[0])
    for name in ("error", "message"):
        if isinstance(found := body.get(name), str):
            return found
    return None


def _loaded(reply: Reply) -> Any:
    try:
        return loads(reply.body, LARGEST_ERROR)
    except BadBody:
        return None
