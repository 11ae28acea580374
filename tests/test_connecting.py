"""The first day with a vendor: ten requests at most, counted where they arrive, and what they prove."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import FIRST_KEY, NAME, store_key
from loopback import RawServer, http, raw_server, routed, utc_now
from stand_ins import Vendor, entry, running_vendor
from test_cli import run

from watchkeeper.performing.connecting import Connection, connect
from watchkeeper.performing.watch import Watch
from watchkeeper.runbook.api import RateLimit
from watchkeeper.sandbox.process import Processes
from watchkeeper.settings import Settings
from watchkeeper.store.engine import Store
from watchkeeper.vendor.items import iso
from watchkeeper.vendor.reply import Reply
from watchkeeper.vendor.trial import clock_check, rate_check

FAST: dict[str, Any] = {"overrides": {"rate_limit": {"requests": 100_000, "per": "1 s"}}}
T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def told(found: Connection) -> dict[str, str]:
    return {check.about: check.verdict for check in found.checks}


def said(found: Connection, about: str) -> str:
    check = next(check for check in found.checks if check.about == about)
    return f"{check.says} -> {check.todo}"


# --- a vendor that is well -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    folder = tmp_path_factory.mktemp("vendor")
    processes = Processes(folder)
    with running_vendor(processes, folder) as running:
        yield running


@pytest.fixture
def home(vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "integrations.yaml").write_text(entry(vendor, **FAST), encoding="utf-8")
    store_key(tmp_path)
    monkeypatch.setenv("WATCHKEEPER_HOME", str(tmp_path))
    monkeypatch.setenv("WATCHKEEPER_INTEGRATIONS", str(tmp_path / "integrations.yaml"))
    yield tmp_path
    vendor.mend()


def asked(vendor: Vendor) -> int:
    return sum(vendor.asked().values())


def test_a_vendor_that_is_well(vendor: Vendor, home: Path) -> None:
    """All is tried within ten requests; the count is the far side's, but for the status page."""
    before = asked(vendor)
    done = run("connect", NAME, "--json")
    found = {check["about"]: check["verdict"] for check in done.data["checks"]}
    wrong = {about for about, verdict in found.items() if verdict != "works"}
    # The status page of this vendor is nobody's.
    assert (wrong, done.code) == ({"status page"}, 1)
    assert {"key", "probe users", "list users", "list workorders", "rate headers", "clock"} <= set(
        found
    )
    assert {"filter of workorders", "order of workorders", "filter of assets"} <= set(found)
    assert done.data["requests"] == asked(vendor) - before + 1 <= done.data["most"] == 10
    assert FIRST_KEY not in done.out + done.err


def test_it_is_told_in_a_table_and_in_lines(vendor: Vendor, home: Path) -> None:
    done = run("connect", NAME)
    assert (done.code, done.out) == (1, "")
    assert "connect maintainx@test" in done.err
    assert "status page: open the page: are its kind, url, path and component right?" in done.err
    last = done.err.splitlines()[-1]
    assert last == "9 of at most 10 requests; does not work: status page"


def test_a_refused_key_ends_it_early(vendor: Vendor, home: Path) -> None:
    """No list is asked for with a key that no probe gets in with."""
    store_key(home, "test_no_such_key")
    before = asked(vendor)
    done = run("connect", NAME, "--json")
    found = {check["about"]: check for check in done.data["checks"]}
    assert asked(vendor) - before == 4
    assert found["probe workorders"]["verdict"] == "does not work"
    assert "auth.header" in found["probe workorders"]["todo"]
    assert found["lists"]["says"] == "not tried: no probe was answered well"


def test_without_a_key_nothing_is_asked(vendor: Vendor, home: Path) -> None:
    (home / "key.json").unlink()
    before = asked(vendor)
    done = run("connect", NAME)
    assert (done.code, asked(vendor) - before) == (1, 0)
    assert "key: put one in: watchkeeper key offer maintainx@test" in done.err


# --- a vendor that is not what its runbook says ----------------------------------------------------


def record(number: int, at: datetime) -> dict[str, Any]:
    return {"id": number, "updatedAt": iso(at)}


RECORDS = [record(n, T0 + timedelta(minutes=n)) for n in range(6)]


def page(target: str, records: list[dict[str, Any]] | None = None, **more: Any) -> bytes:
    """A good answer to any list: filtered, as asked, and one record where one is asked for."""
    rows = RECORDS if records is None else records
    for word in target.replace("?", "&").split("&"):
        if word.startswith(("updatedAt%5Bgte%5D=", "updatedAt[gte]=")):
            since = word.partition("=")[2].replace("%3A", ":")
            rows = [r for r in rows if r["updatedAt"] >= since]
    name = target.split("?")[0].rsplit("/", 1)[1]
    envelope = {"workorders": "workOrders"}.get(name, name)
    first = rows[:1] if "limit=1" in target.split("&")[0].split("?")[1:] else rows
    return http({envelope: first, "nextCursor": None}, headers=more.get("headers"))


def first_day(
    answer: Callable[[str], bytes],
    settings: Settings,
    store: Store,
    most: int = 10,
    **changes: Any,
) -> tuple[Connection, RawServer]:
    """Connect to a scripted vendor; `changes` to its runbook."""

    async def day() -> tuple[Connection, RawServer]:
        async with raw_server(routed(answer)) as server:
            watch = Watch(settings, store, utc_now)
            watched = watch.integration(NAME)
            integration = watched.integration.model_copy(
                update={"base_url": f"{server.url}/v1", "status_page_url": server.url}
            )
            rate = {"rate_limit": RateLimit(requests=100_000, per="1s"), **changes}
            book = watched.runbook.model_copy(update=rate)
            copy = watched.model_copy(update={"integration": integration, "runbook": book})
            return await connect(watch, copy, most), server

    return asyncio.run(day())


def test_a_scripted_vendor_that_is_well(settings: Settings, lite_store: Store) -> None:
    found, server = first_day(page, settings, lite_store, status_page=None)
    assert {v for about, v in told(found).items() if about not in ("rate headers", "clock")} == {
        "works"
    }
    assert said(found, "list workorders").startswith("5 records with id and updatedAt; no more")
    assert said(found, "order of workorders").startswith("sorted by updatedAt")
    assert "nothing from before" in said(found, "filter of workorders")
    assert found.works
    assert len(server.heads) == found.requests == 8
    assert {head.split()[0] for head in server.heads} == {"GET"}


@pytest.mark.parametrize("most", range(1, 10))
def test_the_budget_is_never_exceeded(most: int, settings: Settings, lite_store: Store) -> None:
    """However small: what is left out is told."""
    found, server = first_day(page, settings, lite_store, most)
    assert len(server.heads) == found.requests == most
    spent = [c.about for c in found.checks if c.says == f"not tried: all {most} requests are spent"]
    assert len(spent) >= 9 - most
    assert found.checks[1].about == "probe workorders"


def unfiltered(target: str) -> bytes:
    return page(target.replace("gte", "gt"))


def unsorted(target: str) -> bytes:
    return page(target, [RECORDS[0], RECORDS[3], RECORDS[2], RECORDS[5]])


def other_envelope(target: str) -> bytes:
    return page(target) if "limit=1&" in target + "&" else http({"data": []})


def no_ids(target: str) -> bytes:
    return page(target) if "limit=1&" in target + "&" else page(target, [{"id": None}])


def longer(target: str) -> bytes:
    rows = [record(n, T0 + timedelta(minutes=n)) for n in range(150)]
    return page(target, rows)


def answers(status: int) -> Callable[[str], bytes]:
    return lambda target: (
        page(target) if "limit=1&" in target + "&" else http({"error": "no"}, status)
    )


WRONG: dict[str, tuple[Callable[[str], bytes], str, str]] = {
    "filter ignored": (
        unfiltered,
        "filter of workorders",
        "are from before -> is 'updatedAt[gte]'",
    ),
    "not sorted": (unsorted, "order of workorders", "does the vendor know sort=updatedAt?"),
    "other envelope": (other_envelope, "list workorders", "no 'workOrders' -> hold an answer"),
    "no ids": (no_ids, "list users", "id of a record is no identity"),
    "page size ignored": (longer, "list users", "150 records came where 100 were asked for"),
    "400": (answers(400), "list assets", "does the vendor know limit, sort, updatedAt[gte]?"),
    "403": (answers(403), "list assets", "give the key's owner the right"),
    "404": (answers(404), "list assets", "is the path '/assets' right"),
    "429": (answers(429), "list assets", "is somebody else using this key?"),
    "500": (answers(500), "list assets", "the vendor answered 500"),
    "page of html": (lambda _: http(b"<html>"), "probe users", "hold the answer against"),
    "probe 403": (lambda _: http({}, 403), "probe users", "give the key's owner the right"),
    "probe 404": (lambda _: http({}, 404), "probe users", "is '/users?limit=1' right"),
    "probe 429": (lambda _: http({}, 429), "probe users", "is somebody else using this key?"),
    "silence": (lambda _: b"", "probe users", "can this machine reach it?"),
    "status page": (page, "status page", "are its kind, url, path and component right?"),
}


@pytest.mark.parametrize(("answer", "about", "words"), WRONG.values(), ids=WRONG)
def test_what_does_not_work_is_told_with_what_to_do(
    answer: Callable[[str], bytes], about: str, words: str, settings: Settings, lite_store: Store
) -> None:
    found, server = first_day(answer, settings, lite_store)
    assert told(found)[about] == "does not work", found.checks
    assert words in said(found, about)
    assert not found.works
    assert len(server.heads) <= 10


def test_a_probe_that_costs_is_not_sent(settings: Settings, lite_store: Store) -> None:
    probes = [p.model_dump() for p in Watch(settings, lite_store).integration(NAME).runbook.probes]
    probes[0] |= {"costs": True, "method": "POST"}
    kind = type(Watch(settings, lite_store).integration(NAME).runbook.probes[0])
    changed = tuple(kind.model_validate(p) for p in probes)
    found, server = first_day(page, settings, lite_store, probes=changed)
    assert said(found, "probe workorders").startswith("not tried: it costs")
    assert not [head for head in server.heads if head.startswith("POST")]


def test_an_empty_filtered_page_is_followed_by_a_whole_one(
    settings: Settings, lite_store: Store
) -> None:
    """The filter is proven by what does not come; the list's shape is still to be seen."""
    found, server = first_day(
        lambda target: page(target, [RECORDS[0]]), settings, lite_store, status_page=None
    )
    assert "nothing, though older records exist" in said(found, "filter of workorders")
    assert said(found, "list workorders").startswith("1 record with id and updatedAt")
    assert len(server.heads) == found.requests == 10


def test_a_list_without_a_probe_is_asked_twice(settings: Settings, lite_store: Store) -> None:
    """Its first page shows a time to ask from; what that page got wrong stays wrong."""
    probes = Watch(settings, lite_store).integration(NAME).runbook.probes[2:]
    found, _ = first_day(page, settings, lite_store, probes=probes)
    assert "updatedAt[gte]=2026-03-02T09:05:00.000Z" in said(found, "filter of workorders")
    assert said(found, "order of workorders").startswith("sorted by updatedAt")
    wrong, _ = first_day(unsorted, settings, lite_store, probes=probes)
    assert told(wrong)["order of workorders"] == "does not work"
    assert told(wrong)["filter of workorders"] == "works"
    untimed, _ = first_day(lambda t: page(t, []), settings, lite_store, probes=probes)
    assert "no record tells a time" in said(untimed, "filter of workorders")


def reply(headers: dict[str, str]) -> Reply:
    return Reply(status=200, headers=headers, body=b"{}", latency_s=0.1, at=T0)


LIMITED = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "30"}
RATES: dict[str, tuple[list[Reply], int, str, str]] = {
    "none": ([reply({})], 60, "not known", "is 60 requests per 60 s in your contract?"),
    "as told": (
        [reply({}), reply(LIMITED)],
        60,
        "works",
        "60 allowed, 7 left, whole again in 30 s",
    ),
    "less than told": ([reply(LIMITED)], 100, "does not work", "set rate_limit.requests to 60"),
    "more than told": ([reply(LIMITED)], 10, "works", "60 allowed"),
}


@pytest.mark.parametrize(("replies", "requests", "verdict", "words"), RATES.values(), ids=RATES)
def test_rate_headers(replies: list[Reply], requests: int, verdict: str, words: str) -> None:
    check = rate_check(replies, RateLimit(requests=requests, per="60 s"))
    assert check.verdict == verdict
    assert words in f"{check.says} {check.todo}"


CLOCKS: list[tuple[list[float], str, str]] = [
    ([], "not known", "tell no time"),
    ([-0.4, 3.0], "works", "0 s behind ours"),
    ([75.0], "does not work", "75 s ahead of ours"),
    ([-75.0], "does not work", "75 s behind ours"),
]


@pytest.mark.parametrize(("skews_s", "verdict", "words"), CLOCKS)
def test_the_clock(skews_s: list[float], verdict: str, words: str) -> None:
    check = clock_check(skews_s, timedelta(seconds=60))
    assert (check.verdict, words in check.says) == (verdict, True)


# --- the tutorial's vendor -------------------------------------------------------------------------

TUTORIAL = Path(__file__).parent.parent / "docs" / "tutorial"


def parcelhive(target: str) -> bytes:
    """Its API and its status page: page numbers, a bare list, the instant of reset."""
    path, _, query = target.partition("?")
    at = str(int(utc_now().timestamp()) + 30)
    headers = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "9", "X-RateLimit-Reset": at}
    rows = [{"id": f"PH-{n}", "modified_at": iso(T0 + timedelta(minutes=n))} for n in range(70)]
    size, number = (1, 1) if query == "per_page=1" else (50, int(query.partition("&page=")[2] or 1))
    bodies: dict[str, Any] = {
        "/v2/ping": {"status": "ok"},
        "/v2/carriers": [{"code": "DHX"}, {"code": "UPZ"}],
        "/v2/shipments": {"shipments": rows[(number - 1) * size : number * size], "total_pages": 2},
        "/api/v2/summary.json": {
            "components": [{"name": "Shipments API", "status": "operational"}]
        },
    }
    return http(bodies[path], headers=headers)


def test_the_tutorials_vendor_is_all_in_one_file(tmp_path: Path, lite_store: Store) -> None:
    """No line of ours knows Parcelhive; its key travels bare, in its own header."""

    async def day() -> tuple[Connection, RawServer]:
        async with raw_server(routed(parcelhive)) as server:
            said = {
                "runbook": "parcelhive",
                "sandbox": True,
                "base_url": f"{server.url}/v2",
                "status_page_url": server.url,
                "credential": {"name": "parcelhive-key", "reference": "file:key.json"},
                "overrides": {"rate_limit": {"per": "1 s"}},
            }
            file = tmp_path / "integrations.yaml"
            file.write_text(json.dumps({"integrations": {"parcelhive@test": said}}))
            settings = Settings(home=tmp_path, integrations=file, runbooks=TUTORIAL)
            watch = Watch(settings, lite_store, utc_now)
            return await connect(watch, watch.integration("parcelhive@test")), server

    store_key(tmp_path)
    found, server = asyncio.run(day())
    assert {about for about, verdict in told(found).items() if verdict != "works"} == {"clock"}
    assert said(found, "list shipments").startswith("50 records with id and modified_at; more")
    assert said(found, "list carriers").startswith("2 records with code; no more follow")
    assert "60 allowed, 9 left, whole again in" in said(found, "rate headers")
    keyed = [f"x-api-key: {FIRST_KEY}" in head.lower() for head in server.heads]
    assert keyed == ["/v2/summary" not in head for head in server.heads]
    assert len(server.heads) == found.requests == 6
