"""Is it our network, or theirs? The way to the vendor in stages, and a site that is not theirs.

No credential leaves from here, and no HTTP request to the vendor.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from dataclasses import replace
from datetime import datetime
from functools import partial

import httpx

from watchkeeper.evidence import Reading
from watchkeeper.network.clocks import clock_readings
from watchkeeper.network.proxies import proxies_set, proxy_for, proxy_reading
from watchkeeper.network.split import Resolve, split_way, system_addresses
from watchkeeper.network.stage_readings import network_reading, stage_readings
from watchkeeper.network.stages import Place
from watchkeeper.performing.watch import Clock, Watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.vendor.authorities import authorities
from watchkeeper.vendor.failures import WORDS, kind_of
from watchkeeper.vendor.reply import http_date

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
    """Any answer at all shows that our network gets out."""
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
    began = time.monotonic()
    try:
        status, skew_s = await _ask(url, watch.now, deadline_s, trust)
    except (OSError, UnicodeError, httpx.HTTPError, httpx.InvalidURL) as error:
        kind, took_s = kind_of(error), time.monotonic() - began
        return judged(took_s=took_s, fault=kind, detail=WORDS[kind])
    found = judged(took_s=time.monotonic() - began, detail=f"answered {status}")
    return replace(found, status=status, skew_s=skew_s)


async def _ask(
    url: str, now: Clock, deadline_s: float, trust: ssl.SSLContext
) -> tuple[int, float | None]:
    """One GET, of which only the head is read: the status, and that clock minus ours.

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
        return reply.status_code, _skew_s(reply.headers, now())


def _skew_s(headers: httpx.Headers, at: datetime) -> float | None:
    """What a cache kept for a while tells of another time, or of this one: not known which."""
    date = http_date(headers.get("date", ""))
    if date is None or headers.get("age", "0").strip() != "0":
        return None
    return (date - at).total_seconds()
