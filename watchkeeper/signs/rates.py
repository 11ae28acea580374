"""Signs of the vendor's budget: what it says of it, and who has used it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from watchkeeper.answer import by_status
from watchkeeper.evidence import TOTAL, Evidence, Kind, Outcome
from watchkeeper.signs.answers import Answer, those
from watchkeeper.signs.finding import UNKNOWN, Finding, of_one

# Of the budget: from here on our requests alone explain that it is used up; below, they do not.
MUCH, LITTLE = 0.7, 0.3
NEARLY_NOTHING = 0.1

# (share of the budget, are all of our consumers counted) -> does it hold?
_Judge = Callable[[float, bool], bool]


def vendor_says_throttled(evidence: Evidence) -> Finding:
    """A 429 that names how long to wait."""
    told = tuple(r for r in those(evidence, Answer.THROTTLED) if r.wait_s is not None)
    return Finding(bool(told), told)


def we_ask_too_much(evidence: Evidence) -> Finding:
    """The requests that we know of are as many as the vendor allows."""
    return _share(evidence, lambda share, whole: share >= MUCH)


def others_use_our_key(evidence: Evidence) -> Finding:
    """We are throttled, and all of our own requests together are far fewer than allowed: somebody
    else spends the budget of this key."""
    throttled = those(evidence, Answer.THROTTLED)
    if not throttled:
        return Finding(False)
    left = evidence.one(Kind.RATE, "rate")
    spent = left is not None and left.value == 0
    # A limit of another kind, told as a refusal, need not be the budget that we know of.
    if not spent and not any(by_status(r.status or 0) is Answer.THROTTLED for r in throttled):
        return UNKNOWN
    found = _share(evidence, lambda share, whole: whole and share <= LITTLE)
    return replace(found, supports=(*found.supports, *throttled)) if found.holds else found


def budget_nearly_used(evidence: Evidence) -> Finding:
    """Hardly anything is left of the vendor's budget, and nothing is refused yet."""
    if throttled := those(evidence, Answer.THROTTLED):
        return Finding(False, (), throttled)
    return of_one(
        evidence.one(Kind.RATE, "rate"),
        lambda r: r.value is not None and r.value < NEARLY_NOTHING * (r.bound or 0),
    )


def _share(evidence: Evidence, holds: _Judge) -> Finding:
    total = evidence.one(Kind.VOLUME, TOTAL)
    if total is None or total.value is None or not total.bound:
        return UNKNOWN
    # Unknown means that some of our consumers could not be counted.
    whole = total.outcome is not Outcome.UNKNOWN
    heaviest = sorted(
        (r for r in evidence.of(Kind.VOLUME) if r.probe != TOTAL),
        key=lambda r: (-(r.value or 0), r.probe),
    )[:3]
    if holds(total.value / total.bound, whole):
        return Finding(True, (total, *heaviest))
    return Finding(False if whole else None, (), (total,))


SIGNS = (vendor_says_throttled, we_ask_too_much, others_use_our_key, budget_nearly_used)
