"""Signs in the matrix of endpoints: who answered what, and what it says the second time."""

from __future__ import annotations

from watchkeeper.evidence import Evidence, Reading
from watchkeeper.signs.answers import ADMITTED, WELL, Answer, answer_of, failing, others, those
from watchkeeper.signs.finding import UNKNOWN, Finding, found


def all_endpoints_401(evidence: Evidence) -> Finding:
    """The key is refused, and no endpoint that looked at it has let it in."""
    admitted = those(evidence, *ADMITTED)
    refused = those(evidence, Answer.REFUSED)
    return Finding(bool(refused) and not admitted, refused, admitted)


def all_endpoints_403(evidence: Evidence) -> Finding:
    """The key is known, and may do nothing at all."""
    well = those(evidence, *WELL)
    forbidden = those(evidence, Answer.FORBIDDEN)
    return Finding(bool(forbidden) and not well, forbidden, well)


def key_refused_somewhere(evidence: Evidence) -> Finding:
    """401 or 403 at some endpoints, while the same key is let in at others."""
    refused = those(evidence, Answer.REFUSED, Answer.FORBIDDEN)
    well = those(evidence, *WELL)
    return Finding(bool(refused and well), refused, () if refused else well)


def refusals_are_403(evidence: Evidence) -> Finding:
    """The vendor knows the key and says that it may not do this."""
    refused, forbidden = those(evidence, Answer.REFUSED), those(evidence, Answer.FORBIDDEN)
    return Finding(bool(forbidden) and not refused, forbidden, refused)


def all_endpoints_5xx(evidence: Evidence) -> Finding:
    """Server errors, and nothing else from anybody who answers."""
    errors = those(evidence, Answer.SERVER_ERROR)
    other = others(evidence, Answer.SERVER_ERROR, Answer.SILENT)
    silent = those(evidence, Answer.SILENT)
    return Finding(len(errors) > len(silent) and not other, errors, other)


def intermittent_5xx(evidence: Evidence) -> Finding:
    """Server errors from some endpoints, or only some of the times that they are asked."""
    errors = those(evidence, Answer.SERVER_ERROR)
    other = others(evidence, Answer.SERVER_ERROR, Answer.SILENT)
    later = tuple(r for r in _again(evidence) if r.status is not None and r.status >= 500)
    wavering = tuple(r for r in _again(evidence) if _well(r) and _fails(evidence, r.of))
    seen = (*errors, *(r for r in later if not _fails(evidence, r.of)))
    return Finding(bool(seen and (other or wavering)), (*seen, *wavering), ())


def answers_in_between(evidence: Evidence) -> Finding:
    """An endpoint that failed answers well when it is asked again."""
    again = tuple(r for r in _again(evidence) if _fails(evidence, r.of))
    well = tuple(r for r in again if _well(r))
    if not again:
        return UNKNOWN
    return Finding(bool(well), well, () if well else again)


def fails_each_time(evidence: Evidence) -> Finding:
    """What failed fails again, every time it is asked."""
    inner = answers_in_between(evidence)
    if inner.holds is None:
        return UNKNOWN
    return Finding(not inner.holds, inner.against, inner.supports)


def requests_429(evidence: Evidence) -> Finding:
    """The vendor says that it was asked too much. One 429 is enough: it has no second meaning."""
    return found(those(evidence, Answer.THROTTLED), those(evidence, *WELL))


def endpoint_404(evidence: Evidence) -> Finding:
    """404 or 410 at some endpoints, while others are there."""
    missing = tuple(r for r in those(evidence, Answer.MISSING) if not r.of)
    there = those(evidence, *ADMITTED)
    return Finding(bool(missing and there), missing, () if missing else there)


def all_endpoints_404(evidence: Evidence) -> Finding:
    """404 at every endpoint that answers: the address of the whole API is not what it was."""
    missing = those(evidence, Answer.MISSING)
    other = others(evidence, Answer.MISSING, Answer.SILENT)
    return Finding(bool(missing) and not other, missing, other)


def record_gone(evidence: Evidence) -> Finding:
    """404 for one record, while the list it belongs to answers."""
    gone = tuple(r for r in those(evidence, Answer.MISSING) if r.of)
    lists = tuple(r for r in those(evidence, *WELL) if any(r.probe == g.of for g in gone))
    return Finding(bool(gone and lists), gone, ())


def redirected(evidence: Evidence) -> Finding:
    """3xx: the API lives elsewhere, or a login page stands before it. It is not followed."""
    return found(those(evidence, Answer.REDIRECTED), those(evidence, *WELL))


def request_rejected(evidence: Evidence) -> Finding:
    """400, 422 and their like for a request that was understood before."""
    return found(those(evidence, Answer.REJECTED), those(evidence, *WELL))


def odd_answers(evidence: Evidence) -> Finding:
    """Success by its status, and not the data it should be: an error body, no list, a wrong value."""
    return found(those(evidence, Answer.ODD), those(evidence, *WELL))


def page_instead_of_data(evidence: Evidence) -> Finding:
    """A page for people with a good status: a login, a proxy's notice, a maintenance page."""
    return found(those(evidence, Answer.PAGE), those(evidence, *WELL))


def slow_responses(evidence: Evidence) -> Finding:
    """Good answers that take too long."""
    return found(those(evidence, Answer.SLOW), those(evidence, Answer.OK))


def some_answer_quickly(evidence: Evidence) -> Finding:
    """Another endpoint of the same host is quick: the way there is not what is slow."""
    quick = those(evidence, Answer.OK)
    return Finding(bool(quick), quick, those(evidence, Answer.SLOW))


def others_answer(evidence: Evidence) -> Finding:
    """Other endpoints answer well at the same time, with the same key, over the same way."""
    return found(those(evidence, *WELL))


def vendor_healthy(evidence: Evidence) -> Finding:
    """Every endpoint answers us well."""
    bad = failing(evidence)
    return Finding(bool(evidence.endpoints) and not bad, those(evidence, *WELL), bad)


def endpoints_failing(evidence: Evidence) -> Finding:
    """Any endpoint that does not answer well."""
    return found(failing(evidence))


def _again(evidence: Evidence) -> tuple[Reading, ...]:
    return evidence.contrasts("again")


def _fails(evidence: Evidence, probe: str) -> bool:
    return any(r.probe == probe for r in failing(evidence))


def _well(reading: Reading) -> bool:
    return answer_of(reading, float("inf")) in WELL


SIGNS = (
    all_endpoints_401,
    all_endpoints_403,
    key_refused_somewhere,
    refusals_are_403,
    all_endpoints_5xx,
    intermittent_5xx,
    answers_in_between,
    fails_each_time,
    requests_429,
    endpoint_404,
    all_endpoints_404,
    record_gone,
    redirected,
    request_rejected,
    odd_answers,
    page_instead_of_data,
    slow_responses,
    some_answer_quickly,
    others_answer,
    vendor_healthy,
    endpoints_failing,
)
