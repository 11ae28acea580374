"""One answer of the vendor by itself, as a reading. A 2xx that is not what was asked for is no
success: an error body would otherwise read as an empty list."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from watchkeeper.answer import WELL, Answer
from watchkeeper.errors import WatchkeeperError
from watchkeeper.evidence import Kind, Outcome, Reading
from watchkeeper.harmless import harmless
from watchkeeper.runbook.durations import words
from watchkeeper.runbook.probes import Probe
from watchkeeper.vendor.answers import key_fault
from watchkeeper.vendor.bodies import Body, has_errors_beside
from watchkeeper.vendor.classifying import Signals, classify
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import loads

_KEY_WORDS = {
    "bad_key": "the key was refused",
    "not_sent": "no key was seen",
    "unclear": "refused, without a word that tells why",
}
LONGEST_VALUE = 40
# What is larger is a list or a page; its first words tell it from others.
LARGEST_SIGNED = 64 * 1024


def judge(probe: Probe, reply: Reply, at: datetime, slow_s: float, of: str = "") -> Reading:
    """`slow_s`: where slow begins unless the probe has a bound of its own. `of`: for a probe of one
    record, the probe of its list."""
    said = classify(reply)
    answer, fault, detail = _as_of_now(reply, _judged(probe, reply, said))
    outcome = _OUTCOMES.get(answer, Outcome.DOWN)
    bound_s = probe.expect.slow.total_seconds() if probe.expect.slow else None
    if outcome is Outcome.OK and reply.latency_s > (slow_s if bound_s is None else bound_s):
        outcome = Outcome.DEGRADED
    return Reading(
        probe=probe.name,
        kind=Kind.ENDPOINT,
        target=probe.path,
        at=at,
        outcome=outcome,
        latency_s=reply.latency_s,
        status=reply.status,
        fault=fault,
        detail=detail,
        critical=probe.critical,
        wait_s=said.wait_s,
        # A copy's Date is that of its making.
        skew_s=None if reply.date is None or reply.age_s else (reply.date - at).total_seconds(),
        bound=bound_s,
        signature=signature(reply),
        of=of,
        answer=answer,
        speaker=said.speaker,
        value=rows_shown(probe, reply) if answer is Answer.OK else None,
        unit="rows",
    )


_OUTCOMES = {Answer.OK: Outcome.OK, Answer.THROTTLED: Outcome.DEGRADED}
_Judged = tuple[Answer, str | None, str]


def _judged(probe: Probe, reply: Reply, said: Signals) -> _Judged:
    good = 200 <= reply.status < 300
    if reply.status in probe.expect.status and not (good and said.answer not in _READ_ON):
        return _shape(probe, reply, said)
    if said.answer is Answer.REFUSED:
        told = f"{said.detail}; " if said.detail else ""
        return said.answer, said.fault, told + _KEY_WORDS[key_fault(reply)]
    if not good or said.answer not in _READ_ON:
        return said.answer, said.fault, said.detail
    if probe.expect.status:
        return Answer.ODD, "wrong_value", f"{reply.status} is not what the runbook expects"
    return _shape(probe, reply, said)


_READ_ON = WELL | {Answer.ODD, Answer.PAGE}


def _shape(probe: Probe, reply: Reply, said: Signals) -> _Judged:
    """Of an answer whose status is as good as it should be."""
    expect = probe.expect
    if probe.method == "HEAD":
        return Answer.OK, None, ""
    # Whether or not a shape was declared: an error, or a page for people, is no answer of an API.
    if said.answer is Answer.PAGE:
        return said.answer, said.fault, said.detail
    if said.fault == "error_body":
        return Answer.ODD, said.fault, said.detail
    if probe.envelope is None and expect.json_path is None:
        return Answer.OK, None, ""
    if reply.encoded is not None:
        why = f"the body is compressed ({reply.encoded}), which was not asked for"
        return Answer.ODD, "encoded", why
    try:
        body = reply.json()
    except WatchkeeperError:
        empty = said.body is Body.EMPTY
        why = "the body is empty" if empty else "the body is not the JSON that was asked for"
        return Answer.ODD, "empty" if empty else "not_json", why
    if probe.envelope is not None and not isinstance(at_path(body, probe.envelope), list):
        error = isinstance(body, dict) and ("error" in body or "errors" in body)
        detail = f"the body has no list {probe.envelope!r}{', but an error' if error else ''}"
        return Answer.ODD, "error_body" if error else "no_list", detail
    if probe.envelope is not None and has_errors_beside(body):
        return Answer.ODD, "error_body", f"an error beside the list {probe.envelope!r}"
    if expect.json_path is not None:
        return _value(expect.json_path, expect.equals, body)
    return Answer.OK, None, ""


def _as_of_now(reply: Reply, judged: _Judged) -> _Judged:
    """A good answer may be a copy that a cache has kept, or bear a label that others go by."""
    answer, fault, detail = judged
    if answer is not Answer.OK:
        return judged
    if reply.age_s is not None and reply.age_s > OLDEST_COPY_S:
        return (
            Answer.COPY,
            "old_copy",
            f"a cache's copy, {words(timedelta(seconds=reply.age_s))} old",
        )
    if reply.mislabelled is not None:
        why = f"labelled {reply.mislabelled}, and plain: a client that goes by the label cannot read it"
        return Answer.OK, "mislabelled", why
    return answer, fault, detail


def rows_shown(probe: Probe, reply: Reply) -> float | None:
    """How many rows the list shows, where it is asked for by nothing but its length."""
    asked = probe.path.partition("?")[2]
    if probe.envelope is None or probe.method != "GET":
        return None
    if any(name.lower() not in _LENGTHS for name, _ in parse_qsl(asked, keep_blank_values=True)):
        return None
    rows = at_path(reply.json(), probe.envelope)
    return float(len(rows)) if isinstance(rows, list) else None


_LENGTHS = frozenset(
    (
        *("limit", "per_page", "perpage", "page_size", "pagesize", "size", "count", "first"),
        *("take", "top", "max_results"),
    )
)
# A cache of minutes is a way to spare a server; what is older says nothing of now.
OLDEST_COPY_S = 3600.0


def _value(path: str, wanted: str | int | bool | None, body: Any) -> _Judged:
    value = at_path(body, path)
    if value is None or (wanted is not None and value != wanted):
        told = isinstance(value, str | int | float)
        shown = harmless(repr(value), LONGEST_VALUE) if told else "not there"
        return Answer.ODD, "wrong_value", f"{path} is {shown}"
    return Answer.OK, None, ""


def at_path(body: Any, path: str) -> Any:
    """The value at `a.b.0.c`, None where there is none. A name with dots in it is found too."""
    if isinstance(body, dict) and path in body:
        return body[path]
    for part in path.split("."):
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body


def signature(reply: Reply) -> str:
    """Two answers of one signature say the same: status, kind of body, and its keys or its words.

    Values are left out, for they hold request ids and times.
    """
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()[:64]
    try:
        body = loads(reply.body, largest=LARGEST_SIGNED)
        said = ",".join(sorted(map(str, body))) if isinstance(body, dict) else type(body).__name__
    except WatchkeeperError:
        said = "".join(
            c for c in reply.body[:200].decode("utf-8", "replace").lower() if c.isalpha()
        )
    # A name may hold half of a surrogate pair.
    digest = hashlib.sha256(said.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"{reply.status} {media} {digest}"
