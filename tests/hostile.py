"""Hostile HTTP answers, seeded: every kind in turn, each time with other details."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count as count_from
from random import Random
from typing import Any, Literal

import hostile_bodies as bodies
from hostile_bodies import ECHO, ELSEWHERE, GOOD, LIST, MIB, TEXTS

How = Literal[
    "whole",
    "truncated",  # Content-Length lies
    "overlong",  # more bytes than Content-Length says
    "drip",  # a byte now and then
    "head_drip",
    "hang",  # a head, and then nothing
    "silent",
    "reset",
    "closed",  # before a word
    "chunked",  # as it should be
    "chunk_garbage",
    "tiny_chunks",
    "endless",
    "header_flood",
    "cookie_flood",
    "continue_storm",
    "bad_status_line",
    "not_http",
    "bad_length",
    "two_answers",
]
TRICKS: tuple[How, ...] = (
    "drip",
    "head_drip",
    "hang",
    "silent",
    "reset",
    "closed",
    "overlong",
    "chunk_garbage",
    "tiny_chunks",
    "endless",
    "header_flood",
    "cookie_flood",
    "continue_storm",
    "bad_status_line",
    "not_http",
    "bad_length",
    "two_answers",
)
STATUSES = (200, 200, 200, 200, 204, 206, 299, 300, 304, 400, 401, 401, 402, 403, 404, 404, 405)
STATUSES += (408, 409, 410, 418, 422, 425, 429, 451, 499, 500, 500, 501, 502, 503, 504, 511, 599)
STATUSES += (0, 99, 100, 101, 103, 199, 600, 700, 999)
WAITS = ("1e309", "-1", "NaN", "99999999999", "999999999999999999", "Infinity", "0", "-0", "1.5.5")
WAITS += (
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT",
    "0x10",
    "60 s",
    "\t",
    "",
)
WAITS += ("Fri, 31 Dec 9999 23:59:59 -2359", "Wed, 30 Feb 2026 25:61:61 GMT", "9" * 5000, "1e400")
RATES = (*WAITS, "100, 100;w=60", "100;w=-1", "r=5;t=99999999999999", "\x1b[2J", "१०", "1,2,3", "٣")
DATES = ("Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "0", "now", "x" * 20_000)
DATES += ("Fri, 31 Dec 9999 23:59:59 -9959", "Thu, 01 Jan 1970 00:00:00 +9999", "1 " * 5000, "-1")
DATES += ("Mon, 99 Foo 99999999999999999999 99:99:99 +9999999", "Mon, 02 Mar 2026 09:00:00 -0000")
TYPES = ("application/json", "text/html", "application/json; charset=utf-16", "", "a" * 9000)
TYPES += (
    "application/json\x1b[2J",
    "multipart/form-data; boundary=x",
    "image/png",
    "\xff\x9b/\x85",
)
COOKIES = (
    "a=b; Expires=Fri, 31-Dec-9999 23:59:59 GMT",
    "a=b; Max-Age=1e999",
    "a=b; Max-Age=-1",
    "=",
)
COOKIES += ("a=b; Domain=.com; Path=//", "a=b; Version=x; Port=1", ";" * 2000, "a=" + "b" * 9000)
PLACES = (ELSEWHERE + "/steal", "//elsewhere.example/x", "/v1/workorders", "//[", "http://", "?a=b")
PLACES += ("http://xn--/", "http://a:99999999/", "javascript:alert(1)", "\x1b[2J", "x" * 70_000, "")
PLACES += ("http://user:pw@elsewhere.example/", "file:///etc/passwd", "http://\xff.example/")

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One answer. `name`: its kind; `how`: what the wire does with it."""

    name: str
    status: int = 200
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    how: How = "whole"


Make = Callable[[Random], Hostile]


def mutated(change: Callable[[Random, Any], bytes]) -> Make:
    def make(rng: Random) -> Hostile:
        status = 200 if rng.random() < 0.6 else rng.choice(STATUSES)
        return Hostile("", status, _headers(rng), change(rng, rng.choice(list(GOOD.values()))))

    return make


def deep(rng: Random) -> Hostile:
    body = bodies.deep(rng.choice(("[", '{"a":', '[{"a":')), rng.random() < 0.5)
    return Hostile("", rng.choice((200, 401, 500)), _headers(rng), body)


def huge(rng: Random) -> Hostile:
    """Small ones mostly: the largest take a second each wherever somebody reads them."""
    size = rng.choices((100_000, MIB - 4096, 10 * MIB), (80, 16, 4))[0]
    kinds = ("text", "keys", "records", "metrics", "label", "lists", "objects", "numbers")
    body = bodies.huge(rng.choice((*kinds, "space", "page")), size)
    return Hostile("", rng.choice((200, 200, 401, 429, 503)), _headers(rng), body)


def gzipped(rng: Random) -> Hostile:
    coding = rng.choice(
        ("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity", "", "GZIP ", "x")
    )
    return Hostile("", 200, (*_headers(rng), ("Content-Encoding", coding)), bodies.bomb())


def redirect(rng: Random) -> Hostile:
    status = rng.choice((300, 301, 302, 303, 304, 307, 308, 200, 201))
    where = rng.choice(("Location", "Content-Location", "Refresh", "Link"))
    place = rng.choice(PLACES)
    shown = {"Refresh": f"0; url={place}", "Link": f'<{place}>; rel="next"'}.get(where, place)
    return Hostile("", status, ((where, shown), *_headers(rng)), json.dumps(LIST).encode())


def waits(rng: Random) -> Hostile:
    said = [("Retry-After", rng.choice(WAITS))]
    for prefix in ("X-RateLimit", "X-Rate-Limit", "RateLimit"):
        ends = ("-Limit", "-Remaining", "-Reset", "", "-Policy")
        said += [(prefix + end, rng.choice(RATES)) for end in ends if rng.random() < 0.4]
    words = rng.choice((b"", b"retry in 999999999 minutes", b'{"error":"retry after 1e9 ms"}'))
    return Hostile("", rng.choice((429, 429, 200, 503)), (*said, *_headers(rng)), words)


def dates(rng: Random) -> Hostile:
    said = (("Date", rng.choice(DATES)), ("Age", rng.choice(WAITS)), ("Expires", rng.choice(DATES)))
    return Hostile("", rng.choice((200, 200, 429, 401)), said, json.dumps(LIST).encode())


def next_links(rng: Random) -> Hostile:
    """The page after this one is somewhere else, this one again, or nowhere."""
    following = (
        *TEXTS,
        *PLACES,
        "c2",
        2,
        10**30,
        -1,
        1e300,
        True,
        [],
        {},
        ["c2"],
        "9" * 4096,
        "x" * 4097,
    )
    more = {name: rng.choice(following) for name in ("nextCursor", "nextPageUrl", "next", "cursor")}
    records = rng.choice(([], LIST["workOrders"], LIST["workOrders"] * 50))
    body = json.dumps({"workOrders": records, "items": records, "meta": more, **more})
    return Hostile("", 200, (("Link", f'<{ELSEWHERE}>; rel="next"'),), body.encode())


def words(rng: Random) -> Hostile:
    """What would do something to whoever shows it, in errors and in names."""
    text = rng.choice(TEXTS)
    shapes: tuple[Any, ...] = (
        {"error": text},
        {"errors": [{"error": text}]},
        {"message": text},
        {text: text},
        {"status": text, "checks": {text: {"status": "fail"}}},
        {"status": "ok", "checks": [{"name": text, "status": False}], "keyFingerprint": text},
        {"status": {"indicator": text}, "components": [{"name": "API", "status": text}]},
        bodies.put(bodies.BETTER_STACK, ("included", 0, "attributes", "status"), text),
        {"status": "error", "errorType": text, "error": text},
        {"paths": {text: {}}},
    )
    escaped = rng.random() < 0.7
    body = json.dumps(rng.choice(shapes), ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    return Hostile("", rng.choice((200, 200, 400, 401, 403, 429, 500)), _headers(rng), body)


def odd_status(rng: Random) -> Hostile:
    good = json.dumps(rng.choice(list(GOOD.values()))).encode()
    return Hostile(
        "", rng.choice((0, 99, 100, 101, 103, 199, 204, 299, 418, 599, 600, 999)), (), good
    )


def truncated(rng: Random) -> Hostile:
    return Hostile("", 200, _headers(rng), json.dumps(LIST).encode(), "truncated")


def trick(how: How, rng: Random) -> Hostile:
    good = rng.choice((json.dumps(LIST).encode(), bodies.METRICS.encode(), b"x" * 5000))
    return Hostile("", rng.choice((200, 200, 429, 500)), _headers(rng), good, how)


def _headers(rng: Random) -> Headers:
    """Now and then one or two that lie."""
    said = [("Content-Type", rng.choice(TYPES) if rng.random() < 0.2 else TYPES[0])]
    odd = (("Date", DATES), ("Retry-After", WAITS), ("Set-Cookie", COOKIES), ("Location", PLACES))
    said += [(name, rng.choice(values)) for name, values in odd if rng.random() < 0.15]
    return tuple(said)


BODIES: dict[str, Make] = {
    "html and plain text": mutated(bodies.page),
    "body cut short": mutated(bodies.cut),
    "NaN, infinities, odd numbers": mutated(bodies.odd_token),
    "1e999": mutated(partial(bodies.odd_token, tokens=("1e999", "-1e999", "[1e999]"))),
    "keys given twice": mutated(bodies.twice),
    "200,000 deep": deep,
    "wrong types": mutated(bodies.wrong_type),
    "wrong names": mutated(bodies.odd_key),
    "wrong encodings": mutated(bodies.encoded),
    "damaged bytes": mutated(bodies.damaged),
    "more behind the end": mutated(bodies.trailing),
    "odd metrics": mutated(bodies.metrics),
    "huge": huge,
    "gzip bomb": gzipped,
    "redirects": redirect,
    "absurd waits and budgets": waits,
    "absurd dates": dates,
    "next pages elsewhere": next_links,
    "control characters and markup": words,
    "odd statuses": odd_status,
}
HEAVY = ("200,000 deep", "huge")
# And what only a wire can do.
KINDS: dict[str, Make] = {
    **BODIES,
    "content-length lies": truncated,
    **{how.replace("_", " "): partial(trick, how) for how in TRICKS},
}


def answers(
    seed: int,
    count: int,
    *,
    kinds: Collection[str] = KINDS,
    elsewhere: str = ELSEWHERE,
    key: str = "test_first_key_0001",
) -> Iterator[Hostile]:
    """Every kind in turn. `elsewhere`: where links and redirects lead; `key`: what is echoed, in
    escapes that hide it from whoever looks for its bytes."""
    rng = Random(seed)
    names: list[str] = []
    turns = count_from(0)
    for _ in range(count):
        # Anew shuffled each round, or the kinds would always meet the same probes.
        names = names or _round(rng, kinds, next(turns))
        name = names.pop()
        made = KINDS[name](rng)
        yield replace(
            made, name=name, headers=_led(made, elsewhere), body=_bent(made, elsewhere, key)
        )


def _round(rng: Random, kinds: Collection[str], turn: int) -> list[str]:
    """Those that weigh much come every third time."""
    chosen = [name for name in kinds if name not in HEAVY or turn % 3 == 0]
    chosen = chosen or list(kinds)
    return rng.sample(chosen, len(chosen))


def _led(made: Hostile, elsewhere: str) -> Headers:
    return tuple((name, value.replace(ELSEWHERE, elsewhere)) for name, value in made.headers)


def _bent(made: Hostile, elsewhere: str, key: str) -> bytes:
    """Large bodies are left as they are, so that they stay one object."""
    if len(made.body) > 50_000:
        return made.body
    hidden = "".join(f"\\u{ord(c):04x}" for c in key).encode()
    return made.body.replace(ELSEWHERE.encode(), elsewhere.encode()).replace(ECHO.encode(), hidden)
