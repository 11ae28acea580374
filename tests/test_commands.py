"""Every command that we print, anywhere, is one that the real command line takes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from deployments.cli import app

ROOT = Path(__file__).parent.parent
PRINTING = ("watchkeeper", "tasks", "flows", "deployments", "runbooks")
WRITTEN = ("README.md", "docs")
# Where a sentence goes on after a command, or stands for many.
STOPS = re.compile(
    r"\s(?:&&|\|\||\||#|;|>|<|to|is|for|with|by|instead|and|or|on its)(?=\s|$)|[`,:;()\n]|\. |\s{2,}"
)
PLACEHOLDER = "1"
# Typer brings a click of its own.
REFUSED: Any = typer.BadParameter.__mro__[2]


def texts(path: Path) -> Iterator[str]:
    """Each text of a file; of a formatted one with a value where something is put in."""
    source = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield source
        return
    inner: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            inner |= {id(part) for part in node.values}
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else PLACEHOLDER
                for part in node.values
            )
        elif (
            isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner
        ):
            yield node.value


COMMANDS: Any = get_command(app)
NAMED = re.compile(
    rf"(?<![\w/.-])watchkeeper (?=(?:{'|'.join(map(re.escape, COMMANDS.commands))})(?![\w-]))"
)


def commands(text: str) -> Iterator[str]:
    for found in NAMED.finditer(text):
        rest = text[found.end() :]
        stop = STOPS.search(rest)
        said = rest[: stop.start()] if stop else rest
        yield said if said.endswith("...") else said.rstrip(" .")


def files() -> Iterator[Path]:
    for folder in PRINTING:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".yaml") and "sandbox/person" not in str(path):
                yield path
    for name in WRITTEN:
        where = ROOT / name
        yield from sorted(where.rglob("*.md")) if where.is_dir() else (where,)


PRINTED = sorted(
    {
        (str(path.relative_to(ROOT)), c.strip())
        for path in files()
        for t in texts(path)
        for c in commands(t)
    }
)


def problem(said: str) -> str | None:
    """Why the command line would not take it, or None. Nothing is run."""
    words = [PLACEHOLDER if word == "..." else word for word in said.split()]
    here = COMMANDS
    context = typer.Context(COMMANDS, info_name="watchkeeper")
    while hasattr(here, "commands") and words:
        found = here.commands.get(words[0])
        if found is None:
            return f"there is no {words[0]!r}"
        here, words = found, words[1:]
        context = typer.Context(here, parent=context, info_name=here.name)
    if hasattr(here, "commands"):
        return None
    try:
        # Named alone it is spoken of, not offered.
        if words:
            here.parse_args(context, list(words))
    except REFUSED as error:
        return str(error.format_message())
    return None


def test_there_are_commands_to_check() -> None:
    """The search finds what it is for: a command of the status, one of a question, one of a doc."""
    said = {command for _, command in PRINTED}
    assert "incident retry INC-1 1 --reason ..." in said
    assert any(command.startswith("mitigate ") and "--apply" in command for command in said)
    assert len(PRINTED) > 60


@pytest.mark.parametrize(("where", "said"), PRINTED)
def test_every_command_that_is_printed_exists(where: str, said: str) -> None:
    """W4: nothing is offered that does not exist: its name, its arguments and its options are real."""
    assert problem(said) is None, f"{where}: watchkeeper {said}: {problem(said)}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("incident revive INC-1", "there is no 'revive'"),
        ("incident retry INC-1 --force", "No such option"),
        ("incident note INC-1", "Missing argument"),
    ],
)
def test_one_that_does_not_exist_is_found(said: str, told: str) -> None:
    """The check's own planted faults."""
    assert told in str(problem(said))
