"""Signs in the matrix of endpoints: who answered what, and what it says the second time."""

from __future__ import annotations

from watchkeeper.answer import CDN_STATUSES, Speaker
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs.answers import ADMITTED, WELL, Answer, answer_of, failing, others, those
from watchkeeper.signs.finding import UNKNOWN, Finding, both, found
from watchkeeper.signs.network import nothing_else_answers
from watchkeeper.signs.ours import service_sick
from watchkeeper.signs.rates import we_ask_too_much
from watchkeeper.signs.vendors_word import vendor_status_degraded


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


def shut_out_before_api(evidence: Evidence) -> Finding:
    """Something before the API refuses us: a firewall's page stands where JSON should."""
    return found(those(evidence, Answer.SHUT_OUT), those(evidence, *WELL))


def asked_to_sign_in(evidence: Evidence) -> Finding:
    """A login page, or the way to one, in the API's place."""
    well = those(evidence, *WELL)
    asked = tuple(r for r in those(evidence, Answer.INTERCEPTED) if not _by_proxy(r))
    # One path of several that leads elsewhere has moved: who wants us to sign in wants it everywhere.
    hit = tuple(r for r in asked if not (well and _sent_on(r)))
    return Finding(bool(hit), hit, () if hit else well)


def proxy_wants_us(evidence: Evidence) -> Finding:
    """407 or 511: a proxy, or the network that we are in, asks us to sign in first."""
    asked = tuple(r for r in those(evidence, Answer.INTERCEPTED) if _by_proxy(r))
    return found(asked, those(evidence, *WELL))


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
    later = tuple(r for r in _again(evidence) if _kind(r) is Answer.SERVER_ERROR)
    wavering = tuple(r for r in _again(evidence) if _well(r) and _fails(evidence, r.of))
    seen = (*errors, *(r for r in later if not _fails(evidence, r.of)))
    return Finding(bool(seen and (other or wavering)), (*seen, *wavering), ())


def errors_are_the_vendors(evidence: Evidence) -> Finding:
    """The server errors are written by the API itself, or by a CDN that could not reach it: not by
    a proxy or a gateway, whose errors are pages and plain words."""
    errors = those(evidence, Answer.SERVER_ERROR)
    if not errors:
        return UNKNOWN
    spoken = {r.status for r in errors if r.speaker is Speaker.API}
    # An answer to HEAD has no body to tell by: it is believed with another of its status.
    theirs = tuple(
        r
        for r in errors
        if r.speaker is Speaker.API
        or r.status in CDN_STATUSES
        or (r.speaker is None and r.status in spoken)
    )
    if len(theirs) < len(errors):
        return Finding(False, (), tuple(r for r in errors if r not in theirs))
    return Finding(True, theirs)


def only_errors_of_anybody(evidence: Evidence) -> Finding:
    """Server errors that bear no sign of the API, while nothing else can be reached: they may come
    from a proxy of ours as well as from the vendor."""
    errors = those(evidence, Answer.SERVER_ERROR)
    signed = tuple(r for r in errors if r.speaker is Speaker.API or r.status in CDN_STATUSES)
    other = others(evidence, Answer.SERVER_ERROR, Answer.SILENT)
    if signed or other or not errors:
        return Finding(False, (), signed or other)
    return both(Finding(True, errors), nothing_else_answers(evidence))


def waits_in_vain(evidence: Evidence) -> Finding:
    """504 and nothing else, not written by the API: something before it waited for an answer, and
    none came. A status page that admits an outage explains it otherwise."""
    errors = those(evidence, Answer.SERVER_ERROR)
    other = others(evidence, Answer.SERVER_ERROR, Answer.SILENT)
    unlike = tuple(r for r in errors if r.status != 504 or r.speaker is Speaker.API)
    if not errors or unlike or other:
        return Finding(False, (), unlike or other)
    if vendor_status_degraded(evidence).holds:
        return Finding(False, (), vendor_status_degraded(evidence).supports)
    return Finding(True, errors)


def answers_in_between(evidence: Evidence) -> Finding:
    """An endpoint that failed answers well when it is asked again."""
    again = tuple(r for r in _again(evidence) if _fails(evidence, r.of))
    well = tuple(r for r in again if _well(r))
    if not again:
        return UNKNOWN
    return Finding(bool(well), well, () if well else again)


def failed_once(evidence: Evidence) -> Finding:
    """One server error, or one request too many, among all answers of this look, at an endpoint that
    answered well each time that it was asked again, and that did not fail in the last checks."""
    errors = those(evidence, Answer.SERVER_ERROR, Answer.THROTTLED)
    if len(errors) != 1 or len(failing(evidence)) != 1:
        return Finding(False, (), failing(evidence))
    only = errors[0]
    again = _again(evidence)
    bad = tuple(r for r in again if not _well(r))
    # An endpoint's reading may be that of its last failure: the same answer, and not one more.
    same = tuple(
        r for r in bad if (r.of, r.at, r.latency_s) == (only.probe, only.at, only.latency_s)
    )
    well = tuple(r for r in again if r.of == only.probe and _well(r))
    grave = only.critical and _kind(only) is Answer.SERVER_ERROR
    enough = ENOUGH_WELL_CRITICAL if grave else ENOUGH_WELL
    past = evidence.one(Kind.HISTORY, only.probe)
    lately = past is not None and past.outcome is Outcome.DEGRADED
    # While we ask as much as is allowed, the next refusal is a matter of seconds.
    if _kind(only) is Answer.THROTTLED and we_ask_too_much(evidence).holds:
        return Finding(False, (), (only,))
    if len(well) < enough or len(bad) > len(same) or len(same) > 1 or lately:
        return Finding(False, (), bad or (only,))
    return Finding(True, (only, *well))


def fails_more_than_once(evidence: Evidence) -> Finding:
    """Any endpoint that does not answer well, but for one failure of one request."""
    bad = failing(evidence)
    return Finding(bool(bad) and not failed_once(evidence).holds, bad)


# So many good answers of that endpoint after one failure: it was that one request. Where half of the
# requests fail, one look in sixteen sees three of them, and one in sixty-four five.
ENOUGH_WELL, ENOUGH_WELL_CRITICAL = 3, 5


def fails_each_time(evidence: Evidence) -> Finding:
    """What failed fails again, every time it is asked."""
    inner = answers_in_between(evidence)
    if inner.holds is None:
        return UNKNOWN
    return Finding(not inner.holds, inner.against, inner.supports)


def requests_429(evidence: Evidence) -> Finding:
    """The vendor says that it was asked too much, by a 429 or in any other way. One is enough."""
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
    missing = those(evidence, Answer.MISSING)
    gone = tuple(r for r in missing if r.of and r.speaker is not Speaker.EDGE)
    lists = tuple(r for r in those(evidence, *WELL) if any(r.probe == g.of for g in gone))
    return Finding(bool(gone and lists), gone, ())


def redirected(evidence: Evidence) -> Finding:
    """3xx: the API, or a part of it, lives elsewhere. It is not followed."""
    well, sent_on = those(evidence, *WELL), those(evidence, Answer.REDIRECTED)
    if well:
        sent_on += tuple(r for r in those(evidence, Answer.INTERCEPTED) if _sent_on(r))
    return found(sent_on, well)


def request_rejected(evidence: Evidence) -> Finding:
    """400, 422 and their like for a request that was understood before."""
    return found(those(evidence, Answer.REJECTED), those(evidence, *WELL))


def odd_answers(evidence: Evidence) -> Finding:
    """Success by its status, and not the data it should be: an error body, no list, a wrong value."""
    return found(those(evidence, Answer.ODD), those(evidence, *WELL))


def old_copies(evidence: Evidence) -> Finding:
    """A cache answers with what it kept long ago: its good answers say nothing of the API."""
    return found(those(evidence, Answer.COPY), those(evidence, *WELL))


def mislabelled_answers(evidence: Evidence) -> Finding:
    """Answers that we read and that their own label makes unreadable to others, while our service says
    that it is not well."""
    hit = tuple(r for r in those(evidence, *WELL) if r.fault == "mislabelled")
    return both(found(hit), service_sick(evidence))


def list_emptied(evidence: Evidence) -> Finding:
    """A list that shows nothing, of which we hold records."""
    return found(tuple(r for r in those(evidence, *WELL) if r.fault == "emptied"))


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


def answers_contradict(evidence: Evidence) -> Finding:
    """Nothing is answered well, and the endpoints, or one of them asked again, are answered in so
    many ways that no single cause explains them."""
    if not evidence.endpoints or those(evidence, *WELL):
        return Finding(False, (), those(evidence, *WELL))
    if any(_well(r) for r in _again(evidence)):
        return Finding(False)
    spoken = tuple(r for r in evidence.endpoints if _kind(r) not in _WORDLESS)
    if len({_kind(r) for r in spoken}) >= MANY_KINDS:
        return Finding(True, spoken)
    for first in spoken:
        same = (first, *(r for r in _again(evidence) if r.of == first.probe))
        if len({_kind(r) for r in same} - _WORDLESS) >= MANY_KINDS_OF_ONE:
            return Finding(True, same)
    return Finding(False, (), spoken)


# Two faults at once give two or three kinds of answers.
MANY_KINDS, MANY_KINDS_OF_ONE = 4, 3
_WORDLESS = frozenset({Answer.SILENT, Answer.UNSENT})


def endpoints_failing(evidence: Evidence) -> Finding:
    """Any endpoint that does not answer well."""
    return found(failing(evidence))


def _again(evidence: Evidence) -> tuple[Reading, ...]:
    return evidence.contrasts("again")


def _fails(evidence: Evidence, probe: str) -> bool:
    return any(r.probe == probe for r in failing(evidence))


def _well(reading: Reading) -> bool:
    return _kind(reading) in WELL


def _kind(reading: Reading) -> Answer:
    return answer_of(reading, float("inf"))


def _sent_on(reading: Reading) -> bool:
    return 300 <= (reading.status or 0) < 400


def _by_proxy(reading: Reading) -> bool:
    return reading.speaker is Speaker.PROXY or reading.status in (407, 511)


SIGNS = (
    all_endpoints_401,
    all_endpoints_403,
    shut_out_before_api,
    asked_to_sign_in,
    proxy_wants_us,
    key_refused_somewhere,
    refusals_are_403,
    all_endpoints_5xx,
    intermittent_5xx,
    errors_are_the_vendors,
    only_errors_of_anybody,
    waits_in_vain,
    answers_in_between,
    failed_once,
    fails_more_than_once,
    fails_each_time,
    requests_429,
    endpoint_404,
    all_endpoints_404,
    record_gone,
    redirected,
    request_rejected,
    odd_answers,
    old_copies,
    mislabelled_answers,
    list_emptied,
    page_instead_of_data,
    slow_responses,
    some_answer_quickly,
    others_answer,
    vendor_healthy,
    answers_contradict,
    endpoints_failing,
)
