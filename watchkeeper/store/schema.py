"""The schema's revision: brought up to date by Alembic, never run against a newer one."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from watchkeeper.errors import UserError

HEAD = "0010"
_MIGRATIONS = Path(__file__).parent / "migrations"
# The name of a lock in PostgreSQL is a number.
_UPGRADING = 0x77617463686B  # "watchk"


def ensure_schema(engine: Engine) -> None:
    """Upgrade an older or empty database; refuse one of a revision that this program lacks."""
    revision = revision_of(engine)
    if revision == HEAD:
        return
    if revision is not None and revision not in _known():
        raise UserError(
            f"the database has schema {revision}, newer than this program's {HEAD}: "
            "upgrade Watchkeeper, or point WATCHKEEPER_DATABASE_URL elsewhere"
        )
    upgrade(engine)


def revision_of(engine: Engine) -> str | None:
    """None where the database has no schema of ours."""
    with engine.connect() as connection:
        return _revision(connection)


def upgrade(engine: Engine, to: str = "head") -> None:
    # Alembic is imported only here: every other start must not pay for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    writer = engine.execution_options(watchkeeper_write=True)
    with writer.begin() as connection:
        if connection.dialect.name == "postgresql":
            # SQLite's write transaction lets one process in at a time; here a lock must.
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADING})
        if _revision(connection) == HEAD:
            return
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return str(found) if found is not None else None


def _known() -> set[str]:
    return {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")}
