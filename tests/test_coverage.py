"""docs/coverage.yaml: each line of the source runbooks is served by something that is there, or owed."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.drill.scenarios import SCENARIOS

ROOT = Path(__file__).parent.parent
LINES: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "coverage.yaml").read_text())["lines"]
SERVED = [line for line in LINES if "served_by" in line]
# What the two source runbooks demand, counted line by line: none may be dropped from the list.
DEMANDS = {"maintainx": 96, "twinmind": 148}
OWED = {3, 4, "later"}
# What an item of a list is called, section by section.
NAMED_BY = ("name", "cause", "word", "title", "level")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@cache
def runbook(name: str) -> Any:
    return yaml.safe_load((ROOT / "runbooks" / f"{name}.yaml").read_text())


def at(reference: str) -> object:
    """What stands at `file#section.name.field`; LookupError where nothing does."""
    name, _, path = reference.partition("#")
    here: Any = runbook(name)
    for key in path.split("."):
        if isinstance(here, list):
            found = [x for x in here if key in (str(x[n]) for n in NAMED_BY if n in x)]
            if len(found) != 1:
                raise LookupError(f"{reference}: {len(found)} items are called {key!r}")
            here = found[0]
        else:
            here = here[key]
    return here


@cache
def defined(path: Path) -> frozenset[str]:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(node.name for node in body if isinstance(node, DEFINITIONS))


def missing(reference: str) -> str | None:
    """What of `file` or `file::name` is not there, or None."""
    name, _, symbol = reference.partition("::")
    path = ROOT / name
    if not path.is_file():
        return f"{name} is gone"
    if symbol and symbol not in defined(path):
        return f"{name} has no {symbol}"
    return None


def test_every_line_of_the_sources_is_listed() -> None:
    counts = Counter(line["seed"] for line in LINES)
    assert set(counts) == set(DEMANDS)
    assert all(counts[seed] >= demanded for seed, demanded in DEMANDS.items()), counts


def test_every_line_has_a_name_of_its_own() -> None:
    twice = [name for name, count in Counter(line["id"] for line in LINES).items() if count > 1]
    assert twice == []


@pytest.mark.parametrize("line", LINES, ids=[line["id"] for line in LINES])
def test_every_line_is_served_or_owed(line: dict[str, Any]) -> None:
    """And what serves it is proven: by a test, or by a drill that fails without it."""
    assert set(line) - {"served_by", "owed"} == {"id", "seed", "line"}
    assert ("served_by" in line) != ("owed" in line)
    if "owed" in line:
        assert line["owed"] in OWED
        return
    serving = line["served_by"]
    assert set(serving) <= {"runbook", "code", "tests", "drill"}
    assert serving["code"]
    assert serving.get("tests") or serving.get("drill")


@pytest.mark.parametrize("line", SERVED, ids=[line["id"] for line in SERVED])
def test_what_serves_a_line_is_there(line: dict[str, Any]) -> None:
    serving = line["served_by"]
    for reference in serving.get("runbook", ()):
        assert at(reference) not in (None, [], "")
    named = [*serving["code"], *serving.get("tests", ())]
    assert [fault for fault in map(missing, named) if fault] == []
    assert all(reference.startswith("tests/test_") for reference in serving.get("tests", ()))
    assert set(serving.get("drill", ())) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("section", "name"),
    [("causes", "cause"), ("mitigations", "name"), ("jobs", "name"), ("severity", "word")],
)
def test_everything_in_the_runbook_serves_a_line(section: str, name: str) -> None:
    """A row that no line of the source asks for is somebody's invention."""
    referred = {r for line in SERVED for r in line["served_by"].get("runbook", ())}
    wanted = {f"maintainx#{section}.{item[name]}" for item in runbook("maintainx")[section]}
    unserving = {w for w in wanted if not any(r == w or r.startswith(f"{w}.") for r in referred)}
    assert unserving == set()


def test_every_drill_serves_a_line() -> None:
    used = {name for line in SERVED for name in line["served_by"].get("drill", ())}
    assert used == set(SCENARIOS)


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        ("watchkeeper/diagnosis.py::diagnose", None),
        ("watchkeeper/diagnosis.py::diagnoze", "watchkeeper/diagnosis.py has no diagnoze"),
        ("watchkeeper/oracle.py", "watchkeeper/oracle.py is gone"),
        ("tests", "tests is gone"),
    ],
)
def test_a_planted_wrong_reference_is_caught(reference: str, fault: str | None) -> None:
    assert missing(reference) == fault


@pytest.mark.parametrize(
    "reference", ["maintainx#causes.bad_luck", "maintainx#oracle", "maintainx#escalation.9"]
)
def test_a_planted_wrong_key_is_caught(reference: str) -> None:
    with pytest.raises(LookupError):
        at(reference)
