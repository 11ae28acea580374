"""What the simulator says about itself at `/v1/openapi.json`: the paths it serves, no more."""

from collections.abc import Callable
from typing import Any

from watchkeeper.sandbox.resources import RESOURCES, Resource

TEXT = {"type": "string"}
MOMENT = {"type": "string", "format": "date-time"}
ANSWERS = {
    "200": {"description": "Done"},
    "400": {"description": "The request was not understood"},
    "401": {"description": "The key is missing or not accepted"},
    "429": {"description": "Too many requests"},
}


def _query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _list(resource: Resource) -> dict[str, Any]:
    limit = {"type": "integer", "minimum": 1, "maximum": 200, "default": 100}
    parameters = [_query("cursor", TEXT), _query("limit", limit)]
    if resource.timed:
        names = [f"{f}[{side}]" for f in ("createdAt", "updatedAt") for side in ("gte", "lte")]
        parameters += [_query(name, MOMENT) for name in names]
    if resource.sorts:
        ways = sorted({*resource.sorts, *(f"-{name}" for name in resource.sorts)})
        parameters.append(_query("sort", {**TEXT, "enum": ways}))
    return {"summary": f"List {resource.name}", "parameters": parameters, "responses": ANSWERS}


def _plain(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": ANSWERS}


DESCRIPTION: dict[str, Any] = {
    "openapi": "3.0.0",
    "info": {"title": "Maintenance API, simulated", "version": "1"},
    "servers": [{"url": "/v1"}],
    "paths": {
        **{f"/{name}": {"get": _list(resource)} for name, resource in RESOURCES.items()},
        "/workorders": {
            "get": _list(RESOURCES["workorders"]),
            "post": _plain("Create a work order"),
        },
        "/workorders/{id}": {
            "get": _plain("Read one work order"),
            "patch": _plain("Change a work order"),
        },
        "/workorders/{id}/status": {"patch": _plain("Move a work order")},
        "/versions": {"get": _plain("List the versions of this API")},
    },
}


def described(shown: Callable[[str], str]) -> dict[str, Any]:
    """`shown` gives the name that a path has now."""
    return {**DESCRIPTION, "paths": {shown(p): verbs for p, verbs in DESCRIPTION["paths"].items()}}
