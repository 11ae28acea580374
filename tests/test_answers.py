"""What each answer means, and which bodies are believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from loopback import utc_now

from watchkeeper.errors import Ambiguous, Permanent, Throttled, Transient, WatchkeeperError
from watchkeeper.vendor.answers import (
    BadRequest,
    Forbidden,
    KeyRefused,
    NotFound,
    Redirected,
    Rejected,
    Unavailable,
    raise_for,
)
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.strict_json import BadBody, canonical, loads


def reply(status: int, body: bytes = b"", method: str = "GET", **headers: str) -> Reply:
    lowered = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, lowered, body, 0.1, utc_now(), method)


STATUSES: list[tuple[int, type[WatchkeeperError] | None]] = [
    (200, None),
    (201, None),
    (204, None),
    (301, Redirected),
    (302, Redirected),
    (304, Redirected),
    (400, BadRequest),
    (401, KeyRefused),
    (403, Forbidden),
    (404, NotFound),
    (405, Rejected),
    (408, Unavailable),
    (410, NotFound),
    (422, BadRequest),
    (425, Unavailable),
    (429, Throttled),
    (451, Forbidden),
    (500, Unavailable),
    (501, Rejected),
    (502, Unavailable),
    (503, Unavailable),
    (504, Unavailable),
    (505, Rejected),
    *((status, Unavailable) for status in (*range(520, 528), 529, 530, 598, 599, 555)),
    (511, Rejected),
    (999, Rejected),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_classification(status: int, kind: type[WatchkeeperError] | None) -> None:
    """D12: transient or permanent, and an unknown 5xx is as transient as a known one."""
    if kind is None:
        raise_for(reply(status), "workorders")
        return
    with pytest.raises(kind) as caught:
        raise_for(reply(status), "workorders")
    assert type(caught.value) is kind
    again = kind in (Unavailable, Throttled)
    assert isinstance(caught.value, Transient if again else Permanent)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520, 522, 599])
def test_a_write_that_broke_may_have_been_done(status: int) -> None:
    """A 502 tells nothing of what stood behind the gateway."""
    with pytest.raises(Ambiguous):
        raise_for(reply(status, method="POST"), "workorders")


KEY_FAULTS = [
    (b'{"error":"Invalid token"}', "bad_key"),
    (b"Invalid authentication token", "not_sent"),
    (b"<html><body>Sign in</body></html>", "unclear"),
    (b"", "unclear"),
    (b"x" * 5000, "unclear"),
]


@pytest.mark.parametrize(("body", "fault"), KEY_FAULTS)
def test_two_bodies_of_a_401(body: bytes, fault: str) -> None:
    """A bad key is told from one that was not sent by the shape of the answer."""
    with pytest.raises(KeyRefused) as caught:
        raise_for(reply(401, body), "workorders")
    assert caught.value.fault == fault


WAITS = [
    ({"retry_after": "7", "x_rate_limit_reset": "30"}, b"", 7),
    ({"x_rate_limit_reset": "30"}, b"retry in 4 seconds", 4),
    ({"x_rate_limit_reset": "30"}, b"", 30),
    ({"retry_after": "999999"}, b"", 300),
    ({}, b"", None),
]


@pytest.mark.parametrize(("headers", "body", "wait_s"), WAITS)
def test_what_a_429_asks_for(headers: dict[str, str], body: bytes, wait_s: float | None) -> None:
    """Retry-After, then the text, then the reset."""
    with pytest.raises(Throttled) as caught:
        raise_for(reply(429, body, **headers), "workorders")
    assert caught.value.wait_s == wait_s


SAYINGS = [
    ({"error": "User don't have the right permissions"}, "User don't have the right permissions"),
    ({"errors": [{"error": "must be <= 200", "fieldPath": "limit"}]}, "must be <= 200"),
    ({"message": "\x1b[31mred\u202egnp.exe\n# heading"}, "\\x1b[31mred\\u202egnp.exe\\n# heading"),
]


@pytest.mark.parametrize(("body", "text"), SAYINGS)
def test_the_vendors_words_are_made_harmless(body: dict[str, Any], text: str) -> None:
    """Control and bidi characters are spelt out."""
    with pytest.raises(Rejected) as caught:
        raise_for(reply(403, json.dumps(body).encode()), "users")
    assert str(caught.value) == f'users: the vendor answered 403: "{text}"'


def test_the_vendors_words_are_kept_short() -> None:
    """However much it says, and however it grows when spelt out."""
    for text in ("a" * 10_000, "\u202e" * 10_000, "\U0001f600" * 999):
        with pytest.raises(Rejected) as caught:
            raise_for(reply(400, json.dumps({"error": text}).encode()), "users")
        assert len(str(caught.value)) <= 200 + len("users: the vendor answered 400: ")


# JSON as a contract ------------------------------------------------------------------------------

BAD_JSON = {
    "nan": b'{"a": NaN}',
    "infinity": b"[-Infinity]",
    "1e999": b'{"a": 1e999}',
    "duplicate": b'{"a": 1, "b": {"c": 1, "c": 1}}',
    "deep": b"[" * 200_000 + b"]" * 200_000,
    "deep objects": b'{"a":' * 100 + b"1" + b"}" * 100,
    "trailing": b'{"a": 1} {"b": 2}',
    "cut": b'{"workOrders": [{"id": 1}',
    "html": b"<html></html>",
    "empty": b"",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "bom inside": b"{}\xef\xbb\xbf",
    "not utf-8": b'{"a": "\xff"}',
    "digits": b"[" + b"9" * 5000 + b"]",
    "large": b" " * (8 * 1024 * 1024) + b"{}",
    "control": b'{"a": "\x01"}',
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON)
def test_bad_json_is_one_error(body: bytes) -> None:
    """One kind of error, whose text quotes nothing, raised from nothing."""
    with pytest.raises(BadBody) as caught:
        reply(200, body).json()
    assert isinstance(caught.value, Permanent)
    assert caught.value.__context__ is None
    assert len(str(caught.value)) < 100


GOOD_JSON = [
    (b'{"b":1,"a":[1.5,null,true]}', '{"a":[1.5,null,true],"b":1}'),
    ('{"ü": "Größe"}'.encode(), '{"ü":"Größe"}'),
    (b'{"a": "cut \\ud83d"}', '{"a":"cut \\ud83d"}'),
    (b'{"a": "\\ud83d\\ude00"}', '{"a":"\U0001f600"}'),
    (b'{"a": "\\u0000"}', '{"a":"\\u0000"}'),
    (b"\xef\xbb\xbf{}", "{}"),
    (b"12345678901234567890", "12345678901234567890"),
    (b"[" * 64 + b"]" * 64, "[" * 64 + "]" * 64),
]


@pytest.mark.parametrize(("body", "text"), GOOD_JSON)
def test_canonical_text(body: bytes, text: str) -> None:
    """Equal values have one text, which every database takes as UTF-8."""
    assert canonical(loads(body)) == text
    assert loads(text.encode("utf-8")) == loads(body)
