"""What an answer is, by its status, headers, kind of body and words together."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.answer import Answer, Speaker
from watchkeeper.errors import Throttled, WatchkeeperError
from watchkeeper.evidence import Outcome
from watchkeeper.runbook.probes import Probe
from watchkeeper.signs.answers import answer_of
from watchkeeper.vendor.answers import Unavailable, raise_for
from watchkeeper.vendor.classifying import classify
from watchkeeper.vendor.encoding import TooLargeInside, decoded, mislabelled
from watchkeeper.vendor.judging import judge
from watchkeeper.vendor.rate_signals import MAX_WAIT_S, rate_signal
from watchkeeper.vendor.reply import Reply

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LIST = Probe(name="users", path="/users", envelope="users")
GOOD = b'{"users":[{"id":1}]}'


def reply(
    status: int, body: Any = b"", headers: dict[str, str] | None = None, encoded: str | None = None
) -> Reply:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Reply(status, headers or {}, sent, 0.1, AT, "GET", encoded)


def page(title: str, heading: str = "", more: str = "") -> bytes:
    text = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{heading}</h1>"
    return f"{text}{more}</body></html>".encode()


SPENT = {"x-ratelimit-limit": "100", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "42"}
LEFT = {**SPENT, "x-ratelimit-remaining": "57"}

THROTTLES: list[tuple[int, Any, dict[str, str], float | None]] = [
    (429, b"", {}, None),
    (420, b"", {}, None),
    (509, b"Bandwidth Limit Exceeded", {}, None),
    (403, {"message": "API rate limit exceeded for user 7"}, SPENT, 42.0),
    (403, {"message": "Forbidden"}, SPENT, 42.0),
    (403, {"error": {"errors": [{"reason": "userRateLimitExceeded"}], "code": 403}}, {}, None),
    (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded"}],
     {"retry-after": "5", "x-ratelimit-remaining": "0"}, 5.0),
    (403, {"error": "You have exceeded a secondary rate limit"}, {"retry-after": "60"}, 60.0),
    (503, {"error": "Too many requests, please try again in 64 seconds"}, {}, 64.0),
    (503, b"", {**SPENT, "retry-after": "12"}, 12.0),
    (503, {"Code": "SlowDown", "Message": "Please reduce your request rate: slow down."}, {}, None),
    (529, {"error": {"type": "rate_limit_error", "message": "rate limited"}}, {}, None),
    (400, {"code": "Throttling", "message": "Request was throttled. Expected available in 9 s."},
     {}, 9.0),
    (200, {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]}, {}, None),
    (200, {"ok": False, "error": "ratelimited"}, {"retry-after": "30"}, 30.0),
    (200, {"error": {"code": "RATE_LIMITED", "retry_after": 64.57}}, {}, 64.57),
    (200, {"status": 429, "message": "slow please"}, {}, None),
    (200, {"success": False, "errors": ["Daily quota exceeded"]}, {}, None),
    (429, page("Too Many Requests"), {}, None),
    (403, page("Access denied", "You are being rate limited"), {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "wait_s"), THROTTLES)
def test_throttling_in_any_dress(
    status: int, body: Any, headers: dict[str, str], wait_s: float | None
) -> None:
    """D5: who says that it was asked too much is left alone for as long as it says."""
    answer = reply(status, body, headers)
    said = classify(answer)
    assert (said.answer, said.wait_s) == (Answer.THROTTLED, wait_s)
    with pytest.raises(Throttled) as raised:
        raise_for(answer, "users")
    assert raised.value.wait_s == wait_s
    reading = judge(LIST, answer, AT, 5.0)
    assert (reading.outcome, reading.wait_s) == (Outcome.DEGRADED, wait_s)
    assert answer_of(reading, 5.0) is Answer.THROTTLED


NO_THROTTLING: list[tuple[int, Any, dict[str, str], Answer]] = [
    (503, b"", {"retry-after": "120"}, Answer.SERVER_ERROR),
    (503, {"error": "down for maintenance"}, {**LEFT, "retry-after": "120"}, Answer.SERVER_ERROR),
    (503, {"error": "rate limit service unavailable"}, {}, Answer.SERVER_ERROR),
    (500, {"error": "quota backend failed"}, SPENT, Answer.SERVER_ERROR),
    (529, {"error": "overloaded"}, {}, Answer.SERVER_ERROR),
    (403, {"message": "Forbidden"}, LEFT, Answer.FORBIDDEN),
    (401, {"error": "Invalid token"}, SPENT, Answer.REFUSED),
    (404, {"error": "Not Found."}, SPENT, Answer.MISSING),
    (400, {"errors": [{"error": "must be <= 200", "fieldPath": "limit"}]}, LEFT, Answer.REJECTED),
    (413, {"error": "request size exceeds the limit of 10 MB"}, {}, Answer.REJECTED),
    (507, {"error": "storage quota exceeded"}, {}, Answer.SERVER_ERROR),
    (200, {"users": [{"title": "rate limit exceeded on the pump"}]}, SPENT, Answer.OK),
    (200, {"id": 7, "status": "OPEN", "error": "too many requests at the desk"}, {}, Answer.OK),
    (200, GOOD, SPENT, Answer.OK),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "answer"), NO_THROTTLING)
def test_what_only_resembles_throttling(
    status: int, body: Any, headers: dict[str, str], answer: Answer
) -> None:
    """D5: a 503 with Retry-After alone is maintenance or load, and a record may speak of limits."""
    assert classify(reply(status, body, headers)).answer is answer


def test_an_unavailable_vendor_may_name_a_wait() -> None:
    """D5: the wait of a 503 is passed on to whoever asks again."""
    with pytest.raises(Unavailable) as raised:
        raise_for(reply(503, b"", {"retry-after": "120"}), "users")
    assert raised.value.wait_s == 120.0


BLOCK = page("Attention Required! | Cloudflare", "Sorry, you have been blocked")
EDGES: list[tuple[int, Any, dict[str, str], Answer, Speaker | None]] = [
    (403, BLOCK, {"server": "cloudflare", "cf-ray": "8a"}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, page("Access Denied"), {"server": "AkamaiGHost"}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, page("403 Forbidden", "403 Forbidden"), {"server": "awselb/2.0"}, Answer.SHUT_OUT,
     Speaker.EDGE),
    (403, page("Request Rejected", "", "Your support ID is: 1"), {}, Answer.SHUT_OUT, Speaker.EDGE),
    (406, page("Not Acceptable!"), {}, Answer.SHUT_OUT, Speaker.EDGE),
    (405, page("405", "Sorry, your request has been blocked"), {}, Answer.SHUT_OUT, Speaker.EDGE),
    (418, page("Blocked"), {}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, b"Request blocked.", {"content-type": "text/plain"}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, b"RBAC: access denied", {}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, {"message": "x"}, {"cf-mitigated": "challenge"}, Answer.SHUT_OUT, Speaker.EDGE),
    (451, {"error": "Unavailable for legal reasons"}, {}, Answer.SHUT_OUT, Speaker.EDGE),
    (403, {"errors": [{"error": "User don't have the right permissions"}]}, {"server": "cloudflare"},
     Answer.FORBIDDEN, Speaker.API),
    (401, b"Invalid authentication token", {"content-type": "text/html"}, Answer.REFUSED, None),
    (402, {"error": "Payment required"}, {}, Answer.FORBIDDEN, Speaker.API),
    (407, b"", {"proxy-authenticate": "Basic"}, Answer.INTERCEPTED, Speaker.PROXY),
    (511, page("Network Authentication Required"), {}, Answer.INTERCEPTED, Speaker.PROXY),
    (302, b"", {"location": "https://login.example.com/"}, Answer.INTERCEPTED, None),
    (303, b"", {"location": "/login?next=/v1/users"}, Answer.INTERCEPTED, None),
    (307, b"", {"location": "https://idp.corp.example/saml/sso?x=1"}, Answer.INTERCEPTED, None),
    (302, b"", {"location": "http://captive.hotel.example/portal"}, Answer.INTERCEPTED, None),
    (301, b"", {"location": "https://api.example.com/v2/users"}, Answer.REDIRECTED, None),
    (308, b"", {}, Answer.REDIRECTED, None),
    (302, b"", {"location": "http://[broken"}, Answer.REDIRECTED, None),
    (302, b"", {"location": "/maintenance.html"}, Answer.PAGE, None),
    (200, page("Sign in"), {}, Answer.INTERCEPTED, Speaker.EDGE),
    (200, page("Acme", "", '<input type="password">'), {}, Answer.INTERCEPTED, Speaker.EDGE),
    (200, page("We'll be back soon"), {}, Answer.PAGE, Speaker.EDGE),
    (200, page("Just a moment..."), {}, Answer.PAGE, Speaker.EDGE),
    (520, page("520"), {}, Answer.SERVER_ERROR, Speaker.EDGE),
    (522, b"error code: 522", {}, Answer.SERVER_ERROR, Speaker.EDGE),
    (502, page("502 Bad Gateway"), {"server": "nginx"}, Answer.SERVER_ERROR, Speaker.EDGE),
    (503, {"error": "down"}, {}, Answer.SERVER_ERROR, Speaker.API),
    (404, page("404 Not Found"), {}, Answer.MISSING, Speaker.EDGE),
    (999, b"", {}, Answer.STRANGE, None),
    (304, b"", {}, Answer.STRANGE, None),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "headers", "answer", "speaker"), EDGES)
def test_who_answers_is_told_by_the_kind_of_body(
    status: int, body: Any, headers: dict[str, str], answer: Answer, speaker: Speaker | None
) -> None:
    """D6 D9 D12: a page where JSON is expected was not written by the API, whoever's name it has."""
    said = classify(reply(status, body, headers))
    assert (said.answer, said.speaker) == (answer, speaker)


INSIDE_A_200: list[tuple[Any, Answer]] = [
    ({"errors": [{"message": "boom"}]}, Answer.ODD),
    ({"errors": [{"message": "Internal server error"}]}, Answer.SERVER_ERROR),
    ({"error": {"code": 503, "message": "x"}}, Answer.SERVER_ERROR),
    ({"statusCode": 404, "message": "x"}, Answer.MISSING),
    ({"ok": False, "error": "invalid_auth"}, Answer.REFUSED),
    ({"error": "API key expired"}, Answer.REFUSED),
    ({"success": False, "message": "missing scope"}, Answer.FORBIDDEN),
    ({"data": None, "errors": [{"message": "Service unavailable"}]}, Answer.SERVER_ERROR),
    ({"users": [], "errors": [{"message": "shard 3 timed out"}]}, Answer.ODD),
    ({"users": [{"id": 1}], "errors": [], "error": None}, Answer.OK),
    ({"status": "ok"}, Answer.ODD),
    (b"", Answer.ODD),
    (b"null", Answer.ODD),
    (b'{"users":[{"id":1}', Answer.ODD),
    (b'<?xml version="1.0"?><users/>', Answer.ODD),
    (b'{"id":1}\n{"id":2}\n', Answer.ODD),
    (b"\xef\xbb\xbf" + GOOD, Answer.OK),
    (GOOD, Answer.OK),
]


@pytest.mark.parametrize(("body", "answer"), INSIDE_A_200)
def test_a_good_status_proves_nothing(body: Any, answer: Answer) -> None:
    """D8: an error in a 200 is what it says, and a list with an error beside it is not well."""
    reading = judge(LIST, reply(200, body), AT, 5.0)
    assert answer_of(reading, 5.0) is answer
    assert (reading.outcome is Outcome.OK) is (answer is Answer.OK)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


READ = [
    *((GOOD, coding) for coding in (
        "utf-8", "UTF-8", "identity", "", "none", "binary", "'identity'", "gzip", "deflate", "br",
        "zstd", "identity, utf-8", "x-unheard-of",
    )),
    (gzip.compress(GOOD, mtime=0), "gzip"),
    (gzip.compress(GOOD, mtime=0), "X-GZIP"),
    (gzip.compress(GOOD, mtime=0), ""),
    (gzip.compress(GOOD, mtime=0), "utf-8"),
    (zlib.compress(GOOD), "deflate"),
    (raw_deflate(GOOD), "deflate"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "coding"), READ)
def test_what_can_be_read_is_read(sent: bytes, coding: str) -> None:
    """D13: what the bytes are goes before what is declared of them."""
    assert decoded(sent, coding, 1000) == (GOOD, None)


@pytest.mark.parametrize(
    ("sent", "label", "named"),
    [
        (GOOD, "gzip", "gzip"),
        (GOOD, "br", "br"),
        (GOOD, "utf-8", None),
        (GOOD, "", None),
        (b"", "gzip", None),
        (gzip.compress(GOOD, mtime=0), "gzip", None),
    ],
)
def test_a_label_that_others_cannot_read_by_is_told(
    sent: bytes, label: str, named: str | None
) -> None:
    """We read the body as it is; usual clients go by the label."""
    assert mislabelled(sent, label) == named


@pytest.mark.parametrize(
    ("age", "answer"),
    [("7300", Answer.COPY), ("60", Answer.OK), ("", Answer.OK), ("soon", Answer.OK)],
)
def test_an_old_copy_is_no_answer_of_now(age: str, answer: Answer) -> None:
    """A cache's copy of hours ago proves nothing; its Date is that of its making, and no clock."""
    date = {"date": "Mon, 02 Mar 2026 06:00:00 GMT"}
    reading = judge(LIST, reply(200, GOOD, {"age": age, **date}), AT, 5.0)
    assert answer_of(reading, 5.0) is answer
    assert (reading.skew_s is None) is age.isdecimal()


@pytest.mark.parametrize(
    ("path", "rows"),
    [("/workorders?limit=1", 0.0), ("/workorders", 0.0), ("/workorders?status=OPEN", None)],
)
def test_an_empty_list_counts_where_nothing_is_left_out_of_it(
    path: str, rows: float | None
) -> None:
    """A list that is asked for with a condition may rightly show nothing."""
    asked = LIST.model_copy(update={"path": path, "envelope": "workOrders"})
    assert judge(asked, reply(200, {"workOrders": []}), AT, 5.0).value == rows


UNREADABLE = [
    (b"\x0b\x02\x80\xff\x00\x01", "br", "br"),
    (b"\x28\xb5\x2f\xfd\x00\x01\xfe", "zstd", "zstd"),
    (b"\x1f\x8b\x08broken", "gzip", "gzip"),
    (gzip.compress(GOOD, mtime=0)[:-9], "gzip", "gzip"),
    (b"\xff\xfe\x00", "deflate", "deflate"),
]


@pytest.mark.parametrize(("sent", "coding", "named"), UNREADABLE)
def test_what_cannot_be_read_is_an_odd_answer(sent: bytes, coding: str, named: str) -> None:
    """D13: the vendor did answer: it does not hang."""
    body, encoded = decoded(sent, coding, 1000)
    assert encoded == named
    reading = judge(LIST, reply(200, body, encoded=encoded), AT, 5.0)
    assert (reading.status, reading.fault) == (200, "encoded")
    assert answer_of(reading, 5.0) is Answer.ODD


def test_a_body_that_unpacks_to_too_much_is_given_up() -> None:
    """D13: a few kilobytes cannot fill our memory."""
    with pytest.raises(TooLargeInside):
        decoded(gzip.compress(b" " * 5_000_000), "gzip", 1_000_000)


IN_A_MINUTE = AT + timedelta(seconds=60)
DIALECTS: list[tuple[dict[str, str], bytes, float | None]] = [
    ({"x-ratelimit-reset": "2026-03-01T09:01:00Z"}, b"", 60.0),
    ({"x-ratelimit-reset": "2026-03-01T09:01Z"}, b"", 60.0),
    ({"x-ratelimit-reset": "2026-03-01T11:01:00+02:00"}, b"", 60.0),
    ({"x-ratelimit-reset": "2026-03-01 09:01:00 UTC"}, b"", 60.0),
    ({"x-ratelimit-reset": "Sun, 01 Mar 2026 09:01:00 GMT"}, b"", 60.0),
    ({"x-ratelimit-reset": str(int(IN_A_MINUTE.timestamp()))}, b"", 60.0),
    ({"x-rate-limit-reset": str(int(IN_A_MINUTE.timestamp() * 1000))}, b"", 60.0),
    ({"ratelimit-reset": "60"}, b"", 60.0),
    ({"ratelimit-resettime": "Sun, 01 Mar 2026 09:01:00 GMT"}, b"", 60.0),
    ({"x-ratelimit-reset-after": "64.57"}, b"", 64.57),
    ({"x-ratelimit-reset-requests": "1m4s"}, b"", 64.0),
    ({"x-ratelimit-reset": "999999"}, b"", MAX_WAIT_S),
    ({"ratelimit": '"default";r=0;t=60'}, b"", 60.0),
    ({"beta-ratelimit": '"api";r=0;t=60.5'}, b"", 60.5),
    ({"anthropic-ratelimit-requests-reset": "2026-03-01T09:01:00Z"}, b"", 60.0),
    ({"retry-after": "60"}, b"", 60.0),
    ({"retry-after": "60.5"}, b"", 60.5),
    ({"retry-after": "60s"}, b"", 60.0),
    ({"retry-after": "10, 60"}, b"", 60.0),
    ({"retry-after": "Sun, 01 Mar 2026 09:01:00 GMT"}, b"", 60.0),
    ({"retry-after": "2026-03-01T09:01:00Z"}, b"", 60.0),
    ({"retry-after-ms": "1500"}, b"", 1.5),
    ({"x-ms-retry-after-ms": "1500"}, b"", 1.5),
    ({}, b'{"retry_after":64.57}', 64.57),
    ({}, b'{"message":"x","retryAfter":64}', 64.0),
    ({}, b'{"error":{"details":{"retryAfter":"64"}}}', 64.0),
    ({}, b'{"errors":[{"extensions":{"retry_after_ms":64570}}]}', 64.57),
    ({}, b'{"error":{"details":[{"retryDelay":"36s"}]}}', 36.0),
    ({}, b'{"error":{"resetAt":"2026-03-01T09:01:00Z"}}', 60.0),
    ({}, b'{"error":"try again in 64 seconds"}', 64.0),
    ({}, b"Rate limit reached. Please try again in 1m4.5s.", 64.5),
    ({}, b"please wait 1 minute and 4 seconds", 64.0),
    ({}, b"limit resets at 2026-03-01T09:01:00Z", 60.0),
    ({}, b"retry 3 times", None),
    ({}, b'{"retry_after":null}', None),
    ({}, b'{"retry_after":-4}', None),
    ({}, b'{"retry_after":1e999}', None),
    ({}, b'{"retry_after":true}', None),
]


@pytest.mark.parametrize(("headers", "body", "wait_s"), DIALECTS)
def test_every_dialect_of_a_wait(
    headers: dict[str, str], body: bytes, wait_s: float | None
) -> None:
    """D19: a wait is read whichever way it is written, and held as it was told."""
    assert classify(reply(429, body, headers)).wait_s == wait_s


BUDGETS: list[tuple[dict[str, str], tuple[int | None, int | None]]] = [
    ({"x-shopify-shop-api-call-limit": "40/40"}, (40, 0)),
    ({"sforce-limit-info": "api-usage=18/5000"}, (5000, 4982)),
    ({"x-ratelimit-limit": "10", "x-ratelimit-remaining": "598.0"}, (10, 598)),
    ({"x-hubspot-ratelimit-daily": "250000", "x-hubspot-ratelimit-daily-remaining": "1000",
      "x-hubspot-ratelimit-max": "100", "x-hubspot-ratelimit-remaining": "0"}, (100, 0)),
    ({"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-limit-tokens": "9000", "x-ratelimit-remaining-tokens": "8000"}, (60, 0)),
    ({"x-ratelimit-nearlimit": "true"}, (None, None)),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "told"), BUDGETS)
def test_the_tightest_budget_counts(
    headers: dict[str, str], told: tuple[int | None, int | None]
) -> None:
    """D19: of several windows the one that has least left is the one that refuses."""
    signal = rate_signal(headers, AT)
    assert (signal.limit, signal.remaining) == told


HEADER = st.sampled_from(
    ["location", "retry-after", "x-ratelimit-remaining", "ratelimit", "server", "cf-mitigated"]
)


@given(
    st.integers(100, 999),
    st.dictionaries(HEADER, st.text(max_size=40), max_size=4),
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(lambda t: f"<html><title>{t}".encode("utf-8", "replace")),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["error", "errors", "code", "status", "message", "data", "id"]),
                    inner,
                    max_size=4,
                )
            ),
        ).map(lambda value: json.dumps(value).encode("utf-8", "replace")),
    ),
)
def test_it_is_total(status: int, headers: dict[str, str], body: bytes) -> None:
    """Whatever is sent is one kind of answer, and the client and the reading agree on it."""
    sent = reply(status, body, headers)
    said = classify(sent)
    reading = judge(LIST, sent, AT, 5.0)
    raised: WatchkeeperError | None = None
    try:
        raise_for(sent, "users")
    except WatchkeeperError as error:
        raised = error
    assert isinstance(raised, Throttled) is (said.answer is Answer.THROTTLED)
    assert (answer_of(reading, 5.0) is Answer.THROTTLED) is (said.answer is Answer.THROTTLED)
