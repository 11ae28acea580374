"""What one answer is, by its status, headers, kind of body and words: the only place that says so.

The client's errors (asked again or not, held for how long) and the signs of a diagnosis both read
this classification. A status alone means little: a 403 may be a spent budget, a firewall's page or
a missing right, and a 200 any of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from watchkeeper.answer import (
    CDN_STATUSES,
    Answer,
    Speaker,
    by_status,
    worth_another_attempt,
)
from watchkeeper.harmless import harmless
from watchkeeper.vendor.bodies import Body, Said, inner_status, is_only_an_error, read_body
from watchkeeper.vendor.rate_signals import RateSignal, rate_signal
from watchkeeper.vendor.reply import Reply

LONGEST_QUOTE = 60

Page = Literal["login_page", "maintenance_page", "blocked_page", "html"]

# It says that a limit was passed, not merely that there is one.
_THROTTLES = re.compile(
    r"rate[\s_-]?limit(?:s|ed)?(?:\s+\w+){0,3}\s+(?:was\s+|were\s+|has\s+been\s+|is\s+)?"
    r"(?:exceeded|reached|hit|passed)"
    r"|(?:exceed(?:ed|ing|s)?|reached|hit|over|passed)\s+(?:\w+\s+){0,4}"
    r"(?:rate[\s_-]?limits?|(?<!storage )(?<!disk )quota|(?:api|call|usage)s?[\s_-]limits?)"
    r"|rate[\s_-]?limit(?:ed|[\s_-]?exceeded|[\s_-]?error)"
    r"|rate_limited?\b|\bratelimit(?:ed|exceeded|error)?\b|\brate[\s_-]limiting\b"
    r"|userratelimitexceeded|dailylimitexceeded"
    r"|too[\s_-]?many[\s_-]?(?:\w+\s+)?(?:requests?|calls|queries)"
    r"|\bthrottl(?:ed|ing|e)"
    r"|(?<!storage )(?<!disk )quota(?:s|\s+\w+){0,3}[\s_-]*"
    r"(?:exceeded|exhausted|reached|depleted|used\s+up)"
    r"|\bquotaexceeded\b|\bout\s+of\s+quota\b|\bover_(?:query|daily|rate)_limit\b"
    r"|(?:api|request|call|usage|concurrency|bandwidth|query)s?[\s_-]?limit[\s_-]?"
    r"(?:\s+\w+){0,2}(?:exceeded|reached|hit)"
    r"|(?<![a-z_])limit_exceeded\b|resource_exhausted|slow\s?_?down\b"
    r"|enhance[\s_]your[\s_]calm",
    re.IGNORECASE,
)
# A limiter that is itself broken limits nobody.
_LIMITER_BROKEN = re.compile(
    r"(?:rate[\s_-]?limit(?:er|ing)?|quota|throttl\w+)[\s_-]+(?:service|backend|server|store|check|"
    r"plugin|filter)?\s*(?:is\s+|was\s+|are\s+)?(?:unavailable|down|failed|failure|timed|timeout|"
    r"unreachable|not\s+available|could\s+not)",
    re.IGNORECASE,
)
# A spent budget explains these; any other status has its own reason, and may tell the budget too.
_EXPLAINED_BY_BUDGET = frozenset({400, 403, 420, 429, 430, 503, 509, 529})

_LOGIN = re.compile(
    r"\b(?:log|sign)[\s_-]?(?:in|on)\b|\bsso\b|\bsaml\b|\badfs\b|\boauth2?\b|\bauthori[sz]e\b"
    r"|\bauthenticat\w*|\bcaptive\b|\bportal\b|\bhotspot\b|\bwi-?fi\b|\bidp\b|\bcas\b",
    re.IGNORECASE,
)
_MAINTENANCE = re.compile(
    r"maintenance|be\s+(?:right\s+)?back|down\s+for|scheduled\s+downtime|upgrading", re.IGNORECASE
)
_BLOCKED = re.compile(
    r"\b(?:request|access|you|ip|address|page|connection|client)\b[^.]{0,40}"
    r"\b(?:blocked|denied|forbidden|rejected|restricted|banned)\b"
    r"|\bblocked\b|attention\s+required|just\s+a\s+moment|security\s+(?:check|service|policy)"
    r"|web\s+application\s+firewall|\bwaf\b|incident\s+id|support\s+id|error\s+10\d\d\b"
    r"|request\s+unsuccessful|not\s+acceptable|captcha|challenge",
    re.IGNORECASE,
)
# What API gateways and firewalls set on what they refuse themselves.
_EDGE_HEADERS = ("cf-mitigated", "x-amzn-waf-action", "x-squid-error", "x-iinfo-block")
_BAD_KEY = re.compile(
    r"invalid[\s_-]?auth\w*|not[\s_-]?authed|unauthenticated|unauthori[sz]ed"
    r"|(?:invalid|expired|bad|missing|revoked|wrong)[\s_-](?:\w+[\s_-])?(?:api[\s_-]?)?"
    r"(?:key|token|credentials?)"
    r"|(?:key|token|credentials?)[\s_-](?:\w+[\s_-])?(?:invalid|expired|revoked|inactive)",
    re.IGNORECASE,
)
_NO_RIGHT = re.compile(
    r"\bforbidden\b|permission|not\s+allowed|missing[\s_-]scope|access[\s_-]denied", re.IGNORECASE
)
_BROKEN = re.compile(
    r"internal[\s_-]?(?:server[\s_-]?)?error|service[\s_-]?(?:is\s+)?(?:temporarily\s+)?"
    r"(?:unavailable|not\s+available)|temporarily[\s_-]unavailable|bad[\s_-]gateway"
    r"|gateway[\s_-]?time-?out|backend\s+\w*\s*(?:error|failed|unavailable)|upstream|\boverloaded\b"
    r"|\bunavailable\b",
    re.IGNORECASE,
)
# Statuses of which a page says nothing more than they do.
_PAGE_IS_USUAL = frozenset({401, 404, 407, 408, 410, 419, 425, 440, 498})


@dataclass(frozen=True, slots=True)
class Signals:
    """What an answer is, and what follows from it.

    `wait_s`: how long it asks us to wait, clamped; None: it does not say. `again`: another attempt
    may be answered otherwise. `fault` and `detail`: in a word of a closed set, and for people.
    """

    answer: Answer
    speaker: Speaker | None
    body: Body
    rate: RateSignal
    wait_s: float | None = None
    again: bool = False
    fault: str | None = None
    detail: str = ""


def classify(reply: Reply) -> Signals:
    """Total: whatever a vendor, or something before it, sends."""
    said = read_body(reply.body)
    only_error = is_only_an_error(said.value)
    refusal = reply.status >= 400 or only_error
    rate = rate_signal(
        reply.headers, reply.date or reply.at, reply.body if reply.status >= 400 else b""
    )
    if refusal and _throttles(reply.status, rate, said, only_error):
        rate = rate_signal(reply.headers, reply.date or reply.at, reply.body)
        return _throttled(reply, said, rate)
    answer, fault, detail = _judged(reply, said, only_error)
    unavailable = answer is Answer.SERVER_ERROR
    return Signals(
        answer=answer,
        speaker=_speaker(reply, said, answer),
        body=said.body,
        rate=rate,
        wait_s=rate.wait_s if unavailable else None,
        again=unavailable and (reply.status < 300 or worth_another_attempt(reply.status)),
        fault=fault,
        detail=detail,
    )


def _throttles(status: int, rate: RateSignal, said: Said, only_error: bool) -> bool:
    if by_status(status) is Answer.THROTTLED:
        return True
    if status >= 400 and status in _EXPLAINED_BY_BUDGET and rate.remaining == 0:
        return True
    if only_error and inner_status(said.value) == 429:
        return True
    words = said.words
    return bool(_THROTTLES.search(words)) and not _LIMITER_BROKEN.search(words)


def _throttled(reply: Reply, said: Said, rate: RateSignal) -> Signals:
    why = "" if reply.status == 429 else "it says that it was asked too much"
    return Signals(
        answer=Answer.THROTTLED,
        speaker=_speaker(reply, said, Answer.THROTTLED),
        body=said.body,
        rate=rate,
        wait_s=rate.reset_s if rate.wait_s is None else rate.wait_s,
        again=True,
        detail=why,
    )


def _judged(reply: Reply, said: Said, only_error: bool) -> tuple[Answer, str | None, str]:
    status = reply.status
    answer = by_status(status)
    if 200 <= status < 300:
        return _success(said, only_error)
    if answer is Answer.REDIRECTED:
        return _redirected(reply)
    if 400 <= status < 500 and status not in _PAGE_IS_USUAL:
        if said.body is Body.PAGE:
            kind = _page_of(said)
            if kind == "login_page":
                return Answer.INTERCEPTED, kind, f"{_whose(reply)} asks to sign in"
            return Answer.SHUT_OUT, kind, f"{_whose(reply)}, and not the API, refuses"
        if answer is Answer.FORBIDDEN and _by_an_edge(reply, said):
            return Answer.SHUT_OUT, None, "refused by something before the API"
    if answer is Answer.INTERCEPTED:
        what = "a proxy asks us to sign in" if status == 407 else "a network asks us to sign in"
        return answer, None, what
    if status in CDN_STATUSES:
        return answer, None, "a CDN before the API could not reach the vendor's own servers"
    return answer, None, ""


def _success(said: Said, only_error: bool) -> tuple[Answer, str | None, str]:
    if said.body is Body.PAGE:
        kind = _page_of(said)
        if kind == "login_page":
            return Answer.INTERCEPTED, kind, "a page that asks to sign in, and not the JSON"
        return Answer.PAGE, kind, "a page, and not the JSON that was asked for"
    if not only_error:
        return Answer.OK, None, ""
    inner = inner_status(said.value)
    answer = by_status(inner) if inner is not None else _of_words(said.words)
    quoted = f': "{harmless(said.words, LONGEST_QUOTE)}"' if said.words else ""
    return answer, "error_body", f"a good status, and an error in the body{quoted}"


def _of_words(words: str) -> Answer:
    if _BAD_KEY.search(words):
        return Answer.REFUSED
    if _NO_RIGHT.search(words):
        return Answer.FORBIDDEN
    return Answer.SERVER_ERROR if _BROKEN.search(words) else Answer.ODD


def _redirected(reply: Reply) -> tuple[Answer, str | None, str]:
    location = reply.headers.get("location", "")[:2048]
    try:
        to = urlsplit(location)
        about = " ".join((to.hostname or "", to.path.replace("/", " "), to.query))
    except ValueError:
        about = location
    if _LOGIN.search(about.replace(".", " ").replace("_", " ").replace("=", " ")):
        return Answer.INTERCEPTED, "login_page", "sent on to a login page"
    if _MAINTENANCE.search(about):
        return Answer.PAGE, "maintenance_page", "sent on to a page about maintenance"
    return Answer.REDIRECTED, None, ""


def _page_of(said: Said) -> Page:
    words = said.words
    if said.asks_password or (_LOGIN.search(words) and not _BLOCKED.search(words)):
        return "login_page"
    if _MAINTENANCE.search(words):
        return "maintenance_page"
    return "blocked_page" if _BLOCKED.search(words) else "html"


def _by_an_edge(reply: Reply, said: Said) -> bool:
    """A refusal in JSON or plain words that the API did not write."""
    if any(name in reply.headers for name in _EDGE_HEADERS):
        return True
    return said.body in (Body.TEXT, Body.MARKUP) and bool(
        re.search(r"blocked|firewall|\bwaf\b|rbac: access denied", said.words, re.IGNORECASE)
    )


def _speaker(reply: Reply, said: Said, answer: Answer) -> Speaker | None:
    if reply.status in (407, 511):
        return Speaker.PROXY
    if said.body is Body.PAGE or answer is Answer.SHUT_OUT or reply.status in CDN_STATUSES:
        return Speaker.EDGE
    return Speaker.API if said.body in (Body.OBJECT, Body.LIST, Body.LARGE) else None


def _whose(reply: Reply) -> str:
    """`a page of cloudflare`: the name is told, and nothing is judged by it."""
    named = re.match(r"[A-Za-z][A-Za-z0-9._-]{1,24}", reply.headers.get("server", ""))
    return f"a page of {named[0]}" if named else "a page"
