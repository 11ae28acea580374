"""Every channel that calls people keeps one contract: taken, refused, lost, slow, and never a secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from conftest import INTEGRATIONS
from hooks_lab import TOKEN, FarSide, far_side
from making import NAME

from watchkeeper.errors import UserError
from watchkeeper.pagers import Page, Pager, PagerRefused, PagerUnavailable, PagerUnknown
from watchkeeper.pagers.addresses import check_address
from watchkeeper.pagers.apprise_target import AppriseTarget
from watchkeeper.pagers.opening import KINDS
from watchkeeper.pagers.webhook import WebhookPager, signature
from watchkeeper.performing.connectors import channels_of
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook import channels

PAGE = Page(
    "watchkeeper/x@y/1/2026/1",
    "SEV-1 Sync is down",
    "maintainx@test",
    details={"cause": "api_key_expired", "next": "watchkeeper incident show INC-1"},
    links=(("https://status.example.com", "Status"),),
    delivery="watchkeeper/x@y/1/2026/1/1",
)


@pytest.fixture
def far() -> Iterator[FarSide]:
    with far_side() as one:
        yield one


Opened = Callable[[str, float], Pager]


def webhook(url: str, within_s: float) -> Pager:
    return WebhookPager(lambda: url, sandbox=True, within_s=within_s)


def apprise(url: str, within_s: float) -> Pager:
    return AppriseTarget(lambda: url.replace("http://", "json://"), sandbox=True, within_s=within_s)


MADE: dict[type, Opened] = {channels.Webhook: webhook, channels.Apprise: apprise}
each = pytest.mark.parametrize("made", MADE.values(), ids=["webhook", "apprise"])


def test_every_kind_of_channel_keeps_the_contract() -> None:
    """PagerDuty's has a file of its own, tests/test_sandbox_pager.py: it speaks TLS alone."""
    assert set(MADE) | {channels.PagerDuty} == set(KINDS)


@each
def test_a_page_and_its_end_arrive(made: Opened, far: FarSide) -> None:
    """What is wrong, what it is called and what to do next are all in what people receive."""
    pager = made(far.url, 10)
    asyncio.run(pager.trigger(PAGE))
    asyncio.run(pager.resolve(PAGE))
    first, last = (json.dumps(body) for body in far.bodies)
    assert "SEV-1 Sync is down" in first
    assert "watchkeeper incident show INC-1" in first
    assert "https://status.example.com" in first
    assert "esolved" in last


@each
@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_busy_far_side_may_take_it_later(made: Opened, far: FarSide, status: int) -> None:
    far.status = status
    with pytest.raises(PagerUnavailable):
        asyncio.run(made(far.url, 10).trigger(PAGE))


@each
def test_nobody_there_is_known(made: Opened, far: FarSide) -> None:
    with pytest.raises(PagerUnavailable):
        asyncio.run(made("http://127.0.0.1:1/hook", 10).trigger(PAGE))
    assert far.bodies == []


@each
def test_no_call_outlasts_its_bound(made: Opened, far: FarSide) -> None:
    """One that hangs is in doubt: it has the page, and may or may not have used it."""
    far.silent = threading.Event()
    with pytest.raises((PagerUnknown, PagerUnavailable)):
        asyncio.run(made(far.url, 0.5).trigger(PAGE))
    assert len(far.bodies) == 1


@each
def test_a_rehearsal_calls_nobody_outside(made: Opened) -> None:
    """Whatever the secret store says: a sandbox's pages stay on this machine."""
    for away in ("http://hooks.example.com/x", "http://10.0.0.1/x"):
        with pytest.raises(PagerRefused, match="a sandbox stays on loopback"):
            asyncio.run(made(away, 1).trigger(PAGE))


@each
def test_the_address_is_in_no_error_and_no_log(
    made: Opened, far: FarSide, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """It holds a token: neither what is raised, nor what any library logs, may hold it."""
    caplog.set_level(logging.DEBUG, logger="watchkeeper")
    caplog.set_level(logging.INFO)
    said = []
    for status, url in (
        (404, far.url),
        (None, far.url),
        (200, f"http://127.0.0.1:1/{TOKEN}"),
        (200, f"nonsense://{TOKEN}@127.0.0.1"),
        (200, f"http://127.0.0.1:99999/{TOKEN}"),
    ):
        far.status = status
        with pytest.raises((PagerRefused, PagerUnavailable, PagerUnknown)) as raised:
            asyncio.run(made(url, 5).trigger(PAGE))
        said += traceback.format_exception(raised.value)
    out = capfd.readouterr()
    assert TOKEN not in "".join(said) + caplog.text + out.out + out.err


# --- the webhook alone ----------------------------------------------------------------------------


def test_a_reply_that_never_came_is_in_doubt(far: FarSide) -> None:
    far.status = None
    with pytest.raises(PagerUnknown):
        asyncio.run(webhook(far.url, 5).trigger(PAGE))


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_the_receiver_refuses_is_refused(far: FarSide, status: int) -> None:
    far.status = status
    with pytest.raises(PagerRefused, match=f"HTTP {status}"):
        asyncio.run(webhook(far.url, 5).trigger(PAGE))


def test_a_redirect_is_not_followed(far: FarSide) -> None:
    """It would carry the page, and with it the token, to somebody else."""
    far.status, far.location = 307, "http://127.0.0.1:1/elsewhere"
    with pytest.raises(PagerRefused, match="redirects are not followed"):
        asyncio.run(webhook(far.url, 5).trigger(PAGE))
    assert len(far.bodies) == 1


def test_the_receiver_can_prove_who_sent_it_and_fold_repeats(far: FarSide) -> None:
    """Signed as Standard Webhooks has it; the id of a repeat is the same, another after a relapse."""
    secret = base64.b64encode(b"a key of thirty-two bytes or so!").decode()
    now = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    pager = WebhookPager(lambda: far.url, lambda: f"whsec_{secret}", sandbox=True, now=lambda: now)
    relapse = Page(PAGE.dedup_key, "s", "t", delivery=f"{PAGE.dedup_key}/2")
    for page in (PAGE, PAGE, relapse):
        asyncio.run(pager.trigger(page))
    ids = [headers["webhook-id"] for headers in far.headers]
    assert ids[0] == ids[1] != ids[2]
    head = far.headers[0]
    signed = f"{ids[0]}.{int(now.timestamp())}.".encode() + far.raw[0]
    expected = base64.b64encode(
        hmac.new(base64.b64decode(secret), signed, hashlib.sha256).digest()
    ).decode()
    assert head["webhook-signature"] == f"v1,{expected}"
    assert head["webhook-timestamp"] == str(int(now.timestamp()))
    assert far.bodies[0]["dedup_key"] == PAGE.dedup_key


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The example that its reference libraries are tested with."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    with pytest.raises(PagerRefused, match="not base64"):
        signature("whsec_%%", "id", "1", b"")


def test_a_live_webhook_speaks_https() -> None:
    """What goes to the outside in clear text is anybody's; what stays on this machine is not."""
    with pytest.raises(PagerRefused, match="https"):
        check_address("webhook", "http://hooks.example.com/x", sandbox=False)
    check_address("webhook", "https://hooks.example.com/x", sandbox=False)
    check_address("webhook", "http://127.0.0.1:8080/x", sandbox=False)


# --- their entries in integrations.yaml -----------------------------------------------------------


def entry(watch: Watch, *lines: str) -> None:
    watch.settings.integrations.write_text(INTEGRATIONS + "".join(f"    {x}\n" for x in lines))


def test_channels_are_tried_in_the_order_of_the_file(watch: Watch) -> None:
    """`pager`, as it was written before there were channels, comes first."""
    entry(
        watch,
        "pager: {kind: pagerduty, routing_key: 'env:PD', base_url: 'https://127.0.0.1:9'}",
        "channels:",
        "  - {kind: webhook, url: 'env:HOOK', name: ops-hook}",
        "  - {kind: apprise, url: 'env:CHAT'}",
    )
    found = channels_of(watch, watch.integration(NAME))
    assert [(c.name, c.folds) for c in found] == [
        ("pagerduty", True),
        ("ops-hook", True),
        ("apprise", False),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  - {kind: webhook, url: 'https://hooks.example.com/token'}", "url"),
        ("  - {kind: telegraph, url: 'env:X'}", "kind"),
        (
            "  - {kind: pagerduty, routing_key: 'env:PD', base_url: 'https://127.0.0.1:9'}",
            "'pagerduty' is named twice",
        ),
        ("  - {kind: webhook, url: 'env:X', secret: y}", "secret"),
    ],
)
def test_a_channel_that_cannot_work_is_refused(watch: Watch, line: str, told: str) -> None:
    """An address in clear text, an unknown kind, a name used twice, a wish: each is one line."""
    entry(
        watch,
        "pager: {kind: pagerduty, routing_key: 'env:PD', base_url: 'https://127.0.0.1:9'}",
        "channels:",
        line,
    )
    with pytest.raises(UserError, match=told) as raised:
        watch.integration(NAME)
    assert "token" not in str(raised.value)


def test_a_sandbox_pager_without_tls_is_refused_at_start(watch: Watch) -> None:
    """W21: PagerDuty's client takes https alone. The entry is refused when it is read, instead of each
    page failing and standing as "sending" for ever."""
    entry(watch, "pager: {kind: pagerduty, routing_key: 'env:PD', base_url: 'http://127.0.0.1:9'}")
    with pytest.raises(UserError, match="PagerDuty's client speaks https alone"):
        watch.integration(NAME)
