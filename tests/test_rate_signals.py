"""Every spelling of a rate limit is read, and no answer of any vendor can break the reading."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.vendor.rate_signals import MAX_WAIT_S, RateSignal, rate_signal

AT = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
EPOCH = int(AT.timestamp())

SPELLINGS = [
    ({}, RateSignal()),
    (
        {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "7", "x-rate-limit-reset": "12"},
        RateSignal(100, 7, 12.0),
    ),
    (
        {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"},
        RateSignal(60, 0, 30.0),
    ),
    ({"x-ratelimit-reset": str(EPOCH + 45)}, RateSignal(reset_s=45.0)),
    ({"x-ratelimit-reset": str((EPOCH + 45) * 1000)}, RateSignal(reset_s=45.0)),
    ({"x-ratelimit-reset": str(EPOCH - 45)}, RateSignal(reset_s=0.0)),
    (
        {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "9", "ratelimit-reset": "4"},
        RateSignal(100, 9, 4.0),
    ),
    (
        {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60'},
        RateSignal(100, 50, 30.0),
    ),
    (
        {
            "ratelimit": '"minute";r=50;t=30, "day";r=3;t=200',
            "ratelimit-policy": '"minute";q=100;w=60, "day";q=1000;w=86400',
        },
        RateSignal(1000, 3, 200.0),
    ),
    ({"ratelimit": "limit=100, remaining=50, reset=5"}, RateSignal(100, 50, 5.0)),
    ({"ratelimit-policy": '"default";q=100;w=60'}, RateSignal(100)),
    ({"retry-after": "17"}, RateSignal(wait_s=17.0)),
    ({"retry-after": "1.5"}, RateSignal(wait_s=1.5)),
    ({"retry-after": "0"}, RateSignal(wait_s=0.0)),
    (
        {"retry-after": format_datetime(AT + timedelta(seconds=90), usegmt=True)},
        RateSignal(wait_s=90.0),
    ),
    ({"retry-after": "Sunday, 01-Mar-26 09:01:00 GMT"}, RateSignal(wait_s=60.0)),
    ({"retry-after": format_datetime(AT - timedelta(days=9), usegmt=True)}, RateSignal(wait_s=0.0)),
]


@pytest.mark.parametrize(("headers", "signal"), SPELLINGS)
def test_spellings(headers: dict[str, str], signal: RateSignal) -> None:
    """Each spelling that a vendor or a draft uses."""
    assert rate_signal(headers, AT) == signal


HOSTILE = [
    ({"retry-after": "-5"}, None),
    ({"retry-after": "NaN"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "1e9"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "٣"}, None),
    ({"retry-after": "9" * 400}, None),
    ({"retry-after": "999999999"}, MAX_WAIT_S),
    ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, MAX_WAIT_S),
    ({"retry-after": "Fri, 31 Dec 0001 23:59:59 -2359"}, 0.0),
    ({"retry-after": "Mon, 99 Foo 2026 99:99:99 GMT"}, None),
]


@pytest.mark.parametrize(("headers", "wait_s"), HOSTILE)
def test_hostile_values_are_clamped_or_ignored(
    headers: dict[str, str], wait_s: float | None
) -> None:
    """No answer makes us wait longer than the bound, or for less than nothing."""
    assert rate_signal(headers, AT).wait_s == wait_s


TEXTS = [
    (b'{"error":"Too many requests. Please retry in 10 seconds"}', 10.0),
    (b"Please try again in 2 minutes.", 120.0),
    (b"retry after 500ms", 0.5),
    (b"Retry in 1 second", 1.0),
    (b"retry in 7", 7.0),
    (b"retry in 99999 seconds", MAX_WAIT_S),
    (b"retry in -3 seconds", None),
    (b"\xff\xfe retry in 4 s", 4.0),
    (b" " * 5000 + b"retry in 4 s", None),
    (b"", None),
]


@pytest.mark.parametrize(("body", "wait_s"), TEXTS)
def test_the_wait_may_stand_in_the_text(body: bytes, wait_s: float | None) -> None:
    """MaintainX names the wait in words only."""
    assert rate_signal({}, AT, body).wait_s == wait_s


def test_retry_after_goes_before_the_text() -> None:
    """A header is a contract, a text is not."""
    assert rate_signal({"retry-after": "3"}, AT, b"retry in 9 seconds").wait_s == 3.0


NAMES = [
    *(f"{p}-{f}" for p in ("x-rate-limit", "x-ratelimit", "ratelimit")
      for f in ("limit", "remaining", "reset")),
    "ratelimit", "ratelimit-policy", "retry-after",
]  # fmt: skip
DATES = st.datetimes().map(lambda at: format_datetime(at.replace(tzinfo=UTC), usegmt=True))
VALUES = st.one_of(
    st.text(max_size=60),
    st.integers().map(str),
    st.floats().map(str),
    DATES,
    st.from_regex(r'"[a-z]*";[rtq]=-?[0-9]{1,20}(;[rtq]=[0-9.e]{1,9})*'),
    st.from_regex(
        r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,6} [0-9:]{1,9} [-+A-Z0-9]{1,6}"
    ),
)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), st.binary(max_size=80))
def test_any_answer_gives_a_believable_signal(headers: dict[str, str], body: bytes) -> None:
    """Total, and always within bounds."""
    signal = rate_signal(headers, AT, body)
    for seconds in (signal.reset_s, signal.wait_s):
        assert seconds is None or 0 <= seconds <= MAX_WAIT_S
    for count in (signal.limit, signal.remaining):
        assert count is None or count >= 0
