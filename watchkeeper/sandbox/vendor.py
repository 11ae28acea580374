"""The vendor simulator: a maintenance API that lives, lags, and fails on request.

python -m watchkeeper.sandbox.vendor [--port 0] [--seed N] [--config FILE] [--tied]
"""

import asyncio
from pathlib import Path
from socket import socket

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchkeeper.sandbox import config, rate, serving
from watchkeeper.sandbox.admin import routes
from watchkeeper.sandbox.api import Answer, Call, answer
from watchkeeper.sandbox.clock import Clock, utc_now
from watchkeeper.sandbox.gate import Caller, Gate
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.requests_log import Entry, caller_of
from watchkeeper.sandbox.site import Site

BASE = "/v1"
HELD_AT_MOST_S = 120
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def application(site: Site) -> Starlette:
    async def api(request: Request) -> Response:
        return await _served(site, request)

    app = Starlette(routes=[*routes(site), Route(BASE + "/{path:path}", api, methods=METHODS)])
    app.router.redirect_slashes = False
    return app


async def _served(site: Site, request: Request) -> Response:
    caller = _caller(request)
    came = site.now()
    verdict = Gate(site).judge(caller, came)
    body = await request.body()
    if verdict.delay_s:
        await asyncio.sleep(verdict.delay_s)
    call = Call(caller.method, caller.path, request.query_params.multi_items(), body)
    given = verdict.refusal or answer(site.world, call, site.now())
    site.log.answered(
        Entry(came, caller.method, caller.path, caller.name, caller.mark, given.status)
    )
    if verdict.lost:
        await _until_given_up(request)
    prefix = site.config.header_prefix
    extra = rate.headers(prefix, verdict.allowance) if prefix and verdict.allowance else {}
    return _response(given, extra)


async def _until_given_up(request: Request) -> None:
    """No answer before the caller has lost patience, so that none is ever seen."""
    for _ in range(HELD_AT_MOST_S * 20):
        if await request.is_disconnected():
            return
        await asyncio.sleep(0.05)


def _caller(request: Request) -> Caller:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    key = value.strip() if scheme.lower() == "bearer" else ""
    return Caller(
        method=request.method,
        path=request.url.path.removeprefix(BASE),
        name=caller_of(request.headers.get("user-agent", "")),
        key=key,
        mark=fingerprint(key) if key else "none",
    )


def _response(given: Answer, extra: dict[str, str]) -> Response:
    return Response(given.body, given.status, headers=extra, media_type=given.content_type)


class Announcing(uvicorn.Server):
    """Says that it is ready once it accepts, and takes the signals back from uvicorn."""

    def __init__(self, settings: uvicorn.Config, tied: bool, facts: dict[str, str]) -> None:
        super().__init__(settings)
        self.tied, self.facts = tied, facts

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        serving.obey(self.tied)
        serving.ready("vendor", **self.facts)


def settings(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        application(site),
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=512,
    )


def main(argv: list[str] | None = None, clock: Clock = utc_now) -> None:
    parser = serving.parser("vendor", "The vendor simulator.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--config", type=Path)
    options = parser.parse_args(argv)
    site = Site(config.load(options.config, options.seed), clock)
    sock = serving.listen(options.port)
    url = f"http://{serving.LOOPBACK}:{serving.port_of(sock)}"
    mark = fingerprint(site.config.first_key)
    facts = {"url": url, "api": url + BASE, "key_fingerprint": mark}
    asyncio.run(Announcing(settings(site), options.tied, facts).serve([sock]))


if __name__ == "__main__":
    main()
