"""How the Prefect server is set up: sealed from the user's profile, and not open beyond loopback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deployments import brief_locks
from deployments.server import Address, auth_file, sealed_environment
from watchkeeper.settings import Settings


def test_on_loopback_there_is_no_password(tmp_path: Path) -> None:
    """One person at one machine is asked for nothing."""
    made = sealed_environment(Settings(home=tmp_path), Address("127.0.0.1", 4200))
    assert not any("AUTH" in name for name in made)
    assert not auth_file(tmp_path).exists()


def test_beyond_loopback_there_is_one_and_it_stays(tmp_path: Path) -> None:
    """Whoever reaches the UI can approve: server and clients share a password only the owner reads."""
    first = sealed_environment(Settings(home=tmp_path), Address("192.0.2.7", 4200))
    again = sealed_environment(Settings(home=tmp_path), Address("192.0.2.7", 4200))
    word = first["PREFECT_SERVER_API_AUTH_STRING"]
    assert word == first["PREFECT_API_AUTH_STRING"] == again["PREFECT_API_AUTH_STRING"]
    assert len(word) > 30
    assert auth_file(tmp_path).stat().st_mode & 0o077 == 0


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


PATIENCE = """
from sqlalchemy import create_engine, event, text
from deployments import brief_locks

brief_locks.shorten()
engine = create_engine("sqlite://")

@event.listens_for(engine, "connect")
def as_prefect_does(connection, _record):
    connection.execute("PRAGMA busy_timeout = 60000")

with engine.connect() as connection:
    print(connection.execute(text("PRAGMA busy_timeout")).scalar())
"""


def test_the_server_waits_for_its_own_database_in_seconds() -> None:
    """Whatever Prefect sets as it connects: a minute's standstill is a drill that fails, and at night
    a page that comes late."""
    done = subprocess.run(
        [sys.executable, "-c", PATIENCE], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(done.stdout) == brief_locks.BUSY_MS
