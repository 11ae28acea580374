"""The vendor's settings page for keys: a person makes them, looks at them, and revokes them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from watchkeeper.sandbox.clock import MILLISECOND, instant, iso, whole_ms
from watchkeeper.sandbox.key_history import accepted, history
from watchkeeper.sandbox.keys import fingerprint
from watchkeeper.sandbox.site import Site

LAST_OF_MS = MILLISECOND - timedelta(microseconds=1)
Body = dict[str, Any]
Control = Callable[[Site, Request, Body], Response]


def show_keys(site: Site, _request: Request, _body: Body) -> Response:
    now, ring = site.now(), site.keyring
    return JSONResponse(
        [key.to_json(site.faults, now, ring.uses[mark]) for mark, key in ring.keys.items()]
    )


def make_key(site: Site, _request: Request, body: Body) -> Response:
    """The one time that a key's value is shown, as in the vendor's settings page."""
    scopes = body.get("scopes")
    key = site.keyring.make(
        str(body.get("label", "")),
        site.now(),
        read_only=body.get("read_only") is True,
        scopes=None if scopes is None else _names(scopes, "scopes"),
        lacks=_names(body.get("lacks", []), "lacks"),
    )
    return JSONResponse({"value": key.value, "fingerprint": fingerprint(key.value)}, 201)


def revoke_key(site: Site, request: Request, _body: Body) -> Response:
    mark = request.path_params["fingerprint"]
    if not site.keyring.revoke(mark, site.now()):
        return _no_key(mark)
    return JSONResponse({"revoked": mark})


def show_calls(site: Site, request: Request, _body: Body) -> Response:
    """What came with one key, oldest first, refused calls too."""
    mark, since = request.path_params["fingerprint"], request.query_params.get("since")
    if (uses := site.keyring.uses.get(mark)) is None:
        return _no_key(mark)
    calls = [use.to_json() for use in uses.since(instant(since) if since else None)]
    return JSONResponse({"fingerprint": mark, "calls": calls})


def show_history(site: Site, request: Request, _body: Body) -> Response:
    """`at`: which keys were accepted then; now, where it is not given."""
    now, asked = site.now(), request.query_params.get("at")
    # An instant as it is shown is a whole millisecond, and what happened in it has happened.
    at = min(whole_ms(instant(asked)) + LAST_OF_MS, now) if asked else now
    table = list(site.keyring.keys.values())
    return JSONResponse(
        {
            "at": iso(at),
            "accepted": accepted(table, site.faults, at),
            "events": history(table, site.faults, now),
        }
    )


def _no_key(mark: str) -> Response:
    return JSONResponse({"error": f"no key {mark}"}, 404)


def _names(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        raise ValueError(f"{what}: a list of resources by their names")
    return tuple(value)


KEYS: list[tuple[str, dict[str, Control]]] = [
    ("keys", {"GET": show_keys, "POST": make_key}),
    ("keys/history", {"GET": show_history}),
    ("keys/{fingerprint}", {"DELETE": revoke_key}),
    ("keys/{fingerprint}/calls", {"GET": show_calls}),
]
