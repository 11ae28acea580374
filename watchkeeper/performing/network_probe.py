"""Is it our network, or theirs? The way to the vendor in stages, and a site that is not theirs.

No credential leaves from here, and no HTTP request to the vendor.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import replace
from functools import partial

import httpx

from watchkeeper import own_clock
from watchkeeper.answer import Answer
from watchkeeper.evidence import Reading
from watchkeeper.network.clocks import clock_readings
from watchkeeper.network.proxies import proxies_set, proxy_for, proxy_reading
from watchkeeper.network.split import Resolve, split_way, system_addresses
from watchkeeper.network.stage_readings import network_reading, stage_readings
from watchkeeper.network.stages import Place
from watchkeeper.performing.watch import Clock, Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.authorities import authorities
from watchkeeper.vendor.classifying import classify
from watchkeeper.vendor.failures import WORDS, kind_of
from watchkeeper.vendor.reply import Reply

__all__ = ["clock_readings", "network_readings"]

HEADERS = {"accept-encoding": "identity", "user-agent": "watchkeeper"}


async def network_readings(
    watch: Watch,
    watched: Watched,
    deadline_s: float,
    *,
    resolve: Resolve = system_addresses,
    trust: ssl.SSLContext | None = None,
) -> tuple[Reading, ...]:
    """`dns`, `tcp`, `tls` (https only), `proxy`, `control`: all at once, within the deadline.

    `trust`: by default the authorities that the vendor's client trusts.
    """
    trusted = trust or authorities()
    way, control = await asyncio.gather(
        _way(watch, watched, deadline_s, resolve, trusted),
        _control(watch, watched, deadline_s, trusted),
    )
    stands = proxy_for(watched.base_url) is not None
    proxy = proxy_reading(proxies_set(os.environ), watch.now(), stands=stands)
    return (*way, proxy, control)


async def _way(
    watch: Watch, watched: Watched, deadline_s: float, resolve: Resolve, trust: ssl.SSLContext
) -> tuple[Reading, ...]:
    at, slow_s = watch.now(), watched.runbook.thresholds.connect_slow.total_seconds()
    # Where a proxy stands between, the way is the way to it.
    place = Place.of(proxy_for(watched.base_url) or watched.base_url)
    if place is None:
        why = "base_url names no host and port"
        return (network_reading("dns", "DNS of base_url", at, unknown=True, detail=why),)
    return stage_readings(await split_way(place, trust, deadline_s, resolve), at, slow_s)


async def _control(
    watch: Watch, watched: Watched, deadline_s: float, trust: ssl.SSLContext
) -> Reading:
    """Any answer shows that our network gets out, but one of a network that asks us to sign in."""
    at, url = watch.now(), watched.control_url
    slow_s = watched.runbook.thresholds.connect_slow.total_seconds()
    if url is None:
        why = "no control URL is set"
        return network_reading("control", "control", at, unknown=True, detail=why)
    place = Place.of(url)
    if place is None:
        why = "the control URL names no host and port"
        return network_reading("control", "control", at, unknown=True, detail=why)
    judged = partial(network_reading, "control", f"control {place.host}", at, slow_s=slow_s)
    began = own_clock.seconds()
    try:
        reply = await _ask(url, watch.now, deadline_s, trust)
    except (OSError, UnicodeError, httpx.HTTPError, httpx.InvalidURL) as error:
        kind, took_s = kind_of(error), own_clock.seconds() - began
        return judged(took_s=took_s, fault=kind, detail=WORDS[kind])
    took_s, said = own_clock.seconds() - began, f"answered {reply.status}"
    if classify(reply).answer is Answer.INTERCEPTED:
        found = judged(took_s=took_s, fault="intercepted", detail=f"{said}: asks us to sign in")
    else:
        found = judged(took_s=took_s, detail=said)
    return replace(found, status=reply.status, skew_s=_skew_s(reply))


async def _ask(url: str, now: Clock, deadline_s: float, trust: ssl.SSLContext) -> Reply:
    """One GET, of which only the head is read.

    A name and password that stand in the URL are not sent. Raises what httpx raises, TimeoutError.
    """
    bare = httpx.URL(url).copy_with(userinfo=b"")
    async with (
        asyncio.timeout(deadline_s),
        httpx.AsyncClient(
            trust_env=False, verify=trust, timeout=deadline_s, proxy=proxy_for(url)
        ) as client,
        client.stream("GET", bare, headers=HEADERS) as reply,
    ):
        return Reply(reply.status_code, dict(reply.headers.items()), b"", 0.0, now())


def _skew_s(reply: Reply) -> float | None:
    """That clock minus ours. What a cache kept for a while tells of another time, or of this one:
    not known which."""
    if reply.date is None or reply.headers.get("age", "0").strip() != "0":
        return None
    return (reply.date - reply.at).total_seconds()
