"""Any runbook's vendor can be simulated the minute its file is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from loopback import CANARY, fresh_store, store_key, utc_now
from making import runbook

from deployments.drill.shape import status_page_options, vendor_shape
from watchkeeper.evidence import Outcome
from watchkeeper.runbook.api import Auth, RateLimit, Resource
from watchkeeper.runbook.integration import Credential, Integration, Watched
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS, load_runbook
from watchkeeper.runbook.model import Runbook
from watchkeeper.runbook.probes import Probe
from watchkeeper.sandbox.derived import parse
from watchkeeper.sandbox.process import Processes
from watchkeeper.store.engine import Store
from watchkeeper.vendor.client import VendorClient, vendor_client
from watchkeeper.vendor.items import Item
from watchkeeper.vendor.judging import judge
from watchkeeper.vendor.listing import fetch_one, pages
from watchkeeper.vendor.reply import Reply

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RECORDS = 37
STILL = {"created_per_s": 0, "changed_per_s": 0, "assets_changed_per_s": 0}


def resource(name: str, **given: Any) -> Resource:
    base = {"name": name, "path": f"/{name}", "envelope": "items", "page_size": 10}
    return Resource.model_validate({**base, "item_path": f"/{name}/{{id}}", **given})


def numbered(name: str, **given: Any) -> Resource:
    return resource(name, paging="page_number", version_field=None, **given)


RESOURCES = (
    resource(
        "notes",
        envelope="data.notes",
        cursor_param="after",
        cursor_field="meta.next",
        id_field="uuid",
        version_field="modified_at",
        since_param="modified_after",
        until_param="modified_before",
        sort_param="order",
        sort="modified_at:asc",
        item_envelope="note",
    ),
    resource("teams", paging="offset_cursor", limit_param="per_page"),
    resource("calls", version_field="created_at", since_param="created_since"),
    resource("tags", paging="none", envelope=None, version_field=None),
    numbered("bare", envelope=None, cursor_param="p"),
    numbered("lasting", cursor_field="total_pages"),
    numbered("counted", cursor_field="pages", cursor_means="page_count", first_page=0),
    numbered("leading", cursor_field="links.next", cursor_means="next_page"),
    numbered("more", cursor_field="has_more", cursor_means="more", limit_param=None),
)
PROBES = [
    {"name": "notes", "path": "/notes?limit=1", "resource": "notes", "envelope": "data.notes"},
    {"name": "bare", "path": "/bare?limit=1", "resource": "bare", "expect": {"json_path": "0.id"}},
    {"name": "one", "path": "/calls/abc-1", "record": True, "expect": {"json_path": "id"}},
    {"name": "hat", "path": "/hats/9", "record": True, "expect": {"json_path": "state.0.word"}},
    {"name": "health", "path": "/health", "expect": {"json_path": "status", "equals": "ok"}},
    {"name": "head", "path": "/health", "method": "HEAD"},
    {"name": "me", "path": "/me", "expect": {"json_path": "user.checks.1.active", "equals": False}},
    {"name": "models", "path": "/models", "envelope": "models"},
    {
        "name": "transcribe",
        "path": "/transcribe",
        "method": "POST",
        "body": {"audio": "x"},
        "costs": True,
        "expect": {"status": [202], "json_path": "transcript_id"},
    },
]


def odd() -> Runbook:
    """Nothing in it is as MaintainX does it."""
    return runbook().model_copy(
        update={
            "vendor": "odd",
            "base_url": "https://odd.example/api/2026-01/",
            "auth": Auth(header="X-Api-Key", scheme="", tells_missing_key=True),
            "rate_limit": RateLimit(requests=500, per="10 s", reset="epoch"),
            "max_page_size": 50,
            "description": "/schema.json",
            "status_page": None,
            "resources": RESOURCES,
            "probes": tuple(Probe.model_validate(p) for p in PROBES),
        }
    )


BOOKS = {path.stem: load_runbook(path) for path in sorted(SHIPPED_RUNBOOKS.glob("*.yaml"))}
BOOKS["odd"] = odd()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with Processes(tmp_path_factory.mktemp("derived")) as started:
        yield started


class Side:
    """A running vendor made from a runbook, and our own client to it."""

    def __init__(self, book: Runbook, processes: Processes, folder: Path) -> None:
        store_key(folder)
        shape = vendor_shape(book, records=RECORDS)
        config = {**shape, "key": CANARY, "arrivals": STILL, "rate": None}
        path = folder / "shape.json"
        path.write_text(json.dumps(config))
        started = processes.start(["derived", "--config", str(path)])
        self.book, self.url, self.api, self.folder = book, started["url"], started["api"], folder
        self.store: Store = fresh_store(folder)

    def client(self) -> VendorClient:
        integration = Integration(
            name=f"{self.book.vendor}@test",
            runbook="r",
            sandbox=True,
            base_url=self.api,
            credential=Credential(name="api-key", reference="file:key.json"),
        )
        # Our own pacing is tested elsewhere, and takes its time.
        unhurried = {"rate_limit": RateLimit(requests=100_000, per="1 s")}
        watched = Watched(integration=integration, runbook=self.book.model_copy(update=unhurried))
        return vendor_client(watched, self.store, utc_now, "backfill", base=self.folder)


@pytest.fixture(scope="module", params=BOOKS)
def side(
    request: pytest.FixtureRequest, processes: Processes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Side]:
    made = Side(BOOKS[request.param], processes, tmp_path_factory.mktemp("side"))
    yield made
    made.store.close()


def test_every_probe_is_answered_well(side: Side) -> None:
    async def ask(client: VendorClient, probe: Probe) -> Reply:
        if probe.method == "GET":
            return await client.get(probe.path)
        if probe.method == "HEAD":
            return await client.head(probe.path)
        return await client.send(probe.method, probe.path, probe.body)

    async def asked() -> dict[str, Outcome]:
        async with side.client() as client:
            said = [(p, await ask(client, p)) for p in side.book.probes]
        return {p.name: judge(p, reply, T0, 5.0).outcome for p, reply in said}

    assert asyncio.run(asked()) == dict.fromkeys([p.name for p in side.book.probes], Outcome.OK)


def test_every_resource_is_walked_whole(side: Side) -> None:
    async def walked(client: VendorClient, name: str) -> list[Item]:
        return [
            i async for p in pages(client, side.book.resource(name), None, None) for i in p.items
        ]

    async def all_of_them() -> dict[str, list[Item]]:
        async with side.client() as client:
            return {r.name: await walked(client, r.name) for r in side.book.resources}

    found = asyncio.run(all_of_them())
    for name, items in found.items():
        assert len(items) == len({i.record_id for i in items}) == RECORDS, name
        truth = httpx.get(f"{side.url}/_sim/truth", params={"resource": name}).json()["records"]
        assert {str(row["id"]) for row in truth} == {i.record_id for i in items}, name


def test_a_record_is_read_by_its_id(side: Side) -> None:
    async def read() -> list[str | None]:
        async with side.client() as client:
            said = [await fetch_one(client, r, "7") for r in side.book.resources if r.item_path]
        return [item and item.record_id for item in said]

    assert set(asyncio.run(read())) == {"7"}


def test_the_vendor_describes_what_it_serves(side: Side) -> None:
    path = side.book.description or "/openapi.json"
    found = httpx.get(side.api + path)
    paths = found.json()["paths"].keys() if found.status_code == 200 else set()
    assert paths >= {r.path for r in side.book.resources if side.book.description}
    assert (found.status_code == 200) == (side.book.description is not None)


@pytest.mark.parametrize("name", BOOKS)
def test_a_shape_is_read_as_it_was_written(name: str) -> None:
    book = BOOKS[name]
    told = json.loads(json.dumps(vendor_shape(book)))
    config, shape = parse({**told, "key": "test_x"}, 3)
    assert config.records == {r.name: 300 for r in book.resources}
    assert config.rate is not None
    assert config.rate.limit == book.rate_limit.requests
    assert [p.name for p in shape.probes] == [p.name for p in book.probes]
    read = [(r.name, r.paging, r.version_field, r.cursor_means) for r in shape.resources]
    assert read == [(r.name, r.paging, r.version_field, r.cursor_means) for r in book.resources]
    assert shape.auth.header == book.auth.header


def test_the_status_page_is_told_apart() -> None:
    page = runbook().status_page
    assert page is not None
    assert status_page_options(runbook())[:4] == ["--kind", page.kind, "--path", page.path]
    assert status_page_options(odd()) == []
