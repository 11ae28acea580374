"""Which answers deserve another attempt. This is the one place that says so.

What an answer is, `classifying` says: by all of it, and not by its status alone.

2xx                              go on, unless the body is nothing but an error
it was asked too much            Throttled, with the wait that the vendor asked for
408 425, 5xx known or not        Unavailable: another attempt may do
the same of a write, but 425     Ambiguous: it may have been done
501 505 506 508 510 511,
everything else, 3xx too         Permanent: asking again gives the same answer
"""

from __future__ import annotations

from typing import Any, Literal

from watchkeeper.answer import Answer
from watchkeeper.errors import Ambiguous, Permanent, Throttled, Transient, WatchkeeperError
from watchkeeper.harmless import masked
from watchkeeper.runbook.api import Resource
from watchkeeper.vendor.classifying import Signals, classify
from watchkeeper.vendor.rate_signals import RateSignal
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody, loads

NOT_STARTED = frozenset({425})
LONGEST_QUOTE = 160
SHORT_BODY = 200
# What says why it refuses says so in fewer words.
LARGEST_ERROR = 64 * 1024

KeyFault = Literal["bad_key", "not_sent", "unclear"]


class Unavailable(Transient):
    """The vendor could not answer this time. `wait_s`: how long it asks us to wait, if it does."""

    def __init__(self, message: str, status: int, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.status, self.wait_s = status, wait_s


class Rejected(Permanent):
    """The vendor answered, and the answer will stay the same."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class KeyRefused(Rejected):
    """The key is refused. `fault` tells one that is not accepted from one that was not sent."""

    def __init__(self, message: str, fault: KeyFault, status: int = 401) -> None:
        super().__init__(message, status)
        self.fault = fault


class Forbidden(Rejected):
    """403: the key is good, its owner may not do this, or something before the API refuses us."""


class NotFound(Rejected):
    """404 or 410."""


class Redirected(Rejected):
    """3xx: the path has moved, or a login page stands before the API. It is not followed."""


class BadRequest(Rejected):
    """400 or 422: the vendor does not understand what we ask."""


def raise_for(reply: Reply, resource: Resource | str) -> None:
    """Return on success; raise what the answer means otherwise. See the table above.

    A page or another odd body with a good status passes: whoever reads it says what is wrong.
    """
    said = classify(reply)
    if 200 <= reply.status < 300 and said.answer in _READ_ON:
        return
    name = resource if isinstance(resource, str) else resource.name
    raise _failure(reply, said, f"{name}: the vendor answered {reply.status}{_quoted(reply)}")


_READ_ON = frozenset({Answer.OK, Answer.PAGE, Answer.ODD, Answer.INTERCEPTED})


def throttle(reply: Reply) -> RateSignal:
    """The reply's rate signals, read by the vendor's clock where it told it."""
    return classify(reply).rate


def key_fault(reply: Reply) -> KeyFault:
    """A refused key gets a JSON error, a missing one a short plain text."""
    if isinstance(_loaded(reply), dict):
        return "bad_key"
    text = reply.body.strip().lower()
    page = text.startswith((b"<!doctype", b"<html"))
    return "not_sent" if text and len(text) <= SHORT_BODY and not page else "unclear"


def _failure(reply: Reply, said: Signals, message: str) -> WatchkeeperError:
    status = reply.status
    if said.answer is Answer.THROTTLED:
        return Throttled(message, said.wait_s)
    if said.again:
        if reply.safe or status in NOT_STARTED:
            return Unavailable(message, status, said.wait_s)
        return Ambiguous(f"{message}; it may have been done")
    if said.answer is Answer.REFUSED:
        return KeyRefused(message, key_fault(reply), status)
    if 300 <= status < 400:
        return Redirected(message, status)
    kind = _KINDS.get(said.answer, Rejected)
    return (BadRequest if status in (400, 422) else kind)(message, status)


_KINDS: dict[Answer, type[Rejected]] = {
    Answer.FORBIDDEN: Forbidden,
    Answer.SHUT_OUT: Forbidden,
    Answer.MISSING: NotFound,
}


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
