"""A vendor's front door: HTTP in, the gate, the API, HTTP out, or silence where a fault asks for it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from socket import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from watchkeeper.sandbox import rate, serving
from watchkeeper.sandbox.admin import routes
from watchkeeper.sandbox.exchange import Answer, Call
from watchkeeper.sandbox.fault_answers import Encoded
from watchkeeper.sandbox.fault_wire import model_delay_s
from watchkeeper.sandbox.gate import NO_MARK, Caller, Gate, Verdict
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.requests_log import Entry, caller_of, model_of
from watchkeeper.sandbox.site import Site

HELD_AT_MOST_S, LOOK_EVERY_S = 120, 0.05
METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"]
TRANSPORT = "watchkeeper.transport"
SILENCE = Answer(0, b"")


def application(site: Site) -> Starlette:
    async def api(request: Request) -> Response:
        return await _served(site, request)

    path = site.vendor.manners.base + "/{path:path}"
    app = Starlette(routes=[*routes(site), Route(path, api, methods=METHODS)])
    app.router.redirect_slashes = False
    return app


async def _served(site: Site, request: Request) -> Response:
    came = site.now()
    verdict = Gate(site).judge(_caller(site, request), came)
    caller, wire = verdict.caller, verdict.manner.wire
    body = await request.body()
    model = model_of(caller.method, body)
    delay_s = max(verdict.delay_s, model_delay_s(site.faults, model, came))
    if delay_s:
        await asyncio.sleep(delay_s)
    call = Call(caller.method, caller.path, request.query_params.multi_items(), body)
    given = SILENCE if wire else verdict.refusal or site.answer(call, verdict.bent)
    entry = Entry(came, caller.method, caller.path, caller.name, caller.mark, given.status)
    site.answered(replace(entry, costs=given.costs, model=model))
    if verdict.lost or wire == "hang":
        await _until_given_up(request)
    if wire or verdict.lost:
        return await _dropped(request)
    return _response(site, given, verdict)


async def _until_given_up(request: Request) -> None:
    """No answer before the caller has lost patience, so that none is ever seen."""
    for _ in range(round(HELD_AT_MOST_S / LOOK_EVERY_S)):
        if await request.is_disconnected():
            return
        await asyncio.sleep(LOOK_EVERY_S)


async def _dropped(request: Request) -> Response:
    """What is answered to a closed connection goes nowhere."""
    request.scope[TRANSPORT].close()
    await _until_given_up(request)
    return Response(status_code=500)


def _caller(site: Site, request: Request) -> Caller:
    manners = site.vendor.manners
    key = manners.key_in(request.headers)
    return Caller(
        method=request.method,
        path=request.url.path.removeprefix(manners.base),
        name=caller_of(request.headers.get("user-agent", "")),
        key=key,
        mark=fingerprint(key) if key else NO_MARK,
    )


def _response(site: Site, given: Answer, verdict: Verdict) -> Response:
    manner = verdict.manner
    body = given.body.ljust(manner.pad_to)
    headers = {**given.headers, **_date(site, manner.skew_s), **_told(site, verdict)}
    if manner.encoded is not None and verdict.refusal is None:
        body, headers = _sent(manner.encoded, body), {**headers, **_declared(manner.encoded)}
    if manner.bytes_per_s is None:
        return Response(body, given.status, headers, given.content_type)
    headers["Content-Length"] = str(len(body))
    dripping = _dripping(body, 1 / manner.bytes_per_s)
    return StreamingResponse(dripping, given.status, headers, given.content_type)


NOISE = bytes(range(128, 256)) * 4


def _sent(encoded: Encoded, body: bytes) -> bytes:
    return {"plain": body, "gzip": gzip.compress(body), "noise": NOISE}[encoded.sent]


def _declared(encoded: Encoded) -> dict[str, str]:
    return {"Content-Encoding": encoded.declared} if encoded.declared else {}


def _date(site: Site, skew_s: float) -> dict[str, str]:
    return {"Date": format_datetime(site.clock() + timedelta(seconds=skew_s), usegmt=True)}


def _told(site: Site, verdict: Verdict) -> dict[str, str]:
    prefix = site.config.header_prefix
    if not (prefix and verdict.allowance and verdict.manner.tells_rate):
        return {}
    from_epoch = site.vendor.manners.reset == "epoch"
    return rate.headers(prefix, verdict.allowance, site.clock().timestamp() if from_epoch else 0.0)


async def _dripping(body: bytes, every_s: float) -> AsyncIterator[bytes]:
    for place in range(len(body)):
        await asyncio.sleep(every_s)
        yield body[place : place + 1]


class Line(H11Protocol):
    """A connection that lets the application close it."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        app: ASGIApp = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, TRANSPORT: transport}, receive, send)

        self.app = with_transport


class Announcing(uvicorn.Server):
    """Says that it is ready once it accepts, and takes the signals back from uvicorn."""

    def __init__(
        self, settings: uvicorn.Config, name: str, tied: bool, facts: dict[str, str]
    ) -> None:
        super().__init__(settings)
        self.name, self.tied, self.facts = name, tied, facts

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        serving.obey(self.tied)
        serving.ready(self.name, **self.facts)


def run(name: str, site: Site, port: int, tied: bool) -> None:
    """Serve the site until the end; `url` and `api` (with the base path) are on the ready line."""
    sock = serving.listen(port)
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    mark = fingerprint(site.config.first_key)
    facts = {"url": url, "api": url + site.vendor.manners.base, "key_fingerprint": mark}
    asyncio.run(Announcing(_settings(site), name, tied, facts).serve([sock]))


def _settings(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        application(site),
        http=Line,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=512,
    )
