"""The pager's stand-in against PagerDuty's own client: real TLS, real losses, bounded time."""

import asyncio
import logging
import ssl
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from watchkeeper.errors import Ambiguous, Permanent, Transient
from watchkeeper.pagers import Page, PagerRefused, PagerUnavailable, PagerUnknown
from watchkeeper.pagers.pagerduty import PagerDuty, Patience
from watchkeeper.sandbox.alerts import Alert, after, problems
from watchkeeper.sandbox.process import Processes

ROUTING_KEY = "0123456789abcdef" * 2
QUICK = Patience(retries=2, pause_s=0.01, timeout_s=2, within_s=5.0)
PAGE = Page("wk-1", "Sync is down", "maintainx@test", details={"cause": "key"})
Started = dict[str, Any]


@pytest.fixture(scope="module")
def pager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("pager")
    with Processes(folder) as processes:
        yield processes.start(["pager", "--ca-file", str(folder / "ca.pem")])


@pytest.fixture
def tls(pager: Started) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pager["ca_file"])


@pytest.fixture
def sim(pager: Started, tls: ssl.SSLContext) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{pager['url']}/_sim", verify=tls) as client:
        yield client
        client.delete("/faults")


@pytest.fixture
def duty(pager: Started, tls: ssl.SSLContext) -> PagerDuty:
    return PagerDuty(lambda: ROUTING_KEY, pager["url"], tls, QUICK)


def seen(sim: httpx.Client, dedup_key: str) -> dict[str, Any]:
    found: dict[str, Any] = sim.get("/pages").json()["incidents"][dedup_key]
    return found


def count(sim: httpx.Client) -> int:
    return len(sim.get("/pages").json()["requests"])


def test_an_alert_lives_once_however_often_it_is_sent(duty: PagerDuty, sim: httpx.Client) -> None:
    async def life() -> None:
        assert [await duty.trigger(PAGE) for _ in range(2)] == ["wk-1", "wk-1"]
        await duty.acknowledge("wk-1")
        await duty.resolve(PAGE)
        await duty.resolve(Page("never-seen", "s", "t"))

    asyncio.run(life())
    alert = seen(sim, "wk-1")
    assert (alert["state"], alert["alerts"], alert["triggers"]) == ("resolved", 1, 2)
    assert "never-seen" not in sim.get("/pages").json()["incidents"]
    first = sim.get("/pages").json()["requests"][0]
    assert first["payload"]["custom_details"] == {"cause": "key"}
    assert ROUTING_KEY not in sim.get("/pages").text


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_far_side_is_asked_again_and_then_left(
    duty: PagerDuty, sim: httpx.Client, status: int
) -> None:
    before = count(sim)
    sim.post("/faults", json={"kind": "status", "status": status, "count": 2})
    assert asyncio.run(duty.trigger(PAGE)) == "wk-1"
    assert count(sim) == before + 3
    sim.post("/faults", json={"kind": "status", "status": status, "count": 50})
    with pytest.raises(PagerUnavailable, match=f"HTTP {status}"):
        asyncio.run(duty.trigger(PAGE))
    assert count(sim) == before + 6


def test_a_reply_that_never_came_is_not_a_failure_and_not_a_success(
    duty: PagerDuty, sim: httpx.Client
) -> None:
    sim.post("/faults", json={"kind": "drop_reply", "count": 1})
    before = count(sim)
    with pytest.raises(PagerUnknown, match="RemoteProtocolError"):
        asyncio.run(duty.trigger(Page("wk-2", "s", "t")))
    assert count(sim) == before + 1, "sent once: whether to send again is the caller's to decide"
    assert asyncio.run(duty.trigger(Page("wk-2", "s", "t"))) == "wk-2"
    alert = seen(sim, "wk-2")
    assert (alert["alerts"], alert["triggers"]) == (1, 2)


def test_nobody_there_is_known_not_to_have_been_told(tls: ssl.SSLContext) -> None:
    away = PagerDuty(lambda: ROUTING_KEY, "https://127.0.0.1:1", tls, QUICK)
    with pytest.raises(PagerUnavailable, match="ConnectError"):
        asyncio.run(away.trigger(PAGE))


def test_an_authority_that_is_not_trusted_gets_nothing(pager: Started, sim: httpx.Client) -> None:
    before = count(sim)
    with pytest.raises(PagerUnavailable, match="ConnectError"):
        asyncio.run(PagerDuty(lambda: ROUTING_KEY, pager["url"], None, QUICK).trigger(PAGE))
    assert count(sim) == before


def test_the_environment_can_name_the_authority(
    pager: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", pager["ca_file"])
    duty = PagerDuty(lambda: ROUTING_KEY, pager["url"], None, QUICK)
    assert asyncio.run(duty.trigger(PAGE)) == "wk-1"


def test_no_call_outlasts_its_bound(pager: Started, tls: ssl.SSLContext, sim: httpx.Client) -> None:
    sim.post("/faults", json={"kind": "status", "status": 503, "count": 50})
    slow = Patience(retries=1, pause_s=0.4, within_s=0.3)

    async def call() -> float:
        began = time.monotonic()
        with pytest.raises(PagerUnknown, match="no end in"):
            await PagerDuty(lambda: ROUTING_KEY, pager["url"], tls, slow).trigger(PAGE)
        return time.monotonic() - began

    assert asyncio.run(call()) < 0.6


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def test_the_routing_key_is_in_no_error_and_no_log(
    pager: Started, tls: ssl.SSLContext, sim: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status, key in ((400, "too-short-but-secret"), (401, ROUTING_KEY), (404, ROUTING_KEY)):
        if status != 400:
            sim.post("/faults", json={"kind": "status", "status": status})
        duty = PagerDuty(partial(str, key), pager["url"], tls, QUICK)
        with pytest.raises(PagerRefused) as refused:
            asyncio.run(duty.trigger(PAGE))
        errors = list(chain(refused.value))
        assert len(errors) == 1, "the client's error holds the request, and so the key"
        assert str(errors[0]) == f"pagerduty trigger: HTTP {status}"
        for text in (repr(duty), repr(errors), caplog.text):
            assert key not in text
            assert key[-4:] not in text


def test_the_errors_say_what_to_do() -> None:
    assert issubclass(PagerUnavailable, Transient)
    assert issubclass(PagerUnknown, Ambiguous)
    assert issubclass(PagerRefused, Permanent)


def test_a_long_summary_is_cut_and_a_page_without_a_key_is_none() -> None:
    assert len(Page("k", "x" * 3000, "s").summary) == 1024
    for dedup_key in ("", "x" * 256):
        with pytest.raises(ValueError, match="dedup key"):
            Page(dedup_key, "summary", "source")
    with pytest.raises(ValueError, match="one retry"):
        Patience(retries=0)


def event(action: str, **more: Any) -> dict[str, Any]:
    payload = {"summary": "s", "source": "t", "severity": "critical"}
    base = {"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": "k"}
    return {**base, **({"payload": payload} if action == "trigger" else {}), **more}


@pytest.mark.parametrize(
    ("broken", "named"),
    [
        (event("trigger", routing_key="short"), "routing_key"),
        (event("page"), "event_action"),
        (event("resolve", dedup_key=None), "dedup_key"),
        (event("trigger", dedup_key="x" * 256), "dedup_key"),
        (event("trigger", payload=None), "payload"),
        (event("trigger", payload={"summary": "s", "source": "t", "severity": "bad"}), "severity"),
        (event("trigger", payload={"source": "t", "severity": "info"}), "summary"),
    ],
)
def test_an_invalid_event_is_named(broken: dict[str, Any], named: str) -> None:
    (problem,) = problems(broken)
    assert named in problem


def test_a_valid_event_has_no_problem() -> None:
    assert [problems(event(a)) for a in ("trigger", "acknowledge", "resolve")] == [[], [], []]
    assert problems({k: v for k, v in event("trigger").items() if k != "dedup_key"}) == []


@pytest.mark.parametrize(
    ("actions", "state", "alerts", "triggers"),
    [
        ("t", "triggered", 1, 1),
        ("tt", "triggered", 1, 2),
        ("tat", "acknowledged", 1, 2),
        ("tar", "resolved", 1, 1),
        ("tra", "resolved", 1, 1),
        ("trt", "triggered", 2, 2),
        ("rrt", "triggered", 1, 1),
    ],
)
def test_what_becomes_of_an_alert(actions: str, state: str, alerts: int, triggers: int) -> None:
    names = {"t": "trigger", "a": "acknowledge", "r": "resolve"}
    alert: Alert | None = None
    for letter in actions:
        alert = after(alert, event(names[letter]))
    assert alert is not None
    assert (alert.state, alert.alerts, alert.triggers) == (state, alerts, triggers)


def test_the_authority_is_made_anew(pager: Started) -> None:
    assert Path(pager["ca_file"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
