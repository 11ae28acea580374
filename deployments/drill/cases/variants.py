"""Cases drawn from a seed: which endpoints, what share, how slow, in what order, and faults that
begin while the triage looks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from deployments.drill.cases.answers_table import answers, page
from deployments.drill.cases.case import Case
from deployments.drill.cases.table import (
    DEGRADED_MX,
    DOWN_MX,
    EXPIRED,
    MAINTENANCE_MX,
    M,
    fault,
    outage,
)

PATHS = ("/workorders", "/assets", "/locations", "/users")
CRITICAL = "/workorders"
SETTLE_S = 0.2

Draw = Callable[[Random], dict[str, Any]]


# Of the drawn cases, each so-manieth begins only while the triage looks (or after its last request:
# then the next look finds it, as with the health check).
LATE_EACH = 5
# Answered before it begins: the four endpoints, or some of them, and what is asked beside them.
MOST_BEFORE = 6


def variants(seed: int, count: int) -> Iterator[Case]:
    """`count` cases; the same seed draws the same ones."""
    rng = Random(seed)
    for number in range(count):
        draw = rng.choice(_DRAWS)
        facts = draw(rng)
        name = f"variant-{seed}-{number:04d}-{draw.__name__.strip('_')}"
        faults = list(facts.pop("faults", ()))
        rng.shuffle(faults)
        late = bool(faults) and number % LATE_EACH == 0
        said = f"drawn{', begins during the triage' if late else ''}"
        faults = _later(rng, faults) if late else faults
        facts |= {"faults": tuple(faults), "settle_s": SETTLE_S}
        # A key that was offered before the fault began has expired with the other one.
        facts |= {"looks": 6, "proven": None} if late else {}
        yield Case(name=name, says=said, vendor=M, **facts)


def _later(rng: Random, faults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same, beginning with one of the first requests of a look: counted, since a look takes
    ten milliseconds here and a second there."""
    requests = rng.randint(1, MOST_BEFORE)
    return [{**told, "after_requests": requests} for told in faults]


def _some(rng: Random) -> tuple[str, ...]:
    """A part of the endpoints: at least one, never all."""
    return tuple(rng.sample(PATHS, rng.randint(1, len(PATHS) - 1)))


def _one_of(rng: Random, critical: int, other: int) -> tuple[tuple[str, ...], int]:
    paths = _some(rng)
    return paths, critical if CRITICAL in paths else other


def _expired(rng: Random) -> dict[str, Any]:
    pending = rng.choice(("none", "good", "bad"))
    return {
        "faults": (EXPIRED,),
        "pending": pending,
        "causes": ("api_key_expired",),
        "severity": 1,
        "proven": pending == "good",
    }


def _stripped(_rng: Random) -> dict[str, Any]:
    return {"faults": (fault("key_stripped"),), "causes": ("key_missing",), "severity": 1}


def _auth_down(rng: Random) -> dict[str, Any]:
    page = rng.choice(({}, DEGRADED_MX))
    return {
        "faults": (fault("auth_down"),),
        "second": "good",
        "page": page,
        "causes": ("vendor_auth_down",),
        "severity": 1,
        "proven": bool(page),
    }


def _scope(rng: Random) -> dict[str, Any]:
    paths, severity = _one_of(rng, 2, 4)
    kind = rng.choice(("forbidden", "key_refused"))
    return {"faults": (fault(kind, *paths),), "causes": ("key_lacks_scope",), "severity": severity}


def _denied(_rng: Random) -> dict[str, Any]:
    return {"faults": (fault("forbidden"),), "causes": ("access_denied",), "severity": 1}


def _outage(rng: Random) -> dict[str, Any]:
    page = rng.choice(({}, DEGRADED_MX, DOWN_MX, {"broken": "html"}, {"broken": "500"}))
    return {
        "faults": (outage(status=rng.choice((500, 502, 503, 504, 520, 599))),),
        "page": page,
        "causes": ("vendor_outage",),
        "severity": 1,
    }


def _partial_outage(rng: Random) -> dict[str, Any]:
    paths, severity = _one_of(rng, 2, 4)
    status = rng.choice((500, 502, 503))
    return {
        "faults": (outage(*paths, status=status),),
        "page": rng.choice(({}, DEGRADED_MX)),
        "causes": ("intermittent_errors",),
        "severity": severity,
    }


def _wavering(rng: Random) -> dict[str, Any]:
    share = round(rng.uniform(0.3, 0.55), 2)
    return {
        "faults": (outage(status=rng.choice((500, 503)), share=share),),
        "causes": ("intermittent_errors",),
        "severity": 2,
        "or_severities": (4,),
        "looks": 6,
    }


def _moved(rng: Random) -> dict[str, Any]:
    path = rng.choice(PATHS)
    return {
        "faults": (fault("path_moved", path=path),),
        "causes": ("api_path_changed",),
        "severity": 2 if path == CRITICAL else 4,
        "proven": True,
    }


def _hanging(rng: Random) -> dict[str, Any]:
    paths, severity = _one_of(rng, 1, 2)
    kind = rng.choice(("hang", "drop"))
    return {"faults": (fault(kind, *paths),), "causes": ("vendor_hangs",), "severity": severity}


def _slow(rng: Random) -> dict[str, Any]:
    paths = rng.choice(((), _some(rng)))
    delay_s = round(rng.uniform(1.3, 1.9), 2)
    return {
        "faults": (fault("slow", *paths, delay_s=delay_s),),
        "causes": ("slow_vendor",),
        "severity": 3,
    }


def _page_for_people(rng: Random) -> dict[str, Any]:
    paths, severity = _one_of(rng, 1, 2)
    return {
        "faults": (fault("html", *paths),),
        "causes": ("answered_by_another",),
        "severity": severity,
    }


def _contract(rng: Random) -> dict[str, Any]:
    paths, severity = _one_of(rng, 2, 4)
    kind = rng.choice(("error_body", "bad_request"))
    return {
        "faults": (fault(kind, *paths),),
        "causes": ("api_contract_changed",),
        "severity": severity,
    }


def _throttled(rng: Random) -> dict[str, Any]:
    return {
        "faults": (fault("throttled", limit=rng.randint(0, 3), window_s=rng.choice((5, 10, 30))),),
        "causes": ("rate_limit_exceeded",),
        "severity": 2,
    }


def _unreachable(rng: Random) -> dict[str, Any]:
    mode = {"mode": "refuse"}
    dead = rng.random() < 0.5
    return {
        "wire": mode,
        "control": mode if dead else {},
        "page": {"broken": "hang"} if dead else {},
        "causes": ("network_issue",),
        "severity": 1,
        "proven": dead,
    }


def _redirected(rng: Random) -> dict[str, Any]:
    login = rng.random() < 0.5
    location = rng.choice(LOGINS if login else ("/v2/x", "https://api2.example.com/v1"))
    cause = "answered_by_another" if login else "api_path_changed"
    return {"faults": (fault("redirected", location=location),), "causes": (cause,), "severity": 1}


LOGINS = ("https://login.example.com/", "/login?next=x", "https://sso.corp.example/saml2/idp")


def _throttled_otherwise(rng: Random) -> dict[str, Any]:
    """D5: too many requests, in another dress than a 429."""
    status = rng.choice((403, 403, 420, 503, 529, 200, 400))
    spent = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "30"}
    words = rng.choice(("API rate limit exceeded", "Too many requests", "Request was throttled"))
    body = rng.choice(({"error": words}, {"errors": [{"message": words, "code": "RATE_LIMITED"}]}))
    given = answers(status, body, headers=rng.choice(({}, spent, {"Retry-After": "30"})))
    return {"faults": (given,), "causes": ("rate_limit_exceeded",), "severity": 2}


def _firewall(rng: Random) -> dict[str, Any]:
    """D6: a page of something before the API."""
    some = rng.random() < 0.7
    paths, severity = _one_of(rng, 2, 4) if some else ((), 1)
    title = rng.choice(
        ("Access Denied", "403 Forbidden", "Attention Required!", "Request Rejected")
    )
    server = rng.choice(({}, {"Server": "cloudflare"}, {"Server": "AkamaiGHost"}))
    given = answers(rng.choice((403, 403, 406)), page(title), *paths, headers=server)
    return {"faults": (given,), "causes": ("access_denied",), "severity": severity, "proven": False}


def _by_a_proxy(rng: Random) -> dict[str, Any]:
    """D9: a proxy, or the network, wants us to sign in."""
    given = answers(rng.choice((407, 511)), rng.choice(("", page("Proxy"))))
    return {"faults": (given,), "causes": ("network_issue",), "severity": 1, "proven": False}


def _alike(rng: Random) -> dict[str, Any]:
    """D7: every key, and none, is refused with the same words."""
    red = rng.random() < 0.5
    return {
        "faults": (answers(401, {"error": rng.choice(("Invalid token", "Unauthorized"))}),),
        "page": DOWN_MX if red else {},
        "pending": rng.choice(("none", "good")),
        "causes": ("vendor_auth_down",),
        "severity": 1,
        "proven": None if red else False,
    }


def _error_inside(rng: Random) -> dict[str, Any]:
    """D8: a 200 that holds an error, everywhere or somewhere."""
    some = rng.random() < 0.5
    paths, severity = _one_of(rng, 2, 4) if some else ((), 1)
    body: Any = rng.choice(({"errors": [{"message": "boom"}]}, {"error": "boom"}, [], ""))
    return {
        "faults": (answers(200, body, *paths),),
        "causes": ("api_contract_changed",),
        "severity": severity,
        "proven": False,
    }


def _at_our_gateway(rng: Random) -> dict[str, Any]:
    """D3: our gateway fails, the vendor answers past it."""
    return {
        "wire": {"mode": "answer", "status": rng.choice((500, 502, 503, 504))},
        "gateway": True,
        "page": rng.choice(({}, DOWN_MX)),
        "causes": ("gateway_fault",),
        "severity": 1,
    }


def _unexplained_by_maintenance(rng: Random) -> dict[str, Any]:
    """D2 D10: something else is wrong in announced maintenance."""
    if rng.random() < 0.5:
        return {**_expired(rng), "page": MAINTENANCE_MX}
    return {**_scope(rng), "page": MAINTENANCE_MX}


def _down_and_slow(rng: Random) -> dict[str, Any]:
    """Two faults at once, at different endpoints."""
    paths = list(PATHS)
    rng.shuffle(paths)
    broken, slow = paths[0], paths[1]
    return {
        "faults": (outage(broken), fault("slow", slow, delay_s=1.5)),
        "causes": ("intermittent_errors", "slow_vendor"),
        "severity": 2 if broken == CRITICAL else 3,
        "mixed": True,
    }


def _expired_and_down(rng: Random) -> dict[str, Any]:
    paths = _some(rng)
    return {
        "faults": (EXPIRED, outage(*paths)),
        "pending": "good",
        "causes": ("api_key_expired", "intermittent_errors"),
        "severity": 1,
        "mixed": True,
    }


def _well(rng: Random) -> dict[str, Any]:
    """Nothing is wrong, whatever the status page says."""
    return {"page": rng.choice(({}, DOWN_MX)), "causes": (), "severity": None}


_DRAWS: tuple[Draw, ...] = (
    _expired,
    _stripped,
    _auth_down,
    _scope,
    _denied,
    _outage,
    _partial_outage,
    _wavering,
    _moved,
    _hanging,
    _slow,
    _page_for_people,
    _contract,
    _throttled,
    _unreachable,
    _redirected,
    _throttled_otherwise,
    _firewall,
    _by_a_proxy,
    _alike,
    _error_inside,
    _at_our_gateway,
    _unexplained_by_maintenance,
    _down_and_slow,
    _expired_and_down,
    _well,
)
