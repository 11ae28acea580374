"""MaintainX's REST API below `/v1`: one call in, one answer out, no HTTP in sight."""

import json
from datetime import datetime
from typing import Any

from watchkeeper.sandbox import paging, query
from watchkeeper.sandbox.clock import iso
from watchkeeper.sandbox.description import described
from watchkeeper.sandbox.effects import STRAIGHT, Bent, gone
from watchkeeper.sandbox.exchange import HTML, Answer, Call, as_json, error
from watchkeeper.sandbox.making import with_status
from watchkeeper.sandbox.manners import Manners
from watchkeeper.sandbox.query import Pairs, Refusal
from watchkeeper.sandbox.records import Fields
from watchkeeper.sandbox.resources import PRIORITIES, RESOURCES, STATUSES, Resource
from watchkeeper.sandbox.shelf import Shelf
from watchkeeper.sandbox.world import World

EMPTY = Shelf()
SETTABLE = tuple(s for s in STATUSES if s != "SKIPPED")
# What a work order takes from a caller, and what only the reading of one order shows.
LISTED = frozenset(
    {"title", "description", "priority", "type", "assetId", "locationId", "dueDate", "startDate"}
)
SINGLE = frozenset({"externalData", "categories", "estimatedTime", "parentId"})


NOT_FOUND = error(404, "Not Found.")
ORDER_NOT_FOUND = error(404, "Work Order Not Found")
MANNERS = Manners(
    open_paths=frozenset({"/openapi.json"}),
    no_key=Answer(401, b"Invalid authentication token", HTML),
    bad_key=error(401, "Invalid token"),
    forbidden=as_json(403, {"errors": [{"error": "User don't have the right permissions"}]}),
)


def answer(world: World, call: Call, now: datetime, bent: Bent = STRAIGHT) -> Answer:
    method = "GET" if call.method == "HEAD" else call.method
    match method, bent.asked(call.path).strip("/").split("/"):
        case "GET", ["openapi.json"]:
            return as_json(200, described(bent.shown))
        case "GET", ["versions"]:
            return as_json(200, [{"version": "1"}])
        case "GET", [name] if name in RESOURCES:
            return listed(world, RESOURCES[name], call.pairs, bent)
        case "POST", ["workorders"]:
            return created(world, call.body, now)
        case "GET", ["workorders", number]:
            return read(world, number, bent)
        case "PATCH", ["workorders", number]:
            return patched(world, number, call.body, now)
        case "PATCH", ["workorders", number, "status"]:
            return moved(world, number, call.body, now)
    return NOT_FOUND


def listed(world: World, resource: Resource, pairs: Pairs, bent: Bent = STRAIGHT) -> Answer:
    shelf = EMPTY if bent.empty else world.shelves[resource.name]
    found = paging.page(shelf, resource, pairs, world.config.page_cap)
    if isinstance(found, Refusal):
        return as_json(found.status, found.body)
    url = paging.next_url(resource, found.next_cursor, query.limit_of(pairs))
    tail = json.dumps({"nextCursor": found.next_cursor, "nextPageUrl": url}).encode()
    items = b",".join(record.item for record in found.records)
    return Answer(200, b'{"%b":[%b],%b' % (resource.envelope.encode(), items, tail[1:]))


def read(world: World, number: str, bent: Bent = STRAIGHT) -> Answer:
    """Never behind: only lists lag."""
    orders = world.records["workorders"]
    if gone(bent, "workorders", number, str(min(orders, default=""))):
        return NOT_FOUND
    found = orders.get(int(number)) if number.isdecimal() else None
    return as_json(200, {"workOrder": found.whole}) if found else NOT_FOUND


def created(world: World, body: bytes, now: datetime) -> Answer:
    given = _given(body, required=("title",))
    if isinstance(given, Refusal):
        return as_json(given.status, given.body)
    listed_, single = _split(given)
    defaults = {**dict.fromkeys(LISTED), "status": "OPEN", "priority": "NONE"}
    made = world.create("workorders", {**defaults, **listed_}, single, now)
    return as_json(200, {"id": made.id})


def patched(world: World, number: str, body: bytes, now: datetime) -> Answer:
    given = _given(body)
    if isinstance(given, Refusal):
        return as_json(given.status, given.body)
    listed_, single = _split(given)
    return _changed(world, number, listed_, single, now)


def moved(world: World, number: str, body: bytes, now: datetime) -> Answer:
    given = _given(body, required=("status",))
    if isinstance(given, Refusal):
        return as_json(given.status, given.body)
    stamp = iso(now)
    return _changed(world, number, with_status(given["status"], stamp), {}, now)


def _changed(world: World, number: str, fields: Fields, single: Fields, now: datetime) -> Answer:
    if not number.isdecimal() or int(number) not in world.records["workorders"]:
        return ORDER_NOT_FOUND
    made = world.change("workorders", int(number), fields, single, now)
    return as_json(200, {"workOrder": made.whole})


def _split(given: Fields) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rest of what a caller sends is taken and forgotten."""
    return (
        {name: value for name, value in given.items() if name in LISTED},
        {name: value for name, value in given.items() if name in SINGLE},
    )


def _given(body: bytes, required: tuple[str, ...] = ()) -> dict[str, Any] | Refusal:
    try:
        given = json.loads(body)
    except ValueError:
        return query.simple("Request body is not valid JSON")
    if not isinstance(given, dict):
        return query.simple("Request body must be an object")
    for name in {"title"} & given.keys() | set(required):
        if not isinstance(given.get(name), str) or not given[name]:
            return query.at_field("is required", name, given.get(name))
    for name, allowed in (("priority", PRIORITIES), ("status", SETTABLE)):
        if name in given and given[name] not in allowed:
            return query.at_field(f"Invalid {name}", name, str(given[name]))
    return given
