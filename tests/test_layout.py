"""What no file of ours may do, found by reading the code; each exception is listed with its reason."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("watchkeeper", "tasks", "flows", "deployments", "tests")
SANDBOX = "watchkeeper/sandbox/"
SKIPPING = {"skip", "xfail", "skipif", "importorskip"}

Nodes = tuple[ast.AST, ...]
Rule = Callable[[Nodes], bool]
TELLING = (ast.Call, ast.Import, ast.ImportFrom, ast.Attribute, ast.arguments)


def nodes_of(source: str) -> Nodes:
    """Every node of a file that a rule may look at."""
    return tuple(node for node in ast.walk(ast.parse(source)) if isinstance(node, TELLING))


def dotted(node: ast.expr) -> str:
    """`a.b.c` as it stands in the source; a call or subscript on the way reads `?`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return "?"


def _calls(nodes: Nodes) -> Iterator[tuple[ast.Call, str]]:
    for node in nodes:
        if isinstance(node, ast.Call):
            yield node, dotted(node.func)


def _imports(nodes: Nodes) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def patches(nodes: Nodes) -> bool:
    """Something of ours or of others is replaced while a test looks on."""
    named = any(name.startswith(("mock", "unittest.mock")) for name in _imports(nodes))
    arguments = {a.arg for n in nodes if isinstance(n, ast.arguments) for a in n.args}
    return named or "mocker" in arguments or any("mock.patch" in name for _, name in _calls(nodes))


def sets_attributes(nodes: Nodes) -> bool:
    return any(name in ("monkeypatch.setattr", "monkeypatch.delattr") for _, name in _calls(nodes))


def _given(nodes: Nodes, keyword: str, value: bool) -> bool:
    return any(
        k.arg == keyword and isinstance(k.value, ast.Constant) and k.value.value is value
        for call, _ in _calls(nodes)
        for k in call.keywords
    )


def trusts_anybody(nodes: Nodes) -> bool:
    return _given(nodes, "verify", False)


def follows_redirects(nodes: Nodes) -> bool:
    return _given(nodes, "follow_redirects", True)


def tells_naive_time(nodes: Nodes) -> bool:
    return any(
        name.endswith(("datetime.utcnow", "datetime.utcfromtimestamp", "datetime.today"))
        or (name.endswith("datetime.now") and not (call.args or call.keywords))
        for call, name in _calls(nodes)
    )


def sleeps(nodes: Nodes) -> bool:
    """Blocks the event loop, and with it the heartbeat and every other probe."""
    return "time.sleep" in set(_imports(nodes)) or any(n == "time.sleep" for _, n in _calls(nodes))


def parses_json(nodes: Nodes) -> bool:
    loads = {f"{library}.{call}" for library in ("json", "orjson") for call in ("loads", "load")}
    return bool(loads & set(_imports(nodes))) or any(name in loads for _, name in _calls(nodes))


def reveals(nodes: Nodes) -> bool:
    return any(isinstance(n, ast.Attribute) and n.attr == "reveal" for n in nodes)


def skips(nodes: Nodes) -> bool:
    used = {dotted(n) for n in nodes if isinstance(n, ast.Attribute)} | {*_imports(nodes)}
    return any(name.startswith("pytest.") and name.split(".")[-1] in SKIPPING for name in used)


def swallows_cancellation(nodes: Nodes) -> bool:
    """Who suppresses it around another task's end goes on although he himself is told to stop."""
    return any(
        name.endswith("suppress") and any(dotted(a).endswith("CancelledError") for a in call.args)
        for call, name in _calls(nodes)
    )


# Rule -> (where it holds, {file or folder: why it may}).
RULES: dict[Rule, tuple[tuple[str, ...], dict[str, str]]] = {
    patches: (PACKAGES, {}),
    sets_attributes: (PACKAGES, {}),
    trusts_anybody: (PACKAGES, {}),
    follows_redirects: (
        PACKAGES,
        {"tests/test_guarded_client.py": "proves that our transport holds beneath such a client"},
    ),
    tells_naive_time: (PACKAGES, {}),
    sleeps: (
        ("watchkeeper", "tasks", "flows"),
        {SANDBOX: "stand-ins are processes of their own, some without an event loop"},
    ),
    swallows_cancellation: (PACKAGES, {}),
    parses_json: (
        ("watchkeeper",),
        {
            "watchkeeper/vendor/strict_json.py": "the one reader of foreign JSON",
            "watchkeeper/credentials/file_format.py": "our own file, and its errors quote nothing",
            "watchkeeper/runbook/load.py": "our own text, from our own table",
            SANDBOX: "knows nothing of Watchkeeper, its reader included",
        },
    ),
    reveals: (
        ("watchkeeper", "tasks", "flows", "deployments"),
        {
            "watchkeeper/credentials/secret.py": "where it is defined and compared",
            "watchkeeper/credentials/file_format.py": "writes the file that holds it",
            "watchkeeper/credentials/key_text.py": "writes the text that a far store keeps",
            "watchkeeper/controls/wire.py": "puts a token into its one header, and masks it",
            "watchkeeper/vendor/guard.py": "puts it into the one header it travels in",
            "watchkeeper/vendor/transport.py": "masks it in what comes back",
            "watchkeeper/performing/dead_mans_switch.py": "calls the address that is the secret",
            "watchkeeper/pagers/opening.py": "hands keys and addresses to what calls people",
            "tasks/prefect_server.py": "hands the auth string to Prefect's own client",
            "deployments/team_database.py": "hands its address to Prefect's server",
            "deployments/drill/collect.py": "looks for the drill's keys where none may be",
            "deployments/drill/world.py": "tells the simulator which key to accept",
        },
    ),
    skips: (
        ("tests",),
        {"tests/test_sandbox_processes.py": "reads /proc, which Linux alone has"},
    ),
}


@cache
def files() -> dict[str, Nodes]:
    """Every Python file of ours by its path."""
    listed = [p for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py"))]
    return {str(p.relative_to(ROOT)): nodes_of(p.read_text(encoding="utf-8")) for p in listed}


@cache
def breaking(rule: Rule) -> frozenset[str]:
    packages, _ = RULES[rule]
    ours = ((path, nodes) for path, nodes in files().items() if path.split("/")[0] in packages)
    return frozenset(path for path, nodes in ours if rule(nodes))


@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_nothing_of_ours_does_it(rule: Rule) -> None:
    _, allowed = RULES[rule]
    assert {path for path in breaking(rule) if not path.startswith(tuple(allowed))} == set()


@pytest.mark.parametrize("rule", RULES, ids=[rule.__name__ for rule in RULES])
def test_no_exception_outlives_its_reason(rule: Rule) -> None:
    _, allowed = RULES[rule]
    found = breaking(rule)
    assert [place for place in allowed if not any(p.startswith(place) for p in found)] == []


PLANTED = [
    (patches, "from unittest.mock import patch"),
    (patches, "from unittest import mock"),
    (patches, "import mock"),
    (patches, "def test(mocker): ..."),
    (sets_attributes, "monkeypatch.setattr(clock, 'now', f)"),
    (trusts_anybody, "httpx.Client(verify=False)"),
    (follows_redirects, "client.get(url, follow_redirects=True)"),
    (tells_naive_time, "datetime.now()"),
    (tells_naive_time, "datetime.datetime.utcnow()"),
    (tells_naive_time, "dt.datetime.today()"),
    (sleeps, "time.sleep(1)"),
    (sleeps, "from time import sleep"),
    (swallows_cancellation, "with suppress(asyncio.CancelledError):\n    await task"),
    (swallows_cancellation, "with contextlib.suppress(OSError, CancelledError): ..."),
    (parses_json, "json.loads(reply.content)"),
    (parses_json, "from orjson import loads"),
    (reveals, "source.read().reveal()"),
    (reveals, "map(Secret.reveal, secrets)"),
    (skips, "pytest.skip('some day')"),
    (skips, "@pytest.mark.xfail\ndef test(): ..."),
    (skips, "@pytest.mark.skipif(True, reason='')\ndef test(): ..."),
    (skips, "numpy = pytest.importorskip('numpy')"),
]
HARMLESS = [
    (patches, "from watchkeeper.sandbox import mock_turtle"),
    (sets_attributes, "monkeypatch.setenv('HOME', place)"),
    (trusts_anybody, "httpx.Client(verify=trust)"),
    (follows_redirects, "client.get(url, follow_redirects=False)"),
    (tells_naive_time, "datetime.now(UTC)"),
    (tells_naive_time, "datetime.now(tz=UTC)"),
    (tells_naive_time, "watch.now()"),
    (sleeps, "await asyncio.sleep(1)"),
    (swallows_cancellation, "with suppress(OSError): ..."),
    (parses_json, "strict_json.loads(body)"),
    (reveals, "revealed = True"),
    (skips, "pytest.mark.parametrize('skip', [1])"),
]


@pytest.mark.parametrize(("rule", "source"), PLANTED, ids=[source for _, source in PLANTED])
def test_a_planted_offence_is_caught(rule: Rule, source: str) -> None:
    assert rule(nodes_of(source))


@pytest.mark.parametrize(("rule", "source"), HARMLESS, ids=[source for _, source in HARMLESS])
def test_what_only_looks_like_it_is_left_alone(rule: Rule, source: str) -> None:
    assert not rule(nodes_of(source))


def test_every_file_is_read() -> None:
    """A folder that was moved away would pass every rule above."""
    packages = {path.split("/")[0] for path in files()}
    assert packages == set(PACKAGES)
    assert len(files()) > 150
