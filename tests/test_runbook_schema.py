"""The schemas that editors read: made from the models, up to date, and true of every file of ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from watchkeeper.runbook.durations import parse_duration
from watchkeeper.runbook.load import SHIPPED_RUNBOOKS
from watchkeeper.runbook.schema import integrations_schema, runbook_schema
from watchkeeper.runbook.skeleton import TEMPLATE, skeleton
from watchkeeper.runbook.yaml_lines import read_document
from watchkeeper.signs import FAMILIES, SIGNS

DOCS = SHIPPED_RUNBOOKS.parent / "docs"
RUNBOOKS = sorted([*SHIPPED_RUNBOOKS.glob("*.yaml"), *(DOCS / "tutorial").glob("*.yaml")])
SCHEMAS: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "runbook.schema.json": (runbook_schema, "watchkeeper runbook schema"),
    "integrations.schema.json": (integrations_schema, "watchkeeper runbook schema --integrations"),
}


def faults(schema: dict[str, Any], data: object) -> list[str]:
    found = Draft202012Validator(schema).iter_errors(data)
    return sorted(f"{'.'.join(map(str, e.path))}: {e.message[:100]}" for e in found)


@pytest.mark.parametrize(("name", "made"), SCHEMAS.items(), ids=SCHEMAS)
def test_the_written_schemas_are_up_to_date(
    name: str, made: tuple[Callable[[], dict[str, Any]], str]
) -> None:
    make, command = made
    Draft202012Validator.check_schema(make())
    written = json.loads((DOCS / name).read_text(encoding="utf-8"))
    assert written == make(), f"write it anew: {command} > docs/{name}"


@pytest.mark.parametrize("path", [*RUNBOOKS, TEMPLATE], ids=lambda path: path.name)
def test_every_runbook_keeps_to_the_schema(path: Path) -> None:
    data = read_document(path).data
    if path == TEMPLATE:
        assert isinstance(data, dict)
        data = {**data, "vendor": "any"}
    assert faults(runbook_schema(), data) == []


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.name)
def test_every_runbook_names_its_schema(path: Path) -> None:
    """For editors; the path counts from the file's own folder."""
    lines = path.read_text(encoding="utf-8").splitlines()
    named = [line.partition("$schema=")[2] for line in lines if "yaml-language-server" in line]
    assert [(path.parent / name).resolve() for name in named] == [DOCS / "runbook.schema.json"]


def test_the_sample_keeps_to_the_schema() -> None:
    data = read_document(DOCS / "integrations.sample.yaml").data
    assert faults(integrations_schema(), data) == []


ENTRY = {"runbook": "maintainx", "credential": {"name": "key", "reference": "file:key.json"}}

WRONG_ENTRIES: dict[str, Any] = {
    "name": {"maintainx": ENTRY},
    "own name": {"a@b": {**ENTRY, "name": "a@b"}},
    "reference": {"a@b": {**ENTRY, "credential": {"name": "key", "reference": "sk_live_1"}}},
    "no runbook": {"a@b": {"credential": ENTRY["credential"]}},
    "unknown key": {"a@b": {**ENTRY, "pagr": None}},
    "service": {"a@b": {**ENTRY, "service": {"health_url": "localhost"}}},
}


@pytest.mark.parametrize("entries", WRONG_ENTRIES.values(), ids=WRONG_ENTRIES)
def test_wrong_integrations_do_not_pass(entries: Any) -> None:
    schema = integrations_schema()
    assert faults(schema, {"integrations": {"a@b": {**ENTRY, "overrides": {"any": 1}}}}) == []
    assert faults(schema, {"integrations": entries}) != []


def skeleton_data(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    path = tmp_path / "any.yaml"
    path.write_text(skeleton("any", path, DOCS / "runbook.schema.json"), encoding="utf-8")
    data = read_document(path).data
    assert isinstance(data, dict)
    return {**data, **changes}


WRONG_RUNBOOKS: dict[str, dict[str, Any]] = {
    "unknown key": {"pobes": []},
    "no probes": {"probes": []},
    "a duration without unit": {"thresholds": {"slow": 5}},
    "a duration of another kind": {"thresholds": {"slow": "5 fortnights"}},
    "an unknown sign": {
        "causes": [
            {"cause": "a", "symptom": "tiemouts", "likely_cause": "-", "check": "-", "severity": 1}
        ]
    },
    "an unknown family": {
        "causes": [
            {"cause": "a", "symptom": "x:y", "likely_cause": "-", "check": "-", "severity": 1}
        ]
    },
    "three severities": {"severity": []},
    "paging": {"resources": [{"name": "a", "path": "/a", "envelope": None, "paging": "pages"}]},
}


@pytest.mark.parametrize("changes", WRONG_RUNBOOKS.values(), ids=WRONG_RUNBOOKS)
def test_wrong_runbooks_do_not_pass(changes: dict[str, Any], tmp_path: Path) -> None:
    assert faults(runbook_schema(), skeleton_data(tmp_path)) == []
    assert faults(runbook_schema(), skeleton_data(tmp_path, **changes)) != []


DURATIONS = ["15s", "5 min", "1h30m", " 2d ", "1.5 h", "250ms", "0 min"]
NO_DURATIONS = ["", "5", "5 fortnights", "min 5", "5 min!", "-5 s", "next business day", "PT5M"]


@pytest.mark.parametrize("text", [*DURATIONS, *NO_DURATIONS])
def test_durations_are_those_that_the_reader_takes(text: str) -> None:
    assert (faults(runbook_schema()["$defs"]["Duration"], text) == []) is _is_duration(text)
    assert _is_duration(text) is (text in DURATIONS)


def _is_duration(text: str) -> bool:
    try:
        return parse_duration(text) != text
    except ValueError:
        return False


def test_defaults_are_written_as_people_write_them() -> None:
    """A default that the reader refused would be a trap."""
    defs = runbook_schema()["$defs"]
    defaults = [
        field["default"]
        for part in defs.values()
        for field in part.get("properties", {}).values()
        if field.get("$ref") == "#/$defs/Duration" and "default" in field
    ]
    assert len(defaults) > 10
    assert [d for d in defaults if not _is_duration(d)] == []
    assert defs["PauseJobsRow"]["properties"]["lease"]["default"] == "4 h"


def test_every_sign_is_told_with_its_words() -> None:
    told = runbook_schema()["$defs"]["Sign"]["anyOf"]
    words = {sign.get("const", sign.get("pattern")): sign["description"] for sign in told}
    assert set(SIGNS) < set(words)
    assert len(words) == len(SIGNS) + len(FAMILIES)
    assert words["all_endpoints_401"] == (SIGNS["all_endpoints_401"].__doc__ or "").splitlines()[0]
    assert [name for name, said in words.items() if not said] == []


def untold(schema: dict[str, Any]) -> list[str]:
    """The fields without a description of their own, or with one that an editor would tear apart."""
    parts = {"the file": schema, **schema["$defs"]}
    return [
        f"{part}.{name}"
        for part, told in parts.items()
        for name, field in told.get("properties", {}).items()
        if not field.get("description", "").strip() or "\n" in field["description"]
    ]


@pytest.mark.parametrize("make", [runbook_schema, integrations_schema])
def test_every_field_is_told(make: Callable[[], dict[str, Any]]) -> None:
    """Beside a default and a reference to another part, too."""
    schema = make()
    assert untold(schema) == []
    planted = {"properties": {"well": {"description": "Told."}, "bare": {"type": "string"}}}
    assert untold({"$defs": {"Part": planted}}) == ["Part.bare"]


def test_a_field_that_refers_to_another_part_keeps_its_words() -> None:
    auth, lease = (
        runbook_schema()["properties"]["auth"],
        runbook_schema()["$defs"]["PauseJobsRow"]["properties"]["lease"],
    )
    assert auth == {"$ref": "#/$defs/Auth", "description": "How the key travels."}
    assert set(lease) == {"$ref", "default", "description"}
