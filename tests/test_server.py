"""How the Prefect server is set up: sealed from the user's profile, and closed."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from deployments.door import Address
from deployments.password import kept_password, password_file, stored_password
from deployments.server import Server, for_runs, free_address, sealed_environment
from deployments.team_database import database_problems
from watchkeeper.credentials.references import open_rotatable
from watchkeeper.credentials.secret import Secret
from watchkeeper.errors import UserError
from watchkeeper.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.7"])
def test_there_is_a_password_everywhere_and_it_stays(tmp_path: Path, host: str) -> None:
    """W8: whoever can write to Prefect's API runs code, on loopback as well: server and clients share
    a password that only the owner reads."""
    first = sealed_environment(Settings(home=tmp_path), Address(host, 4200))
    again = sealed_environment(Settings(home=tmp_path), Address(host, 4200))
    word = first["PREFECT_SERVER_API_AUTH_STRING"]
    assert word == first["PREFECT_API_AUTH_STRING"] == again["PREFECT_API_AUTH_STRING"]
    assert len(word) > 30
    assert stat.S_IMODE(password_file(tmp_path).stat().st_mode) == 0o600
    assert first["PREFECT_SERVER_CSRF_PROTECTION_ENABLED"] == "true"
    assert first["PREFECT_SERVER_CORS_ALLOWED_ORIGINS"] == f"http://{host}:4200"
    assert "PREFECT_SERVER_API_AUTH_STRING" not in for_runs(first)
    assert for_runs(first)["PREFECT_API_AUTH_STRING"] == word


def damaged(path: Path, how: str) -> None:
    kept_password(path.parent)
    if how == "missing":
        path.unlink()
    elif how == "wide":
        path.chmod(0o644)
    elif how == "a link":
        path.rename(path.with_name("elsewhere"))
        path.symlink_to("elsewhere")
    elif how == "a loop":
        path.unlink()
        path.symlink_to(path.name)
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path, 0o600)
    else:
        path.write_bytes(how.encode("latin-1"))


DAMAGED = ("missing", "wide", "a link", "a loop", "a pipe")
DAMAGED_BYTES = ("", "\n", "watchkeeper:", ":" + "x" * 30, "watchkeeper:short", "\xff\x00" * 30)


@pytest.mark.parametrize("how", [*DAMAGED, *DAMAGED_BYTES])
def test_a_password_that_cannot_be_trusted_is_made_again(tmp_path: Path, how: str) -> None:
    """W8: an empty file is no empty password, and one that others may have read is no secret."""
    path = password_file(tmp_path)
    before = kept_password(tmp_path)
    damaged(path, how)
    assert stored_password(tmp_path) is None
    after = kept_password(tmp_path)
    assert after != before
    assert stored_password(tmp_path) == after
    found = path.lstat()
    assert stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600


def test_a_start_that_was_killed_leaves_no_half_password(tmp_path: Path) -> None:
    """What it had begun is not read, and does not stand in the way."""
    draft = password_file(tmp_path).with_name(f"prefect-auth.{os.getpid()}.tmp")
    draft.write_text("watchkeeper:")
    word = kept_password(tmp_path)
    assert stored_password(tmp_path) == word
    assert [path.name for path in tmp_path.iterdir()] == ["prefect-auth"]


def test_a_password_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    password_file(tmp_path).mkdir()
    with pytest.raises(UserError, match=r"prefect-auth: the password .* cannot be written"):
        kept_password(tmp_path)


PUBLIC = [
    ("https://watch.example.com", "https://watch.example.com"),
    ("https://Watch.example.com:443/", "https://watch.example.com"),
    ("http://watch:8080", "http://watch:8080"),
]


@pytest.mark.parametrize(("said", "origin"), PUBLIC)
def test_the_address_that_browsers_use(tmp_path: Path, said: str, origin: str) -> None:
    """Behind a proxy with TLS the UI is told that address, and our own clients go on by loopback."""
    address = free_address(Settings(home=tmp_path, host="0.0.0.0", port=0, public_url=said))
    assert address.ui == origin
    assert address.api == f"http://127.0.0.1:{address.port}/api"
    made = sealed_environment(Settings(home=tmp_path), address)
    assert made["PREFECT_SERVER_UI_API_URL"] == f"{origin}/api"
    assert made["PREFECT_API_URL"] == address.api


NO_ADDRESS = [
    "watch.example.com",
    "https://",
    "https://a/b",
    "https://u:p@a",
    "ftp://a",
    "http://a:x",
]


@pytest.mark.parametrize("said", NO_ADDRESS)
def test_an_address_that_is_none_is_refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(UserError, match="WATCHKEEPER_PUBLIC_URL is no origin"):
        free_address(Settings(home=tmp_path, port=0, public_url=said))


def test_listening_everywhere_needs_the_address_that_browsers_use(tmp_path: Path) -> None:
    """Without it the UI would look for its API where the browser is."""
    with pytest.raises(UserError, match="set WATCHKEEPER_PUBLIC_URL"):
        free_address(Settings(home=tmp_path, host="0.0.0.0", port=0))


@pytest.mark.parametrize("host", ["localhost", "::1"])
def test_other_names_of_loopback_can_be_listened_at(tmp_path: Path, host: str) -> None:
    address = free_address(Settings(home=tmp_path, host=host, port=0))
    assert address.port > 0
    assert address.loopback


def test_nothing_of_the_users_profile_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that points at a live server points nowhere from here."""
    monkeypatch.setenv("PREFECT_API_URL", "https://live.example/api")
    monkeypatch.setenv("PREFECT_API_KEY", "live")
    made = sealed_environment(Settings(home=tmp_path), Address("127.0.0.1", 4321))
    assert made["PREFECT_API_URL"] == "http://127.0.0.1:4321/api"
    assert "PREFECT_API_KEY" not in made
    assert made["PREFECT_SERVER_UI_API_URL"] == made["PREFECT_API_URL"]
    assert made["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"


URL = "postgresql://watch:hunter2-of-the-team@db.example:5433/prefect?sslmode=require"


@pytest.mark.parametrize("how", ["a url", "env", "file"])
def test_a_teams_database_is_the_servers_alone(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its URL or a reference to it; no run and no command that it starts finds the password."""
    keys = open_rotatable("file:db.json", tmp_path)
    keys.promote(keys.offer(Secret(URL)))
    said = {"a url": URL, "env": "env:TEAM_DB", "file": "file:db.json"}[how]
    monkeypatch.setenv("TEAM_DB", URL)
    monkeypatch.setenv("WATCHKEEPER_PREFECT_DATABASE_URL", said)
    chosen = Settings(home=tmp_path, integrations=tmp_path / "integrations.yaml")
    made = sealed_environment(chosen, Address("127.0.0.1", 4200))
    monkeypatch.delenv("TEAM_DB")
    assert made["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == (
        "postgresql+asyncpg://watch:hunter2-of-the-team@db.example:5433/prefect?ssl=require"
    )
    assert "WATCHKEEPER_PREFECT_DATABASE_URL" not in made
    given = {name: value for name, value in for_runs(made).items() if name != "TEAM_DB"}
    assert "hunter2" not in str(given) and "hunter2" not in repr(chosen)


NO_DATABASE = [
    ("mysql://u:hunter2@h/d", "is no URL of a PostgreSQL"),
    ("hunter2", "is no URL of a PostgreSQL"),
    ("postgresql://u:hunter2@h", "is no URL of a PostgreSQL"),
    ("env:NO_SUCH_DATABASE", "env:NO_SUCH_DATABASE is not set"),
    ("file:missing.json", "file:missing.json"),
]


@pytest.mark.parametrize(("said", "why"), NO_DATABASE)
def test_a_teams_database_that_is_none_is_one_line(tmp_path: Path, said: str, why: str) -> None:
    chosen = Settings(home=tmp_path, prefect_database_url=SecretStr(said))
    with pytest.raises(UserError, match=why) as refused:
        sealed_environment(chosen, Address("127.0.0.1", 4200))
    assert str(refused.value).startswith("WATCHKEEPER_PREFECT_DATABASE_URL")
    assert "hunter2" not in str(refused.value)
    assert database_problems(chosen) == [str(refused.value)]


def test_a_port_of_ipv6_is_tried_as_one(tmp_path: Path) -> None:
    """A free one is not called taken, and a taken one is."""
    address = free_address(Settings(home=tmp_path, host="::1", port=0))
    server = Server(Settings(home=tmp_path), address, {})
    assert server.port_taken() is None
    with socket.create_server((address.host, address.port), family=socket.AF_INET6):
        assert "cannot be used" in (server.port_taken() or "")


LOCKING = """
import sqlite3, sys
from sqlalchemy import create_engine, event
from deployments.prefect_server import lock_at_once

if sys.argv[2] == "at once":
    lock_at_once()
engine = create_engine(f"sqlite:///{sys.argv[1]}")

@event.listens_for(engine, "connect")
def as_prefect_does(connection, _record):
    connection.isolation_level = None

@event.listens_for(engine, "begin")
def as_prefect_begins(connection):
    connection.exec_driver_sql("BEGIN DEFERRED")

with engine.begin():
    with sqlite3.connect(sys.argv[1], timeout=0) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
            print("free")
        except sqlite3.OperationalError as error:
            print(error)
"""


@pytest.mark.parametrize(
    ("how", "found"), [("at once", "database is locked"), ("deferred", "free")]
)
def test_the_server_takes_its_databases_lock_as_a_transaction_begins(
    tmp_path: Path, how: str, found: str
) -> None:
    """Two that have read and then write would refuse each other at once, with a 503 to both."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOCKING, str(tmp_path / "db"), how],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == found
