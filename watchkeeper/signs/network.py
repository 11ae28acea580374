"""Signs of the way to the vendor: names, connections, TLS, and whether anything else can be reached."""

from __future__ import annotations

from watchkeeper.evidence import Evidence, Kind, Outcome, Reading
from watchkeeper.signs.answers import Answer, answer_of, those
from watchkeeper.signs.finding import UNKNOWN, Finding, both, down, of_one

NAME_FAULTS = frozenset({"dns"})
TLS_FAULTS = frozenset({"tls", "certificate"})
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


def connects(evidence: Evidence) -> Finding:
    """The vendor's host takes connections, with its own certificate where there is one."""
    tcp = of_one(evidence.one(Kind.NETWORK, "tcp"), _not_down)
    tls = evidence.one(Kind.NETWORK, "tls")
    return tcp if tls is None else both(tcp, of_one(tls, _not_down))


def connects_but_no_answer(evidence: Evidence) -> Finding:
    """Connections are taken, and then nothing, or nothing whole, comes back."""
    silent = tuple(
        r
        for r in those(evidence, Answer.SILENT)
        if r.fault not in NAME_FAULTS | TLS_FAULTS | CONNECTION_FAULTS
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
    if direct is None:
        return UNKNOWN
    alive = answer_of(direct, float("inf")) not in (Answer.SILENT, Answer.SERVER_ERROR)
    return Finding(alive, (direct,) if alive else (), () if alive else (direct,))


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
    connects,
    connects_but_no_answer,
    slow_to_connect,
    slow_on_the_way,
    connects_quickly,
    control_answers,
    control_silent,
    control_slow,
    control_quick,
    proxy_set,
    answers_directly,
)
