"""What a service says of its health: only what is understood counts, and every part of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from making import NAME
from pydantic import ValidationError

from watchkeeper.evidence import Evidence, Outcome
from watchkeeper.fetching import Fetched, read_json
from watchkeeper.health_body import (
    DEEPEST,
    USUAL,
    Health,
    Said,
    Vocabulary,
    read_answer,
    read_text,
    read_value,
)
from watchkeeper.performing.health_probe import health_reading, read_health
from watchkeeper.reading_text import around
from watchkeeper.runbook.telemetry import HealthWords
from watchkeeper.signs.ours import service_crashed, service_sick, service_well
from watchkeeper.verification import unproven

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WELL, UNKNOWN, DEGRADED, SICK = Health.WELL, Health.UNKNOWN, Health.DEGRADED, Health.SICK

# What is served, what it means, and the parts that are named.
VALUES: list[tuple[Any, Health, tuple[str, ...]]] = [
    # D1: the whole says ok, a part does not.
    ({"status": "ok", "checks": {"database": "down"}}, SICK, ("database",)),
    ({"status": "ok", "checks": {"database": False}}, SICK, ("database",)),
    ({"status": "ok", "checks": {"database": "up", "cache": True}}, WELL, ()),
    ({"status": "ok", "checks": {"database": "dwon"}}, UNKNOWN, ("database",)),
    ({"status": "ok", "checks": {"a": "fail", "b": "odd"}}, SICK, ("a", "b")),
    ({"status": "ok", "checks": {"a": None}}, UNKNOWN, ("a",)),
    ({"status": "ok", "checks": {"a": 12}}, UNKNOWN, ("a",)),
    ({"status": "ok", "checks": ["db ok"]}, UNKNOWN, ("1",)),
    ({"status": "ok", "checks": [{"name": "db", "status": "fail"}]}, SICK, ("db",)),
    ({"status": "ok", "checks": {"a": {"b": {"c": {"status": "fail"}}}}}, SICK, ("a/b/c",)),
    # D1: RFC health+json.
    ({"checks": {"db": [{"status": "fail"}]}}, SICK, ("db",)),
    ({"status": "pass", "checks": {"db": [{"status": "fail"}]}}, SICK, ("db",)),
    ({"status": "pass", "checks": {"db": [{"status": "pass"}]}}, WELL, ()),
    (
        {
            "status": "pass",
            "releaseId": "1.2",
            "notes": [""],
            "checks": {
                "cpu:utilization": [
                    {"node": 1, "observedValue": 85, "observedUnit": "percent", "status": "warn"},
                    {"node": 2, "observedValue": 20, "observedUnit": "percent", "status": "pass"},
                ],
                "uptime": [{"observedValue": 1209600.2, "observedUnit": "s"}],
            },
        },
        DEGRADED,
        ("cpu:utilization/1",),
    ),
    # D14: Spring Boot.
    ({"status": "UP"}, WELL, ()),
    ({"status": "UP", "groups": ["liveness", "readiness"]}, WELL, ()),
    ({"status": "OUT_OF_SERVICE"}, SICK, ()),
    ({"status": "UNKNOWN"}, UNKNOWN, ()),
    ({"status": "UP", "components": {"db": {"status": "DOWN"}}}, SICK, ("db",)),
    (
        {
            "status": "UP",
            "components": {
                "db": {"status": "UP", "components": {"two": {"status": "OUT_OF_SERVICE"}}},
                "diskSpace": {"status": "UP", "details": {"total": 5, "exists": True}},
                "discovery": {"status": "UNKNOWN", "description": "not initialized"},
            },
        },
        SICK,
        ("db/two", "discovery"),
    ),
    ({"status": "UP", "diskSpace": {"status": "UP"}, "db": {"status": "DOWN"}}, SICK, ("db",)),
    # ASP.NET.
    (
        {"status": "Healthy", "entries": {"sql": {"data": {}, "status": "Unhealthy", "tags": []}}},
        SICK,
        ("sql",),
    ),
    (
        {"status": "Healthy", "results": {"sql": {"status": "Degraded", "description": None}}},
        DEGRADED,
        ("sql",),
    ),
    # Terminus.
    (
        {
            "status": "error",
            "info": {"api": {"status": "up"}},
            "error": {"redis": {"status": "down", "message": "timeout of 300ms exceeded"}},
            "details": {"api": {"status": "up"}, "redis": {"status": "down"}},
        },
        SICK,
        ("redis",),
    ),
    ({"status": "ok", "info": {"a": {"status": "up"}}, "error": {}, "details": {}}, WELL, ()),
    # MicroProfile.
    ({"outcome": "UP", "checks": [{"name": "db", "state": "DOWN"}]}, SICK, ("db",)),
    ({"status": "UP", "checks": []}, WELL, ()),
    # Django, and maps of checks without a word of their own.
    ({"Cache backend": "working", "Database": "unavailable: no route"}, SICK, ("Database",)),
    ({"Cache backend": "working", "Database": "unexpected result: x"}, UNKNOWN, ("Database",)),
    ({"Cache backend": "working", "Database": "working"}, WELL, ()),
    ({"db": True, "redis": False, "version": "1.2", "uptime": 5}, SICK, ("redis",)),
    # Elasticsearch.
    ({"cluster_name": "x", "status": "green", "timed_out": False}, WELL, ()),
    ({"cluster_name": "x", "status": "yellow", "timed_out": False}, DEGRADED, ()),
    ({"cluster_name": "x", "status": "red"}, SICK, ()),
    # Consul.
    (
        [{"Node": {"Node": "n"}, "Checks": [{"CheckID": "serfHealth", "Status": "critical"}]}],
        SICK,
        ("1/serfHealth",),
    ),
    ([{"AggregatedStatus": "warning", "Service": {"ID": "r"}, "Checks": []}], DEGRADED, ("1",)),
    ({"service:redis": {"CheckID": "service:redis", "Status": "passing"}}, WELL, ()),
    ([], UNKNOWN, ()),
    # Flags and bare values.
    ({"healthy": True}, WELL, ()),
    ({"ok": True}, WELL, ()),
    ({"ok": False}, SICK, ()),
    ({"ready": 3}, UNKNOWN, ()),
    ({"status": "ok", "healthy": False}, SICK, ()),
    (True, WELL, ()),
    (False, SICK, ()),
    ("ok", WELL, ()),
    (None, UNKNOWN, ()),
    (0, UNKNOWN, ()),
    ({}, UNKNOWN, ()),
    ({"status": 200, "message": "up"}, WELL, ()),
    ({"status": 503}, SICK, ()),
    ({"status": None}, UNKNOWN, ()),
    ({"status": "nominal"}, UNKNOWN, ()),
    ({"message": "hello"}, UNKNOWN, ()),
    ({"status": {"code": "ok"}}, UNKNOWN, ("status",)),
    # Beside a word of its own: facts, and parts that are no checks by their place.
    ({"status": "ok", "database": "down", "version": "1"}, SICK, ("database",)),
    ({"status": "ok", "database": False}, UNKNOWN, ("database",)),
    ({"status": "ok", "debug": False, "environment": "live"}, WELL, ()),
    ({"status": "ok", "error": "connection refused"}, UNKNOWN, ()),
    ({"status": "ok", "error": None, "errors": []}, WELL, ()),
    ({"status": "ok", "errors": ["x"]}, UNKNOWN, ()),
    ({"status": "ok", "lastError": "timeout"}, UNKNOWN, ("lastError",)),
    ({"status": "ok", "maintenance": True}, DEGRADED, ("maintenance",)),
    ({"status": "SERVING"}, WELL, ()),
    ({"status": "NOT_SERVING"}, SICK, ()),
]


@pytest.mark.parametrize(("value", "health", "names"), VALUES, ids=lambda v: json.dumps(v)[:60])
def test_a_body_is_read_part_by_part(value: Any, health: Health, names: tuple[str, ...]) -> None:
    """D1, D14: the worst of the whole and its parts counts, and what is not well is named."""
    said = read_value(value)
    assert (said.health, tuple(sorted(p.name for p in said.parts))) == (
        health,
        tuple(sorted(names)),
    )


TEXTS = [
    ("ok", WELL, ()),
    ("OK\n", WELL, ()),
    ("Healthy", WELL, ()),
    ("Unhealthy", SICK, ()),
    ("Degraded", DEGRADED, ()),
    ("PONG", WELL, ()),
    ("", WELL, ()),
    ("Service is up", UNKNOWN, ()),
    ("<html><head><title>Health</title></head><body><h1>OK</h1></body></html>", WELL, ()),
    ("<!doctype html><html><body>Loading</body></html>", UNKNOWN, ()),
    ("<html><body><div id=root></div><script>ok</script></body></html>", UNKNOWN, ()),
    ("[+]ping ok\n[+]etcd excluded: ok\nlivez check passed", WELL, ()),
    (
        "[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed",
        SICK,
        ("etcd", "livez"),
    ),
    ("[+]ping ok\n[+]etcd perhaps\nlivez check passed", UNKNOWN, ("etcd",)),
    ("db: ok\nredis: failed", SICK, ("redis",)),
    ('{"status": "ok", "status": "down"}', UNKNOWN, ()),
]


@pytest.mark.parametrize(("text", "health", "names"), TEXTS)
def test_a_text_is_read(text: str, health: Health, names: tuple[str, ...]) -> None:
    """D1: a word, Kubernetes' lines, a page around a word; any other text is not understood."""
    said = read_text(text)
    assert (said.health, tuple(p.name for p in said.parts)) == (health, names)


STATUSES = [
    (200, {"status": "ok"}, WELL),
    (204, None, WELL),
    (503, {"status": "DOWN"}, SICK),
    (503, {"status": "ok"}, SICK),
    (503, {"status": "ok", "checks": {"db": "degraded"}}, DEGRADED),
    (500, {"what": "ever"}, SICK),
    (429, {"status": "warning"}, DEGRADED),
    (429, {"status": "ok"}, UNKNOWN),
    (418, {"status": "fail"}, SICK),
    (401, {"ok": False}, UNKNOWN),
    (403, {"status": "down"}, UNKNOWN),
    (404, {"status": "error"}, UNKNOWN),
    (302, {"status": "ok"}, UNKNOWN),
    (400, {"status": "ok"}, UNKNOWN),
]


@pytest.mark.parametrize(("status", "value", "health"), STATUSES)
def test_the_status_and_the_body_together(status: int, value: Any, health: Health) -> None:
    """D1: a 503 is read, bad news counts in either, and a refusal is about the address."""
    text = "" if status == 204 else None
    assert read_answer(status, value, text).health is health


def test_parts_are_read_to_a_bounded_depth() -> None:
    """D1: what lies deeper than we read is not understood, and not well."""
    value: dict[str, Any] = {"status": "ok"}
    for _ in range(DEEPEST + 5):
        value = {"status": "ok", "checks": {"inner": value}}
    assert read_value(value).health is UNKNOWN


def test_a_company_has_words_of_its_own() -> None:
    """D1: a word is added to a list, and a usual one gets another meaning."""
    words = USUAL.with_words(well=["Nominal", "unknown"], sick=["yellow"])
    assert read_value({"status": "nominal"}, words).health is WELL
    assert read_value({"status": "UP", "components": {"x": {"status": "UNKNOWN"}}}, words) == Said(
        WELL, "UP"
    )
    assert read_value({"status": "yellow"}, words).health is SICK


def test_a_word_has_one_meaning() -> None:
    """The file is refused, whatever the spelling."""
    with pytest.raises(ValidationError, match="stands there twice"):
        HealthWords.model_validate({"well": ["all good"], "sick": ["All-Good"]})


# --- as a reading ---------------------------------------------------------------------------------


def reading(status: int | None, body: bytes = b"", fault: str | None = None, **more: Any) -> Any:
    got = Fetched(status, body, None, fault, 0.1)
    return health_reading("service", read_health(read_json(got), **more), T0)


READINGS = [
    ((200, b'{"status":"ok"}'), Outcome.OK, None, ""),
    (
        (200, b'{"status":"ok","checks":{"database":"down"}}'),
        Outcome.DEGRADED,
        "sick",
        "status ok; failing: database (down)",
    ),
    (
        (200, b'{"status":"pass","checks":{"a":"warn","b":"odd"}}'),
        Outcome.DEGRADED,
        "degraded",
        "status pass; degraded: a (warn); not understood: b (odd)",
    ),
    (
        (200, b'{"state":"nominal"}'),
        Outcome.UNKNOWN,
        "not_understood",
        "status nominal; not understood",
    ),
    ((404, b"not found"), Outcome.UNKNOWN, "not_understood", "status answered 404: is the "),
    ((200, b"\xff\xfe"), Outcome.UNKNOWN, "not_understood", "status "),
    ((200, b"", "encoded"), Outcome.UNKNOWN, "not_understood", "status not given: encoded"),
    ((200, b"", "timeout"), Outcome.DEGRADED, "sick", "status not given: timeout"),
    ((None, b"", "refused"), Outcome.DOWN, "refused", ""),
]


@pytest.mark.parametrize(("got", "outcome", "fault", "detail"), READINGS)
def test_as_a_reading(
    got: tuple[Any, ...], outcome: Outcome, fault: str | None, detail: str
) -> None:
    """D1: unknown is neither a crash, nor sick, nor well."""
    found = reading(*got)
    assert (found.outcome, found.fault) == (outcome, fault)
    assert found.detail.startswith(detail)
    evidence = Evidence(integration=NAME, at=T0, readings=(found,))
    if outcome is Outcome.UNKNOWN:
        signs = (service_well, service_sick, service_crashed)
        assert {sign(evidence).holds for sign in signs} <= {None}
        assert any("not understood" in line.says for line in around(evidence))


def test_what_was_seen_sick_is_not_repaired_by_an_answer_that_is_not_understood() -> None:
    """D1: "well again" wants a well answer of those services that the incident saw unwell."""
    odd, well = reading(200, b"{}"), reading(200, b'{"status":"UP"}')
    seen = frozenset({"service"})
    evidence = [Evidence(integration=NAME, at=T0, readings=r) for r in ((odd,), (well,), ())]
    assert [bool(unproven(one, seen)) for one in evidence] == [True, False, True]
    assert unproven(evidence[0], frozenset()) == ()


def test_a_vocabulary_knows_spellings() -> None:
    """Capitals, spaces, underscores and stops make no difference."""
    words = Vocabulary({}).with_words(well=["all good"])
    assert {words.of(w) for w in ("All Good", "ALL_GOOD", "all-good.", " all  good! ")} == {WELL}
