"""Prefect's server with a shorter patience for its own SQLite: seconds instead of a minute.

`python -m deployments.brief_locks MODULE ARGS...` runs a module so. A request of the server's that holds
the write lock may come to a standstill until another connection gives up waiting for that lock, and
Prefect has it wait for 60 s (docs/decisions/0002). What is refused then is asked again by its client.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any

from sqlalchemy import event
from sqlalchemy.pool import Pool

BUSY_MS = 5_000


def shorten() -> None:
    """For every SQLite connection that any engine of this process hands out from now on."""

    @event.listens_for(Pool, "checkout")
    def _checkout(connection: Any, record: Any, _proxy: Any) -> None:
        # Prefect sets its own when it connects; ours comes after it, once a connection.
        if "sqlite" in type(connection).__module__ and "brief" not in record.info:
            record.info["brief"] = True
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            cursor.close()


if __name__ == "__main__":
    shorten()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
