"""What every command does at its edge: settings, the watch, who is asking, where Prefect is."""

from __future__ import annotations

import json
import os
import pwd
import socket
import sys
from contextlib import ExitStack
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from deployments.password import password_file, stored_password
from tasks.registering import register
from watchkeeper.errors import UserError
from watchkeeper.people import AUTOMATION, Account, Origin, name_of, same_name
from watchkeeper.performing.watch import Watch, open_watch
from watchkeeper.runbook.integration import Watched
from watchkeeper.settings import Settings

# Words go to stderr, so that stdout is JSON alone when JSON was asked for.
words = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
IntegrationName = Annotated[str, typer.Argument(help="Such as maintainx@prod.")]
IntegrationOrAll = Annotated[
    str, typer.Argument(help="Such as maintainx@prod, or all.", metavar="INTEGRATION|all")
]
IncidentId = Annotated[str, typer.Argument(help="Such as INC-17.", metavar="INCIDENT")]
By = Annotated[str | None, typer.Option(help="Who says so; your login name when left out.")]
Reason = Annotated[str, typer.Option(help="Why; it goes on the timeline.")]

HEALTHY, UNHEALTHY, BAD_USAGE = 0, 1, 2


def settings() -> Settings:
    """Raises UserError naming the variable that cannot be read."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"WATCHKEEPER_{'_'.join(map(str, first['loc'])).upper()}"
        raise UserError(f"{name}: {first['msg']}") from None


_OPENED = ExitStack()


def close_databases() -> None:
    """Of every watch that this process has opened."""
    _OPENED.close()


def watch() -> Watch:
    opened = open_watch(settings())
    _OPENED.callback(opened.store.close)
    register(opened.secrets_base)
    return opened


def reach(on: Watch, *references: str | None) -> None:
    """Before keys are read: those in Prefect's blocks are asked of the server of `up`.

    Raises UserError where one of these is there, and no server runs.
    """
    there = next((r for r in references if r and r.startswith("prefect-block:")), None)
    if there is None:
        return
    try:
        point_at_prefect(on.settings)
    except UserError as error:
        raise UserError(f"{there}: {error}") from None
    # Here, and not while a vendor's answers are being timed: it takes a second.
    import prefect.client.orchestration  # noqa: F401


def reach_keys(on: Watch, watched: Watched) -> None:
    """The same, of the keys that a look at the vendor may need."""
    credential = watched.integration.credential
    reach(on, credential.reference, credential.second)


def one_or_all(on: Watch, name: str) -> str | None:
    """None for `all`. Raises UserError for a name that is none of ours."""
    return None if name == "all" else on.integration(name).name


def person(by: str | None) -> str:
    """The name on the timeline. It says who typed, and proves nothing. Raises UserError for one that
    cannot be seen, or under which automation signs."""
    name = name_of(account().login if by is None else by)
    if any(same_name(name, ours) for ours in AUTOMATION):
        raise UserError(f"--by {name}: automation signs with it; give a person's name")
    return name


def account() -> Account:
    """Who runs this process, as the operating system has it: no variable can say otherwise."""
    uid = os.getuid()
    try:
        login = pwd.getpwuid(uid).pw_name
    except KeyError:
        login = f"uid-{uid}"
    return Account(
        origin=Origin.COMMAND,
        uid=uid,
        host=socket.gethostname(),
        login=login,
        sudo_uid=os.environ.get("SUDO_UID", "")[:20],
    )


def print_json(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=2, default=str) + "\n")


def point_at_prefect(chosen: Settings) -> str:
    """Point this process at the server that `up` runs, before Prefect is imported.

    Raises UserError where none runs for this home.
    """
    found = chosen.home / "up.json"
    try:
        api = str(json.loads(found.read_text())["api"])
    except (OSError, ValueError, KeyError):
        raise UserError(
            f"no Prefect server runs for {chosen.home}: start one with `watchkeeper up`"
        ) from None
    home = chosen.home.resolve() / "prefect"
    os.environ["PREFECT_API_URL"] = api
    os.environ["PREFECT_HOME"] = str(home)
    os.environ["PREFECT_PROFILES_PATH"] = str(home / "profiles.toml")
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    password = stored_password(chosen.home)
    if password is None:
        raise UserError(
            f"{password_file(chosen.home)} holds no password that only this account can read: use "
            "the account that runs `watchkeeper up`, or start that again"
        )
    os.environ["PREFECT_API_AUTH_STRING"] = password
    return api
