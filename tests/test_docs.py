"""The documents against the code: what exists is told, and what is told exists."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import deployments
import flows
import tasks
import watchkeeper
from deployments.catalogue import catalogue, most_runs, served
from deployments.cli import app
from deployments.drill.scenarios import SCENARIOS
from watchkeeper.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
SAMPLE = ROOT / "docs" / "integrations.sample.yaml"
TOLD = "\n".join(path.read_text(encoding="utf-8") for path in DOCS)
NOT_OURS = {".git", ".venv", ".watchkeeper", "__pycache__", ".hypothesis"}


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[str]:
    """`incident ack` and all the others, without those that are hidden."""
    for name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            inner = tuple(leaves(below, (*words, name)))
            yield from inner or (" ".join((*words, name)),)


COMMANDS = tuple(leaves(typer.main.get_command(app)))


@cache
def our_files() -> tuple[Path, ...]:
    """What git keeps or would keep; in an unpacked archive, everything that nobody made here."""
    if (ROOT / ".git").exists():
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        found = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        found = [p for p in ROOT.rglob("*") if not NOT_OURS & set(p.relative_to(ROOT).parts)]
    return tuple(path for path in found if path.is_file())


def told_as_command(command: str, text: str) -> bool:
    """At the start of a code span or code line, with or without the program's name."""
    return bool(re.search(rf"(?:`|^ {{4}})(?:watchkeeper )?{command}(?![\w-])", text, re.MULTILINE))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_told(command: str) -> None:
    assert told_as_command(command, TOLD)


def commands_in(text: str) -> set[str]:
    """The first one or two words after the program's name, in code spans and code lines."""
    start = r"(?:`|^#? {4,})"
    return {
        " ".join(filter(None, found.groups()))
        for found in re.finditer(
            rf"{start}watchkeeper ([a-z-]+)(?: ([a-z]+)(?![\w@-]))?(?![\w-])", text, re.MULTILINE
        )
    }


def is_command(words: str) -> bool:
    return words in COMMANDS or words.split()[0] in COMMANDS


@pytest.mark.parametrize("document", [*DOCS, SAMPLE], ids=lambda path: path.name)
def test_every_command_that_is_told_exists(document: Path) -> None:
    told = commands_in(document.read_text(encoding="utf-8"))
    assert {words for words in told if not is_command(words)} == set()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_drill_is_told(scenario: str) -> None:
    assert f"`{scenario}`" in TOLD


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_told(name: str) -> None:
    assert f"| `WATCHKEEPER_{name.upper()}` |" in TOLD


def test_no_setting_is_told_that_is_gone() -> None:
    told = {name.lower() for name in re.findall(r"\bWATCHKEEPER_([A-Z_]+)\b", TOLD)}
    assert told - set(Settings.model_fields) == set()


def test_nothing_that_hangs_keeps_a_look_from_its_turn() -> None:
    """Looks page: neither jobs nor responders share their places."""
    shared: dict[str, set[str]] = {}
    for deployed in served(Settings(), {"asset-sync": "deferrable", "not-in-the-file": "critical"}):
        shared.setdefault(deployed.place, set()).add(deployed.name)
    assert shared["jobs"] == {"asset-sync", "not-in-the-file"}
    assert shared["responders"] == {"respond"}
    assert "health" in shared["looks"]
    assert shared.keys() == most_runs(2).keys()


@pytest.mark.parametrize("deployed", catalogue(Settings()), ids=lambda deployed: deployed.name)
def test_every_deployment_is_told(deployed: Any) -> None:
    assert f"`{deployed.name}`" in TOLD


def test_the_intervals_of_the_settings_are_those_of_the_deployments() -> None:
    """Health every five minutes; the default of a setting and the file that is deployed say one
    thing, and so does the document."""
    usual = Settings()
    deployed = {d.name: d.interval_s for d in catalogue(usual)}
    assert deployed["health"] == usual.health_interval_s == 300
    jobs = {d.name: d.interval_s for d in catalogue(usual) if d.job}
    assert set(jobs.values()) == {usual.sync_interval_s}
    given = catalogue(Settings(health_interval_s=7, sync_interval_s=8))
    assert {d.interval_s for d in given} == {None, 7, 8}
    assert "| `WATCHKEEPER_HEALTH_INTERVAL_S` | `300` |" in TOLD


def test_every_job_of_a_runbook_is_deployed() -> None:
    named = {
        job["name"]
        for path in (ROOT / "runbooks").glob("*.yaml")
        for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    }
    assert {d.job for d in catalogue(Settings()) if d.job} == named


def test_every_make_target_that_is_told_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    told = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", TOLD, re.MULTILINE))
    assert {"drill", "test", "up", "check", "prove", "lock", "clean"} <= told
    assert told <= targets


def test_every_file_that_is_told_exists() -> None:
    linked = {
        (path.parent / target).resolve()
        for path in DOCS
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8"))
    }
    cited = {ROOT / name for name in re.findall(r"\b((?:docs|tests)/[\w./-]+\.\w+)", TOLD)}
    decided = {
        ROOT / "docs" / "decisions" / name.name
        for name in (ROOT / "docs" / "decisions").iterdir()
        if not re.fullmatch(r"\d{4}-[a-z0-9.-]+\.md", name.name)
    }
    assert decided == set()
    assert {path for path in linked | cited if not path.exists()} == set()


def test_decisions_are_numbered_without_a_hole() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 150


# Put together here, so that this file does not hold what it looks for.
PLACES = [re.compile(r"(?<![\w./])/" + name + "/") for name in ("work", "root", "home", "Users")]
HOSTS = [
    re.compile(first + r"\." + last) for first, last in (("pypi", "org"), ("pythonhosted", ""))
]


@pytest.mark.parametrize("pattern", PLACES + HOSTS, ids=lambda pattern: pattern.pattern)
def test_no_file_names_a_machine_or_an_index(pattern: re.Pattern[str]) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in our_files()
        if pattern.search(path.read_text(encoding="utf-8", errors="replace"))
    }
    assert found == set()


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("cd /" + "work/main", True),
        ("'/" + "root/.config'", True),
        ("/" + "home/ada", True),
        ("https://" + "pypi" + ".org/simple", True),
        ("https://files." + "pythonhosted" + ".org", True),
        ("/workorders/17 and mysql://root:x@y/", False),
        ("https://vendor.example/work-orders", False),
    ],
)
def test_a_planted_place_is_caught(text: str, caught: bool) -> None:
    assert any(pattern.search(text) for pattern in PLACES + HOSTS) is caught


def test_a_planted_command_is_caught() -> None:
    text = "`watchkeeper conect maintainx@prod`\n    watchkeeper incident ack INC-1\n"
    assert commands_in(text) == {"conect", "incident ack"}
    assert [is_command(words) for words in sorted(commands_in(text))] == [False, True]
    assert not told_as_command("incident acknowledge", text)


def test_no_flow_shadows_the_standard_library() -> None:
    """A file entrypoint puts its folder first on the path."""
    names = {path.stem for folder in ("flows", "tasks") for path in (ROOT / folder).glob("*.py")}
    assert names & sys.stdlib_module_names == set()


@pytest.mark.parametrize("package", [deployments, flows, tasks, watchkeeper])
def test_our_packages_are_the_ones_of_this_repository(package: Any) -> None:
    """`flows` and `tasks` are names that another project in the same environment may own."""
    assert Path(package.__file__).parent.parent == ROOT
