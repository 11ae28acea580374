"""A key is never shown, never half stored, and never lost on the way from pending to current."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import run

import orjson
import pytest

from tasks import blocks
from watchkeeper.credentials.env_source import EnvSource
from watchkeeper.credentials.file_store import FileStore
from watchkeeper.credentials.references import open_rotatable, open_source, register_source
from watchkeeper.credentials.secret import Secret, clean
from watchkeeper.errors import Permanent, UserError

OLD, NEW, OTHER = Secret("test_old_11111111"), Secret("test_new_22222222"), Secret("test_x_3333")
T0 = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    """OLD is current since T0; the clock stands an hour later."""
    at_first = FileStore(tmp_path / "keys" / "mx.json", "file:keys/mx.json", lambda: T0)
    at_first.promote(at_first.offer(OLD))
    return FileStore(at_first.path, at_first.reference, lambda: T0 + timedelta(hours=1))


def shape(store: FileStore) -> dict[str, str]:
    return {version.stage: version.fingerprint for version in store.versions()}


SHOWN: dict[str, Callable[[Secret], str]] = {
    "repr": repr,
    "str": str,
    "f-string": lambda secret: f"{secret}",
    "padded": lambda secret: f"{secret:>40}",
    "percent": lambda secret: f"{secret!s} {secret!r}",
    "in a list": lambda secret: repr([secret]),
}


@pytest.mark.parametrize("show", SHOWN.values(), ids=SHOWN)
def test_a_secret_is_never_shown(show: Callable[[Secret], str]) -> None:
    """Every way of making text of it shows the fingerprint."""
    assert "test_new" not in show(NEW)
    assert NEW.fingerprint in show(NEW)


@pytest.mark.parametrize(
    "write", [pickle.dumps, copy.deepcopy, copy.copy, json.dumps, orjson.dumps, vars]
)
def test_a_secret_is_not_written_out(write: Callable[[Secret], object]) -> None:
    """Pickle, copies and JSON refuse it, without its value in the refusal."""
    with pytest.raises(TypeError) as caught:
        write(NEW)
    assert "test_new" not in "".join(traceback.format_exception(caught.value))


def test_a_secret_is_a_value() -> None:
    """Equal by content, told apart by its fingerprint, unchangeable; `reveal` is the way out."""
    assert Secret("test_new_22222222") == NEW != OLD
    assert NEW.fingerprint == "e3224f19"
    assert len({NEW, Secret("test_new_22222222")}) == 1
    assert NEW.reveal() == "test_new_22222222"
    with pytest.raises(AttributeError):
        NEW.fingerprint = "x"


HYGIENE = [
    ("test_abc\n", "test_abc"),
    ("  test_abc\r\n", "test_abc"),
    (b"test_abc\n", "test_abc"),
    ("", None),
    (" \n", None),
    ("canary\nkey", None),
    ("canary key", None),
    ("canary\x00key", None),
    ("canary\x7f", None),
    ("canary-é", None),
    (b"canary-\xff\xfe", None),
    ("canary\u2028", None),
    ("canary" * 2000, None),
]


@pytest.mark.parametrize(("text", "value"), HYGIENE)
def test_hygiene_at_load(text: str | bytes, value: str | None) -> None:
    """White space around a key goes; anything inside that no header can carry is refused."""
    if value is not None:
        assert clean(text, "env:KEY").reveal() == value
        return
    with pytest.raises(UserError, match="env:KEY") as caught:
        clean(text, "env:KEY")
    assert "canary" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ValueError, match="a secret ") as plain:
        Secret(text.decode("latin-1") if isinstance(text, bytes) else text)
    assert "canary" not in str(plain.value)


def test_env_source(tmp_path: Path) -> None:
    """A key of the environment is read at each call; a missing one is named by its reference."""
    environment = {"MX_KEY": " test_env \n"}
    source = open_source("env:MX_KEY", tmp_path, environment)
    assert source.read().reveal() == "test_env"
    environment.clear()
    with pytest.raises(UserError, match="env:MX_KEY is not set"):
        source.read()
    environment["MX_KEY"] = "canary in two words"
    assert "canary" not in repr(source)


UNKNOWN = ["vault:x", "file:", "env:", "aws:", "gcp:", "prefect-block:", "test_canary_key", ""]
UNFIT = {
    "aws:?region=eu-west-1": "after its name",
    "aws:key?zone=eu": "only region=…, field=…, endpoint=…",
    "aws:key?region=": "only region",
    "aws:key?region=a&region=b": "each once",
    "aws:key?endpoint=https://127.0.0.1:9": "a stand-in, such as http://127",
    "aws:key?endpoint=http://10.0.0.1:9": "a stand-in",
    "aws:key?endpoint=http://localhost.example.com:9": "a stand-in",
    "aws:key?endpoint=http://127.0.0.1:9@example.com:9": "a stand-in",
    "aws:key?endpoint=http://127.0.0.1:9/x": "a stand-in",
    "aws:key?endpoint=http://127.0.0.1": "a stand-in",
    "aws:key?endpoint=http://127.0.0.1:x": "a stand-in",
    "gcp:projects/p/secrets/s?region=eu": "only api=",
    "gcp:projects/p/secrets/s?api=http://example.com:80": "a stand-in",
    "gcp:my-secret": "gcp:projects/PROJECT/secrets/NAME",
    "gcp:projects/p/secrets/s/versions/1": "gcp:projects/PROJECT/secrets/NAME",
    "gcp:projects/p/locations/l/secrets/s": "gcp:projects/PROJECT/secrets/NAME",
    f"gcp:projects/p/secrets/{'s' * 248}": "gcp:projects/PROJECT/secrets/NAME",
}


@pytest.mark.parametrize("reference", UNKNOWN)
def test_unknown_references_are_refused(reference: str, tmp_path: Path) -> None:
    """What names no store of ours, or none in particular."""
    for opening in (open_source, open_rotatable):
        with pytest.raises(UserError, match="is not known; file:PATH, aws:NAME or gcp:"):
            opening(reference, tmp_path)


@pytest.mark.parametrize(("reference", "why"), UNFIT.items())
def test_unfit_references_are_refused(reference: str, why: str, tmp_path: Path) -> None:
    """Before anything is asked; a stand-in is on loopback or nowhere."""
    for opening in (open_source, open_rotatable):
        with pytest.raises(UserError) as caught:
            opening(reference, tmp_path)
        assert str(caught.value).startswith(reference) and why in str(caught.value)


@pytest.mark.parametrize("reference", ["env:KEY", "prefect-block:key"])
def test_rotation_needs_versions(reference: str, tmp_path: Path) -> None:
    """A mere source cannot be rotated, and the stores that can are named."""
    wanted = "keeps one key only: rotation needs file:PATH, aws:NAME or gcp:projects"
    with pytest.raises(UserError, match=wanted):
        open_rotatable(reference, tmp_path)


def test_sources_that_are_read_elsewhere(tmp_path: Path) -> None:
    """A package above brings its reader along; without it the kind is known, and said to be."""
    said = run([sys.executable, "-c", UNREGISTERED], capture_output=True, text=True, check=True)
    assert said.stdout.startswith(
        "prefect-block:key cannot be read by this process, which has no reader for prefect-block"
    )
    register_source("prefect-block", lambda name: EnvSource(name, {"key": "test_of_a_block"}))
    try:
        assert open_source("prefect-block:key", tmp_path).read().reveal() == "test_of_a_block"
    finally:
        blocks.register()
    for kind in ("file", "env", "vault"):
        with pytest.raises(ValueError, match="no kind of secret that is opened elsewhere"):
            register_source(kind, lambda name: EnvSource(name, {}))


UNREGISTERED = """
from pathlib import Path
from watchkeeper.credentials.references import open_source
from watchkeeper.errors import UserError
try:
    open_source("prefect-block:key", Path())
except UserError as error:
    print(error)
"""


def test_a_missing_file_names_its_reference(tmp_path: Path) -> None:
    """Nothing stored, or nothing current: one line that says so."""
    source = open_source("file:keys/mx.json", tmp_path)
    with pytest.raises(UserError, match=r"file:keys/mx\.json does not exist"):
        source.read()
    open_rotatable("file:keys/mx.json", tmp_path).offer(NEW)
    with pytest.raises(UserError, match="no current key"):
        source.read()


def test_a_rotation(store: FileStore) -> None:
    """Offer, promote: each key moves one stage, and says since when."""
    assert shape(store) == {"current": OLD.fingerprint}
    assert store.offer(NEW) == NEW.fingerprint
    assert shape(store) == {"current": OLD.fingerprint, "pending": NEW.fingerprint}
    store.promote(NEW.fingerprint)
    assert shape(store) == {"current": NEW.fingerprint, "previous": OLD.fingerprint}
    assert store.read() == NEW
    assert store.read("previous") == OLD
    assert store.read("pending") is None
    assert [v.since for v in store.versions()] == [T0 + timedelta(hours=1)] * 2


def test_each_move_made_twice_changes_nothing(store: FileStore) -> None:
    """Whoever died after a move and runs it again converges."""
    store.offer(NEW)
    once = store.path.read_bytes()
    store.offer(NEW)
    assert store.path.read_bytes() == once
    store.promote(NEW.fingerprint)
    once = store.path.read_bytes()
    store.promote(NEW.fingerprint)
    store.withdraw()
    assert store.path.read_bytes() == once


def test_one_pending_key_at_a_time(store: FileStore) -> None:
    """A second one is refused unless the first is replaced on purpose."""
    store.offer(NEW)
    with pytest.raises(UserError, match=f"{NEW.fingerprint} pending since 2026-03-01 10:00Z"):
        store.offer(OTHER)
    assert store.read("pending") == NEW
    store.offer(OTHER, replace=True)
    assert store.read("pending") == OTHER
    with pytest.raises(Permanent, match="not pending"):
        store.promote(NEW.fingerprint)
    assert store.read() == OLD


def test_the_current_key_is_no_new_key(store: FileStore) -> None:
    """At 3 a.m. the old key is easily pasted again."""
    with pytest.raises(UserError, match="offer the new one"):
        store.offer(OLD)


def test_withdraw_and_rollback(store: FileStore) -> None:
    """A promotion is undone exactly: the old key serves again, the new one waits again."""
    store.offer(NEW)
    store.withdraw()
    assert shape(store) == {"current": OLD.fingerprint}
    store.offer(NEW)
    store.promote(NEW.fingerprint)
    store.offer(OTHER)
    with pytest.raises(Permanent, match="withdraw it first"):
        store.rollback()
    store.withdraw()
    store.rollback()
    assert shape(store) == {"current": OLD.fingerprint, "pending": NEW.fingerprint}
    with pytest.raises(Permanent, match="no previous key"):
        store.rollback()


def test_only_the_owner_can_read_it(store: FileStore) -> None:
    """0600 in 0700, and a file that others can read is refused with the remedy."""
    store.offer(NEW)
    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.path.parent.stat().st_mode & 0o777 == 0o700
    store.path.chmod(0o640)
    for call in (store.read, store.versions, store.withdraw):
        with pytest.raises(UserError, match="chmod 600"):
            call()


BROKEN = {
    "cut": b'{"schema": 1, "current": {"version": 1, "value": "test_canary',
    "not json": b"test_canary",
    "binary": b"\xff\xfetest_canary",
    "other schema": b'{"schema": 2, "current": "test_canary"}',
    "no value": b'{"schema": 1, "current": {"test_canary": 1}}',
    "naive since": b'{"schema": 1, "current": {"value": "test_canary", "since": "2026-01-01"}}',
    "key with newline": b'{"schema": 1, "current": {"value": "test_canary\\nx",'
    b' "since": "2026-01-01T00:00:00Z"}}',
    "a list": b"[]",
    "deep": b"[" * 200_000,
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_told_without_quoting_it(text: bytes, store: FileStore) -> None:
    """Neither the error nor anything it was raised from holds a word of the file."""
    store.path.write_bytes(text)
    for call in (store.read, lambda: store.offer(OTHER)):
        with pytest.raises(UserError, match=r"file:keys/mx\.json") as caught:
            call()
        assert "canary" not in "".join(traceback.format_exception(caught.value))
        assert caught.value.__context__ is None
    assert store.path.read_bytes() == text


def test_a_file_made_by_hand_is_understood(tmp_path: Path) -> None:
    """The documented shape is enough; numbering goes on from what is there."""
    path = tmp_path / "mx.json"
    since = "2026-01-01T00:00:00+00:00"
    current = {"version": 7, "value": "test_by_hand", "since": since}
    path.write_text(
        json.dumps({"schema": 1, "current": current, "pending": None, "previous": None})
    )
    path.chmod(0o600)
    store = open_rotatable("file:mx.json", tmp_path)
    store.promote(store.offer(NEW))
    kept = json.loads(path.read_text())
    assert kept["current"]["version"] == 8
    assert kept["previous"]["value"] == "test_by_hand"


def test_a_killed_writer_leaves_the_old_file(store: FileStore) -> None:
    """Half of a new file beside the old one is thrown away by the next writer."""
    leftover = store.path.with_name(".mx.json.new")
    leftover.write_bytes(b'{"schema": 1, "cur')
    assert store.read() == OLD
    store.offer(NEW)
    assert store.read("pending") == NEW
    assert not leftover.exists()


OFFER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
keys = open_rotatable("file:mx.json", Path(sys.argv[1]))
for n in range(20):
    keys.offer(Secret(f"test_{sys.argv[2]}_{n}"), replace=True)
    assert keys.read("pending") is not None
"""


def test_writers_queue(tmp_path: Path) -> None:
    """Three processes write sixty versions: each counts on, and no reader meets half a file."""
    keys = open_rotatable("file:mx.json", tmp_path)
    keys.promote(keys.offer(OLD))
    command = [sys.executable, "-c", OFFER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait(timeout=30) for writer in writers] == [0, 0, 0]
    kept = json.loads((tmp_path / "mx.json").read_text())
    assert kept["current"]["value"] == OLD.reveal()
    assert kept["pending"]["version"] == 61
