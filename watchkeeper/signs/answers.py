"""What kind of answer an endpoint gave: every reading is of exactly one kind."""

from __future__ import annotations

from enum import StrEnum

from watchkeeper.evidence import Evidence, Outcome, Reading


class Answer(StrEnum):
    OK = "ok"
    SLOW = "slow"
    PAGE = "page"  # 2xx, and a page for people where data should be
    ODD = "odd"  # 2xx, and data of another shape than asked for
    REDIRECTED = "redirected"
    REJECTED = "rejected"  # 400, 422 and their like: what we ask is not understood
    REFUSED = "refused"  # 401
    FORBIDDEN = "forbidden"  # 403
    MISSING = "missing"  # 404, 410
    THROTTLED = "throttled"  # 429
    SERVER_ERROR = "server_error"
    SILENT = "silent"  # no usable answer
    UNSENT = "unsent"  # nothing was asked: we have no key to ask with


WELL = frozenset({Answer.OK, Answer.SLOW})
# Whoever gives these has looked at the key and let it in.
ADMITTED = WELL | {Answer.ODD, Answer.REJECTED, Answer.FORBIDDEN}
NO_KEY_OF_OURS = "no key of ours"

_BY_STATUS = {
    401: Answer.REFUSED,
    403: Answer.FORBIDDEN,
    404: Answer.MISSING,
    410: Answer.MISSING,
    408: Answer.SERVER_ERROR,
    425: Answer.SERVER_ERROR,
    429: Answer.THROTTLED,
}


def answer_of(reading: Reading, slow_s: float) -> Answer:
    """Total: whatever was read, one kind."""
    status = reading.status
    if status is None:
        return Answer.UNSENT if reading.fault == NO_KEY_OF_OURS else Answer.SILENT
    if status >= 500:
        return Answer.SERVER_ERROR
    if 300 <= status < 400:
        return Answer.REDIRECTED
    if status >= 400:
        return _BY_STATUS.get(status, Answer.REJECTED)
    if reading.outcome is Outcome.DOWN:
        return Answer.PAGE if reading.fault == "html" else Answer.ODD
    bound_s = slow_s if reading.bound is None else reading.bound
    return Answer.SLOW if reading.latency_s > bound_s else Answer.OK


def those(evidence: Evidence, *kinds: Answer) -> tuple[Reading, ...]:
    """The endpoints that gave an answer of one of these kinds."""
    known = evidence.worked_out
    if kinds not in known:
        known[kinds] = tuple(r for r, kind in _answers(evidence) if kind in kinds)
    return known[kinds]  # type: ignore[no-any-return]


def others(evidence: Evidence, *kinds: Answer) -> tuple[Reading, ...]:
    """The endpoints that gave an answer of any other kind."""
    return those(evidence, *(kind for kind in Answer if kind not in kinds))


def _answers(evidence: Evidence) -> tuple[tuple[Reading, Answer], ...]:
    known = evidence.worked_out
    if Answer not in known:
        slow_s = evidence.slow.total_seconds()
        known[Answer] = tuple((r, answer_of(r, slow_s)) for r in evidence.endpoints)
    return known[Answer]  # type: ignore[no-any-return]


def failing(evidence: Evidence) -> tuple[Reading, ...]:
    """The endpoints that did not answer well; slow is well."""
    return others(evidence, *WELL)
