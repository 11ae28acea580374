"""What an answer is, and who gave it: the words that the client's errors and the signs share."""

from __future__ import annotations

from enum import StrEnum


class Answer(StrEnum):
    """Every answer is of exactly one kind."""

    OK = "ok"
    SLOW = "slow"
    PAGE = "page"  # 2xx, and a page for people where data should be
    ODD = "odd"  # 2xx, and data of another shape than asked for
    COPY = "copy"  # 2xx out of a cache, from too long ago to say anything of now
    REDIRECTED = "redirected"
    INTERCEPTED = "intercepted"  # a login page, a captive portal or a proxy answers instead
    REJECTED = "rejected"  # 400, 422 and their like: what we ask is not understood
    REFUSED = "refused"  # 401
    FORBIDDEN = "forbidden"  # 403 of the API itself
    SHUT_OUT = "shut_out"  # refused by something before the API: a firewall's page, 451
    MISSING = "missing"  # 404, 410
    THROTTLED = "throttled"  # 429, and whatever else says that it was asked too much
    SERVER_ERROR = "server_error"
    STRANGE = "strange"  # a status that means nothing
    SILENT = "silent"  # no usable answer
    UNSENT = "unsent"  # nothing was asked: we have no key to ask with


class Speaker(StrEnum):
    """Who gave an answer, by its kind: the names of products are only told, never judged by."""

    API = "api"  # JSON, as the API speaks
    EDGE = "edge"  # a CDN, firewall or load balancer before it: a page, or a status of theirs
    PROXY = "proxy"  # on our way out: 407, 511


WELL = frozenset({Answer.OK, Answer.SLOW})
# Whoever gives these has looked at the key and let it in.
ADMITTED = WELL | {Answer.ODD, Answer.REJECTED, Answer.FORBIDDEN}
# The API itself has looked at the key, and says no.
REFUSALS = frozenset({Answer.REFUSED, Answer.FORBIDDEN})

_BY_STATUS = {
    304: Answer.STRANGE,
    # Payment required: the key is known, its account may not do this.
    402: Answer.FORBIDDEN,
    401: Answer.REFUSED,
    403: Answer.FORBIDDEN,
    404: Answer.MISSING,
    407: Answer.INTERCEPTED,
    410: Answer.MISSING,
    408: Answer.SERVER_ERROR,
    # An expired session, an expired or invalid token: not registered, and widely used.
    419: Answer.REFUSED,
    440: Answer.REFUSED,
    498: Answer.REFUSED,
    420: Answer.THROTTLED,
    425: Answer.SERVER_ERROR,
    429: Answer.THROTTLED,
    451: Answer.SHUT_OUT,
    # Bandwidth limit exceeded.
    509: Answer.THROTTLED,
    511: Answer.INTERCEPTED,
}


def by_status(status: int) -> Answer:
    """What a status means where nothing else of the answer is known. Total."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if 200 <= status < 300:
        return Answer.OK
    if 300 <= status < 400:
        return Answer.REDIRECTED
    if 400 <= status < 500:
        return Answer.REJECTED
    return Answer.SERVER_ERROR if 500 <= status < 600 else Answer.STRANGE


# A CDN could not reach the vendor's own servers, or got no sense out of them.
CDN_STATUSES = frozenset({*range(520, 528), 530})
# The server understood, and will not do it however often it is asked.
FINAL_5XX = frozenset({501, 505, 506, 508, 509, 510, 511})


def worth_another_attempt(status: int) -> bool:
    """An unknown 5xx is as transient as a known one."""
    return status in (408, 425) or (500 <= status < 600 and status not in FINAL_5XX)
