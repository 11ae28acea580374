"""The simulator's own controls under `/_sim`: truth, faults, keys, requests, arrivals.

No part of the vendor: needs no key, is not counted, and answers while all else is down.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.sandbox import faults
from watchkeeper.sandbox.admin_keys import KEYS, Body, Control
from watchkeeper.sandbox.clock import instant, iso
from watchkeeper.sandbox.config import Arrivals
from watchkeeper.sandbox.records import Record, digest
from watchkeeper.sandbox.site import Coming, Site


def routes(site: Site) -> list[Route]:
    return [Route(f"/_sim/{path}", _asked(site, verbs), methods=[*verbs]) for path, verbs in TABLE]


def _asked(site: Site, verbs: dict[str, Control]) -> Callable[[Request], Any]:
    async def asked(request: Request) -> Response:
        try:
            body = json.loads(await request.body() or b"{}")
            if not isinstance(body, dict):
                return JSONResponse({"error": "the body must be an object"}, 400)
            return verbs[request.method](site, request, body)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return asked


def row(record: Record) -> dict[str, Any]:
    """`externalData` is there for counting what a replay really did."""
    found = {
        "id": record.id,
        "updatedAt": record.updated_at,
        "createdAt": record.created_at,
        "digest": digest(record.item),
    }
    data = record.extra.get("externalData")
    return found if data is None else {**found, "externalData": data}


def truth(site: Site, request: Request, _body: Body) -> Response:
    names = site.vendor.making.names
    name = request.query_params.get("resource", names[0])
    if name not in names:
        raise ValueError(f"resource must be one of {', '.join(names)}")
    now = site.now()
    return JSONResponse(
        {"at": iso(now), "records": [row(r) for r in site.world.records[name].values()]}
    )


def show_faults(site: Site, _request: Request, _body: Body) -> Response:
    now = site.now()
    return JSONResponse({"at": iso(now), "faults": [faults.to_json(f, now) for f in site.faults]})


def add_fault(site: Site, _request: Request, body: Body) -> Response:
    """At once, or `after_requests` more of them."""
    now, requests = site.now(), int(body.pop("after_requests", 0))
    fault = faults.from_json(body, now)
    if requests > 0:
        site.coming.append(Coming(requests, fault))
    else:
        site.faults.append(fault)
    return JSONResponse(faults.to_json(fault, now), 201)


def end_faults(site: Site, request: Request, _body: Body) -> Response:
    """One kind, or all of them where no kind is named."""
    now, kind = site.now(), request.path_params.get("kind")
    if kind is not None and kind not in faults.KINDS:
        raise ValueError(f"kind must be one of {', '.join(faults.KINDS)}")
    chosen = [f for f in site.faults if kind in (None, f.kind)]
    site.coming = [one for one in site.coming if kind not in (None, one.fault.kind)]
    site.faults[:] = [faults.ended(f, now) if f in chosen else f for f in site.faults]
    return JSONResponse({"ended": [f.kind for f in chosen if f.until is None or f.until > now]})


def show_requests(site: Site, request: Request, _body: Body) -> Response:
    since = request.query_params.get("since")
    return JSONResponse(site.log.summary(instant(since) if since else None))


def set_arrivals(site: Site, _request: Request, body: Body) -> Response:
    """What is not named is zero: {} freezes the world."""
    still = {"created_per_s": 0.0, "changed_per_s": 0.0, "assets_changed_per_s": 0.0}
    site.world.set_arrivals(Arrivals(**{**still, **body}), site.now())
    return JSONResponse({**still, **body})


TABLE: list[tuple[str, dict[str, Control]]] = [
    ("truth", {"GET": truth}),
    ("faults", {"GET": show_faults, "POST": add_fault, "DELETE": end_faults}),
    ("faults/{kind}", {"DELETE": end_faults}),
    *KEYS,
    ("requests", {"GET": show_requests}),
    ("arrivals", {"PUT": set_arrivals}),
]
