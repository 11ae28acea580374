"""Signs of the way to the vendor: names, connections, TLS, and whether anything else can be reached."""

from __future__ import annotations

from watchkeeper.answer import Speaker
from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs.answers import WELL, Answer, answer_of, those
from watchkeeper.signs.finding import UNKNOWN, Finding, both, down, found, of_one

NAME_FAULTS = frozenset({"dns"})
TLS_FAULTS = frozenset({"tls", "certificate", "expired"})
CONNECTION_FAULTS = frozenset({"refused", "unreachable"})


def timeouts(evidence: Evidence) -> Finding:
    """No usable answer from most of the endpoints."""
    silent = those(evidence, Answer.SILENT)
    answering = tuple(r for r in evidence.endpoints if r.answered)
    return Finding(len(silent) > len(answering), silent, answering)


def some_endpoints_silent(evidence: Evidence) -> Finding:
    """No usable answer from some endpoints, while others of the same host answer."""
    silent = those(evidence, Answer.SILENT)
    answering = tuple(r for r in evidence.endpoints if r.answered)
    return Finding(bool(silent and answering), silent, () if silent else answering)


def dns_fails(evidence: Evidence) -> Finding:
    """The vendor's name does not resolve."""
    return _by_stage(evidence, "dns", NAME_FAULTS)


def tls_fails(evidence: Evidence) -> Finding:
    """A connection is made, and no trust: another certificate than the vendor's, or none."""
    return _by_stage(evidence, "tls", TLS_FAULTS)


def cannot_connect(evidence: Evidence) -> Finding:
    """No address of the vendor takes a connection."""
    return _by_stage(evidence, "tcp", CONNECTION_FAULTS)


def name_lookup_fails(evidence: Evidence) -> Finding:
    """A look-up of its own, beside those of the endpoints, fails as well."""
    return down(Kind.NETWORK, "dns")(evidence)


def certificate_is_not_the_vendors(evidence: Evidence) -> Finding:
    """Somebody else's certificate stands where the vendor's should."""
    return of_one(evidence.one(Kind.NETWORK, "tls"), lambda r: r.fault == "certificate")


def answers_break_off(evidence: Evidence) -> Finding:
    """Answers begin, and the connection ends before they do: the vendor's server or anything on the
    way may be what breaks them off."""
    cut = tuple(r for r in those(evidence, Answer.SILENT) if r.fault == "cut")
    return found(cut, those(evidence, *WELL))


def connects(evidence: Evidence) -> Finding:
    """The vendor's host takes connections, with its own certificate where there is one."""
    tcp = of_one(evidence.one(Kind.NETWORK, "tcp"), _not_down)
    tls = evidence.one(Kind.NETWORK, "tls")
    return tcp if tls is None else both(tcp, of_one(tls, _not_down))


def connects_but_no_answer(evidence: Evidence) -> Finding:
    """Connections are taken, and then nothing comes back."""
    silent = tuple(
        r
        for r in those(evidence, Answer.SILENT)
        if r.fault not in NAME_FAULTS | TLS_FAULTS | CONNECTION_FAULTS | {"cut"}
    )
    answering = tuple(r for r in evidence.endpoints if r.answered)
    if not silent:
        return Finding(False, (), answering)
    way = connects(evidence)
    # Others of the same host that answer show the way as well as a connection of our own.
    if answering:
        return Finding(True, silent, ())
    return both(Finding(True, silent), way)


def slow_to_connect(evidence: Evidence) -> Finding:
    """Looking up the name or making a connection takes most of the time."""
    return _any_slow(evidence, ("dns", "tcp", "tls"))


def slow_on_the_way(evidence: Evidence) -> Finding:
    """Good answers take too long, and so does connecting, or reaching anything else."""
    slow_answers = those(evidence, Answer.SLOW)
    ways = (slow_to_connect(evidence), control_slow(evidence))
    supports = tuple(r for way in ways for r in way.supports)
    if not (slow_answers and supports):
        return Finding(False, (), tuple(r for way in ways for r in way.against))
    return Finding(True, (*slow_answers, *supports))


def connects_quickly(evidence: Evidence) -> Finding:
    """The connection is there at once: what is slow comes after it."""
    tcp = evidence.one(Kind.NETWORK, "tcp")
    return of_one(tcp, lambda r: r.outcome is Outcome.OK)


def control_answers(evidence: Evidence) -> Finding:
    """A site that has nothing to do with the vendor answers: our network gets out."""
    return of_one(evidence.one(Kind.NETWORK, "control"), _not_down)


def control_silent(evidence: Evidence) -> Finding:
    """Nothing else can be reached either: it is our network."""
    return down(Kind.NETWORK, "control")(evidence)


def control_asks_us(evidence: Evidence) -> Finding:
    """A site that has nothing to do with the vendor is answered by the same login or portal: it is
    our network that wants us to sign in."""
    return of_one(evidence.one(Kind.NETWORK, "control"), lambda r: r.fault == "intercepted")


def control_slow(evidence: Evidence) -> Finding:
    """Everything is slow, not the vendor alone."""
    return of_one(evidence.one(Kind.NETWORK, "control"), lambda r: r.outcome is Outcome.DEGRADED)


def control_quick(evidence: Evidence) -> Finding:
    """A site that has nothing to do with the vendor is as quick as ever."""
    return of_one(evidence.one(Kind.NETWORK, "control"), lambda r: r.outcome is Outcome.OK)


def proxy_set(evidence: Evidence) -> Finding:
    """Proxy variables are set where we run; our service may obey them."""
    return of_one(evidence.one(Kind.NETWORK, "proxy"), lambda r: r.outcome is Outcome.DEGRADED)


def answers_directly(evidence: Evidence) -> Finding:
    """The vendor's own address answers where our gateway does not."""
    direct = evidence.contrast("direct")
    # Silence may be a firewall of ours that lets nobody out but the gateway.
    if direct is None or not direct.answered:
        return UNKNOWN
    alive = answer_of(direct, float("inf")) in _OF_THE_API and direct.speaker is not Speaker.EDGE
    return Finding(alive, (direct,) if alive else (), () if alive else (direct,))


# With no key, any word of the API itself shows that it is there.
_OF_THE_API = WELL | {Answer.REFUSED, Answer.FORBIDDEN, Answer.REJECTED, Answer.THROTTLED}


def gateway_fails(evidence: Evidence) -> Finding:
    """It fails through our gateway, and the vendor's own address answers the same path."""
    broken = those(evidence, *_AT_A_GATEWAY)
    if not evidence.behind_gateway or not broken:
        return Finding(False)
    passes = evidence.contrast("no_key")
    # Without a key the gateway does pass us on: it is the vendor that fails with one.
    if passes is not None and answer_of(passes, float("inf")) in _OF_THE_API:
        return Finding(False, (), (passes,))
    return both(found(broken), answers_directly(evidence))


_AT_A_GATEWAY = (
    Answer.SERVER_ERROR,
    Answer.SILENT,
    Answer.PAGE,
    Answer.SHUT_OUT,
    Answer.INTERCEPTED,
)


def no_gateway_to_blame(evidence: Evidence) -> Finding:
    """Nothing of ours stands before the vendor, or the vendor's own address fails as well."""
    if not evidence.behind_gateway:
        return Finding(bool(evidence.endpoints))
    direct = answers_directly(evidence)
    if direct.holds is None:
        return UNKNOWN
    return Finding(not direct.holds, direct.against, direct.supports)


def nothing_else_answers(evidence: Evidence) -> Finding:
    """Neither a site that has nothing to do with the vendor, nor the vendor's status page."""
    control, page = evidence.one(Kind.NETWORK, "control"), evidence.status_page
    if control is None or control.outcome is Outcome.UNKNOWN:
        return UNKNOWN
    answering = tuple(r for r in (control, page) if r is not None and _answered(r))
    silent = tuple(r for r in (control, page) if r is not None and not _answered(r))
    return Finding(not answering, () if answering else silent, answering)


def _answered(reading: Reading) -> bool:
    if reading.kind is Kind.NETWORK:
        return _not_down(reading)
    return reading.answered


def _by_stage(evidence: Evidence, stage: str, faults: frozenset[str]) -> Finding:
    """By the endpoints' own faults, and by the stage where it was tried by itself."""
    hit = tuple(r for r in those(evidence, Answer.SILENT) if r.fault in faults)
    answering = tuple(r for r in evidence.endpoints if r.answered)
    own = evidence.one(Kind.NETWORK, stage)
    tried = () if own is None or own.outcome is not Outcome.DOWN else (own,)
    if own is not None and own.outcome in (Outcome.OK, Outcome.DEGRADED) and not hit:
        return Finding(False, (), (own,))
    supports = hit or (those(evidence, Answer.SILENT) if tried else ())
    return Finding(bool(supports) and not answering, (*supports, *tried), answering)


def _any_slow(evidence: Evidence, stages: tuple[str, ...]) -> Finding:
    readings = [evidence.one(Kind.NETWORK, stage) for stage in stages]
    known = tuple(r for r in readings if r is not None and r.outcome is not Outcome.UNKNOWN)
    slow = tuple(r for r in known if _slow(r))
    return Finding(bool(slow), slow, () if slow else known) if known else UNKNOWN


def _slow(reading: Reading) -> bool:
    return reading.value is not None and reading.bound is not None and reading.value > reading.bound


def _not_down(reading: Reading) -> bool:
    return reading.outcome is not Outcome.DOWN


SIGNS = (
    timeouts,
    some_endpoints_silent,
    dns_fails,
    tls_fails,
    cannot_connect,
    name_lookup_fails,
    certificate_is_not_the_vendors,
    answers_break_off,
    connects,
    connects_but_no_answer,
    slow_to_connect,
    slow_on_the_way,
    connects_quickly,
    control_answers,
    control_silent,
    control_asks_us,
    control_slow,
    control_quick,
    proxy_set,
    answers_directly,
    gateway_fails,
    no_gateway_to_blame,
    nothing_else_answers,
)
