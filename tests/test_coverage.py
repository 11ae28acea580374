"""docs/coverage.yaml: each line of the source runbooks is served by something that is there, or owed."""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.drill.cases.case import Case
from deployments.drill.cases.every import CASES
from deployments.drill.scenarios import SCENARIOS

ROOT = Path(__file__).parent.parent
COVERAGE: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "coverage.yaml").read_text())
LINES: list[dict[str, Any]] = COVERAGE["lines"]
# Rows of the runbooks that tell apart what a line of the source takes for one.
BESIDES: list[dict[str, Any]] = COVERAGE["besides"]
# Named by a row, and carried out by nothing in this version.
NOT_YET = frozenset({"buffer-writes", "poll-instead"})
SERVED = [line for line in LINES if "served_by" in line]
# What the two source runbooks demand, counted line by line: none may be dropped from the list.
DEMANDS = {"maintainx": 96, "twinmind": 148}
OWED = {4, "later"}
# Lines that say what is seen, what it means or what to check: each has its planted fault.
REHEARSED = (
    *(
        "mx-sev-",
        "mx-triage-own",
        "mx-triage-log",
        "mx-cause-",
        "mx-error-",
        "mx-watch-unreachable",
    ),
    *("tm-p", "tm-check-", "tm-all-", "tm-slow-", "tm-rate-", "tm-auth-"),
)
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
    assert set(serving) <= {"runbook", "code", "tests", "drill", "case"}
    assert serving["code"]
    assert serving.get("tests") or serving.get("drill")


@pytest.mark.parametrize("line", SERVED, ids=[line["id"] for line in SERVED])
def test_what_serves_a_line_is_there(line: dict[str, Any]) -> None:
    serving = line["served_by"]
    for reference in serving.get("runbook", ()):
        assert at(reference) not in (None, [], "")
    named = [*serving["code"], *serving.get("tests", ())]
    assert [fault for fault in map(missing, named) if fault] == []
    assert all(
        reference.startswith(("tests/test_", "tests/system/test_"))
        for reference in serving.get("tests", ())
    )
    assert set(serving.get("drill", ())) <= set(SCENARIOS)
    assert set(serving.get("case", ())) <= set(CASES)


@pytest.mark.parametrize("line", SERVED, ids=[line["id"] for line in SERVED])
def test_what_is_seen_and_checked_is_rehearsed(line: dict[str, Any]) -> None:
    """By planted faults, of which one at least is of the severity, or the cause, that it names."""
    rehearsed = line["served_by"].get("case", [])
    if line["id"].startswith(REHEARSED):
        assert rehearsed
    for reference in line["served_by"].get("runbook", ()) if rehearsed else ():
        book, _, path = reference.partition("#")
        section, *names = path.split(".")
        if names and section == "severity":
            assert {CASES[name].severity for name in rehearsed} == {severity(book, names[0])}
        if names and section == "causes":
            assert any(leads(CASES[name], book, names[0]) for name in rehearsed), reference


@pytest.mark.parametrize("row", BESIDES, ids=[row["row"] for row in BESIDES])
def test_a_row_besides_tells_a_line_apart(row: dict[str, Any]) -> None:
    """It is there, and rehearsed; what cannot be planted is proven by a test."""
    assert set(row) - {"case", "tests", "drill"} == {"row", "of"}
    assert row["of"] in {line["id"] for line in LINES}
    assert at(row["row"]) is not None
    assert row.get("case") or row.get("tests")
    assert set(row.get("case", ())) <= set(CASES)
    assert set(row.get("drill", ())) <= set(SCENARIOS)
    assert [fault for fault in map(missing, row.get("tests", ())) if fault] == []
    book, _, path = row["row"].partition("#")
    if path.startswith("causes."):
        name = path.removeprefix("causes.")
        assert all(leads(CASES[case], book, name) for case in row.get("case", ()))


def severity(book: str, word: str) -> int:
    return int(next(row["level"] for row in runbook(book)["severity"] if row["word"] == word))


def leads(case: Case, book: str, cause: str) -> bool:
    return case.vendor == book and case.causes[:1] == (cause,)


REHEARSABLE = [
    (book, rule["cause"])
    for book in DEMANDS
    for rule in runbook(book)["causes"]
    if f"{book}#causes.{rule['cause']}" not in {r["row"] for r in BESIDES if "tests" in r}
]


@pytest.mark.parametrize(("book", "cause"), REHEARSABLE)
def test_each_cause_has_its_planted_fault(book: str, cause: str) -> None:
    """One case at least says how grave it is and what the runbook would do, and a line or a row
    names it."""
    named = {n for line in SERVED for n in line["served_by"].get("case", ())}
    named |= {n for row in BESIDES for n in row.get("case", ())}
    whole = [
        case.name
        for case in CASES.values()
        if leads(case, book, cause) and case.severity and case.mitigations is not None
    ]
    assert named & set(whole)


STATED = [case for case in CASES.values() if case.mitigations is not None]


@pytest.mark.parametrize("case", STATED, ids=[case.name for case in STATED])
def test_a_case_states_what_the_runbook_would_do(case: Case) -> None:
    """And a cause that neither a runbook nor a lab knows would be a slip of the pen."""
    rule: Any = at(f"{case.vendor}#causes.{case.causes[0]}")
    done = tuple(name for name in rule["mitigations"] if name not in NOT_YET)
    assert done == case.mitigations


@pytest.mark.parametrize("book", DEMANDS)
@pytest.mark.parametrize(
    ("section", "name"),
    [("causes", "cause"), ("mitigations", "name"), ("jobs", "name"), ("severity", "word")],
)
def test_everything_in_the_runbook_serves_a_line(book: str, section: str, name: str) -> None:
    """A row that no line of the source asks for, nor tells one apart, is somebody's invention."""
    referred = {r for line in SERVED for r in line["served_by"].get("runbook", ())}
    referred |= {row["row"] for row in BESIDES}
    wanted = {f"{book}#{section}.{item[name]}" for item in runbook(book)[section]}
    unserving = {w for w in wanted if not any(r == w or r.startswith(f"{w}.") for r in referred)}
    assert unserving == set()


def test_every_drill_serves_a_line() -> None:
    used = {name for line in SERVED for name in line["served_by"].get("drill", ())}
    used |= {name for row in BESIDES for name in row.get("drill", ())}
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
