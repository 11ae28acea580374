"""Where Prefect keeps its tables: SQLite in the home, or a team's PostgreSQL.

The URL holds a password. The server alone gets it, in its environment.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

import psycopg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from watchkeeper.credentials.references import open_source
from watchkeeper.errors import Transient, UserError
from watchkeeper.settings import Settings

_log = logging.getLogger(__name__)
SETTING = "WATCHKEEPER_PREFECT_DATABASE_URL"
CONNECT_S = 5
_DRIVERS = ("postgresql", "postgresql+asyncpg")
_REFERENCES = ("env:", "file:")


def team_database(settings: Settings, environment: Mapping[str, str] = os.environ) -> str | None:
    """The URL as Prefect wants it; None for SQLite. Asks the database nothing.

    Raises UserError, without the URL, on one that cannot be read or is no PostgreSQL.
    """
    found = _url(settings, environment)
    if found is None:
        return None
    # libpq's word for what asyncpg calls ssl.
    query = {("ssl" if name == "sslmode" else name): value for name, value in found.query.items()}
    made = found.set(drivername="postgresql+asyncpg", query=query)
    return made.render_as_string(hide_password=False)


def database_problems(settings: Settings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What keeps Prefect from using its PostgreSQL, a line each; empty where nothing does."""
    try:
        found = _url(settings, environment)
    except UserError as error:
        return [str(error)]
    if found is None:
        return []
    query = {("sslmode" if name == "ssl" else name): value for name, value in found.query.items()}
    plain = found.set(drivername="postgresql", query=query).render_as_string(hide_password=False)
    at = f"{SETTING}: {found.host}:{found.port or 5432}/{found.database}"
    try:
        with psycopg.connect(plain, connect_timeout=CONNECT_S) as connection:
            asked = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_trgm'"
            (there,) = connection.execute(asked).fetchone() or (0,)
            asked = "SELECT has_database_privilege(current_database(), 'CREATE')"
            (may,) = connection.execute(asked).fetchone() or (False,)
    except psycopg.Error as error:
        _log.info("%s cannot be used", at, exc_info=True)
        return [
            f"{at} cannot be used ({type(error).__name__}): is it up, and are user, password and "
            "database right?"
        ]
    problems = []
    if not there:
        problems.append(f"{at} has no extension pg_trgm: install postgresql-contrib there")
    if not may:
        problems.append(f"{at}: this user may not create in it: GRANT CREATE ON DATABASE")
    return problems


def _url(settings: Settings, environment: Mapping[str, str]) -> URL | None:
    if settings.prefect_database_url is None:
        return None
    said = settings.prefect_database_url.get_secret_value().strip()
    if said.startswith(_REFERENCES):
        try:
            said = (
                open_source(said, settings.integrations.resolve().parent, environment)
                .read()
                .reveal()
            )
        except (UserError, Transient) as error:
            raise UserError(f"{SETTING}: {error}") from None
    try:
        found = make_url(said)
    except ArgumentError:
        found = None
    if found is None or found.drivername not in _DRIVERS or not found.host or not found.database:
        raise UserError(
            f"{SETTING} is no URL of a PostgreSQL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "or env:NAME or file:PATH that holds one"
        )
    return found
