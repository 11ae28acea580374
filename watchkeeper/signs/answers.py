"""What kind of answer an endpoint gave: every reading is of exactly one kind."""

from __future__ import annotations

from watchkeeper.answer import ADMITTED, WELL, Answer, by_status
from watchkeeper.evidence import Evidence, Outcome, Reading

__all__ = [
    "ADMITTED",
    "NO_KEY_OF_OURS",
    "WELL",
    "Answer",
    "answer_of",
    "failing",
    "others",
    "those",
]

NO_KEY_OF_OURS = "no key of ours"


def answer_of(reading: Reading, slow_s: float) -> Answer:
    """Total: whatever was read, one kind."""
    if reading.status is None:
        return Answer.UNSENT if reading.fault == NO_KEY_OF_OURS else Answer.SILENT
    found = by_status(reading.status) if reading.answer is None else reading.answer
    if found is not Answer.OK:
        return found
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
        found = tuple((r, answer_of(r, slow_s)) for r in evidence.endpoints)
        # Where one says in its body that we are throttled, the same status without a body says so.
        limits = {
            r.status for r, kind in found if kind is Answer.THROTTLED and (r.status or 0) >= 400
        }
        known[Answer] = tuple(
            (r, Answer.THROTTLED if r.status in limits and r.speaker is None else kind)
            for r, kind in found
        )
    return known[Answer]  # type: ignore[no-any-return]


def failing(evidence: Evidence) -> tuple[Reading, ...]:
    """The endpoints that did not answer well; slow is well."""
    return others(evidence, *WELL)
