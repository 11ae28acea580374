"""What stands before the vendor, and what our own service's silence proves."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from conftest import Clock
from loopback import http, raw_server, says
from making import NAME, endpoint, runbook, seen, service, watched

from watchkeeper.answer import Answer
from watchkeeper.contrasts import worth_asking
from watchkeeper.evidence import Evidence, Outcome
from watchkeeper.performing.contrasting import contrast_readings
from watchkeeper.performing.network_probe import network_readings
from watchkeeper.performing.past import address_of, restless, service_history
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.store import observations
from watchkeeper.store.observations import Purpose

OURS = "https://gateway.corp.example/maintainx"
VENDORS = runbook().base_url


@pytest.mark.parametrize(
    ("base_url", "direct_url", "sandbox", "gateway", "direct"),
    [
        (None, None, False, False, None),
        (VENDORS, None, False, False, None),
        (OURS, None, False, True, VENDORS),
        (
            OURS,
            "https://api.eu.getmaintainx.com/v1",
            False,
            True,
            "https://api.eu.getmaintainx.com/v1",
        ),
        ("https://api.eu.getmaintainx.com/v1", None, False, False, None),
        ("https://getmaintainx.com/v1", None, False, False, None),
        ("https://notgetmaintainx.com/v1", None, False, True, VENDORS),
        ("http://127.0.0.1:9/v1", None, True, False, None),
        ("http://127.0.0.1:9/v1", "http://127.0.0.1:8/v1", True, True, "http://127.0.0.1:8/v1"),
    ],
)
def test_when_a_gateway_of_ours_stands_before_the_vendor(
    base_url: str | None, direct_url: str | None, sandbox: bool, gateway: bool, direct: str | None
) -> None:
    """D3: another host than the vendor's, or one that says so; another region is the vendor's."""
    entry = watched().integration.model_copy(
        update={"base_url": base_url, "direct_url": direct_url, "sandbox": sandbox}
    )
    found = Watched(integration=entry, runbook=runbook())
    assert (found.behind_gateway, found.direct_url) == (gateway, direct)


def test_the_direct_probe_asks_the_path_that_fails() -> None:
    """D3: one thing is varied: the way there, and not the path."""
    chosen = {c.varies: c for c in worth_asking(seen({"users": 502}), runbook())}
    assert (chosen["direct"].path, chosen["direct"].of) == ("/users?limit=1", "users")
    assert chosen["no_key"].path == chosen["direct"].path


DIRECT = [
    (http(b'{"error":"Invalid token"}', status=401), Outcome.OK, Answer.REFUSED),
    (http(b"<html><title>502</title></html>", status=502), Outcome.DOWN, Answer.SERVER_ERROR),
    (http(b"<html><title>Sign in</title></html>"), Outcome.DOWN, Answer.INTERCEPTED),
]


@pytest.mark.parametrize(("sent", "outcome", "answer"), DIRECT)
def test_what_the_vendors_own_address_says(
    watch: Watch, sent: bytes, outcome: Outcome, answer: Answer
) -> None:
    """D3: it is judged as any answer is: a login page there shows no vendor."""

    async def asked() -> None:
        async with raw_server(says(sent)) as server:
            on = watched(direct_url=f"{server.url}/v1")
            chosen = tuple(c for c in worth_asking(seen(502), runbook()) if c.varies == "direct")
            (reading,) = await contrast_readings(watch, on, chosen, 2.0)
        assert (reading.outcome, reading.answer, reading.of) == (outcome, answer, "workorders")
        assert (
            "/v1/workorders" in server.heads[0] and "authorization" not in server.heads[0].lower()
        )

    asyncio.run(asked())


def test_a_portal_in_the_controls_place_is_no_way_out(watch: Watch) -> None:
    """D9: an answer that asks us to sign in does not show that our network gets out."""

    async def asked(sent: bytes) -> tuple[Outcome, str | None]:
        async with raw_server(says(sent)) as server:
            on = watched(control_url=server.url)
            readings = await network_readings(watch, on, 2.0)
        found = next(r for r in readings if r.probe == "control")
        return found.outcome, found.fault

    login = http(status=302, headers={"Location": "http://captive.example/login"})
    assert asyncio.run(asked(login)) == (Outcome.DOWN, "intercepted")
    assert asyncio.run(asked(http(status=511))) == (Outcome.DOWN, "intercepted")
    assert asyncio.run(asked(http(status=404))) == (Outcome.OK, None)


def test_our_service_is_known_to_have_answered_where_it_is_asked_now(
    watch: Watch, clock: Clock
) -> None:
    """D11: an answer at another address, or of long ago, says nothing of a port that refuses."""
    on = watched(service={"health_url": "http://127.0.0.1:3000/health"})
    (unknown,) = service_history(watch, on)
    assert unknown.outcome is Outcome.UNKNOWN
    at = replace(service(200), at=clock.at, of=address_of("http://127.0.0.1:3000/health"))
    elsewhere = replace(at, of=address_of("http://127.0.0.1:3001/health"))
    keep(watch, clock, elsewhere)
    assert service_history(watch, on)[0].outcome is Outcome.UNKNOWN
    keep(watch, clock, at)
    assert service_history(watch, on)[0].outcome is Outcome.OK
    clock.advance(timedelta(days=8))
    assert service_history(watch, on)[0].outcome is Outcome.UNKNOWN


def test_an_address_tells_no_secret() -> None:
    """D11: of a URL only host and port are kept."""
    assert address_of("http://user:secret@svc:3000/health?token=x") == "svc:3000"
    assert address_of("no url") == ""


def test_what_failed_lately_is_asked_again_though_it_is_well(watch: Watch, clock: Clock) -> None:
    """D4: one good answer of an endpoint that comes and goes may be luck."""
    on = watched()
    assert restless(watch, on) == frozenset()
    keep(watch, clock, endpoint("workorders", 503, at=clock.at))
    assert restless(watch, on) == {"workorders"}
    chosen = worth_asking(seen(200), runbook(), restless(watch, on))
    assert {(c.varies, c.of) for c in chosen} == {("again", "workorders")}
    assert worth_asking(seen(200), runbook()) == ()
    assert worth_asking(seen(429), runbook(), restless(watch, on)) == ()


def keep(watch: Watch, clock: Clock, *readings: object) -> None:
    evidence = Evidence(integration=NAME, at=clock.at, readings=tuple(readings))  # type: ignore[arg-type]
    with watch.store.write() as session:
        observations.keep(session, evidence, None, Purpose.HEALTH)
