"""Keys in Secret blocks, on a real Prefect server."""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import NAME
from harness import Server, pointed_at
from test_cli import home, program, refused, run, watch

from deployments.password import password_file
from tasks import blocks
from tasks.registering import register
from watchkeeper.credentials.protocols import StoredKey
from watchkeeper.credentials.references import open_source
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import Transient, UserError, WatchkeeperError
from watchkeeper.performing.connectors import SCHEDULERS
from watchkeeper.runbook.acting import PrefectDeployment

__all__ = ["home", "watch"]


@pytest.fixture
def on_server(prefect_server: Server) -> Iterator[Server]:
    blocks.register()
    with pointed_at(prefect_server):
        yield prefect_server


@pytest.mark.parametrize("value", ["test_canary_block", "20260301", "1e5", "true"])
def test_a_key_in_a_block(on_server: Server, tmp_path: Path, value: str) -> None:
    """As it was put in: Prefect's own reading would take some of these for numbers."""
    from prefect.blocks.system import Secret as Block

    Block(value=f"{value}\n").save("a-key", overwrite=True, _sync=True)
    source = open_source("prefect-block:a-key", tmp_path)
    assert source.read() == Secret(value)
    assert source.stored() == StoredKey(Secret(value).fingerprint, len(value), True, {})
    assert "canary" not in repr(source)


def test_a_block_that_is_no_key(on_server: Server, tmp_path: Path) -> None:
    from prefect.blocks.system import Secret as Block

    Block(value={"key": "test_canary"}).save("an-object", overwrite=True, _sync=True)
    for name, why in {
        "an-object": "holds no text",
        "nobody-s": "does not exist; make a Secret block",
        "../a-key": "only a-z, 0-9 and -",
    }.items():
        with pytest.raises(UserError, match=why) as caught:
            open_source(f"prefect-block:{name}", tmp_path).read()
        assert caught.value.__context__ is None
        assert "canary" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("api", "kind", "why"),
    [
        (None, UserError, "no Prefect server is known; set PREFECT_API_URL"),
        ("http://127.0.0.1:9/api", Transient, r"cannot be read from the Prefect server \(Conn"),
    ],
)
def test_without_a_server(
    api: str | None, kind: type[WatchkeeperError], why: str, tmp_path: Path
) -> None:
    """None is started for it."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    blocks.register()
    with temporary_settings({PREFECT_API_URL: api}), pytest.raises(kind, match=why) as caught:
        open_source("prefect-block:a-key", tmp_path).read()
    assert caught.value.__context__ is None


def test_registering_is_cheap() -> None:
    """Prefect takes a second to import: whoever reads no block does without."""
    asked = "from tasks.registering import register; register(Path())"
    assert imported_by(asked) == {"tasks"}


def imported_by(code: str, *words: str) -> set[str]:
    """Which of the packages that matter here a process has when it ends."""
    told = f"import sys; from pathlib import Path\ntry:\n    {code}\nexcept SystemExit: pass\n"
    told += "print(*{'prefect', 'boto3', 'google.cloud', 'tasks'} & {*sys.modules})"
    said = subprocess.run(
        [sys.executable, "-c", told, *words], capture_output=True, text=True, check=True
    )
    return set(said.stdout.splitlines()[-1].split())


def test_commands_import_no_library_that_they_do_not_use(home: Path) -> None:
    """A triage of a key in a file is over before Prefect would be imported."""
    asked = "from deployments.cli import main; main()"
    assert imported_by(asked, "triage", NAME, "--json") == {"tasks"}


def test_a_scheduler_of_prefect_s_is_known(tmp_path: Path) -> None:
    """Opened with the folder that its auth string's reference counts from."""
    register(tmp_path)
    spec = PrefectDeployment(kind="prefect", deployment="theirs/sync")
    made = SCHEDULERS["prefect"](spec)
    assert (made.spec, made.base) == (spec, tmp_path)


# --- the command line ---------------------------------------------------------------------------


@pytest.fixture
def in_a_block(home: Path) -> Path:
    """The home's one integration, with its key in a block."""
    off = {name: {"autonomy": "observe"} for name in ("rotate-key", "replace-leaked-key")}
    said = {
        "runbook": "maintainx",
        "sandbox": True,
        "base_url": "http://127.0.0.1:9/v1",
        "status_page_url": "http://127.0.0.1:9",
        "credential": {"name": "maintainx-api-key", "reference": "prefect-block:a-key"},
        "overrides": {"mitigations": off},
    }
    (home / "integrations.yaml").write_text(json.dumps({"integrations": {NAME: said}}))
    return home


def test_commands_find_the_server_of_up(on_server: Server, in_a_block: Path) -> None:
    """Where its file says: as processes, for Prefect reads its settings while it is imported."""
    from prefect.blocks.system import Secret as Block

    key = Secret("test_canary_block")
    Block(value=key.reveal()).save("a-key", overwrite=True, _sync=True)
    (in_a_block / "up.json").write_text(json.dumps({"pid": 1, "api": on_server.api}))
    password = password_file(in_a_block)
    password.touch(0o600)
    password.write_text(on_server.password or "")
    said = program("triage", NAME, "--json")
    (store,) = [p for p in said.data["probes"] if (p["kind"], p["probe"]) == ("key", "store")]
    assert (said.code, said.err) == (1, "")
    assert key.fingerprint in store["detail"] and "canary" not in said.out
    assert said.data["cause"] != "key_missing"
    said = program("doctor")
    assert f"{NAME}: prefect-block:a-key holds a key, {key.fingerprint}" in said.err


@pytest.mark.parametrize("command", ["triage", "verify", "connect"])
def test_without_up_its_blocks_cannot_be_read(in_a_block: Path, command: str) -> None:
    """One line, before anything is asked of anybody."""
    told = refused(command, NAME)
    assert told.startswith("watchkeeper: prefect-block:a-key: no Prefect server runs for ")
    assert told.endswith("start one with `watchkeeper up`")


def test_the_doctor_and_the_keys_without_up(in_a_block: Path) -> None:
    said = run("doctor")
    assert said.code == 1
    assert f"{NAME}: prefect-block:a-key: no Prefect server runs for " in said.err
    for words in ("show", "withdraw", "offer"):
        assert "keeps one key only: rotation needs" in refused("key", words, NAME, stdin="test_1")
