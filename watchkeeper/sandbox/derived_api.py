"""A vendor's API out of its shape: its lists, its records by id, and what its checks ask for."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from watchkeeper.sandbox.derived_lists import body_of
from watchkeeper.sandbox.derived_making import making_of
from watchkeeper.sandbox.effects import Bent, gone
from watchkeeper.sandbox.exchange import Answer, Call, as_json, error
from watchkeeper.sandbox.manners import Manners
from watchkeeper.sandbox.members import has, put
from watchkeeper.sandbox.query import Refusal
from watchkeeper.sandbox.shape import ListShape, ProbeShape, Shape
from watchkeeper.sandbox.shelf import Shelf
from watchkeeper.sandbox.world import World

NOT_FOUND = error(404, "Not found")
BAD_KEY = error(401, "Invalid API key")
NO_KEY = Answer(401, b"Missing API key", "text/plain; charset=utf-8")
EMPTY = Shelf()


def manners_of(shape: Shape) -> Manners:
    return Manners(
        no_key=NO_KEY if shape.auth.tells_missing_key else BAD_KEY,
        bad_key=BAD_KEY,
        forbidden=error(403, "Not allowed"),
        base=shape.base_path,
        header=shape.auth.header,
        scheme=shape.auth.scheme,
        open_paths=frozenset([shape.description] if shape.description else []),
        reset=shape.rate.reset,
        retry_after=True,
    )


class Derived:
    """A vendor for a site to be."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.manners = manners_of(shape)
        self.making = making_of(shape)
        self.lists: Mapping[str, str] = {r.name: r.path for r in shape.resources}

    def answer(self, world: World, call: Call, now: datetime, bent: Bent) -> Answer:
        method = "GET" if call.method == "HEAD" else call.method
        path = bent.asked(call.path)
        if method == "GET" and path == self.shape.description:
            return as_json(200, described(self.shape, bent))
        probes = [p for p in self.shape.probes if p.bare_path == path]
        probes = [p for p in probes if p.method in (call.method, method)]
        if method == "GET":
            for resource in self.shape.resources:
                if path == resource.path:
                    return self._listed(resource, world, call, bent, probes)
                if (number := id_in(resource.item_path, path)) is not None:
                    return self._read(resource, world, number, bent, probes)
        return checked(probes, bent)

    def _listed(
        self, resource: ListShape, world: World, call: Call, bent: Bent, probes: list[ProbeShape]
    ) -> Answer:
        shelf = EMPTY if bent.empty else world.shelves[resource.name]
        largest, cap = self.shape.max_page_size, world.config.page_cap
        body = body_of(resource, shelf, call.pairs, largest, cap)
        if isinstance(body, Refusal):
            return as_json(body.status, body.body)
        return as_json(200, fitted(body, probes))

    def _read(
        self, resource: ListShape, world: World, number: str, bent: Bent, probes: list[ProbeShape]
    ) -> Answer:
        """An id that a check asks for is there, whatever it is."""
        known, records = self._known_ids(resource), world.records[resource.name]
        first = str(min(records, default=""))
        if gone(bent, resource.name, number, known[0] if known else first):
            return NOT_FOUND
        found = records.get(int(number)) if number.isdecimal() else None
        item: dict[str, Any] = dict(found.whole) if found else {}
        if found is None and number in known and records:
            item = {**records[int(first)].whole, resource.id_field: as_id(number)}
        if not item:
            return NOT_FOUND
        whole = put({}, resource.item_envelope, item) if resource.item_envelope else item
        return as_json(200, fitted(whole, probes))

    def _known_ids(self, resource: ListShape) -> list[str]:
        ids = (id_in(resource.item_path, p.bare_path) for p in self.shape.probes)
        return [number for number in ids if number is not None]


def id_in(template: str | None, path: str) -> str | None:
    """The id in a path such as `/users/{id}`."""
    head, mark, tail = (template or "").partition("{id}")
    found = path[len(head) : len(path) - len(tail)]
    fits = mark and path == head + found + tail and found and "/" not in found
    return found if fits else None


def as_id(text: str) -> int | str:
    return int(text) if text.isdecimal() else text


def checked(probes: list[ProbeShape], bent: Bent) -> Answer:
    """What a check asks for that is no record and no list: a small JSON that satisfies it."""
    if not probes or any(_is_gone(probe, bent) for probe in probes):
        return NOT_FOUND
    body: Any = {"status": "ok"}
    for probe in probes:
        if probe.envelope is not None:
            body = put(body, probe.envelope, [] if bent.empty else [{"id": 1}])
    status = next((p.status[0] for p in probes if p.status), 200)
    given = as_json(status, fitted(body, probes))
    return replace(given, costs=any(p.method == "POST" for p in probes))


def _is_gone(probe: ProbeShape, bent: Bent) -> bool:
    named = probe.resource or probe.name
    return probe.record and gone(bent, named, probe.record_id, probe.record_id)


def fitted(body: Any, probes: list[ProbeShape]) -> Any:
    """What the checks of this path look for is in it."""
    for probe in probes:
        path, wanted = probe.json_path, probe.equals
        if path is not None and (wanted is not None or not has(body, path)):
            body = put(body, path, "ok" if wanted is None else wanted)
    return body


def described(shape: Shape, bent: Bent) -> dict[str, Any]:
    """An OpenAPI document with the paths that are served now, and no more."""
    paths: dict[str, dict[str, Any]] = {}
    known = [(r.path, "get") for r in shape.resources]
    known += [(r.item_path, "get") for r in shape.resources if r.item_path]
    known += [(p.bare_path, p.method.lower()) for p in shape.probes if not p.record]
    for path, method in known:
        verbs = paths.setdefault(bent.shown(path), {})
        verbs[method] = {"responses": {"200": {"description": "Done"}}}
    return {
        "openapi": "3.0.0",
        "info": {"title": f"{shape.vendor}, simulated", "version": "1"},
        "servers": [{"url": shape.base_path or "/"}],
        "paths": paths,
    }
