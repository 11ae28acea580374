"""The simulator against the vendor's own description of its API, where we use it.

By default the description is our excerpt of facts in `tests/data`; WATCHKEEPER_MAINTAINX_OPENAPI
names a copy of the vendor's own file to be checked as well. It is not ours to ship.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS30ReadValidator, oas30_format_checker

from watchkeeper.sandbox.process import Processes

EXCERPT = Path(__file__).parent / "data" / "maintainx-openapi-excerpt.json"
GIVEN = os.environ.get("WATCHKEEPER_MAINTAINX_OPENAPI")
KEY = {"Authorization": "Bearer test_contract"}
TIMED, PAGED = ("/workorders", "/assets"), ("/locations", "/users", "/organizations")
MOMENT = {"type": "string", "format": "date-time"}
BOUNDS = [f"{field}[{side}]" for field in ("createdAt", "updatedAt") for side in ("gte", "lte")]
NEW = {"title": "Leak at press 4", "priority": "HIGH", "externalData": {"ours": "k-1"}}
Document = dict[str, Any]


@dataclass(frozen=True)
class Exchange:
    """One call and what the simulator said; `path` as the description spells it."""

    method: str
    path: str
    status: int
    body: Any


@dataclass(frozen=True)
class Ask:
    method: str
    path: str
    status: int
    at: str = ""
    query: str = ""
    body: object = None

    @property
    def url(self) -> str:
        return f"/v1{self.at or self.path}{self.query}"


ORDER = "/workorders/{id}"
ASKS = [
    *(Ask("get", path, 200) for path in (*TIMED, *PAGED, "/versions")),
    *(Ask("get", path, 200, query="?limit=2") for path in (*TIMED, *PAGED)),
    Ask("get", "/workorders", 200, query="?sort=-updatedAt&updatedAt[gte]=2026-01-01T00:00:00Z"),
    Ask("get", "/workorders", 400, query="?statuses=CLOSED"),
    Ask("get", "/assets", 400, query="?sort=name"),
    Ask("post", "/workorders", 200, body=NEW),
    Ask("post", "/workorders", 400, body={"title": "x", "priority": "URGENT"}),
    Ask("post", "/workorders", 400, body={}),
    Ask("get", ORDER, 200, at="/workorders/3"),
    Ask("get", ORDER, 404, at="/workorders/99999"),
    Ask("patch", ORDER, 200, at="/workorders/3", body={"title": "Changed"}),
    Ask("patch", ORDER, 400, at="/workorders/3", body={"priority": "URGENT"}),
    Ask("patch", ORDER, 404, at="/workorders/99999", body={"title": "Changed"}),
    Ask("patch", f"{ORDER}/status", 200, at="/workorders/3/status", body={"status": "DONE"}),
    Ask("patch", f"{ORDER}/status", 400, at="/workorders/3/status", body={"status": "CLOSED"}),
]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(EXCERPT, id="excerpt"),
        *([pytest.param(Path(GIVEN), id="vendor")] if GIVEN else []),
    ],
)
def vendors(request: pytest.FixtureRequest) -> Document:
    found: Document = json.loads(request.param.read_text())
    return found


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("contract")
    settings = folder / "vendor.json"
    settings.write_text(json.dumps({"key": "test_contract", "rate": None}))
    with Processes(folder) as processes:
        url = processes.start(["vendor", "--config", str(settings)])["url"]
        with httpx.Client(base_url=url, headers=KEY) as client:
            yield client


def asked(simulator: httpx.Client, ask: Ask) -> Exchange:
    found = simulator.request(ask.method, ask.url, json=ask.body)
    return Exchange(ask.method, ask.path, found.status_code, found.json())


def operation(vendors: Document, method: str, path: str) -> Document:
    found: Document = vendors["paths"][path][method]
    return found


def disagreements(vendors: Document, exchange: Exchange) -> list[str]:
    """What the description forbids in this answer. A status it does not know is one as well."""
    responses = operation(vendors, exchange.method, exchange.path)["responses"]
    response = responses.get(str(exchange.status))
    if response is None:
        return [f"{exchange.status} is not described"]
    schema = response["content"]["application/json"]["schema"]
    return problems(schema, exchange.body)


def problems(schema: Document, value: object) -> list[str]:
    validator = OAS30ReadValidator(schema, format_checker=oas30_format_checker)
    return [f"{e.json_path}: {e.message}" for e in validator.iter_errors(value)]


@pytest.mark.parametrize("ask", ASKS, ids=lambda a: f"{a.method} {a.url} {a.status}")
def test_what_the_simulator_says_is_as_described(
    vendors: Document, simulator: httpx.Client, ask: Ask
) -> None:
    exchange = asked(simulator, ask)
    assert exchange.status == ask.status
    assert disagreements(vendors, exchange) == []


@pytest.mark.parametrize(
    "ask", [a for a in ASKS if a.body and a.status == 200], ids=lambda a: f"{a.method} {a.path}"
)
def test_what_we_send_is_as_described(vendors: Document, ask: Ask) -> None:
    content = operation(vendors, ask.method, ask.path)["requestBody"]["content"]
    assert problems(content["application/json"]["schema"], ask.body) == []


def test_no_operation_takes_a_bad_key(vendors: Document, simulator: httpx.Client) -> None:
    for path in (*TIMED, *PAGED):
        found = simulator.get(f"/v1{path}", headers={"Authorization": "Bearer test_wrong"})
        assert found.status_code == 401
        assert "401" in operation(vendors, "get", "/workorders")["responses"]


def test_lists_take_the_parameters_we_send(vendors: Document) -> None:
    for path in (*TIMED, *PAGED):
        known = parameters(vendors, path)
        assert known["cursor"]["type"] == "string"
        limit = known["limit"]
        assert (limit["type"], limit["minimum"], limit["maximum"]) == ("integer", 1, 200)
    for path in TIMED:
        known = parameters(vendors, path)
        for name in BOUNDS:
            assert {k: known[name][k] for k in MOMENT} == MOMENT
        assert {"updatedAt", "-updatedAt", "createdAt", "-createdAt"} <= set(known["sort"]["enum"])
    for path in PAGED:
        assert not set(BOUNDS) & parameters(vendors, path).keys()


def parameters(vendors: Document, path: str) -> Document:
    listed = operation(vendors, "get", path)["parameters"]
    return {p["name"]: p["schema"] for p in listed if p.get("in") == "query"}


def test_the_simulator_describes_itself_with_the_same_names(
    vendors: Document, simulator: httpx.Client
) -> None:
    own = simulator.get("/v1/openapi.json").json()
    for path, verbs in own["paths"].items():
        assert verbs.keys() <= vendors["paths"][path].keys()
    for path in (*TIMED, *PAGED):
        theirs = parameters(vendors, path)
        for name, schema in parameters(own, path).items():
            assert schema["type"] == theirs[name]["type"]
            assert set(schema.get("enum", ())) <= set(theirs[name].get("enum", ()))


def planted(exchange: Exchange) -> Iterator[tuple[str, Exchange]]:
    """The same answer, wrong in one way each time."""
    item = exchange.body["workOrders"][0]
    nameless = {k: v for k, v in item.items() if k != "title"}
    for what, body in (
        ("status code", None),
        ("envelope", {"data": [item]}),
        ("text id", {"workOrders": [{**item, "id": "wo_1"}]}),
        ("unknown status", {"workOrders": [{**item, "status": "CLOSED"}]}),
        ("no title", {"workOrders": [nameless]}),
        ("time without a date", {"workOrders": [{**item, "updatedAt": "noon"}]}),
        ("null where none is allowed", {"workOrders": [{**item, "title": None}]}),
    ):
        changed = {"status": 418} if body is None else {"body": body}
        yield what, replace(exchange, **changed)


def test_a_planted_disagreement_is_caught(vendors: Document, simulator: httpx.Client) -> None:
    good = asked(simulator, Ask("get", "/workorders", 200))
    assert disagreements(vendors, good) == []
    for what, bad in planted(good):
        assert disagreements(vendors, bad), what


def test_where_the_live_api_was_seen_to_differ(simulator: httpx.Client) -> None:
    """A page too large: described with one error, measured with a list. We follow the measured."""
    found = simulator.get("/v1/workorders", params={"limit": 250})
    assert found.status_code == 400
    assert found.json() == {
        "errors": [{"error": "must be <= 200", "fieldPath": "limit", "fieldValue": 250}]
    }
