"""A team's server: Prefect's tables in Debian's PostgreSQL, with pg_trgm."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from harness import free_port, running_server, stop_process, wait_until
from psycopg import sql
from pydantic import SecretStr
from runner_target import served

from deployments.door import Address
from deployments.server import sealed_environment
from deployments.team_database import database_problems
from watchkeeper.settings import Settings

PASSWORD = "hunter2-of-the-team"
BINARIES = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Cluster:
    """A cluster of this test alone; `url` is that of a user who owns one database and nothing else."""

    port: int

    @property
    def url(self) -> str:
        return f"postgresql://watch:{PASSWORD}@127.0.0.1:{self.port}/prefect"

    @property
    def admin(self) -> str:
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """As root it runs under Debian's account for it, in a folder that this account may enter."""
    found = sorted(BINARIES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "no PostgreSQL here: .ci/apt.txt lists the Debian packages that are needed"
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-team-"))
    port, data, word = free_port(), folder / "data", folder / "word"
    try:
        word.write_text(PASSWORD)
        if user:
            account = pwd.getpwnam(user)
            for path in (folder, word):
                os.chown(path, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                *(found[-1].with_name("initdb"), "-D", data, "-U", "postgres", "-E", "UTF8"),
                *("--auth=scram-sha-256", f"--pwfile={word}", "--no-sync", "--locale=C.UTF-8"),
            ],
            check=True,
            user=user,
            cwd=folder,
            capture_output=True,
        )
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *(found[-1], "-D", data, "-p", str(port), "-k", folder),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                user=user,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            made = Cluster(port)
            wait_until(lambda: _answers(made.admin), 60, "PostgreSQL answers")
            with psycopg.connect(made.admin, autocommit=True) as admin:
                create = sql.SQL("CREATE ROLE watch LOGIN PASSWORD {}").format(PASSWORD)
                admin.execute(create)
                admin.execute("CREATE DATABASE prefect OWNER watch")
            yield made
        finally:
            stop_process(process)
    finally:
        shutil.rmtree(folder)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def team() -> Iterator[Cluster]:
    with cluster() as running:
        yield running


def test_flows_run_on_a_teams_database(team: Cluster, tmp_path: Path) -> None:
    """The server makes its tables there, pg_trgm among what it needs, and a run goes through; the
    password is in no log, no argument and no environment of a run."""
    chosen = Settings(home=tmp_path, prefect_database_url=SecretStr(team.url))
    assert database_problems(chosen) == []
    environment = sealed_environment(chosen, Address("127.0.0.1", 1))
    name = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
    lab = tmp_path / "lab"
    lab.mkdir()
    with (
        running_server(tmp_path / "prefect", {name: environment[name]}) as server,
        served(server, lab) as target,
    ):
        target.run_ours()
        with psycopg.connect(team.url) as connection:
            (runs,) = connection.execute(
                "SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'"
            ).fetchone() or (0,)
            (trigrams,) = connection.execute(
                "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'"
            ).fetchone() or (0,)
        assert (runs, trigrams) == (1, 1)
        arguments = Path(f"/proc/{server.pid}/cmdline").read_text()
        logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
        assert PASSWORD not in arguments + logs + str(server.environment)


def test_doctor_says_what_is_wrong_with_it(team: Cluster, tmp_path: Path) -> None:
    """A wrong password, a database that is not there, a user who may make nothing: a line each, and
    none holds the password."""
    with psycopg.connect(team.admin, autocommit=True) as admin:
        admin.execute("CREATE DATABASE others")
    wrong = {
        team.url.replace(PASSWORD, "hunter2-of-others"): "cannot be used",
        team.url.replace("/prefect", "/missing"): "cannot be used",
        team.url.replace("/prefect", "/others"): "may not create",
    }
    for url, why in wrong.items():
        (said,) = database_problems(Settings(home=tmp_path, prefect_database_url=SecretStr(url)))
        assert why in said and "hunter2" not in said
